//! The listener: HTTP/1.1 on a port of the loopback address.

use std::io;

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::pipeline::serve;
use crate::sandbox::{edge::listener::accepted, world::World};

/// How many connections are served at once; more wait to be accepted. A test with a thousand clients fits.
const CONNECTIONS_MAX: usize = 1_024;

/// A running API server. It stops when it is dropped, and cuts the requests that are in the middle of their answer.
#[derive(Debug)]
pub struct Api {
    /// What a client is given as the API's base, such as `http://127.0.0.1:40123/client/v4`.
    pub base: Url,
    accept: AbortOnDropHandle<()>,
}

impl Api {
    /// Stops the server; when this returns, its port is closed.
    pub async fn shutdown(self) {
        self.accept.abort();
        // The task was cancelled on purpose, and it has no other way to end.
        let _ = self.accept.await;
    }
}

/// Serves `world` on a free port of 127.0.0.1.
///
/// # Errors
/// The port cannot be bound.
pub async fn start_api(world: World) -> io::Result<Api> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let base = Url::parse(&format!("http://{address}/client/v4")).expect("an address makes a URL");
    Ok(Api { base, accept: AbortOnDropHandle::new(tokio::spawn(accept(listener, world))) })
}

/// Accepts until it is cancelled; its connections end with it.
async fn accept(listener: TcpListener, world: World) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, _) = accepted(|| listener.accept()), if connections.len() < CONNECTIONS_MAX => {
                connections.spawn(converse(stream, world.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection. It ends with an error when the client goes away, and when a fault closes it.
async fn converse(stream: TcpStream, world: World) {
    let service = service_fn(move |request| serve(world.clone(), request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
