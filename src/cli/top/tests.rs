//! The view as its user meets it: keys and answers go in, screens and effects come out.

mod drawing;
mod keys;

use jiff::Timestamp;
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};
use serde_json::{Value, json};

use super::{
    model::Model,
    update::{Effect, Message, update},
    view,
};
use crate::{
    control::api::{ConnectorTraffic, Event, Followed, LogLine, WhoAmI},
    screen::{Ability, adapt},
};

/// The time of every test.
const NOW: &str = "2026-01-02T03:04:05Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn connector(replica: u8, state: &str, connections: u8, more: Value) -> Value {
    let mut connector = json!({
        "replica": replica, "generation": 3, "state": state, "since": "2026-01-02T03:01:05Z", "pid": 4711 + u32::from(replica),
        "serving": connections > 0, "connections": connections, "config_version": 7, "restarts_total": 0,
    });
    connector.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    connector
}

fn tunnel(name: &str, state: &str, connectors: &[Value], hostnames: &[&str]) -> Value {
    let route = |hostname: &&str| json!({ "hostname": hostname, "service": "http://localhost:8080", "dns": true, "state": "live", "path": null, "reason": null });
    json!({
        "name": name, "origin": "file:/etc/adit/adit.toml", "account": "default", "id": "0a1b-2c3d", "cloudflare_status": "healthy",
        "state": state, "settled": true, "replicas": connectors.len().max(1), "connectors": connectors,
        "routes": hostnames.iter().map(route).collect::<Vec<_>>(), "holds": [],
    })
}

/// Three tunnels, of which one is degraded and one is stopped.
fn status() -> Value {
    let reason = json!({ "code": "connections-lost", "sentence": "3 of 4 connections" });
    let mut api = tunnel("api", "degraded", &[connector(0, "degraded", 3, json!({ "reason": reason }))], &["api.example.com"]);
    api["reason"] = reason;
    let mut docs = tunnel("docs", "stopped", &[], &["docs.example.com", "www.example.net"]);
    docs["stop"] = json!({ "by": "alice", "at": "2026-01-02T03:00:00Z" });
    let exit = json!({ "at": "2026-01-02T02:54:05Z", "generation": 2, "reason": { "code": "signal", "sentence": "a signal that Adit did not send" } });
    let web = tunnel(
        "web",
        "ready",
        &[connector(0, "ready", 4, json!({ "last_exit": exit })), connector(1, "ready", 4, json!({}))],
        &["app.example.com"],
    );
    json!({
        "daemon": { "version": "0.1.0", "pid": 1, "started_at": "2026-01-01T03:04:05Z", "config_problems": [] },
        "health": { "verdict": "attention", "reasons": [
            { "code": "degraded", "sentence": "3 of 4 connections", "tunnel": "api" },
        ] },
        "uplink": { "state": "up", "since": "2026-01-01T03:04:05Z", "reason": { "code": "up", "sentence": "nothing speaks against it" } },
        "accounts": [{ "name": "default", "synced_at": "2026-01-02T03:04:00Z", "holds": [], "orphans": 2 }],
        "tunnels": [api, docs, web],
    })
}

fn traffic(second: u64) -> Vec<ConnectorTraffic> {
    let of = |tunnel: &str, replica: u8, requests: u64, errors: u64, round_trip: f64| {
        json!({
            "tunnel": tunnel, "replica": replica, "generation": 3, "pid": 4711 + u32::from(replica), "unread": null,
            "reading": {
                "read_at": format!("2026-01-02T03:04:{second:02}Z"), "age_millis": 0,
                "requests_total": requests * second, "request_errors_total": errors * second, "open_requests": 2,
                "responses_total": { "informational": 0, "success": 0, "redirect": 0, "client_error": 0, "server_error": 0 },
                "edges": [{ "connection": 0, "round_trip_millis": round_trip }],
            },
        })
    };
    let all = json!([of("api", 0, 5, 2, 31.0), of("web", 0, 1200, 0, 12.0), of("web", 1, 34, 0, 14.0)]);
    serde_json::from_value(all).unwrap()
}

fn event(id: u64, tunnel: &str, kind: &str, level: &str, reason: Option<&str>, sentence: &str) -> Message {
    let event: Event = serde_json::from_value(json!({
        "id": id, "at": "2026-01-02T03:03:00Z", "level": level, "kind": kind, "subject": { "tunnel": tunnel, "replica": 0 },
        "reason": reason, "sentence": sentence,
    }))
    .unwrap();
    Message::Event(Followed::Item(event))
}

fn line(id: u64, tunnel: &str, text: &str) -> Message {
    let line = LogLine { id, at: now(), replica: 0, text: text.to_owned() };
    Message::Line(tunnel.to_owned(), Followed::Item(line))
}

fn who(role: &str) -> Message {
    let who = WhoAmI { uid: 1, user: None, groups: Vec::new(), role: Some(role.to_owned()), grants: Vec::new() };
    Message::Who(who)
}

/// A view of that size that was told everything above.
fn model(columns: u16, lines: u16) -> Model {
    let mut model = Model::new(now(), (columns, lines), None);
    for message in [
        who("admin"),
        Message::Status(Box::new(serde_json::from_value(status()).unwrap())),
        Message::Traffic(traffic(4)),
        Message::Traffic(traffic(5)),
        event(
            1,
            "web",
            "connector-exited",
            "warn",
            Some("signal"),
            "connector web/0 ended by itself: a signal that Adit did not send",
        ),
        event(2, "web", "connector-starting", "info", Some("signal"), "connector web/0 starts again as generation 3 (signal)"),
        event(3, "api", "connector-degraded", "warn", None, "connector api/0 is degraded: 3 of 4 connections"),
    ] {
        update(&mut model, message);
    }
    model
}

fn key(code: KeyCode) -> Message {
    Message::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// Presses a key for each character.
fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.chars().flat_map(|char| update(model, key(KeyCode::Char(char)))).collect()
}

/// The screen as text, as a terminal that is able to show `ability` has it.
fn screen(model: &Model, ability: Ability) -> String {
    let mut terminal = Terminal::new(TestBackend::new(model.size.0, model.size.1)).unwrap();
    let frame = terminal
        .draw(|frame| {
            view::draw(frame, model);
            adapt(frame.buffer_mut(), ability);
        })
        .unwrap();
    let width = usize::from(model.size.0).max(1);
    let rows = frame.buffer.content.chunks(width).map(|row| {
        let row: String = row.iter().map(|cell| cell.symbol()).collect();
        row.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

const RICH: Ability = Ability { colour: true, unicode: true };
