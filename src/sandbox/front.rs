//! The public front: plain HTTP/1.1 on loopback in the place of Cloudflare's servers.
//!
//! It maps the `Host` header through the sandbox's DNS to a tunnel and carries the request to the origin through one of the
//! tunnel's connectors. It never repeats a request that a connector may have seen, and it counts every one, so that a dropped
//! request shows (see [`FrontStats`]).

mod stats;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{CONTENT_TYPE, HOST, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use self::stats::Ledger;
pub use self::stats::{FailureKind, FrontStats, Loss};
use super::edge::{
    Body, Carrier, Directory, Edge, EdgeError,
    listener::Listener,
    wire::{MADE_BY_CONNECTOR, RESPONSE_META_HEADER, UPGRADE_HEADER, strip_hop_by_hop},
};

/// How long an origin may take to begin its answer: Cloudflare's own limit, after which it answers 524.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(100);

/// How long a client may take to send a request's head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// How many clients at once. A load generator with some hundred connections fits many times.
const CLIENTS_MAX: usize = 4_096;

/// A running front. Dropping it closes every client's connection.
pub struct Front {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    _accept: AbortOnDropHandle<()>,
}

/// What answering a request takes.
struct Context {
    edge: Arc<Edge>,
    directory: Arc<dyn Directory>,
    ledger: Arc<Ledger>,
}

impl Front {
    /// Starts a front on a free port of `127.0.0.1`. It must be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// When there is no port to listen on.
    pub fn start(edge: Arc<Edge>, directory: Arc<dyn Directory>) -> io::Result<Self> {
        let listener = Listener::bind()?;
        let address = listener.address();
        let ledger = Arc::new(Ledger::default());
        let context = Arc::new(Context { edge, directory, ledger: Arc::clone(&ledger) });
        let accept = AbortOnDropHandle::new(tokio::spawn(accept(listener, context)));
        Ok(Self { address, ledger, _accept: accept })
    }

    /// Where clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What became of the requests so far.
    pub fn stats(&self) -> FrontStats {
        self.ledger.stats()
    }

    /// The requests that failed since this was asked last, one by one, the first thousand of them.
    pub fn take_losses(&self) -> Vec<Loss> {
        self.ledger.take_losses()
    }

    /// The requests that failed and were not taken, one by one, the first thousand of them.
    pub fn losses(&self) -> Vec<Loss> {
        self.ledger.losses()
    }
}

async fn accept(listener: Listener, context: Arc<Context>) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            stream = listener.accept(), if clients.len() < CLIENTS_MAX => {
                stream.set_nodelay(true).ok();
                let context = Arc::clone(&context);
                let service = service_fn(move |request| marked(answer(Arc::clone(&context), request)));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIME_MAX)
                    .serve_connection(TokioIo::new(stream), service);
                // A client that breaks its connection is counted by the body it no longer takes.
                clients.spawn(async { connection.await.ok() });
            }
            Some(_) = clients.join_next() => {}
        }
    }
}

/// An answer with the header by which Cloudflare's are known.
async fn marked(answer: impl Future<Output = Result<Response<Body>, Infallible>>) -> Result<Response<Body>, Infallible> {
    let mut response = answer.await?;
    response.headers_mut().insert("cf-ray", HeaderValue::from_static("0000000000000000-LO"));
    Ok(response)
}

async fn answer(context: Arc<Context>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let mut entry = context.ledger.open();
    let host = host_of(&request);
    let Some(tunnel) = context.directory.resolve(&host) else {
        entry.failed(FailureKind::UnknownHost);
        return Ok(error_page(StatusCode::NOT_FOUND, "error code: 1016 (no DNS record leads to a tunnel)"));
    };
    entry.is_for(&tunnel);
    let Some(request) = for_the_edge(request, &host) else {
        entry.failed(FailureKind::UnknownHost);
        return Ok(error_page(StatusCode::BAD_REQUEST, "the request has no usable host"));
    };
    Ok(match timeout(ANSWER_TIME_MAX, context.edge.send(&tunnel, request)).await {
        Ok(Ok(mut response)) => {
            strip_hop_by_hop(response.headers_mut());
            if let Some(Carrier(connector)) = response.extensions_mut().remove::<Carrier>() {
                entry.carried_by(connector);
            }
            let made_by = response.headers_mut().remove(RESPONSE_META_HEADER);
            if made_by.is_some_and(|made_by| made_by == MADE_BY_CONNECTOR) {
                entry.failed(FailureKind::AnsweredByConnector);
                response
            } else {
                response.map(|body| entry.follow(body))
            }
        }
        Ok(Err(EdgeError::NoConnector { .. })) => {
            entry.failed(FailureKind::NoConnector);
            error_page(StatusCode::from_u16(530).expect("530 is a status"), "error code: 1033 (the tunnel has no connector)")
        }
        Ok(Err(EdgeError::Lost { connector, .. })) => {
            entry.carried_by(connector);
            entry.failed(FailureKind::ConnectorLost);
            error_page(StatusCode::BAD_GATEWAY, "error code: 502 (the connector was lost under the request)")
        }
        Err(_) => {
            entry.failed(FailureKind::TimedOut);
            error_page(StatusCode::from_u16(524).expect("524 is a status"), "error code: 524 (the origin took too long)")
        }
    })
}

/// The host that the client asked for: lower case, without a port.
fn host_of(request: &Request<Incoming>) -> String {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().host().or(header).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// The request as it travels to a connector: absolute, without what only the client's connection meant.
fn for_the_edge(request: Request<Incoming>, host: &str) -> Option<Request<Body>> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = Uri::builder().scheme("http").authority(host).path_and_query(path).build().ok()?;
    parts.version = hyper::Version::HTTP_2;
    strip_hop_by_hop(&mut parts.headers);
    parts.headers.remove(HOST);
    // A client that speaks the edge's own words is not the edge.
    parts.headers.remove(UPGRADE_HEADER);
    Some(Request::from_parts(parts, body.boxed_unsync()))
}

fn error_page(status: StatusCode, text: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
