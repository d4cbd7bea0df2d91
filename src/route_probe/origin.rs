//! At the origin, as a connector would.

use std::{error::Error as _, io, time::Duration};

use reqwest::{Method, header};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};
use url::Host;

use super::{
    OriginFinding, Prober,
    clients::{Way, addresses},
};
use crate::{
    cloudflare::tame,
    config::{Scheme, Service},
    http_client,
    name::Hostname,
    route_check::{Asking, Place},
};

/// How long an origin may take to accept a connection: it is on this host or near it.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// How long it may then take to say something.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);

/// Why an origin that was asked by HTTP gave no status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Silence {
    /// It took no connection: why.
    NoConnection(String),
    /// It took one, and then it failed: why.
    NoAnswer(String),
}

/// Whether it takes a connection, and what it then answers.
pub(super) async fn look(prober: &Prober, service: &Service, asking: &Asking, hostname: &Hostname, path: &str) -> OriginFinding {
    let Some(place) = Place::of(service) else { return OriginFinding::NoServer };
    if let Err(why) = connect(prober, &place).await {
        return OriginFinding::Refused(why);
    }
    if let Service::Url(url) = service
        && url.scheme() == Scheme::Tcp
    {
        return OriginFinding::Connected;
    }
    let host = asking.host_of(Some(hostname));
    match request(prober, service, asking, host.as_deref(), path, Method::HEAD).await {
        Ok(status) => OriginFinding::Answered { path: path.to_owned(), status },
        Err(Silence::NoConnection(why) | Silence::NoAnswer(why)) => OriginFinding::Spoiled(why),
    }
}

/// Opens a connection and lets it go.
pub(super) async fn connect(prober: &Prober, place: &Place) -> Result<(), String> {
    let connecting = async {
        match place {
            Place::Tcp(host, port) => {
                let addresses = addresses(&prober.names, host, *port).await?;
                TcpStream::connect(addresses.as_slice()).await.map(drop)
            }
            Place::Unix(socket) => UnixStream::connect(socket).await.map(drop),
        }
    };
    match timeout(CONNECT_TIME_MAX, connecting).await {
        Ok(result) => result.map_err(|error: io::Error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", CONNECT_TIME_MAX.as_secs())),
    }
}

/// Asks once, over one connection.
pub(super) async fn ask(
    prober: &Prober,
    service: &Service,
    asking: &Asking,
    host: Option<&str>,
    path: &str,
) -> Result<u16, Silence> {
    request(prober, service, asking, host, path, Method::GET).await
}

async fn request(
    prober: &Prober,
    service: &Service,
    asking: &Asking,
    host: Option<&str>,
    path: &str,
    method: Method,
) -> Result<u16, Silence> {
    let no_answer = |why: String| Silence::NoAnswer(tame(&why, &[]));
    let tls = match service {
        Service::Url(url) => url.scheme() == Scheme::Https,
        Service::Unix(_) => false,
        Service::UnixTls(_) => true,
        Service::HttpStatus(_) | Service::HelloWorld | Service::Bastion | Service::SocksProxy => {
            return Err(no_answer("it is no server".to_owned()));
        }
    };
    let (name, verify) = if tls { certified(asking, host).map_err(no_answer)? } else { (None, false) };
    let way = Way { service, asking, name: name.as_deref(), tls, verify };
    let authority = authority(&way, host);
    let asking_it = async {
        let client = prober.clients.for_origin(&way).await.map_err(no_answer)?;
        let scheme = if tls { "https" } else { "http" };
        let mut request = client.request(method, format!("{scheme}://{authority}{path}"));
        if let Some(host) = host {
            request = request.header(header::HOST, host);
        }
        // Whatever body there is goes unread with the answer.
        request.send().await.map(|answer| answer.status().as_u16()).map_err(silence)
    };
    match timeout(CONNECT_TIME_MAX + ANSWER_TIME_MAX, asking_it).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer(format!("it does not answer within {} s", (CONNECT_TIME_MAX + ANSWER_TIME_MAX).as_secs()))),
    }
}

/// The hostname that the origin is asked for by TLS, where it is not that in its address, and whether its certificate is looked at.
fn certified(asking: &Asking, host: Option<&str>) -> Result<(Option<String>, bool), String> {
    let Some(name) = asking.name_of(host) else { return Ok((None, !asking.no_verify)) };
    match Host::parse(name) {
        Ok(Host::Domain(name)) => Ok((Some(name), !asking.no_verify)),
        // A client takes an address in a URL for the place to go to, so that this one cannot ask whether it is in the certificate.
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => Ok((None, false)),
        Err(_) if asking.no_verify => Ok((None, false)),
        Err(_) => Err(format!("no certificate has the name {name:?}")),
    }
}

/// What stands in the URL of a request for the host: the origin itself, by the name that its certificate has to have. A request to a
/// socket goes there whatever stands in it.
fn authority(way: &Way<'_>, host: Option<&str>) -> String {
    match (way.service, way.name) {
        (Service::Url(url), Some(name)) => format!("{name}:{}", url.port()),
        (Service::Url(url), None) => format!("{}:{}", url.host(), url.port()),
        (_, Some(name)) => name.to_owned(),
        (_, None) => host.and_then(|host| Host::parse(host).ok()).map_or("localhost".to_owned(), |host| host.to_string()),
    }
}

fn silence(error: reqwest::Error) -> Silence {
    let mut source = error.source();
    let mut is_of_tls = false;
    while let Some(inner) = source {
        is_of_tls |= is_of_tls_here(inner);
        source = inner.source();
    }
    let is_connection = error.is_connect() && !is_of_tls;
    let why = tame(&http_client::cause(error), &[]);
    if is_connection { Silence::NoConnection(why) } else { Silence::NoAnswer(why) }
}

/// Whether it is an error of TLS, also one that was wrapped to pass for one of I/O, which tells nobody its source.
fn is_of_tls_here(error: &(dyn std::error::Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|wrapped| is_of_tls_here(wrapped))
}

#[cfg(test)]
mod tests;
