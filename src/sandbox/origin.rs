//! A small local web server: what the tunnels of the tests and the demo lead to.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::{Method, Request, Response, body::Incoming, header::HeaderValue, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

use super::edge::listener::Listener;

/// The longest delay that a request may ask for. A longer one would outlive every test.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// How many connections at once.
const CLIENTS_MAX: usize = 4_096;

/// A running origin. It answers every request with its name, in the body and in `x-origin`; a `POST` gets its own body back.
/// `?ms=250` delays the answer.
pub struct Origin {
    name: String,
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    up: watch::Sender<bool>,
    _accept: AbortOnDropHandle<()>,
}

impl Origin {
    /// Starts an origin on a free port of `127.0.0.1`. It must be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// When there is no port to listen on.
    pub fn start(name: &str) -> io::Result<Self> {
        let listener = Listener::bind()?;
        let address = listener.address();
        let requests = Arc::new(AtomicU64::new(0));
        let up = watch::Sender::new(true);
        let site = Arc::new(Site { name: name.to_owned(), requests: Arc::clone(&requests) });
        let accept = AbortOnDropHandle::new(tokio::spawn(accept(listener, up.subscribe(), site)));
        Ok(Self { name: name.to_owned(), address, requests, up, _accept: accept })
    }

    /// The name that it answers with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// It as an ingress rule's service: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has seen.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Refuses connections (`false`) or takes them again. Requests that it is answering end first.
    pub fn set_up(&self, up: bool) {
        self.up.send_replace(up);
    }
}

struct Site {
    name: String,
    requests: Arc<AtomicU64>,
}

async fn accept(mut listener: Listener, mut up: watch::Receiver<bool>, site: Arc<Site>) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            stream = listener.accept(), if clients.len() < CLIENTS_MAX => {
                stream.set_nodelay(true).ok();
                let site = Arc::clone(&site);
                let service = service_fn(move |request| answer(Arc::clone(&site), request));
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                clients.spawn(async { connection.await.ok() });
            }
            Some(_) = clients.join_next() => {}
            changed = up.changed() => {
                let up = changed.is_ok() && *up.borrow_and_update();
                // A listener that cannot change its state stays as it is.
                listener.set_up(up).ok();
            }
        }
    }
}

async fn answer(site: Arc<Site>, request: Request<Incoming>) -> Result<Response<Either<Full<Bytes>, Incoming>>, Infallible> {
    site.requests.fetch_add(1, Ordering::Relaxed);
    if let Some(delay) = delay_of(request.uri().query().unwrap_or_default()) {
        tokio::time::sleep(delay).await;
    }
    let body = if request.method() == Method::POST {
        Either::Right(request.into_body())
    } else {
        Either::Left(Full::new(Bytes::from(format!("{}\n", site.name))))
    };
    let mut response = Response::new(body);
    if let Ok(name) = HeaderValue::from_str(&site.name) {
        response.headers_mut().insert("x-origin", name);
    }
    Ok(response)
}

fn delay_of(query: &str) -> Option<Duration> {
    let milliseconds = query.split('&').find_map(|pair| pair.strip_prefix("ms="))?.parse().ok()?;
    Some(Duration::from_millis(milliseconds).min(DELAY_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_may_ask_for_a_bounded_delay() {
        assert_eq!(delay_of("a=1&ms=250"), Some(Duration::from_millis(250)));
        assert_eq!(delay_of("ms=99999999"), Some(DELAY_MAX));
        assert_eq!(delay_of("ms=soon"), None);
        assert_eq!(delay_of(""), None);
    }
}
