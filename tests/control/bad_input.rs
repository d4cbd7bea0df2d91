//! Clients that are wrong, slow or too many.

use std::time::Duration;

use adit::control::api::ErrorKind;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::Instant,
};

use crate::{
    backend::{Host, root, user},
    raw::{request, send},
};

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_comes() {
    let host = Host::start().await;
    let answer = send(&host.socket, b"POST /v1/tunnels HTTP/1.1\r\nhost: adit\r\ncontent-length: 2000000\r\n\r\n").await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.error().kind, ErrorKind::TooLarge);
    assert_eq!(answer.error().message, "cannot read the request's body: it is larger than 1048576 bytes");
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_refused() {
    let host = Host::start().await;
    let mut bytes = b"POST /v1/tunnels HTTP/1.1\r\nhost: adit\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        bytes.extend_from_slice(b"8000\r\n");
        bytes.extend_from_slice(&vec![b' '; 0x8000]);
        bytes.extend_from_slice(b"\r\n");
    }
    assert_eq!(send(&host.socket, &bytes).await.status, 413);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_with_the_place() {
    let host = Host::start().await;
    let answer = request(&host.socket, "POST", "/v1/tunnels", "{\n  \"name\": web\n}").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.error().kind, ErrorKind::Malformed);
    let message = "cannot read the request's body as JSON: expected value at line 2 column 11";
    assert_eq!(answer.error().message, message);
}

#[tokio::test]
async fn json_of_another_shape_is_refused() {
    let host = Host::start().await;
    for (body, reason) in [
        ("{}", "missing field `name`"),
        ("[]", "it must be an object"),
        ("[\"web\", {}]", "it must be an object"),
        ("null", "it must be an object"),
        ("{\"name\": \"web\", \"definition\": {}, \"nmae\": 1}", "unknown field `nmae`"),
    ] {
        let answer = request(&host.socket, "POST", "/v1/tunnels", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.error().message.contains(reason), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    for path in [
        "/v1/tunnels/web/logs?lines=0",
        "/v1/events?since=yesterday",
        "/v1/events?folow=true",
        "/v1/operations/k3x9m2pq-17?wait=soon",
        "/v1/operations/k3x9m2pq-17?wait=soon&follow=true",
    ] {
        let answer = request(&host.socket, "GET", path, "").await;
        assert_eq!((answer.status, answer.error().kind), (400, ErrorKind::Malformed), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_tunnel_is_named_with_the_one_that_may_be_meant() {
    let host = Host::start().await;
    host.backend.put("webshop", json!({}));
    for (method, path) in [
        ("GET", "/v1/tunnels/webshpo"),
        ("POST", "/v1/tunnels/webshpo/stop"),
        ("DELETE", "/v1/tunnels/webshpo"),
        ("PATCH", "/v1/tunnels/webshpo"),
        ("GET", "/v1/tunnels/webshpo/logs"),
    ] {
        let answer = request(&host.socket, method, path, "").await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.error().message, "cannot find tunnel \"webshpo\": no tunnel has that name");
        assert_eq!(answer.error().hint.as_deref(), Some("did you mean \"webshop\"?"));
    }
    let answer = request(&host.socket, "GET", "/v1/tunnels/NOT%20A%20NAME", "").await;
    assert_eq!(answer.error().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_have_the_one_shape_of_errors() {
    let host = Host::start().await;
    let answer = request(&host.socket, "GET", "/v1/tunnel", "").await;
    assert_eq!((answer.status, answer.error().kind), (404, ErrorKind::NotFound));
    let answer = request(&host.socket, "PUT", "/v1/status", "{}").await;
    assert_eq!((answer.status, answer.error().kind), (405, ErrorKind::MethodNotAllowed));
    assert!(answer.head.contains("allow: get"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_closed_after_ten_seconds() {
    let host = Host::start().await;
    let before = Instant::now();
    let mut stream = UnixStream::connect(&host.socket).await.unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    assert_eq!(before.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_in_the_middle_is_closed_after_ten_seconds() {
    let host = Host::start().await;
    for (text, answer) in [
        ("GET /v1/status HTTP/1.1\r\nhost: a", ""),
        ("POST /v1/tunnels HTTP/1.1\r\nhost: adit\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{", "HTTP/1.1 408"),
    ] {
        let before = Instant::now();
        let mut stream = UnixStream::connect(&host.socket).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        assert!(String::from_utf8(bytes).unwrap().starts_with(answer), "{text}");
        assert_eq!(before.elapsed().as_secs(), 10, "{text}");
    }
}

#[tokio::test]
async fn a_user_with_too_many_connections_is_told_so_and_the_others_are_served() {
    let host = Host::start().await;
    host.become_user(user(2003, "vera"));
    let mut open = Vec::new();
    for _ in 0..16 {
        let mut stream = UnixStream::connect(&host.socket).await.unwrap();
        // The answer shows that the connection is counted.
        stream.write_all(b"GET /v1/whoami HTTP/1.1\r\nhost: adit\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
        open.push(stream);
    }
    let trouble = host.client.who_am_i().await.unwrap_err();
    assert_eq!(trouble.kind(), Some(ErrorKind::Busy));
    host.become_user(root());
    host.client.who_am_i().await.unwrap();
    host.become_user(user(2003, "vera"));
    drop(open.pop());
    let served = async {
        while host.client.who_am_i().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), served).await.expect("a closed connection makes room for another");
}
