//! The metrics listener: `GET /metrics` on TCP or a Unix socket.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::get,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    time::timeout,
};

use crate::config::MetricsListen;

/// How many scrapers are served at once; one more waits in the backlog.
const CONNECTIONS_MAX: usize = 16;

/// How long a scraper may take for its request, and then for nothing, before its place is given to another.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// How long a scraper may take to send the head of its request.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// A bound listener that answers once it is served.
pub(super) enum MetricsListener {
    /// On an address.
    Tcp(TcpListener),
    /// On a Unix socket, for everybody on the host.
    Unix(UnixListener),
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
            MetricsListen::Unix(path) => Some(Self::Unix(bind_unix(path)?)),
        })
    }

    /// Answers `GET /metrics` with what `render` gives, for ever.
    pub(super) async fn serve(self, render: impl Fn() -> String + Send + Sync + 'static) {
        let render = Arc::new(render);
        let router = Router::new().route("/metrics", get(move || answer(render.clone())));
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            let connection: Box<dyn Connection> = match self.accept().await {
                Ok(connection) => connection,
                // Out of descriptors, most likely: a place to breathe, not a loop at full speed.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let router = router.clone();
            tokio::spawn(async move {
                let served = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIME)
                    .serve_connection(TokioIo::new(connection), TowerToHyperService::new(router));
                // A scraper that goes away early or sends garbage is its own problem.
                let _ = timeout(CONNECTION_TIME, served).await;
                drop(place);
            });
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Connection>> {
        Ok(match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

async fn answer(render: Arc<impl Fn() -> String + Send + Sync + 'static>) -> Response {
    // Rendering a thousand tunnels takes milliseconds of pure computing; the loops go on meanwhile.
    let text = tokio::task::spawn_blocking(move || render()).await.unwrap_or_default();
    ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response()
}

/// Binds beside the path and renames into place, so that the socket never shows with a narrower mode than it keeps, and a stale one
/// of an earlier run is replaced.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let beside = path.with_extension("binding");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&beside)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o666))?;
    fs::rename(&beside, path)?;
    Ok(listener)
}
