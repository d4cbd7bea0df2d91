//! Going and looking: at the origin as a connector would, and at the public hostname as a visitor would.
//!
//! It is modest: one connection, one `HEAD`, no redirect followed, no body read. Nothing here decides what that means.

use std::{
    error::Error as _,
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{ClientBuilder, header};
use serde_json::{Map, Value};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{OriginFinding, PublicFinding};
use crate::{
    config::{Scheme, Service, ServiceUrl},
    name::Hostname,
    process::with_cause,
};

/// How long an origin may take to accept a connection: it is on this host or near it.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// How long it may then take to say something.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);

/// How long a visitor's request may take in all, the resolver included.
const PUBLIC_TIME_MAX: Duration = Duration::from_secs(5);

/// As whom we ask.
const USER_AGENT: &str = concat!("adit/", env!("CARGO_PKG_VERSION"), " diagnose");

/// The most bytes of a file with certificates: far more than any has.
const CERTIFICATES_MAX: u64 = 1024 * 1024;

/// How cloudflared asks an origin, as far as it matters to one request.
#[derive(Debug, Default, Clone)]
pub struct Asking {
    host: Option<String>,
    server_name: Option<String>,
    match_host: bool,
    no_verify: bool,
    ca_pool: Option<String>,
}

impl Asking {
    /// What a rule says, and where it says nothing what its tunnel says.
    pub fn of(tunnel: Option<&Map<String, Value>>, rule: Option<&Map<String, Value>>) -> Self {
        let value = |key: &str| rule.and_then(|rule| rule.get(key)).or_else(|| tunnel.and_then(|tunnel| tunnel.get(key)));
        let text = |key: &str| value(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let is_set = |key: &str| value(key).and_then(Value::as_bool).unwrap_or(false);
        Self {
            host: text("httpHostHeader"),
            server_name: text("originServerName"),
            match_host: is_set("matchSNItoHost"),
            no_verify: is_set("noTLSVerify"),
            ca_pool: text("caPool"),
        }
    }
}

/// Tries an origin. It takes five seconds at most.
pub async fn origin(service: &Service, asking: &Asking, hostname: &Hostname, path: &str) -> OriginFinding {
    let connected = match service {
        Service::Url(url) => connect(TcpStream::connect((bare(url), url.port()))).await,
        Service::Unix(socket) | Service::UnixTls(socket) => connect(UnixStream::connect(socket)).await,
        Service::HttpStatus(_) | Service::HelloWorld | Service::Bastion | Service::SocksProxy => return OriginFinding::NoServer,
    };
    if let Err(why) = connected {
        return OriginFinding::Refused(why);
    }
    let (target, socket) = match service {
        Service::Url(url) => match url.scheme() {
            Scheme::Http => (target("http", url, None), None),
            Scheme::Https => (target("https", url, asking.name(hostname)), None),
            Scheme::Tcp => return OriginFinding::Connected,
        },
        Service::Unix(socket) => (format!("http://{hostname}"), Some(socket.as_path())),
        Service::UnixTls(socket) => {
            (format!("https://{}", asking.name(hostname).unwrap_or_else(|| hostname.to_string())), Some(socket.as_path()))
        }
        Service::HttpStatus(_) | Service::HelloWorld | Service::Bastion | Service::SocksProxy => return OriginFinding::NoServer,
    };
    let host = asking.host.clone().unwrap_or_else(|| hostname.to_string());
    let target = format!("{target}{path}");
    let asked = ask(&target, &host, asking, service, hostname, socket);
    match timeout(ANSWER_TIME_MAX, asked).await {
        Ok(Ok(status)) => OriginFinding::Answered { path: path.to_owned(), status },
        Ok(Err(why)) => OriginFinding::Spoiled(why),
        Err(_) => OriginFinding::Spoiled(format!("it does not answer within {} s", ANSWER_TIME_MAX.as_secs())),
    }
}

impl Asking {
    /// The name that the origin's certificate has to have, where it is not that in its address.
    fn name(&self, hostname: &Hostname) -> Option<String> {
        if self.match_host {
            return Some(self.host.clone().unwrap_or_else(|| hostname.to_string()));
        }
        self.server_name.clone()
    }
}

async fn connect<T>(connecting: impl Future<Output = io::Result<T>>) -> Result<(), String> {
    match timeout(CONNECT_TIME_MAX, connecting).await {
        Ok(result) => result.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", CONNECT_TIME_MAX.as_secs())),
    }
}

async fn ask(
    target: &str,
    host: &str,
    asking: &Asking,
    service: &Service,
    hostname: &Hostname,
    socket: Option<&Path>,
) -> Result<u16, String> {
    let mut builder = builder().tls_danger_accept_invalid_certs(asking.no_verify);
    if target.starts_with("http://") {
        // The host's certificates are not needed, and there may be none.
        builder = builder.tls_certs_only([]);
    } else if let Some(pool) = &asking.ca_pool {
        let pool = PathBuf::from(pool);
        let read = tokio::task::spawn_blocking(move || certificates(&pool)).await;
        builder = builder.tls_certs_merge(read.map_err(|error| error.to_string())??);
    }
    if let Some(socket) = socket {
        builder = builder.unix_socket(socket);
    }
    if let (Service::Url(url), Some(name)) = (service, asking.name(hostname)) {
        let addresses = tokio::net::lookup_host((bare(url), url.port())).await.map_err(|error| error.to_string())?;
        builder = builder.resolve_to_addrs(&name, &addresses.collect::<Vec<SocketAddr>>());
    }
    let client = builder.build().map_err(|error| with_cause(&error))?;
    let request = client.head(target).header(header::HOST, host);
    request.send().await.map(|answer| answer.status().as_u16()).map_err(|error| cause(&error))
}

/// Asks for the public hostname, as a visitor on this host.
pub async fn public(hostname: &Hostname, path: &str) -> PublicFinding {
    let looking = timeout(PUBLIC_TIME_MAX, tokio::net::lookup_host((hostname.as_str(), 443))).await;
    let mut addresses: Vec<IpAddr> = match looking {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        Ok(Err(error)) => return PublicFinding::NoAddress(error.to_string()),
        Err(_) => return PublicFinding::NoAddress(format!("no answer within {} s", PUBLIC_TIME_MAX.as_secs())),
    };
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() {
        return PublicFinding::NoAddress("its name has no address".to_owned());
    }
    let visit = async {
        let client = builder().build().map_err(|error| with_cause(&error))?;
        client.head(format!("https://{hostname}{path}")).send().await.map_err(|error| cause(&error))
    };
    match timeout(PUBLIC_TIME_MAX, visit).await {
        Ok(Ok(answer)) => PublicFinding::Answered {
            addresses,
            status: answer.status().as_u16(),
            through_cloudflare: answer.headers().contains_key("cf-ray"),
            to_login: leads_to_login(answer.headers().get(header::LOCATION)),
        },
        Ok(Err(why)) => PublicFinding::Silent { addresses, why },
        Err(_) => PublicFinding::Silent { addresses, why: format!("no answer within {} s", PUBLIC_TIME_MAX.as_secs()) },
    }
}

fn leads_to_login(location: Option<&header::HeaderValue>) -> bool {
    let location = location.and_then(|location| location.to_str().ok()).and_then(|text| text.parse::<url::Url>().ok());
    location.is_some_and(|url| url.host_str().is_some_and(|host| host.ends_with(".cloudflareaccess.com")))
}

fn builder() -> ClientBuilder {
    // Fails only when the process has a provider already, which is then used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
}

fn certificates(pool: &Path) -> Result<Vec<reqwest::Certificate>, String> {
    let fault = |why: String| format!("caPool {pool:?} cannot be used: {why}");
    let length = std::fs::metadata(pool).map_err(|error| fault(error.to_string()))?.len();
    if length > CERTIFICATES_MAX {
        return Err(fault("it is too large".to_owned()));
    }
    let pem = std::fs::read(pool).map_err(|error| fault(error.to_string()))?;
    reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| fault(with_cause(&error)))
}

/// Where to ask: the service's own address, or the name that its certificate is to have.
fn target(scheme: &str, url: &ServiceUrl, name: Option<String>) -> String {
    let host = name.unwrap_or_else(|| url.host().to_string());
    format!("{scheme}://{host}:{}", url.port())
}

fn bare(url: &ServiceUrl) -> String {
    url.host().to_string().trim_matches(['[', ']']).to_owned()
}

/// The innermost cause: what is around it repeats the address.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    match error.source() {
        Some(_) => innermost.to_string(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, UnixListener},
    };

    use super::*;

    fn asking(rule: Value) -> Asking {
        Asking::of(json!({ "httpHostHeader": "tunnel.example.com" }).as_object(), rule.as_object())
    }

    fn hostname() -> Hostname {
        "app.example.com".parse().unwrap()
    }

    /// What a request said whose first bytes are all that is read, and that is answered with 204.
    async fn answer(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) -> String {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        String::from_utf8(request).unwrap().to_lowercase()
    }

    #[tokio::test]
    async fn an_origin_is_asked_once_as_its_rule_says() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service: Service = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = async {
            // The first connection only sees whether there is anybody.
            drop(listener.accept().await.unwrap());
            answer(listener.accept().await.unwrap().0).await
        };
        let (asking, hostname) = (asking(json!({ "httpHostHeader": "inner.example.com" })), hostname());
        let (finding, request) = tokio::join!(origin(&service, &asking, &hostname, "/a?b=c"), asked);
        assert_eq!(finding, OriginFinding::Answered { path: "/a?b=c".to_owned(), status: 204 });
        assert!(request.starts_with("head /a?b=c http/1.1\r\n") && request.contains("host: inner.example.com\r\n"), "{request}");
    }

    #[tokio::test]
    async fn an_origin_on_a_unix_socket_is_asked_too() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("app.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let service: Service = format!("unix:{}", socket.display()).parse().unwrap();
        let asked = async {
            drop(listener.accept().await.unwrap());
            answer(listener.accept().await.unwrap().0).await
        };
        let (asking, hostname) = (asking(json!({})), hostname());
        let (finding, request) = tokio::join!(origin(&service, &asking, &hostname, "/"), asked);
        assert_eq!(finding, OriginFinding::Answered { path: "/".to_owned(), status: 204 });
        assert!(request.contains("host: tunnel.example.com\r\n"), "what the tunnel says holds for its rules: {request}");
    }

    #[test]
    fn the_name_in_a_certificate_is_the_one_that_cloudflared_expects() {
        let name = |rule: Value| asking(rule).name(&hostname());
        assert_eq!(name(json!({})), None, "that of the service's address");
        assert_eq!(name(json!({ "originServerName": "cert.example.com" })).as_deref(), Some("cert.example.com"));
        assert_eq!(name(json!({ "matchSNItoHost": true })).as_deref(), Some("tunnel.example.com"));
    }

    #[test]
    fn the_login_of_access_is_known_by_where_it_leads() {
        let leads = |text: &'static str| leads_to_login(Some(&header::HeaderValue::from_static(text)));
        assert!(leads("https://team.cloudflareaccess.com/cdn-cgi/access/login/app.example.com?kid=1"));
        assert!(!leads("https://cloudflareaccess.com.example.org/") && !leads("/login") && !leads_to_login(None));
    }
}
