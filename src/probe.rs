//! Asking a connector's metrics server how it is doing.
//!
//! The client is written by hand: a host may run 500 connectors and asks each every few seconds. [`probe`] speaks HTTP/1.0, of which
//! an answer ends with its connection, without chunks. A [`Line`] is kept for the connectors that are well.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod line;
mod open_requests;
mod traffic;

use std::{io, net::SocketAddr, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

pub use line::{Heard, Line};
pub use open_requests::open_requests;
pub use traffic::{Traffic, traffic, traffic_and_page};

use crate::{
    connector::{Answer, Ask, Probe, VersionReading},
    id::ConnectorId,
};

/// A metrics server that takes longer than this to answer has not answered.
pub const PROBE_TIME_MAX: Duration = Duration::from_secs(2);
/// The longest answer to `/ready`, in bytes; it is about 200 long.
const READY_MAX: usize = 16 * 1024;
/// The longest answer to `/config`, in bytes. It holds the whole ingress, of at most a thousand rules.
const CONFIG_MAX: usize = 4 * 1024 * 1024;

/// Asks the metrics server at `metrics`. It answers after [`PROBE_TIME_MAX`] at the latest.
pub async fn probe(metrics: SocketAddr, ask: Ask) -> Probe {
    let give_up_at = Instant::now() + PROBE_TIME_MAX;
    let ready = match timeout_at(give_up_at, ready(metrics)).await {
        Ok(Ok(ready)) => ready,
        Ok(Err(error)) => return Probe::Missed(error.to_string()),
        Err(_) => return silence(),
    };
    let version = match ask {
        Ask::Ready => VersionReading::Unread,
        // Whether it is ready stays worth knowing when its version cannot be read, or not in time.
        Ask::ReadyAndVersion => match timeout_at(give_up_at, version(metrics)).await {
            Ok(Ok(version)) => version,
            Ok(Err(_)) | Err(_) => VersionReading::Unread,
        },
    };
    Probe::Answered(ready.answer(version))
}

/// What came of a probe that was not answered within [`PROBE_TIME_MAX`].
fn silence() -> Probe {
    Probe::Missed(format!("no answer within {} s", PROBE_TIME_MAX.as_secs()))
}

async fn ready(metrics: SocketAddr) -> io::Result<ReadyBody> {
    let (status, body) = get(metrics, "/ready", READY_MAX).await?;
    ready_of(status, &body)
}

fn ready_of(status: u16, body: &[u8]) -> io::Result<ReadyBody> {
    // 503 is an answer too: it lives and has no connection.
    if status != 200 && status != 503 {
        return Err(invalid(format!("/ready answers with status {status}")));
    }
    serde_json::from_slice(body).map_err(|error| invalid(format!("/ready answers no JSON of its kind: {error}")))
}

async fn version(metrics: SocketAddr) -> io::Result<VersionReading> {
    let (status, body) = get(metrics, "/config", CONFIG_MAX).await?;
    version_of(status, &body)
}

fn version_of(status: u16, body: &[u8]) -> io::Result<VersionReading> {
    if status != 200 {
        return Err(invalid(format!("/config answers with status {status}")));
    }
    let config: ConfigBody = serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
    Ok(match u64::try_from(config.version) {
        Ok(version) => VersionReading::Version(version),
        Err(_) => VersionReading::Missing, // -1 before the edge has pushed one
    })
}

/// `/ready`: `{"status":200,"readyConnections":4,"connectorId":"UUID"}`.
#[derive(Debug, Deserialize)]
struct ReadyBody {
    #[serde(rename = "readyConnections")]
    connections: u8,
    #[serde(rename = "connectorId")]
    connector_id: ConnectorId,
}

impl ReadyBody {
    fn answer(self, version: VersionReading) -> Answer {
        Answer { connections: self.connections, connector_id: self.connector_id, version }
    }
}

/// `/config`, of which only the version matters.
#[derive(Deserialize)]
struct ConfigBody {
    version: i64,
}

async fn get(address: SocketAddr, path: &str, length_max: usize) -> io::Result<(u16, Vec<u8>)> {
    let mut body = Vec::with_capacity(512);
    let status = stream(address, path, length_max, |bytes| body.extend_from_slice(bytes)).await?;
    Ok((status, body))
}

/// Asks for `path` and hands the body to `take` as it comes; the status is told when all of it came. A body that is shorter than it
/// says is an error.
async fn stream(address: SocketAddr, path: &str, length_max: usize, mut take: impl FnMut(&[u8])) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut buffer = Vec::with_capacity(8 * 1024);
    let head = loop {
        let ended = stream.read_buf(&mut buffer).await? == 0;
        match Head::read(&buffer) {
            Some(head) => break head,
            None if ended => return Err(invalid(format!("{path} answers with something else than HTTP"))),
            None if buffer.len() > length_max => return Err(too_long(path, length_max)),
            None => {}
        }
    };
    let mut length = 0;
    buffer.drain(..head.end);
    loop {
        length += buffer.len();
        if head.end + length > length_max {
            return Err(too_long(path, length_max));
        }
        // What stands behind the body's end is none of it.
        let excess = head.length.map_or(0, |told| length.saturating_sub(told));
        take(&buffer[..buffer.len().saturating_sub(excess)]);
        if head.length.is_some_and(|told| length >= told) {
            return Ok(head.status);
        }
        buffer.clear();
        if stream.read_buf(&mut buffer).await? == 0 {
            return match head.length {
                Some(told) => Err(invalid(format!("{path} answers with {length} of {told} bytes"))),
                None => Ok(head.status),
            };
        }
    }
}

/// The beginning of an answer.
struct Head {
    status: u16,
    /// Where the body begins.
    end: usize,
    /// The body's length, if it is told; otherwise it ends with the connection, or with its last chunk.
    length: Option<usize>,
    /// Whether the body comes in chunks, as it does over HTTP/1.1 alone.
    is_chunked: bool,
}

impl Head {
    /// `None` while it is incomplete, and for ever if it is no HTTP.
    fn read(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let mut lines = std::str::from_utf8(&answer[..end]).ok()?.lines();
        let mut words = lines.next()?.split(' ');
        if !words.next()?.starts_with("HTTP/1.") {
            return None;
        }
        let status = words.next()?.parse().ok()?;
        let (mut length, mut is_chunked) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = length.or(value.trim().parse().ok());
            }
            is_chunked |= name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked");
        }
        Some(Self { status, end: end + 4, length, is_chunked })
    }
}

fn too_long(path: &str, length_max: usize) -> io::Error {
    invalid(format!("{path} answers with more than {length_max} bytes"))
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A metrics server that gives each connection the next of `answers`, and then is silent.
    async fn serves(answers: &[&str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 256];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        address
    }

    fn http(status: u16, body: &str) -> String {
        format!("HTTP/1.0 {status} Whatever\r\nContent-Type: text/plain\r\n\r\n{body}")
    }

    fn answered(connections: u8, version: VersionReading) -> Probe {
        Probe::Answered(Answer { connections, connector_id: "a-b".parse().unwrap(), version })
    }

    #[tokio::test]
    async fn reads_what_the_connector_says() {
        let ready = http(200, r#"{"status":200,"readyConnections":4,"connectorId":"a-b"}"#);
        let unready = http(503, r#"{"status":503,"readyConnections":0,"connectorId":"a-b"}"#);
        let config = http(200, r#"{"version":7,"config":{"ingress":[{"service":"http_status:404"}],"version":"x"}}"#);
        let none = http(200, r#"{"version":-1,"config":{}}"#);
        let address = serves(&[&ready]).await;
        assert_eq!(probe(address, Ask::Ready).await, answered(4, VersionReading::Unread));
        let address = serves(&[&ready, &config]).await;
        assert_eq!(probe(address, Ask::ReadyAndVersion).await, answered(4, VersionReading::Version(7)));
        let address = serves(&[&unready, &none]).await;
        assert_eq!(probe(address, Ask::ReadyAndVersion).await, answered(0, VersionReading::Missing));
    }

    #[tokio::test]
    async fn an_answer_that_tells_its_length_may_leave_the_connection_open() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let body = r#"{"status":200,"readyConnections":4,"connectorId":"a-b"}"#;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream
        });
        assert_eq!(probe(address, Ask::Ready).await, answered(4, VersionReading::Unread));
        drop(server.await.unwrap());
    }

    #[tokio::test]
    async fn a_connector_whose_version_cannot_be_read_has_answered_all_the_same() {
        let ready = http(200, r#"{"status":200,"readyConnections":1,"connectorId":"a-b"}"#);
        let address = serves(&[&ready, &http(500, "")]).await;
        assert_eq!(probe(address, Ask::ReadyAndVersion).await, answered(1, VersionReading::Unread));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_a_miss_that_says_why() {
        for (answer, why) in [
            (http(404, "404 page not found"), "/ready answers with status 404"),
            (http(200, "OK"), "/ready answers no JSON of its kind"),
            ("SSH-2.0-OpenSSH\r\n\r\n".to_owned(), "/ready answers with something else than HTTP"),
            (String::new(), "/ready answers with something else than HTTP"),
            (http(200, &"x".repeat(READY_MAX)), "/ready answers with more than 16384 bytes"),
        ] {
            let address = serves(&[&answer]).await;
            match probe(address, Ask::Ready).await {
                Probe::Missed(said) => assert!(said.contains(why), "{said}"),
                Probe::Answered(answer) => panic!("{answer:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_a_miss_after_two_seconds() {
        let address = serves(&[]).await;
        assert_eq!(probe(address, Ask::Ready).await, Probe::Missed("no answer within 2 s".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_silent_about_its_version_alone_has_answered() {
        let ready = http(200, r#"{"status":200,"readyConnections":4,"connectorId":"a-b"}"#);
        let address = serves(&[&ready]).await;
        assert_eq!(probe(address, Ask::ReadyAndVersion).await, answered(4, VersionReading::Unread));
    }

    #[tokio::test]
    async fn a_closed_port_is_a_miss_at_once() {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(matches!(probe(address, Ask::Ready).await, Probe::Missed(_)));
    }
}
