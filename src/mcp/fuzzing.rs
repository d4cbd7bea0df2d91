//! The laws of what a client of the Model Context Protocol writes.

use std::{path::Path, time::Duration};

use rmcp::service::serve_server;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};

use super::{Limits, read::Reader, server::Server, transport::Pipes};
use crate::{config::Role, control::Client};

/// How every session begins.
const BEGINNING: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","#,
    r#""capabilities":{},"clientInfo":{"name":"fuzzing","version":"0"}}}"#,
    "\n",
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    "\n"
);

/// How long a session may take: it waits for nobody.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Any bytes as what follows in a session, without a daemon to ask.
pub fn messages(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a process may have a runtime");
    let written = runtime.block_on(async {
        let (ours, theirs) = duplex(bytes.len() + BEGINNING.len() + 1);
        let (input, output) = split(theirs);
        let (mut answers, mut requests) = split(ours);
        let limits = Limits { role: Role::Admin, tunnels: None };
        let server = Server::new(Reader { client: Client::new(Path::new("/nonexistent/adit.sock")), limits });
        let served = tokio::spawn(async move {
            if let Ok(running) = serve_server(server, Pipes::new(input, output)).await {
                running.waiting().await.expect("the server does not panic");
            }
        });
        let session = async {
            requests.write_all(&[BEGINNING.as_bytes(), bytes].concat()).await.expect("there is room for all of it");
            requests.shutdown().await.expect("it can be ended");
            let mut written = Vec::new();
            answers.read_to_end(&mut written).await.expect("it ends");
            served.await.expect("the server does not panic");
            written
        };
        tokio::time::timeout(TIME_MAX, session).await.expect("a session ends with its client")
    });
    let text = String::from_utf8(written).expect("JSON is text");
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?} is no JSON: {error}"));
        assert_eq!(message["jsonrpc"], "2.0");
    }
    assert!(text.ends_with('\n'), "its beginning was answered");
}
