//! The switches that make the API misbehave.

use std::time::Duration;

use adit::sandbox::faults::{Fault, Matching, Times};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::Sandbox;

async fn raw(sandbox: &Sandbox, method: Method, path: &str, body: Value) -> Result<Response, reqwest::Error> {
    let request = sandbox.request(method, path).bearer_auth(sandbox.world.api_token().expose());
    if body.is_null() { request.send().await } else { request.json(&body).send().await }
}

fn switch(sandbox: &Sandbox, fault: Fault) {
    sandbox.world.faults().add(fault, Matching::resource("cfd_tunnel"), Times::Once);
}

#[tokio::test]
async fn faults_before_the_call_change_nothing() {
    let sandbox = Sandbox::start().await;
    let tunnels = sandbox.in_account("cfd_tunnel");
    let create = async || raw(&sandbox, Method::POST, &tunnels, json!({ "name": "web" })).await;
    let before = sandbox.world.snapshot();

    switch(&sandbox, Fault::TooManyRequests(Some(Duration::from_millis(1_500))));
    let throttled = create().await.unwrap();
    assert_eq!((throttled.status().as_u16(), &throttled.headers()["retry-after"]), (429, &"2".parse().unwrap()));
    switch(&sandbox, Fault::TooManyRequests(None));
    assert!(!create().await.unwrap().headers().contains_key("retry-after"));

    switch(&sandbox, Fault::ServerError(503));
    let failed = create().await.unwrap();
    assert_eq!(failed.status(), 503);
    assert_eq!(failed.json::<Value>().await.unwrap()["success"], false);

    switch(&sandbox, Fault::Html(502));
    let page = create().await.unwrap();
    assert_eq!((page.status().as_u16(), &page.headers()["content-type"]), (502, &"text/html; charset=UTF-8".parse().unwrap()));
    assert!(page.text().await.unwrap().starts_with("<!DOCTYPE html>"));

    switch(&sandbox, Fault::DropBefore);
    assert!(create().await.is_err());
    assert_eq!(sandbox.world.snapshot(), before);
    assert_eq!(sandbox.world.requests().last().unwrap().status, None);
    assert_eq!(create().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_answer_that_is_lost_belongs_to_a_call_that_happened() {
    let sandbox = Sandbox::start().await;
    switch(&sandbox, Fault::AnswerLost);
    let lost = raw(&sandbox, Method::POST, &sandbox.in_account("cfd_tunnel"), json!({ "name": "web" })).await;
    assert!(lost.is_err());
    assert!(sandbox.world.snapshot().tunnel("web").is_some());
}

#[tokio::test]
async fn a_call_that_hangs_neither_happens_nor_answers() {
    let sandbox = Sandbox::start().await;
    switch(&sandbox, Fault::Hang);
    let path = sandbox.in_account("cfd_tunnel");
    let hanging = raw(&sandbox, Method::POST, &path, json!({ "name": "web" }));
    let answered = async {
        while sandbox.world.request_count() == 0 {
            tokio::task::yield_now().await;
        }
        sandbox.get("/zones").await.result();
    };
    tokio::select! {
        outcome = hanging => panic!("an answer came: {outcome:?}"),
        () = answered => {}
    }
    assert!(sandbox.world.snapshot().tunnels.is_empty());
}

#[tokio::test]
async fn a_slow_call_has_happened_before_its_answer_comes() {
    let sandbox = Sandbox::start().await;
    switch(&sandbox, Fault::Slow(Duration::from_secs(3_600)));
    let path = sandbox.in_account("cfd_tunnel");
    let slow = raw(&sandbox, Method::POST, &path, json!({ "name": "web" }));
    let happened = async {
        while sandbox.world.snapshot().tunnel("web").is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        outcome = slow => panic!("an answer came: {outcome:?}"),
        () = happened => {}
    }
}

#[tokio::test]
async fn lists_can_lie_by_being_short_or_empty() {
    let sandbox = Sandbox::start().await;
    let tunnels = sandbox.in_account("cfd_tunnel");
    for name in ["a", "b", "c"] {
        sandbox.tunnel(name).await;
    }
    switch(&sandbox, Fault::TruncatedPage(1));
    let short = sandbox.get(&tunnels).await;
    assert_eq!(short.each("name"), ["a"]);
    assert_eq!((&short.body["result_info"]["count"], &short.body["result_info"]["total_count"]), (&json!(1), &json!(3)));
    switch(&sandbox, Fault::EmptyPage);
    let empty = sandbox.get(&tunnels).await;
    assert_eq!((empty.each("name").len(), &empty.body["result_info"]["total_count"]), (0, &json!(0)));
    assert_eq!(sandbox.get(&tunnels).await.each("name"), ["a", "b", "c"]);
}

#[tokio::test]
async fn bodies_can_be_broken_in_every_way() {
    let sandbox = Sandbox::start().await;
    let tunnels = sandbox.in_account("cfd_tunnel");
    let get = async || raw(&sandbox, Method::GET, &tunnels, Value::Null).await.unwrap();

    switch(&sandbox, Fault::MalformedJson);
    let text = get().await.text().await.unwrap();
    assert!(text.starts_with("{\"") && serde_json::from_str::<Value>(&text).is_err());
    switch(&sandbox, Fault::TruncatedBody);
    assert!(get().await.bytes().await.is_err());
    switch(&sandbox, Fault::WrongShape);
    assert_eq!(get().await.json::<Value>().await.unwrap()["result"], json!({ "unexpected": true }));

    switch(&sandbox, Fault::EndlessBody);
    let mut endless = get().await;
    let mut read = 0;
    while read < 4 * 1024 * 1024 {
        read += endless.chunk().await.unwrap().expect("the body has no end").len();
    }
}

#[tokio::test]
async fn a_server_that_is_stopped_refuses_connections() {
    let sandbox = Sandbox::start().await;
    sandbox.get("/zones").await.result();
    let url = sandbox.api.base.join("zones").unwrap();
    let Sandbox { api, client, _watch, .. } = sandbox;
    api.shutdown().await;
    assert!(client.get(url).send().await.unwrap_err().is_connect());
}
