//! The metrics listener: `GET /metrics` on TCP or a Unix socket.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdTcpListener},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixListener as StdUnixListener,
    },
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY},
    },
    response::Response,
    routing::get,
};
use futures_util::stream;
use hyper::{
    Request,
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustix::net::{getsockname, sockopt::socket_acceptconn};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    exporter::{Exporter, Gzip, unhurried},
    negotiation,
};
use crate::{
    config::MetricsListen,
    control::{self, SocketFile},
};

/// How many scrapers are served at once; one more waits in the backlog.
const CONNECTIONS_MAX: usize = 16;

/// How long a scraper keeps its place for further requests, before it is given to another.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// How long a scrape may go on behind that.
const LAST_SCRAPE_TIME_MAX: Duration = Duration::from_secs(60);

/// How long a scraper may take to send the head of its request.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long scrapes may go on after the server was told to stop; each takes some milliseconds.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a scraper that was just let in may take to ask, when the server is told to stop.
const FIRST_REQUEST_TIME_MAX: Duration = Duration::from_secs(1);

/// The mode of a Unix socket: metrics are for everybody on the host.
const SOCKET_MODE: u32 = 0o666;

/// A bound listener that answers once it is served.
pub(super) enum MetricsListener {
    /// On an address.
    Tcp(TcpListener),
    /// On a Unix socket.
    Unix(UnixListener, SocketFile),
}

/// Where a listener that was handed in listens.
pub(super) enum Place {
    /// On an address.
    Tcp,
    /// On a Unix socket.
    Unix(SocketFile),
}

impl MetricsListener {
    /// Binds what the configuration says; `None` when it says off.
    ///
    /// # Errors
    ///
    /// When the address is taken or not ours.
    pub(super) async fn bind(listen: &MetricsListen) -> io::Result<Option<Self>> {
        Ok(match listen {
            MetricsListen::Off => None,
            MetricsListen::Tcp(address) => Some(Self::Tcp(TcpListener::bind(address).await?)),
            MetricsListen::Unix(path) => {
                let (listener, file) = bind_unix(path).await?;
                Some(Self::Unix(listener, file))
            }
        })
    }

    /// Whether a descriptor listens where the configuration says, and where that is.
    pub(super) fn fits(descriptor: &OwnedFd, wanted: &MetricsListen) -> Option<Place> {
        if !socket_acceptconn(descriptor).ok()? {
            return None;
        }
        match wanted {
            MetricsListen::Off => None,
            MetricsListen::Tcp(wanted) => {
                let address = SocketAddr::try_from(getsockname(descriptor).ok()?).ok()?;
                let same_port = wanted.port() == address.port() || wanted.port() == ANY_PORT;
                (address.ip() == wanted.ip() && same_port).then_some(Place::Tcp)
            }
            MetricsListen::Unix(path) => SocketFile::of(descriptor, path, SOCKET_MODE).map(Place::Unix),
        }
    }

    /// Takes over a descriptor that fits.
    pub(super) fn adopt(descriptor: OwnedFd, place: Place) -> io::Result<Self> {
        Ok(match place {
            Place::Tcp => {
                let listener = StdTcpListener::from(descriptor);
                listener.set_nonblocking(true)?;
                Self::Tcp(TcpListener::from_std(listener)?)
            }
            Place::Unix(file) => {
                let listener = StdUnixListener::from(descriptor);
                listener.set_nonblocking(true)?;
                Self::Unix(UnixListener::from_std(listener)?, file)
            }
        })
    }

    /// The names of its socket, where it has any.
    pub(super) fn file(&self) -> Option<&SocketFile> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(_, file) => Some(file),
        }
    }

    /// Answers `GET /metrics` with what `exporter` gives until `shutdown` is cancelled, and then until the last scrape is answered.
    pub(super) async fn serve(&self, exporter: Arc<Exporter>, shutdown: &CancellationToken) {
        let page = move |method: Method, headers: HeaderMap| answer(Arc::clone(&exporter), method, headers);
        let router = Router::new().route("/metrics", get(page)).fallback(|| async { NOT_FOUND });
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let tasks = TaskTracker::new();
        loop {
            // Cancel-safe: a connection that was not accepted stays in the backlog.
            let (place, connection) = tokio::select! {
                () = shutdown.cancelled() => break,
                (place, accepted) = async {
                    let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
                    (place, self.accept().await)
                } => match accepted {
                    Ok(connection) => (place, connection),
                    // Out of descriptors, most likely: a place to breathe, not a loop at full speed.
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let (router, shutdown) = (router.clone(), shutdown.clone());
            tasks.spawn(async move {
                converse(connection, router, &shutdown).await;
                drop(place);
            });
        }
        tasks.close();
        let _ = timeout(DRAIN_TIME_MAX, tasks.wait()).await;
    }

    async fn accept(&self) -> io::Result<Box<dyn Connection>> {
        Ok(match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener, _) => Box::new(listener.accept().await?.0),
        })
    }
}

impl AsFd for MetricsListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener, _) => listener.as_fd(),
        }
    }
}

/// What a configuration says that leaves the port to the kernel.
const ANY_PORT: u16 = 0;

/// Serves one connection: to its end, or to the end of the present scrape when its time is over or the server is to stop.
async fn converse(connection: Box<dyn Connection>, router: Router, shutdown: &CancellationToken) {
    let asked = CancellationToken::new();
    let (first_asked, router) = (asked.clone(), TowerToHyperService::new(router));
    let service = service_fn(move |request: Request<Incoming>| {
        asked.cancel();
        router.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(connection), service);
    let mut connection = std::pin::pin!(connection);
    let stopped = async {
        shutdown.cancelled().await;
        // Whoever was let in is answered: told to end before it has read anything, a connection just closes.
        let _ = timeout(FIRST_REQUEST_TIME_MAX, first_asked.cancelled()).await;
    };
    // A scraper that goes away early or sends garbage is its own problem.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = timeout(CONNECTION_TIME, stopped) => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(LAST_SCRAPE_TIME_MAX, connection).await;
        }
    }
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// What is said of every other path.
const NOT_FOUND: (StatusCode, &str) = (StatusCode::NOT_FOUND, "404: the metrics are at /metrics\n");

async fn answer(exporter: Arc<Exporter>, method: Method, headers: HeaderMap) -> Response {
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let format = negotiation::format(header(ACCEPT));
    let is_compressed = negotiation::takes_gzip(header(ACCEPT_ENCODING));
    let body = match (method == Method::HEAD, is_compressed) {
        // No connector is asked for what nobody gets; its length is not known.
        (true, _) => Body::from_stream(stream::empty::<io::Result<Vec<u8>>>()),
        (false, true) => Body::from_stream(unhurried(Gzip::new(exporter.page(format).await))),
        (false, false) => Body::from_stream(unhurried(exporter.page(format).await.map(io::Result::Ok))),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Binds beside the path, which is then led to the socket: it never shows with a narrower mode than it keeps. A stale one of an
/// earlier run is replaced.
async fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    control::check_former(path).await.map_err(io::Error::other)?;
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    SocketFile::bind(folder, ".metrics", path, SOCKET_MODE)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::sleep,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_scrape_that_has_begun_is_answered_whole_although_its_place_is_wanted() {
        let slow = || async {
            sleep(CONNECTION_TIME + LAST_SCRAPE_TIME_MAX / 2).await;
            "whole"
        };
        let router = Router::new().route("/metrics", get(slow));
        let (mut scraper, connection) = tokio::io::duplex(1_024);
        let request = b"GET /metrics HTTP/1.1\r\nhost: host\r\n\r\n";
        // Twice on one connection, of which the second has no place any more.
        scraper.write_all(&request.repeat(2)).await.unwrap();
        let (mut answer, shutdown) = (String::new(), CancellationToken::new());
        let conversing = converse(Box::new(connection), router, &shutdown);
        let (_, read) = tokio::join!(conversing, scraper.read_to_string(&mut answer));
        read.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.matches("whole").count() == 1, "{answer}");
    }

    #[tokio::test]
    async fn a_listener_fits_where_the_configuration_says_and_nowhere_else() {
        let directory = tempfile::tempdir().unwrap();
        let tcp = StdTcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let path = directory.path().join("metrics.sock");
        let (unix, _file) = bind_unix(&path).await.unwrap();
        let (tcp, unix) = (OwnedFd::from(tcp), OwnedFd::from(unix.into_std().unwrap()));
        let wanted = |text: &str| MetricsListen::Tcp(text.parse().unwrap());

        assert!(MetricsListener::fits(&tcp, &MetricsListen::Tcp(address)).is_some());
        assert!(MetricsListener::fits(&tcp, &wanted("127.0.0.1:0")).is_some());
        assert!(MetricsListener::fits(&unix, &MetricsListen::Unix(path.clone())).is_some());
        for (descriptor, wanted) in [
            (&tcp, wanted("127.0.0.1:1")),
            (&tcp, wanted("[::1]:0")),
            (&tcp, MetricsListen::Off),
            (&tcp, MetricsListen::Unix(path.clone())),
            (&unix, MetricsListen::Unix(directory.path().join("other.sock"))),
            (&unix, MetricsListen::Tcp(address)),
        ] {
            assert!(MetricsListener::fits(descriptor, &wanted).is_none(), "{wanted}");
        }
        let connected = OwnedFd::from(std::net::TcpStream::connect(address).unwrap());
        assert!(MetricsListener::fits(&connected, &wanted("127.0.0.1:0")).is_none());
    }
}
