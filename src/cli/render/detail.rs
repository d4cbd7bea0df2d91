//! One tunnel, with all that is known of it.

use jiff::Timestamp;

use super::{Cell, Look, Table, Tone, age, plain, routes, stamp};
use crate::control::api::{Connector, Reason, Tunnel, TunnelSecret};

/// One tunnel: what it is, its connectors, its routes.
pub(in crate::cli) fn detail(tunnel: &Tunnel, now: Timestamp, look: Look) -> String {
    let state = Tone::of_state(tunnel.state).paint(tunnel.state.word(), look);
    let why = tunnel.reason.as_ref().map(|reason| format!(": {}", plain(&reason.sentence))).unwrap_or_default();
    let mut text = format!("{} is {state}{why}\n", plain(&tunnel.name));
    let mut fact = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("  {key:<14} {}\n", plain(&value)));
        }
    };
    fact("defined in", Some(tunnel.origin.clone()));
    fact("account", Some(tunnel.account.clone()));
    fact("id", tunnel.id.clone());
    fact("at Cloudflare", tunnel.cloudflare_status.clone());
    fact("configuration", tunnel.written_version.map(|version| format!("version {version}")));
    fact("secret", tunnel.secret.as_ref().and_then(|secret| secret_age(secret, now, look)));
    fact("changes", (!tunnel.settled).then(|| "under way".to_owned()));
    fact("stopped", tunnel.stop.as_ref().map(|stop| format!("by {} {}", stop.by, look.ago(stop.at, now))));
    for hold in &tunnel.holds {
        fact("waits", Some(with_code(hold)));
    }
    fact("drift", tunnel.drift.as_ref().map(with_code));
    if !tunnel.connectors.is_empty() {
        text.push('\n');
        text.push_str(&connectors(&tunnel.connectors, now, look));
    }
    if !tunnel.routes.is_empty() {
        text.push('\n');
        let routes = routes(tunnel.routes.iter().map(|route| ("", route)), now, look);
        text.push_str(&routes.expending(&["DNS", "KIND", "CHECKED"]).render_with_sentences(look));
    }
    text
}

/// `12d old, replaced in 78d`.
fn secret_age(secret: &TunnelSecret, now: Timestamp, look: Look) -> Option<String> {
    if let Some(rotation) = &secret.rotation {
        let who = rotation.by.as_deref().unwrap_or("the schedule");
        let how = if rotation.emergency { ", others are cut off" } else { "" };
        return Some(format!(
            "is being replaced ({}) {}, asked for by {who}{how}",
            rotation.stage,
            look.lasting(rotation.began_at, now)
        ));
    }
    let since = secret.since?;
    let old = if look.width.is_some() { format!("{} old", age(since, now)) } else { format!("made at {}", stamp(since)) };
    Some(match secret.due_at {
        Some(due) if due > now => format!("{old}, replaced {}", look.ahead(due, now)),
        Some(_) => format!("{old}, replaced as soon as nothing is in the way"),
        None => old,
    })
}

fn connectors(connectors: &[Connector], now: Timestamp, look: Look) -> String {
    let mut table = Table::new(["CONNECTOR", "STATE", "SINCE", "PID", "CONNECTIONS", "CONFIG", "RESTARTS", "WHY"])
        .expending(&["CONFIG", "PID", "RESTARTS"]);
    for connector in connectors {
        let next = connector.next_try_at.map(|at| format!("next try {}", look.ahead(at, now)));
        let exit = connector.last_exit.as_ref();
        let exit = exit.map(|exit| format!("the last one ended {}: {}", look.ago(exit.at, now), with_code(&exit.reason)));
        let why = connector.reason.as_ref().map(with_code).into_iter().chain(next).chain(exit).collect::<Vec<_>>().join("; ");
        table.row([
            Cell::new(format!("{}.{}", connector.replica, connector.generation)),
            Cell::toned(state(connector), Tone::of_state(connector.state)),
            Cell::new(look.moment(connector.since, now)),
            Cell::maybe(connector.pid),
            Cell::new(format!("{}/4", connector.connections)),
            Cell::maybe(connector.config_version),
            Cell::new(connector.restarts_total.to_string()),
            Cell::new(why),
        ]);
    }
    table.render_with_sentences(look)
}

/// The state, with a mark when it is only what an earlier daemon knew.
fn state(connector: &Connector) -> String {
    let word = connector.state.word();
    if connector.stale { format!("{word} (stale)") } else { word.to_owned() }
}

fn with_code(reason: &Reason) -> String {
    format!("{} ({})", reason.sentence, reason.code)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::control::api::{LastExit, Route, RouteKind, RouteState, State};

    pub(in crate::cli::render) fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    pub(in crate::cli::render) fn example() -> Tunnel {
        let route = |hostname: &str, service: &str| Route {
            kind: RouteKind::Hostname,
            hostname: Some(hostname.to_owned()),
            network: None,
            virtual_network: None,
            path: None,
            service: Some(service.to_owned()),
            dns: true,
            state: RouteState::Live,
            reason: None,
            health: None,
        };
        let reason = |code: &str, sentence: &str| Reason { code: code.to_owned(), sentence: sentence.to_owned() };
        let lost = reason("connections-lost", "3 of 4 connections");
        let foreign = "a record of someone else stands in its place".to_owned();
        Tunnel {
            name: "web".to_owned(),
            origin: "file:/etc/adit/adit.toml".to_owned(),
            account: "default".to_owned(),
            id: Some("f70ff985-a4ef-4643-bbbc-4a0ed4fc8415".to_owned()),
            cloudflare_status: Some("healthy".to_owned()),
            state: State::Degraded,
            reason: Some(lost.clone()),
            settled: true,
            replicas: 1,
            connectors: vec![Connector {
                replica: 0,
                generation: 4,
                state: State::Degraded,
                reason: Some(lost),
                since: now() - jiff::SignedDuration::from_mins(3),
                pid: Some(4711),
                connector_id: None,
                serving: true,
                connections: 3,
                config_version: Some(7),
                stale: false,
                restarts_total: 2,
                next_try_at: None,
                last_exit: Some(LastExit {
                    at: now() - jiff::SignedDuration::from_mins(4),
                    generation: 3,
                    reason: reason("exit", "it failed"),
                }),
            }],
            routes: vec![
                route("app.example.com", "http://localhost:8080"),
                Route { state: RouteState::Conflict, reason: Some(foreign), ..route("*.dev.example.com", "unix:/run/dev.sock") },
            ],
            stop: None,
            holds: Vec::new(),
            drift: None,
            written_version: Some(7),
            secret: None,
        }
    }

    #[test]
    fn a_tunnel_shows_what_it_is_what_runs_and_what_leads_to_it() {
        let shown = |width| detail(&example(), now(), Look { colour: false, width });
        insta::assert_snapshot!(shown(Some(80)), @r#"
        web is degraded: 3 of 4 connections
          defined in     file:/etc/adit/adit.toml
          account        default
          id             f70ff985-a4ef-4643-bbbc-4a0ed4fc8415
          at Cloudflare  healthy
          configuration  version 7

        CONNECTOR  STATE     SINCE  CONNECTIONS  RESTARTS  WHY
        0.4        degraded  3m     3/4          2         3 of 4 connections (connecti…
          0.4: 3 of 4 connections (connections-lost); the last one ended 4m ago: it failed (exit)

        HOSTNAME           SERVICE                STATE     WHY
        app.example.com    http://localhost:8080  live
        *.dev.example.com  unix:/run/dev.sock     conflict  a record of someone else st…
          *.dev.example.com: a record of someone else stands in its place
        "#);
        insta::assert_snapshot!(shown(Some(120)), @r#"
        web is degraded: 3 of 4 connections
          defined in     file:/etc/adit/adit.toml
          account        default
          id             f70ff985-a4ef-4643-bbbc-4a0ed4fc8415
          at Cloudflare  healthy
          configuration  version 7

        CONNECTOR  STATE     SINCE  PID   CONNECTIONS  CONFIG  RESTARTS  WHY
        0.4        degraded  3m     4711  3/4          7       2         3 of 4 connections (connections-lost); the last one en…
          0.4: 3 of 4 connections (connections-lost); the last one ended 4m ago: it failed (exit)

        HOSTNAME           SERVICE                DNS  STATE     WHY
        app.example.com    http://localhost:8080  yes  live
        *.dev.example.com  unix:/run/dev.sock     yes  conflict  a record of someone else stands in its place
        "#);
        insta::assert_snapshot!(shown(None), @r#"
        web is degraded: 3 of 4 connections
          defined in     file:/etc/adit/adit.toml
          account        default
          id             f70ff985-a4ef-4643-bbbc-4a0ed4fc8415
          at Cloudflare  healthy
          configuration  version 7

        CONNECTOR  STATE     SINCE                 PID   CONNECTIONS  CONFIG  RESTARTS  WHY
        0.4        degraded  2026-01-02T03:01:05Z  4711  3/4          7       2         3 of 4 connections (connections-lost); the last one ended at 2026-01-02T03:00:05Z: it failed (exit)

        HOSTNAME           SERVICE                DNS  STATE     WHY
        app.example.com    http://localhost:8080  yes  live
        *.dev.example.com  unix:/run/dev.sock     yes  conflict  a record of someone else stands in its place
        "#);
    }

    #[test]
    fn foreign_text_cannot_act_on_the_terminal() {
        let mut tunnel = example();
        tunnel.reason = Some(Reason { code: "x".to_owned(), sentence: "\x1b[2Jgone\u{202e}".to_owned() });
        assert!(detail(&tunnel, now(), Look { colour: false, width: None }).starts_with("web is degraded: [2Jgone\n"));
    }
}
