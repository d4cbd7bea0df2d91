//! One request on its way from the edge to an origin and back.

use std::{io, net::IpAddr, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream, lookup_host},
    time::timeout,
};

use super::{
    Connector, go,
    ingress::{Rule, Service},
    log::Level,
};
use crate::sandbox::edge::{
    Body,
    attached::AttachedBody,
    wire::{MADE_BY_CONNECTOR, Protocol, RESPONSE_META_HEADER, strip_hop_by_hop},
};

/// How long an origin may take to accept a connection: cloudflared's default.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// The connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Via {
    pub(super) index: u8,
    pub(super) protocol: Protocol,
    pub(super) address: IpAddr,
}

/// Answers a request by the rules in force. Every failure is an answer, too.
pub(super) async fn proxy(connector: &Arc<Connector>, via: Via, request: Request<Incoming>) -> Response<Body> {
    let in_progress = InProgress::begin(connector);
    let ingress = connector.configuration.ingress();
    let host = host_of(&request);
    let (number, rule) = ingress.find(&host, request.uri().path());
    let destination = format!("http://{host}{}", request.uri());
    let response = match &rule.service {
        Service::Status(status) => local_answer(*status, b"", "text/plain"),
        Service::HelloWorld => local_answer(200, b"<!DOCTYPE html><title>Hello World</title>", "text/html"),
        Service::NoRules => own_answer(503),
        Service::Http { .. } | Service::Unix { .. } | Service::Stream(_) => match reach(rule, &host, request).await {
            Ok(mut response) => {
                strip_hop_by_hop(response.headers_mut());
                response.map(|body| AttachedBody::new(body, in_progress).boxed_unsync())
            }
            Err(error) => {
                connector.counters.request_errors.fetch_add(1, Relaxed);
                log_failure(connector, via, number, rule, &destination, &error);
                own_answer(502)
            }
        },
    };
    connector.counters.answered(response.status().as_u16());
    response
}

/// Counts a request while it is in progress.
struct InProgress(Arc<Connector>);

impl InProgress {
    fn begin(connector: &Arc<Connector>) -> Self {
        connector.counters.requests.fetch_add(1, Relaxed);
        connector.counters.concurrent_requests.fetch_add(1, Relaxed);
        Self(Arc::clone(connector))
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.counters.concurrent_requests.fetch_sub(1, Relaxed);
    }
}

fn host_of(request: &Request<Incoming>) -> String {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    request.uri().authority().map(|authority| authority.as_str()).or(header).unwrap_or_default().to_ascii_lowercase()
}

/// Sends the request to the rule's origin, on a connection of its own.
async fn reach(rule: &Rule, host: &str, request: Request<Incoming>) -> Result<Response<Incoming>, String> {
    let request = for_the_origin(request, rule.http_host_header.as_deref().unwrap_or(host))?;
    match &rule.service {
        Service::Http { tls: false, host, port, .. } => exchange(dial_tcp(host, *port).await?, request).await,
        Service::Unix { tls: false, path } => {
            let stream = timeout(CONNECT_TIME_MAX, UnixStream::connect(path)).await;
            let stream = stream.map_err(|_| format!("dial unix {path}: i/o timeout"))?;
            exchange(stream.map_err(|error| format!("dial unix {path}: connect: {}", go::error_text(&error)))?, request).await
        }
        Service::Http { tls: true, .. } | Service::Unix { tls: true, .. } => {
            Err("tls: a stand-in connector speaks no TLS to origins".to_owned())
        }
        Service::Stream(service) => Err(format!("a stand-in connector carries no streams to {service}")),
        Service::Status(_) | Service::HelloWorld | Service::NoRules => Err("the service has no origin".to_owned()),
    }
}

async fn dial_tcp(host: &str, port: u16) -> Result<TcpStream, String> {
    let connect = async {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        let addresses = lookup_host((host, port)).await.map_err(|_| format!("dial tcp: lookup {host}: no such host"))?;
        let mut tried = format!("{host}:{port}");
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => (last, tried) = (error, address.to_string()),
            }
        }
        Err(format!("dial tcp {tried}: connect: {}", go::error_text(&last)))
    };
    let connected = timeout(CONNECT_TIME_MAX, connect).await;
    connected.map_err(|_| format!("dial tcp {host}:{port}: i/o timeout"))?
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Incoming>,
) -> Result<Response<Incoming>, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends with the answer's body; an error reaches whoever reads that.
    tokio::spawn(async { connection.await.ok() });
    sender
        .send_request(request)
        .await
        .map_err(|error| if error.is_incomplete_message() { "EOF".to_owned() } else { error.to_string() })
}

fn for_the_origin(request: Request<Incoming>, host: &str) -> Result<Request<Incoming>, String> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse::<Uri>().map_err(|error| error.to_string())?;
    parts.version = hyper::Version::HTTP_11;
    strip_hop_by_hop(&mut parts.headers);
    parts.headers.insert(HOST, HeaderValue::from_str(host).map_err(|error| error.to_string())?);
    Ok(Request::from_parts(parts, body))
}

fn log_failure(connector: &Connector, via: Via, number: usize, rule: &Rule, destination: &str, error: &str) {
    let error = format!(
        "Unable to reach the origin service. The service may be down or it may not be responding to traffic from cloudflared: {error}"
    );
    let log = &connector.log;
    log.event(Level::Error)
        .with("connIndex", via.index)
        .with("event", 1)
        .with("ingressRule", number)
        .with("originService", rule.service.to_string())
        .with("error", error.as_str())
        .write("");
    match via.protocol {
        Protocol::Quic => log
            .event(Level::Error)
            .with("connIndex", via.index)
            .with("event", 0)
            .with("ip", via.address.to_string())
            .with("type", "http")
            .with("dest", destination)
            .with("error", error)
            .write("Request failed"),
        Protocol::Http2 => {
            log.event(Level::Error)
                .with("error", format!("Failed to proxy HTTP: {error}"))
                .write("failed to serve incoming request");
        }
    }
}

/// An answer of a rule that needs no origin.
fn local_answer(status: u16, text: &'static [u8], content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from_static(text)).map_err(|never| match never {}).boxed_unsync());
    // A status below 200 is no final answer in HTTP/2; cloudflared cannot send it either.
    *response.status_mut() = StatusCode::from_u16(status.max(200)).unwrap_or(StatusCode::BAD_GATEWAY);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer in an origin's place.
fn own_answer(status: u16) -> Response<Body> {
    let mut response = local_answer(status, b"", "text/plain");
    response.headers_mut().insert(RESPONSE_META_HEADER, HeaderValue::from_static(MADE_BY_CONNECTOR));
    response
}
