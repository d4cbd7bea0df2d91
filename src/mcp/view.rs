//! What tools show: the daemon's own types where they are small enough, and less of them where many come at once.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::control::api::{
    Connector, Event, LogLine, Overview, Plan, Reason, Replaced, Route, RouteState, State, Stop, Tunnel, TunnelDetail,
    TunnelRoute,
};

/// The most bytes of one list in an answer. With the rest of an answer it stays far below what any client takes at once.
pub(super) const LIST_BYTES_MAX: usize = 96 * 1024;

/// How many hostnames a tunnel is shown with where there are many tunnels.
const HOSTNAMES_SHOWN: usize = 5;

/// Tunnels, in short.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Tunnels {
    /// How many there are that were asked for, those that are not in this answer included.
    pub(super) total: usize,
    /// The tunnels, by name.
    pub(super) tunnels: Vec<TunnelBrief>,
}

/// One tunnel among many.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TunnelBrief {
    /// Its name.
    pub(super) name: String,
    /// The worst state of its connectors, or what keeps it from having any.
    pub(super) state: State,
    /// Why it is in that state, when it is not simply ready.
    pub(super) reason: Option<Reason>,
    /// Whether everything that was accepted for it is in force.
    pub(super) settled: bool,
    /// The account's name in the configuration.
    account: String,
    /// Where its definition stands: `file:PATH` (read-only over the socket) or `api`.
    origin: String,
    /// How many connectors are wanted on this host.
    replicas: u8,
    /// How many of them serve.
    serving: usize,
    /// How many routes lead to it.
    routes: usize,
    /// How many of them are live.
    live_routes: usize,
    /// The first of its public hostnames.
    hostnames: Vec<String>,
    /// An operator's stop, while it lasts.
    stop: Option<Stop>,
}

/// The daemon, and which tunnels want to be looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HostStatus {
    #[serde(flatten)]
    pub(super) overview: Overview,
    /// How many tunnels there are.
    pub(super) tunnels: usize,
    /// How many of them are ready and settled, with nothing that waits.
    pub(super) tunnels_ready: usize,
    /// The others, by name.
    pub(super) troubled: Vec<TunnelBrief>,
}

/// One tunnel, with all that is known of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownTunnel {
    /// The tunnel.
    pub(super) tunnel: Tunnel,
    /// Its definition, in the configuration's grammar; `null` when it has none, or when it is too long for an answer.
    pub(super) definition: Option<Map<String, Value>>,
}

/// Routes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Routes {
    /// How many there are that were asked for, those that are not in this answer included.
    pub(super) total: usize,
    /// The routes, by tunnel and in the order of its rules.
    pub(super) routes: Vec<TunnelRoute>,
}

/// Lines that connectors wrote.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Lines {
    /// The tunnel.
    pub(super) tunnel: String,
    /// The lines, oldest first.
    pub(super) lines: Vec<LogLine>,
}

/// What happened.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Happened {
    /// The events, oldest first.
    pub(super) events: Vec<Event>,
}

/// What would change at Cloudflare and here.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Planned {
    /// What `apply` wants, to carry out exactly this plan.
    plan_hash: String,
    /// How many steps there are, and connectors that are started, replaced or stopped.
    changes: usize,
    /// How many things are left alone, because somebody else holds them or something is not certain.
    left_alone: usize,
    /// The plan: one line for each step, then what is left alone and why, then the connectors on this host. Lines begin with `+`, `~`,
    /// `-` for steps and with `!`, `?`, `#` for the rest.
    lines: Vec<String>,
    /// The connectors that are replaced or stopped, with what would be cut.
    connectors: Vec<Replaced>,
}

/// What a change would do, or has done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Change {
    /// Which of the two steps this was.
    pub(super) step: ChangeStep,
    /// The tunnel.
    pub(super) tunnel: String,
    /// What it does, in one sentence without a full stop.
    pub(super) summary: String,
    /// Whether anything changes.
    pub(super) changes: bool,
    /// Names exactly this change of exactly what there is.
    pub(super) plan_hash: String,
    /// What is changed, as it was; `null`: nothing was there, or it is too long for an answer.
    pub(super) before: Option<Map<String, Value>>,
    /// The same as it is to be; `null`: nothing is left, or it is too long for an answer.
    pub(super) after: Option<Map<String, Value>>,
    /// The connectors that are replaced or stopped for it, with what would be cut.
    pub(super) connectors: Vec<Replaced>,
    /// How many requests are open on them at this moment; `null` when one does not tell.
    pub(super) open_requests: Option<u64>,
    /// What to call next.
    pub(super) next: String,
}

/// A step of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChangeStep {
    /// Nothing was changed.
    Planned,
    /// It was accepted; what follows from it is under way.
    Accepted,
    /// It was so already.
    Unchanged,
}

impl TunnelBrief {
    pub(super) fn of(tunnel: &Tunnel) -> Self {
        let hostnames = tunnel.routes.iter().filter_map(|route| route.hostname.clone());
        Self {
            name: tunnel.name.clone(),
            state: tunnel.state,
            reason: tunnel.reason.clone(),
            settled: tunnel.settled,
            account: tunnel.account.clone(),
            origin: tunnel.origin.clone(),
            replicas: tunnel.replicas,
            serving: tunnel.connectors.iter().filter(|connector| connector.serving).count(),
            routes: tunnel.routes.len(),
            live_routes: tunnel.routes.iter().filter(|route| route.state == RouteState::Live).count(),
            hostnames: hostnames.take(HOSTNAMES_SHOWN).collect(),
            stop: tunnel.stop.clone(),
        }
    }

    /// The tunnel in one line.
    pub(super) fn line(&self) -> String {
        let Self { name, state, replicas, serving, routes, live_routes, .. } = self;
        let reason = self.reason.as_ref().map(|reason| format!(": {}", reason.sentence)).unwrap_or_default();
        let settled = if self.settled { "" } else { ", a change is under way" };
        format!(
            "{name}: {}, {serving} of {replicas} serving, {live_routes} of {routes} routes live{settled}{reason}",
            state.word()
        )
    }
}

/// Whether somebody should look at a tunnel.
pub(super) fn is_troubled(tunnel: &Tunnel) -> bool {
    tunnel.state != State::Ready || !tunnel.settled || tunnel.drift.is_some() || !tunnel.holds.is_empty()
}

impl ShownTunnel {
    /// The tunnel, with its definition when that is no longer than a list may be.
    pub(super) fn of(detail: TunnelDetail) -> Self {
        let TunnelDetail { tunnel, definition, .. } = detail;
        let fits = definition.to_string().len() <= LIST_BYTES_MAX;
        Self { tunnel, definition: definition.as_object().filter(|_| fits).cloned() }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let Tunnel { connectors, routes, drift, holds, .. } = &self.tunnel;
        let reasons = drift.iter().chain(holds).map(|reason| format!("{}: {}", reason.code, reason.sentence));
        let definition = self.definition.clone().map(|definition| format!("definition {}", Value::Object(definition)));
        [TunnelBrief::of(&self.tunnel).line()]
            .into_iter()
            .chain(reasons)
            .chain(connectors.iter().map(connector_line))
            .chain(routes.iter().map(|route| format!("route {}", route_line(route))))
            .chain(definition)
            .collect()
    }
}

fn connector_line(connector: &Connector) -> String {
    let reason = connector.reason.as_ref().map(|reason| format!(": {}", reason.sentence)).unwrap_or_default();
    let Connector { replica, generation, connections, restarts_total, .. } = connector;
    let state = connector.state.word();
    format!(
        "connector {replica}, generation {generation}: {state}, {connections} of 4 connections, {restarts_total} restarts{reason}"
    )
}

/// A route in one line.
pub(super) fn route_line(route: &Route) -> String {
    let path = route.path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
    let service = route.service.as_ref().map(|service| format!(" to {service}")).unwrap_or_default();
    let reason = route.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} {}{path}{service} is {}{reason}", route.kind.word(), route.label(), route.state.word())
}

/// An event in one line.
pub(super) fn event_line(event: &Event) -> String {
    let tunnel = event.subject.tunnel.as_ref().map(|tunnel| format!(" {tunnel}")).unwrap_or_default();
    format!("{} {} {}{tunnel}: {}", event.id, at(event.at), event.kind, event.sentence)
}

/// A line of a connector, with when it was written and by whom.
pub(super) fn log_line(line: &LogLine) -> String {
    format!("{} {} replica {}: {}", line.id, at(line.at), line.replica, line.text)
}

fn at(time: Timestamp) -> String {
    time.strftime("%FT%TZ").to_string()
}

impl Planned {
    pub(super) fn of(plan: Plan, lines: Vec<String>) -> Self {
        let Plan { hash, changes, left_alone, connectors, .. } = plan;
        Self { plan_hash: hash, changes, left_alone, lines, connectors }
    }
}
