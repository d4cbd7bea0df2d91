//! Errors have one shape, whatever is wrong: a kind for programs, a sentence for people, and where there is one the next step.

use std::collections::BTreeSet;

use adit::control::api::ErrorKind;
use serde_json::json;

use crate::{
    backend::{Host, user},
    raw::{Answer, request_with},
};

type Headers = &'static [(&'static str, &'static str)];

/// What is asked, and how it is refused.
const REFUSALS: [(&str, &str, Headers, &str, u16, ErrorKind); 21] = [
    ("POST", "/v1/tunnels", &[], "{", 400, ErrorKind::Malformed),
    ("POST", "/v1/tunnels", &[], "{\"nmae\": \"web\", \"definition\": {}}", 400, ErrorKind::Malformed),
    ("GET", "/v1/events?folow=true", &[], "", 400, ErrorKind::Malformed),
    ("GET", "/v1/tunnels?verbose", &[], "", 400, ErrorKind::Malformed),
    ("GET", "/v1/events?since=yesterday", &[], "", 400, ErrorKind::Malformed),
    ("GET", "/v1/events", &[("last-event-id", "yesterday")], "", 400, ErrorKind::Malformed),
    ("GET", "/v1/events?follow=maybe", &[], "", 400, ErrorKind::Malformed),
    ("POST", "/v1/config/reload", &[], "{\"x\": 1}", 400, ErrorKind::Malformed),
    ("POST", "/v1/tunnels/web/stop", &[], "now", 400, ErrorKind::Malformed),
    ("DELETE", "/v1/tunnels/web", &[], "{\"force\": true}", 400, ErrorKind::Malformed),
    ("GET", "/v1/tunnels/%ff", &[], "", 400, ErrorKind::Malformed),
    ("DELETE", "/v1/tunnels/web/routes", &[], "", 422, ErrorKind::Invalid),
    ("POST", "/v1/tunnels", &[], "{\"name\": \"No Name\", \"definition\": {}}", 422, ErrorKind::Invalid),
    ("GET", "/v1/tunnels/other", &[], "", 404, ErrorKind::NotFound),
    ("GET", "/v1/tunnel", &[], "", 404, ErrorKind::NotFound),
    ("PUT", "/v1/tunnels/web/stop", &[], "", 405, ErrorKind::MethodNotAllowed),
    ("POST", "/v1/tunnels", &[], "{\"name\": \"web\", \"definition\": {\"replicas\": 2}}", 409, ErrorKind::Conflict),
    ("DELETE", "/v1/tunnels/file", &[], "", 409, ErrorKind::ReadOnly),
    ("PUT", "/v1/tunnels/web", &[("if-match", "\"x\"")], "{}", 412, ErrorKind::Changed),
    ("PUT", "/v1/tunnels/web", &[("content-type", "text/plain")], "{}", 415, ErrorKind::UnsupportedMediaType),
    (
        "PUT",
        "/v1/tunnels/web",
        &[("content-type", "application/x-www-form-urlencoded")],
        "{}",
        415,
        ErrorKind::UnsupportedMediaType,
    ),
];

/// Kinds that are not met here, each with where they are.
const ELSEWHERE: [ErrorKind; 7] = [
    // Refused by role: `access`.
    ErrorKind::NotPermitted,
    // Bounds: `bad_input`.
    ErrorKind::TooLarge,
    ErrorKind::TooSlow,
    ErrorKind::Busy,
    // The daemon's own: `tests/daemon`.
    ErrorKind::Hold,
    ErrorKind::Unavailable,
    // A mistake of Adit's, which nobody can ask for.
    ErrorKind::Internal,
];

async fn host() -> Host {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.backend.put("file", json!({}));
    host.backend.change("file", |tunnel| tunnel.origin = "file:/etc/adit/adit.toml".to_owned());
    host
}

fn check_shape(answer: &Answer) {
    let error = answer.error();
    assert!(answer.head.contains("content-type: application/json"), "{answer:?}");
    assert!(error.message.starts_with("cannot "), "{answer:?}");
    assert!(!error.message.ends_with('.'), "{answer:?}");
    let keys: Vec<String> = answer.json()["error"].as_object().expect("an error is an object").keys().cloned().collect();
    let known = ["details", "hint", "kind", "message"];
    assert!(keys.iter().all(|key| known.contains(&key.as_str())), "{keys:?}");
    assert_eq!(answer.json()["error"]["kind"], error.kind.word());
}

#[tokio::test]
async fn every_refusal_has_its_kind_its_status_and_the_one_shape() {
    let host = host().await;
    for (method, path, headers, body, status, kind) in REFUSALS {
        let answer = request_with(&host.socket, method, path, headers, body).await;
        assert_eq!((answer.status, answer.error().kind), (status, kind), "{method} {path} {body}: {answer:?}");
        check_shape(&answer);
    }
    let met: BTreeSet<&str> = REFUSALS.iter().map(|(.., kind)| kind.word()).collect();
    let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|kind| kind.word()).collect();
    let all: BTreeSet<&str> = ErrorKind::ALL.iter().map(|kind| kind.word()).collect();
    assert_eq!(met.union(&elsewhere).copied().collect::<BTreeSet<_>>(), all, "every kind is met somewhere");
}

#[tokio::test]
async fn a_slip_is_answered_with_what_may_be_meant() {
    let host = host().await;
    for (method, path, body, hint) in [
        ("POST", "/v1/tunnels", "{\"nmae\": \"web\", \"definition\": {}}", "did you mean \"name\"?"),
        ("POST", "/v1/apply", "{\"plan\": \"1\"}", "known are hash"),
        ("GET", "/v1/events?folow=true", "", "did you mean \"follow\"?"),
        ("GET", "/v1/tunnels?verbose", "", "this path takes no parameters"),
        ("GET", "/v1/operations?state=runing", "", "did you mean \"running\"?"),
        ("GET", "/v1/tunnel", "", "did you mean \"/v1/tunnels\"?"),
        ("PUT", "/v1/tunnels/web/stop", "", "it has POST"),
        ("DELETE", "/v1/tunnels", "", "it has GET, POST"),
        ("GET", "/v1/tunnels/flie", "", "did you mean \"file\"?"),
        ("GET", "/v1/operations/aaaaaaaa-1?wait=soon", "", "write it as in wait=30s"),
        ("GET", "/v1/operations/aaaaaaaa-1?wait=1s", "", "\"adit status\" shows how things are"),
    ] {
        let answer = request_with(&host.socket, method, path, &[], body).await;
        assert!(answer.error().hint.is_some_and(|told| told.contains(hint)), "{method} {path}: {answer:?}");
        check_shape(&answer);
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused_in_the_one_shape_and_only_to_those_who_may_ask() {
    let host = host().await;
    for path in ["/v1/tunnels/%ff", "/v1/tunnels/%c3%28/logs", "/v1/operations/%ff"] {
        let answer = request_with(&host.socket, "GET", path, &[], "").await;
        assert_eq!((answer.status, answer.error().kind), (400, ErrorKind::Malformed), "{path}");
        check_shape(&answer);
    }
    host.become_user(user(2999, "stranger"));
    let answer = request_with(&host.socket, "GET", "/v1/nothing", &[], "").await;
    assert_eq!(answer.error().kind, ErrorKind::NotPermitted);
    assert!(answer.error().hint.is_some(), "{answer:?}");
}

#[tokio::test]
async fn json_is_taken_whatever_kind_of_json_it_is_called() {
    let host = host().await;
    for named in ["application/json", "application/json; charset=utf-8", "application/merge-patch+json", "Application/JSON"] {
        let answer =
            request_with(&host.socket, "PATCH", "/v1/tunnels/web", &[("content-type", named)], "{\"replicas\": 1}").await;
        assert_eq!(answer.status, 200, "{named}: {answer:?}");
    }
    let empty = request_with(&host.socket, "POST", "/v1/apply", &[("content-type", "text/plain")], "").await;
    assert_eq!(empty.status, 200, "what is not there is of no kind");
}
