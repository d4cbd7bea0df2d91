//! A small HTTP/1.1 server on loopback whose answers may break every rule.

use std::sync::{Arc, Mutex};

use reqwest::Url;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::contract::{Contract, Sender};
use adit::sandbox::world::Exchange;

/// What arrived.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    /// Below the API's base.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: String,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Method and path, as a request line has them.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What to do about it.
pub(super) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Exactly these bytes, then the connection ends.
    Bytes(Vec<u8>),
    /// Exactly these bytes, then nothing more.
    Stall(Vec<u8>),
    /// The connection ends without an answer.
    HangUp,
    /// Nothing ever comes.
    Silence,
}

impl Reply {
    /// An answer with `body` and nothing else to it.
    pub(super) fn raw(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into() }
    }

    pub(super) fn success(result: Value) -> Self {
        let envelope = json!({ "success": true, "errors": [], "messages": [], "result": result });
        Self::raw(200, envelope.to_string())
    }

    /// One page of a list, which says of itself what is given here.
    pub(super) fn page(items: Vec<Value>, page: u64, per_page: u64, total: u64) -> Self {
        let info = json!({ "page": page, "per_page": per_page, "count": items.len(), "total_count": total });
        let envelope = json!({ "success": true, "errors": [], "messages": [], "result": items, "result_info": info });
        Self::raw(200, envelope.to_string())
    }

    pub(super) fn refusal(status: u16, code: i64, message: &str) -> Self {
        let errors = json!([{ "code": code, "message": message }]);
        let envelope = json!({ "success": false, "errors": errors, "messages": [], "result": null });
        Self::raw(status, envelope.to_string())
    }

    pub(super) fn header(self, name: &'static str, value: impl ToString) -> Self {
        match self {
            Self::Answer { status, mut headers, body } => {
                headers.push((name, value.to_string()));
                Self::Answer { status, headers, body }
            }
            Self::Bytes(_) | Self::Stall(_) | Self::HangUp | Self::Silence => self,
        }
    }
}

type Answerer = dyn Fn(usize, &Request) -> Reply + Send + Sync;

/// The server; it ends with its value.
pub(super) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers each request with what `answer` makes of its number (from 0) and itself.
    pub(super) async fn start(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let seen = requests.clone();
        let answer: Arc<Answerer> = Arc::new(answer);
        let task = tokio::spawn(async move {
            // Connections live in the task that accepts them and end with it.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, seen.clone(), answer.clone()));
            }
        });
        Self { port, requests, task }
    }

    /// A server that answers everything with this one.
    pub(super) async fn always(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        Self::start(move |_, _| reply()).await
    }

    pub(super) fn base(&self) -> Url {
        format!("http://127.0.0.1:{}/client/v4", self.port).parse().unwrap()
    }

    /// Everything that arrived so far.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Stops listening.
    pub(super) async fn stop(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    /// The client keeps to the contract whatever it is answered.
    fn drop(&mut self) {
        self.task.abort();
        if !std::thread::panicking() {
            for request in self.requests() {
                // The answers may break every rule.
                let exchange = Exchange {
                    method: request.method.parse().unwrap(),
                    path: request.path,
                    query: request.query,
                    request_body: request.body,
                    status: 200,
                    response_body: Vec::new(),
                    damaged: true,
                };
                Contract::get().check(&exchange, Sender::Client).unwrap_or_else(|broken| panic!("{broken}"));
            }
        }
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Request>>>, answer: Arc<Answerer>) {
    let Some(request) = read(&mut stream).await else { return };
    let reply = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        answer(seen.len() - 1, &request)
    };
    let bytes = match reply {
        Reply::Answer { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            [head.as_bytes(), b"\r\n", &body].concat()
        }
        Reply::Bytes(bytes) => bytes,
        Reply::Stall(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending().await
        }
        Reply::HangUp => return,
        Reply::Silence => std::future::pending().await,
    };
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let headers = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let length = headers.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length.unwrap_or(0) {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let mut words = headers.split_whitespace();
    let method = words.next()?.to_owned();
    let url: Url = format!("http://localhost{}", words.next()?).parse().unwrap();
    let query = url.query_pairs().into_owned().collect();
    Some(Request { method, path: url.path().strip_prefix("/client/v4")?.to_owned(), query, headers, body })
}
