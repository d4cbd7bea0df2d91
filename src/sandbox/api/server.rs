//! The listener: HTTP/1.1 on a port of the loopback address.

use std::{io, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use url::Url;

use super::pipeline::serve;
use crate::sandbox::world::World;

/// How many connections are served at once; more wait to be accepted. A test with a thousand clients fits.
const CONNECTIONS_MAX: usize = 1_024;

/// How long the server waits after it could not accept, which happens when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running API server. It stops when it is dropped, and cuts the requests that are in the middle of their answer.
#[derive(Debug)]
pub struct Api {
    /// What a client is given as the API's base, such as `http://127.0.0.1:40123/client/v4`.
    pub base: Url,
    task: JoinHandle<()>,
}

impl Api {
    /// Stops the server; when this returns, its port is closed.
    pub async fn shutdown(mut self) {
        self.task.abort();
        // The task was cancelled on purpose, and it has no other way to end.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
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
    Ok(Api { base, task: tokio::spawn(accept(listener, world)) })
}

/// Accepts until it is cancelled; its connections end with it.
async fn accept(listener: TcpListener, world: World) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let permit = Arc::clone(&room).acquire_owned().await.expect("the semaphore is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let world = world.clone();
        connections.spawn(async move {
            converse(stream, world).await;
            drop(permit);
        });
    }
}

/// Serves one connection. It ends with an error when the client goes away, and when a fault closes it.
async fn converse(stream: TcpStream, world: World) {
    let service = service_fn(move |request| serve(world.clone(), request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
