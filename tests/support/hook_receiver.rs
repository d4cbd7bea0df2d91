//! Somebody who is told of events over HTTP, and answers as the test says.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

/// The longest head of a request that is read.
const HEAD_MAX: usize = 16 * 1024;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Its headers, with names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// Its body as it came.
    pub(crate) body: String,
}

impl Received {
    /// Its body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The kinds of the events in it.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.json()["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }
}

/// A server of HTTP on the loopback address that keeps what it is told.
pub(crate) struct HookReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

struct Shared {
    received: Mutex<Vec<Received>>,
    answer: Mutex<String>,
}

impl HookReceiver {
    /// Starts one that answers 204.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let shared = Arc::new(Shared { received: Mutex::default(), answer: Mutex::new("204 No Content".to_owned()) });
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn({
            let shared = shared.clone();
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(serve(stream, shared.clone()));
                }
            }
        });
        Self { address, shared, _serving: AbortOnDropHandle::new(serving) }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hidden-path", self.address)
    }

    /// Answers from here on with this status line and, on further lines, headers.
    pub(crate) fn answer(&self, head: &str) {
        *self.shared.answer.lock().unwrap() = head.to_owned();
    }

    /// What it was told so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let Some(received) = read(&mut stream).await else { return };
    let answer = shared.answer.lock().unwrap().clone();
    shared.received.lock().unwrap().push(received);
    // Whoever does not wait for the answer has a reason.
    let _ = stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes()).await;
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(head.len() < HEAD_MAX, "the head of a request has no end");
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { headers, body: String::from_utf8(body).unwrap() })
}
