//! The check itself: what it lets pass and what it finds.

use adit::sandbox::world::Exchange;
use reqwest::Method;
use serde_json::{Value, json};

use crate::contract::{Contract, Sender};

const TUNNELS: &str = "/accounts/0123456789abcdef0123456789abcdef/cfd_tunnel";

fn check(exchange: &Exchange) -> Result<(), String> {
    Contract::get().check(exchange, Sender::Client)
}

fn created() -> Exchange {
    Exchange {
        method: Method::POST,
        path: TUNNELS.to_owned(),
        query: Vec::new(),
        request_body: json!({ "name": "web" }).to_string().into_bytes(),
        status: 200,
        response_body: envelope(&tunnel()),
        damaged: false,
    }
}

fn tunnel() -> Value {
    json!({
        "id": "11111111-2222-4333-8444-555555555555",
        "account_tag": "0123456789abcdef0123456789abcdef",
        "name": "web",
        "status": "inactive",
        "tun_type": "cfd_tunnel",
        "created_at": "2026-01-02T03:04:05Z",
        "deleted_at": null,
        "conns_active_at": null,
        "conns_inactive_at": null,
    })
}

fn envelope(result: &Value) -> Vec<u8> {
    json!({ "success": true, "errors": [], "messages": [], "result": result }).to_string().into_bytes()
}

#[test]
fn an_exchange_within_the_contract_passes() {
    assert_eq!(check(&created()), Ok(()));
}

#[test]
fn requests_outside_of_the_contract_are_found() {
    let sent = |body: Value| Exchange { request_body: body.to_string().into_bytes(), ..created() };
    let asked = |name: &str, value: &str| Exchange {
        method: Method::GET,
        query: vec![(name.to_owned(), value.to_owned())],
        request_body: Vec::new(),
        response_body: json!({ "success": true, "errors": [], "messages": [], "result": [], "result_info": {} })
            .to_string()
            .into(),
        ..created()
    };
    assert_eq!(check(&asked("per_page", "1000")), Ok(()));
    for (exchange, reason) in [
        (sent(json!({ "name": "web", "metadata": {} })), "metadata"),
        (sent(json!({})), "name"),
        (sent(json!({ "name": "web", "tunnel_secret": "short" })), "tunnel_secret"),
        (asked("per_page", "1001"), "per_page"),
        (asked("name_prefix", "web"), "unknown query parameter name_prefix"),
        (Exchange { path: "/accounts/nobody/cfd_tunnel".to_owned(), ..created() }, "path parameter account_id"),
        (Exchange { path: "/tunnels".to_owned(), ..created() }, "unknown path"),
        (Exchange { method: Method::PUT, ..created() }, "unknown operation"),
    ] {
        let found = check(&exchange).unwrap_err();
        assert!(found.contains(reason), "{found}");
    }
}

#[test]
fn answers_outside_of_the_contract_are_found() {
    let without = |field: &str| {
        let mut tunnel = tunnel();
        tunnel.as_object_mut().unwrap().remove(field);
        Exchange { response_body: envelope(&tunnel), ..created() }
    };
    let answered = |body: Value| Exchange { response_body: body.to_string().into_bytes(), ..created() };
    let refused = |body: Value| Exchange { status: 409, ..answered(body) };
    for (exchange, reason) in [
        (without("deleted_at"), "deleted_at"),
        (without("status"), "status"),
        (answered(json!({ "success": true, "result": tunnel() })), "errors"),
        (Exchange { status: 201, ..created() }, "status 201"),
        (Exchange { response_body: b"<html>".to_vec(), ..created() }, "not JSON"),
        (refused(json!({ "success": false, "errors": [], "messages": [], "result": null })), "errors"),
    ] {
        let found = check(&exchange).unwrap_err();
        assert!(found.contains(reason), "{found}");
    }
    let damaged = Exchange { response_body: b"<html>".to_vec(), damaged: true, ..created() };
    assert_eq!(check(&damaged), Ok(()));
}

#[test]
fn a_prober_may_send_what_is_refused() {
    let failure = json!({ "success": false, "errors": [{ "code": 1004, "message": "x" }], "messages": [], "result": null });
    let probing = Exchange { request_body: b"{".to_vec(), status: 400, response_body: failure.to_string().into(), ..created() };
    assert_eq!(Contract::get().check(&probing, Sender::Prober), Ok(()));
    assert!(Contract::get().check(&probing, Sender::Client).is_err());
}
