//! What answers a route: cloudflared's `service`, refused where cloudflared refuses it (`ingress/ingress.go`).

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Serialize, Serializer};
use url::Host;

use super::paths;

/// What answers a route. Displayed as cloudflared spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// A server, as in `http://localhost:8080` or `ssh://10.0.0.1:22`.
    Url(ServiceUrl),
    /// An HTTP server on a Unix socket with this absolute path: `unix:/run/app.sock`.
    Unix(PathBuf),
    /// An HTTPS server on a Unix socket with this absolute path: `unix+tls:/run/app.sock`.
    UnixTls(PathBuf),
    /// No server, always this status: `http_status:404`.
    HttpStatus(u16),
    /// cloudflared's own test page: `hello_world`.
    HelloWorld,
    /// Whatever host and port the client asks for: `bastion`.
    Bastion,
    /// A SOCKS5 proxy: `socks-proxy`.
    SocksProxy,
}

/// A server with scheme, host and port, and how it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceUrl {
    written: String,
    scheme: Scheme,
    host: Host,
    port: u16,
}

/// What cloudflared speaks to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// HTTP, also written `ws`.
    Http,
    /// HTTPS, also written `wss`.
    Https,
    /// Bytes over TCP: `tcp`, `ssh`, `rdp` and `smb`.
    Tcp,
}

/// Each scheme that Cloudflare documents: what it means, and the port that cloudflared takes when none is written.
const SCHEMES: &[(&str, Scheme, Option<u16>)] = &[
    ("http", Scheme::Http, Some(80)),
    ("https", Scheme::Https, Some(443)),
    ("ws", Scheme::Http, Some(80)),
    ("wss", Scheme::Https, Some(443)),
    // cloudflared would take 7864, "just a random port" (`ingress/origin_service.go`).
    ("tcp", Scheme::Tcp, None),
    ("ssh", Scheme::Tcp, Some(22)),
    ("rdp", Scheme::Tcp, Some(3389)),
    ("smb", Scheme::Tcp, Some(445)),
];

impl ServiceUrl {
    /// What cloudflared speaks to the server.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The server's name or address.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The server's port, also where none was written.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Service {
    /// Whether it names something that every host has for itself: `localhost`, a loopback address, a Unix socket.
    pub fn is_on_this_host(&self) -> bool {
        match self {
            Self::Url(url) => match url.host() {
                Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
                Host::Ipv4(address) => address.is_loopback() || address.is_unspecified(),
                Host::Ipv6(address) => address.is_loopback() || address.is_unspecified(),
            },
            Self::Unix(_) | Self::UnixTls(_) => true,
            // The same wherever it runs, or whatever the client asks for.
            Self::HttpStatus(_) | Self::HelloWorld | Self::Bastion | Self::SocksProxy => false,
        }
    }
}

/// Why a text is no service. It reads after `cannot use "…": `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ServiceError(String);

impl From<&str> for ServiceError {
    fn from(rule: &str) -> Self {
        Self(rule.to_owned())
    }
}

impl FromStr for Service {
    type Err = ServiceError;

    fn from_str(text: &str) -> Result<Self, ServiceError> {
        let socket = |path| paths::socket(path).map_err(ServiceError);
        match text {
            "" => return Err("a service must not be empty".into()),
            "hello_world" | "hello-world" => return Ok(Self::HelloWorld),
            "bastion" => return Ok(Self::Bastion),
            "socks-proxy" => return Ok(Self::SocksProxy),
            _ => {}
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(socket(path)?));
        }
        if let Some(path) = text.strip_prefix("unix+tls:") {
            return Ok(Self::UnixTls(socket(path)?));
        }
        if let Some(status) = text.strip_prefix("http_status:") {
            let status = status.parse().ok().filter(|status| (100..=999).contains(status));
            return status.map(Self::HttpStatus).ok_or_else(|| "http_status: takes a status from 100 to 999".into());
        }
        url(text).map(Self::Url)
    }
}

fn url(text: &str) -> Result<ServiceUrl, ServiceError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(ServiceError(format!("a service needs a scheme and a host{}", guess(text))));
    };
    let lower = scheme.to_ascii_lowercase();
    let Some((_, scheme, default_port)) = SCHEMES.iter().find(|(name, _, _)| *name == lower) else {
        let known: Vec<&str> = SCHEMES.iter().map(|(name, _, _)| *name).collect();
        return Err(ServiceError(format!("the scheme must be one of {}; tcp carries any other protocol", known.join(", "))));
    };
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if behind.starts_with('/') {
        return Err("a service must not have a path (not even a final /): the origin gets the path of the request".into());
    }
    if !behind.is_empty() {
        return Err("a service must not have a query or a fragment: the origin gets those of the request".into());
    }
    if authority.contains('@') {
        return Err("a service must not have a user name or password: cloudflared does not send them".into());
    }
    let (host, port) = split_port(authority)?;
    if host.is_empty() {
        return Err("a service needs a host, as in http://localhost:8080".into());
    }
    // An IPv6 zone is for the dialling host alone; what is compared is the address.
    let address = match host.split_once('%') {
        Some((address, _)) if host.starts_with('[') => format!("{address}]"),
        Some(_) | None => host.to_owned(),
    };
    let host = Host::parse(&address).map_err(|error| ServiceError(format!("{host:?} is no host ({error})")))?;
    let port = port.or(*default_port).ok_or("a tcp service needs a port, as in tcp://localhost:5432")?;
    Ok(ServiceUrl { written: text.to_owned(), scheme: *scheme, host, port })
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), ServiceError> {
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority[host_end..].find(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at(host_end + colon);
    let digits = &port[1..];
    if digits.contains(':') {
        return Err("an IPv6 address stands in brackets, as in http://[::1]:8080".into());
    }
    let port = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    match port {
        Some(port) if port > 0 => Ok((host, Some(port))),
        Some(_) | None => Err("a port is a number from 1 to 65535".into()),
    }
}

/// What the author of a service without a scheme probably meant.
fn guess(text: &str) -> String {
    let looks_like_host = text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | ':' | '[' | ']'));
    if text.starts_with('/') {
        format!(", or unix: before a socket's path, as in unix:{text}")
    } else if looks_like_host && text.contains(|char: char| char.is_ascii_digit()) {
        format!(", as in http://{text}")
    } else {
        ", as in http://localhost:8080".to_owned()
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => formatter.write_str(&url.written),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::UnixTls(path) => write!(formatter, "unix+tls:{}", path.display()),
            Self::HttpStatus(status) => write!(formatter, "http_status:{status}"),
            Self::HelloWorld => formatter.write_str("hello_world"),
            Self::Bastion => formatter.write_str("bastion"),
            Self::SocksProxy => formatter.write_str("socks-proxy"),
        }
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn services_keep_cloudflareds_spelling() {
        for text in [
            "http://localhost:8080",
            "https://10.0.0.1",
            "HTTPS://Example.com:8443",
            "http://[::1]:8080",
            "http://[fe80::1%25eth0]:80",
            "ws://localhost:1",
            "wss://my_container",
            "tcp://localhost:5432",
            "ssh://localhost",
            "rdp://host.internal",
            "smb://localhost:445",
            "unix:/run/app.sock",
            "unix+tls:/run/app.sock",
            "http_status:404",
            "hello_world",
            "bastion",
            "socks-proxy",
        ] {
            assert_eq!(text.parse::<Service>().unwrap().to_string(), text);
        }
        assert_eq!("hello-world".parse::<Service>().unwrap(), Service::HelloWorld);
    }

    #[test]
    fn ports_that_were_left_out_are_cloudflareds() {
        for (text, port) in
            [("http://a", 80), ("wss://a", 443), ("ssh://a", 22), ("rdp://a", 3389), ("smb://a", 445), ("http://[::1]", 80)]
        {
            let Service::Url(url) = text.parse().unwrap() else { panic!("{text}") };
            assert_eq!(url.port(), port, "{text}");
        }
    }

    #[test]
    fn what_cloudflared_refuses_or_ignores_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "a service must not be empty"),
            ("localhost:8080", "a service needs a scheme and a host, as in http://localhost:8080"),
            ("10.0.0.1:80", "a service needs a scheme and a host, as in http://10.0.0.1:80"),
            ("helloworld", "a service needs a scheme and a host, as in http://localhost:8080"),
            ("/run/app.sock", "a service needs a scheme and a host, or unix: before a socket's path, as in unix:/run/app.sock"),
            ("http:/localhost", "a service needs a scheme and a host, as in http://localhost:8080"),
            ("http://", "a service needs a host, as in http://localhost:8080"),
            ("http://:80", "a service needs a host, as in http://localhost:8080"),
            ("http://localhost/", "a service must not have a path (not even a final /): the origin gets the path of the request"),
            ("http://a/b?c", "a service must not have a path (not even a final /): the origin gets the path of the request"),
            ("http://a?b", "a service must not have a query or a fragment: the origin gets those of the request"),
            ("http://u:p@a", "a service must not have a user name or password: cloudflared does not send them"),
            ("htpp://a:80", "the scheme must be one of http, https, ws, wss, tcp, ssh, rdp, smb; tcp carries any other protocol"),
            ("tcp://localhost", "a tcp service needs a port, as in tcp://localhost:5432"),
            ("http://a:0", "a port is a number from 1 to 65535"),
            ("http://a:", "a port is a number from 1 to 65535"),
            ("http://a:+80", "a port is a number from 1 to 65535"),
            ("http://a:65536", "a port is a number from 1 to 65535"),
            ("http://::1:80", "an IPv6 address stands in brackets, as in http://[::1]:8080"),
            ("http://a b", "\"a b\" is no host (invalid international domain name)"),
            ("http_status:99", "http_status: takes a status from 100 to 999"),
            ("http_status:1000", "http_status: takes a status from 100 to 999"),
            ("http_status:", "http_status: takes a status from 100 to 999"),
            ("unix:app.sock", "a path must be absolute, so that it starts with /"),
            ("unix+tls:", "a path must be absolute, so that it starts with /"),
        ] {
            assert_eq!(text.parse::<Service>().unwrap_err().to_string(), reason, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(http://|tcp:|unix:)?\\PC*") {
            let _ = text.parse::<Service>();
        }
    }
}
