//! HTTP by hand, for what a well-behaved client never sends.
#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

use std::path::Path;

use adit::control::api::{Error, ErrorBody};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::description;

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn error(&self) -> Error {
        serde_json::from_str::<ErrorBody>(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}")).error
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends one request, which asks to close the connection after it.
pub(crate) async fn request(socket: &Path, method: &str, path: &str, body: &str) -> Answer {
    request_with(socket, method, path, &[], body).await
}

/// The same, with headers.
pub(crate) async fn request_with(socket: &Path, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: adit\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
    send(socket, format!("{head}{body}").as_bytes()).await
}

/// Sends one request as bytes and reads all that comes back until the server closes, which has to be what the socket's own
/// description says.
pub(crate) async fn send(socket: &Path, bytes: &[u8]) -> Answer {
    let answer = exchange(socket, bytes).await;
    description::check(bytes, &answer).unwrap_or_else(|why| panic!("not as described: {why}"));
    read(answer)
}

/// The same with bytes that are no request, or several.
pub(crate) async fn send_any(socket: &Path, bytes: &[u8]) -> Answer {
    read(exchange(socket, bytes).await)
}

/// A server that closes early is no error: what it said counts.
async fn exchange(socket: &Path, bytes: &[u8]) -> Vec<u8> {
    let stream = UnixStream::connect(socket).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut answer = Vec::new();
    let read = reader.read_to_end(&mut answer);
    let write = writer.write_all(bytes);
    let (_, _) = tokio::join!(write, read);
    answer
}

fn read(answer: Vec<u8>) -> Answer {
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}
