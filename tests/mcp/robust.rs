//! Bad input, bad daemons, bad timing.

use futures_util::FutureExt;
use serde_json::json;
use tokio::{io::AsyncReadExt, net::UnixListener, time::timeout};

use crate::{
    host::{Host, PATIENCE},
    session::{Session, initialize},
};

#[tokio::test]
async fn garbage_changes_nothing_and_the_server_goes_on() {
    let mut session = Session::alone(&[]).await;
    for garbage in
        ["", "garbage", "{\"jsonrpc\":", "\u{0}\u{1}", "{\"jsonrpc\": \"2.0\", \"method\": \"notifications/unheard-of\"}"]
    {
        session.write(garbage).await;
    }
    session.write(&format!("{{\"jsonrpc\": \"2.0\", \"id\": 99, \"method\": \"{}\"}}", "x".repeat(2 * 1024 * 1024))).await;
    assert_eq!(session.request("ping", json!({})).await["result"], json!({}));
    let unknown = session.request("unheard/of", json!({})).await;
    assert_eq!(unknown["error"]["code"], json!(-32601));
    let wrong = session.request("tools/call", json!({ "name": "status", "arguments": { "verbose": true } })).await;
    assert!(wrong.to_string().contains("this tool takes none"), "{wrong}");
    let (status, told) = session.end().await;
    assert_eq!((status.code(), told.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_client_that_says_nothing_or_leaves_at_once_is_fine() {
    let (status, told) = Session::silent().end().await;
    assert_eq!((status.code(), told.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn what_comes_before_the_first_request_is_passed_over() {
    let mut session = Session::silent();
    session.write("garbage").await;
    session.notify("notifications/initialized", json!({})).await;
    session.write("{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": {}}").await;
    let begun = session.request("initialize", initialize()).await;
    assert_eq!(begun["result"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn what_was_asked_before_the_end_of_input_is_still_answered() {
    let host = Host::serving("").await;
    let mut session = Session::with(&host, &[]).await;
    let id = session.send("tools/call", json!({ "name": "status", "arguments": {} })).await;
    session.close();
    assert_eq!(session.answer(id).await["result"]["isError"], json!(false));
    assert_eq!(session.end().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_daemon_that_is_away_is_an_answer_and_one_that_is_back_is_used() {
    let host = Host::prepare().await;
    host.configure("");
    let mut session = Session::with(&host, &["--role", "admin"]).await;
    for (tool, arguments) in [("status", json!({})), ("stop_tunnel", json!({ "tunnel": "web" }))] {
        let error = session.call(tool, arguments).await.error();
        assert_eq!(error["kind"], "not_reachable");
        assert!(error["message"].as_str().unwrap().contains("adit.sock"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("call again"), "{error}");
    }
    let read = session.request("resources/read", json!({ "uri": "adit://status" })).await;
    assert_eq!(read["error"]["data"]["error"]["kind"], "not_reachable");
    host.start().await;
    session.call("status", json!({})).await.value();
    host.kill();
    assert_eq!(session.call("status", json!({})).await.error()["kind"], "not_reachable");
    host.start().await;
    session.call("status", json!({})).await.value();
}

#[tokio::test]
async fn a_client_that_asks_much_at_once_leaves_the_daemon_its_places() {
    let folder = tempfile::tempdir().unwrap();
    let busy = UnixListener::bind(folder.path().join("adit.sock")).unwrap();
    let mut session = Session::begin(&folder.path().join("adit.sock"), &[]).await;
    let asked = [
        ("tools/list", json!({})),
        ("resources/list", json!({})),
        ("resources/read", json!({ "uri": "adit://tunnels" })),
        ("tools/call", json!({ "name": "list_tunnels", "arguments": {} })),
        ("resources/list", json!({})),
    ];
    for (method, params) in asked {
        session.send(method, params).await;
    }
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(timeout(PATIENCE, busy.accept()).await.unwrap().unwrap().0);
    }
    assert_eq!(session.request("ping", json!({})).await["result"], json!({}), "what asks nobody is answered");
    assert!(busy.accept().now_or_never().is_none(), "the fifth waits");
    drop(connections);
    // Whose daemon is gone is answered all the same, and makes room for the next.
    drop(timeout(PATIENCE, busy.accept()).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_given_up_and_never_answered() {
    let folder = tempfile::tempdir().unwrap();
    let silent = UnixListener::bind(folder.path().join("adit.sock")).unwrap();
    let mut session = Session::begin(&folder.path().join("adit.sock"), &[]).await;
    let id = session.send("tools/call", json!({ "name": "status", "arguments": {} })).await;
    let (mut connection, _) = timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
    let mut request = [0; "GET /v1/status".len()];
    timeout(PATIENCE, connection.read_exact(&mut request)).await.unwrap().unwrap();
    assert_eq!(&request, b"GET /v1/status");
    session.notify("notifications/cancelled", json!({ "requestId": id, "reason": "changed my mind" })).await;
    // The connection to the daemon is closed, so that it can give up too.
    timeout(PATIENCE, connection.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    assert_eq!(session.request("ping", json!({})).await["result"], json!({}));
}
