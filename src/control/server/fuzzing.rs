//! The laws of requests: any bytes on a connection to a server whose daemon keeps what it is given.

#[path = "../../../tests/control/backend.rs"]
mod backend;

use std::{sync::Arc, time::Duration};

use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};
use tokio_util::sync::CancellationToken;

use self::backend::{Kept, access, root, user};
use super::{Server, converse, router};
use crate::control::{Backend, Principal};

/// How long a connection may take once it is told to end.
const TIME_MAX: Duration = Duration::from_secs(10);

/// How often the server may go on before it is told to end: enough for every request that came at once.
const TURNS: usize = 200;

/// A hostname that is told to those who may look.
const HIDDEN: &str = "hidden.example.com";

/// Any bytes, sent by an administrator, by somebody who may only look, and by somebody who may nothing.
pub fn requests(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a process may have a runtime");
    for (who, is_allowed) in [(root(), true), (user(2003, "viewer"), true), (user(2999, "stranger"), false)] {
        let backend = Kept::new(access());
        let rule = json!({ "hostname": HIDDEN, "service": "http://localhost:8080" });
        backend.put("web", json!({ "ingress": [rule] }));
        let (before, may_change) = (backend.revision(), who.uid == 0);
        let answers = runtime.block_on(converse_with(backend.clone(), who, bytes));
        check(&answers);
        let tells = contains(&answers, HIDDEN) && !contains(bytes, HIDDEN);
        assert!(is_allowed || !tells, "a stranger learnt what they may not see: {}", String::from_utf8_lossy(&answers));
        assert!(may_change || backend.revision() == before, "somebody changed something who may only look");
    }
}

async fn converse_with(backend: Kept, who: Principal, bytes: &[u8]) -> Vec<u8> {
    let shutdown = CancellationToken::new();
    let server = Server::new(backend, Arc::new(|_| unreachable!("it is known who asks")), shutdown.clone());
    let router = TowerToHyperService::new(router::build(&server.shared));
    let (ours, theirs) = UnixStream::pair().expect("a process may have sockets");
    let end = shutdown.clone();
    let served = tokio::spawn(async move { converse(theirs, router, who, &shutdown).await });
    let conversation = async {
        let (mut answers, mut requests) = ours.into_split();
        let asking = async {
            // Who is refused need not be heard out.
            let _ = requests.write_all(bytes).await;
            let _ = requests.shutdown().await;
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            // What is followed has no end of its own.
            end.cancel();
        };
        let mut written = Vec::new();
        let hearing = async {
            // A server that does not hear everything may break off.
            let _ = answers.read_to_end(&mut written).await;
        };
        tokio::join!(asking, hearing);
        served.await.expect("the server does not panic");
        written
    };
    let written = tokio::time::timeout(TIME_MAX, conversation).await.expect("a connection ends");
    server.shared.cut.cancel();
    written
}

/// Checks that answers are of one shape, as far as it can be told where each ends: the question may have been for a head alone.
fn check(mut answers: &[u8]) {
    assert!(answers.is_empty() || answers.starts_with(b"HTTP/1."), "what is answered is no HTTP");
    while answers.starts_with(b"HTTP/1.") {
        let Some(end) = answers.windows(4).position(|window| window == b"\r\n\r\n") else { return };
        let (head, behind) = answers.split_at(end + 4);
        let head = str::from_utf8(head).expect("a head is text").to_ascii_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse::<u16>().ok()).expect("an answer has a status");
        assert!((100..500).contains(&status) || status == 503, "{head}{}", String::from_utf8_lossy(behind));
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let length = header("content-length").and_then(|length| length.parse().ok());
        let has_body = status >= 200 && status != 204 && status != 304;
        let Some((body, rest)) = behind.split_at_checked(length.filter(|_| has_body).unwrap_or(0)) else { return };
        if header("content-type") == Some("application/json")
            && let Ok(body) = serde_json::from_slice::<Value>(body)
        {
            let error = &body["error"];
            assert!(status < 400 || (error["kind"].is_string() && error["message"].is_string()), "{status} {body}");
        }
        answers = rest;
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
