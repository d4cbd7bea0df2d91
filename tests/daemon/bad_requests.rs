//! Clients of the control socket that do not behave.

use adit::control::api::{ErrorBody, ErrorKind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::host::Host;

/// How many connections the user of these tests may have: 16, and root 100.
fn connections() -> usize {
    if nix::unistd::geteuid().is_root() { 100 } else { 16 }
}

#[tokio::test]
async fn bodies_that_are_huge_or_not_json_and_names_that_nobody_has_get_a_clear_answer() {
    let host = Host::serving("").await;
    let long = format!("{{\"name\": \"{}\", \"definition\": {{}}}}", "a".repeat(2 << 20));
    for (request, body, kind) in [
        ("POST /v1/tunnels", long.as_str(), ErrorKind::TooLarge),
        ("POST /v1/tunnels", "name=web", ErrorKind::Malformed),
        ("POST /v1/tunnels", "{\"name\": \"web\"", ErrorKind::Malformed),
        ("POST /v1/tunnels", "{\"name\": \"web\", \"definition\": {\"replica\": 1}}", ErrorKind::Invalid),
        ("POST /v1/tunnels", "{\"name\": \"../web\", \"definition\": {}}", ErrorKind::Invalid),
        ("PUT /v1/tunnels/nobody", "{}", ErrorKind::NotFound),
        ("DELETE /v1/tunnels/nobody", "", ErrorKind::NotFound),
        ("POST /v1/tunnels/nobody/start", "", ErrorKind::NotFound),
        ("GET /v1/tunnels/nobody/logs", "", ErrorKind::NotFound),
        ("GET /v1/nothing", "", ErrorKind::NotFound),
        ("DELETE /v1/status", "", ErrorKind::MethodNotAllowed),
    ] {
        let answer = ask(&host, request, body).await;
        let (_, json) = answer.split_once("\r\n\r\n").unwrap();
        let error = serde_json::from_str::<ErrorBody>(json).unwrap_or_else(|error| panic!("{request}: {error}: {answer}")).error;
        assert_eq!(error.kind, kind, "{request}: {error}");
    }
    assert!(host.status().await.tunnels.is_empty());
    assert!(host.snapshot().tunnels.is_empty());
}

#[tokio::test]
async fn garbage_is_answered_or_closed_and_the_daemon_goes_on() {
    let host = Host::serving("").await;
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", &[0; 70_000]]
    {
        let mut stream = UnixStream::connect(host.path("run/adit.sock")).await.unwrap();
        // Either side may close first.
        let _ = stream.write_all(garbage).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
    assert!(host.client.version().await.is_ok());
}

#[tokio::test]
async fn clients_that_connect_and_say_nothing_keep_nobody_else_out_for_long() {
    let host = Host::serving("").await;
    let mut silent = Vec::new();
    for _ in 0..connections() / 2 {
        silent.push(UnixStream::connect(host.path("run/adit.sock")).await.unwrap());
    }
    host.until("there is room for others", async |host| host.client.version().await.is_ok()).await;

    for _ in 0..connections() {
        silent.push(UnixStream::connect(host.path("run/adit.sock")).await.unwrap());
    }
    host.until("one more is refused with the reason", async |host| {
        host.client.version().await.is_err_and(|trouble| trouble.kind() == Some(ErrorKind::Busy))
    })
    .await;

    drop(silent);
    host.until("there is room again", async |host| host.client.version().await.is_ok()).await;
}

#[tokio::test]
async fn a_tunnel_of_a_file_is_changed_there_and_not_over_the_socket() {
    let host = Host::serving("[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]").await;
    let there = host.snapshot();
    for arguments in [
        &["tunnel", "update", "web", "--replicas", "2"][..],
        &["tunnel", "delete", "web", "--yes"],
        &["route", "add", "web", "--hostname", "more.example.com", "--service", "http://localhost:1"],
    ] {
        let refused = host.adit(arguments).await;
        assert_eq!(refused.code, Some(5), "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains("adit.toml"), "{arguments:?}: {refused:?}");
    }
    assert_eq!(host.snapshot(), there);
}

async fn ask(host: &Host, request: &str, body: &str) -> String {
    let mut stream = UnixStream::connect(host.path("run/adit.sock")).await.unwrap();
    let head = format!("{request} HTTP/1.1\r\nHost: adit\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    // A body that is too large is refused before all of it is read.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}
