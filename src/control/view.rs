//! The daemon's inner values as the socket shows them.
//!
//! Here, and only here, stands what turns configuration and status into the types of `api`: pure functions over values.

mod orphans;
mod route_health;

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

pub use orphans::{deleted_orphans, orphans};

use super::api::{
    Account, Applied, Cloudflared, Connector, Event, Finding, Health, LastExit, Level, LogLine, Plan, Reason, Replaced, Rotation,
    Route, RouteKind, RouteState, Started, State, Stop, Subject, Tunnel, TunnelSecret, Uplink, UplinkState, Verdict,
};
use crate::{
    config, connector,
    desired::Intended,
    event::{self, PassResult},
    health,
    name::{AccountName, TunnelName},
    output,
    plan::{self, HoldCode, Plans},
    reconciler::PassReport,
    record::Fate,
    status::{self, AccountStatus, ConnectorStatus, Status, TunnelStatus, UplinkStatus},
};

/// The names of all tunnels there are: those that are wanted, and those that are still being taken down.
pub fn names<'a>(intended: &'a Intended, status: &'a Status) -> BTreeSet<&'a TunnelName> {
    intended.config.tunnels.keys().chain(intended.held.keys()).chain(status.tunnels.keys()).collect()
}

/// The tunnel of that name, if there is one. `defined_at` is when what is wanted changed last.
pub fn tunnel(intended: &Intended, defined_at: Instant, status: &Status, name: &TunnelName) -> Option<Tunnel> {
    let wanted = intended.config.tunnels.get(name);
    let known = status.tunnels.get(name);
    let held = intended.held.get(name);
    if wanted.is_none() && known.is_none() && held.is_none() {
        return None;
    }
    let nothing = TunnelStatus::default();
    let known = known.unwrap_or(&nothing);
    let provisioned = known.provisioned.as_deref();
    let account = wanted.map(|wanted| &wanted.account).or(provisioned.map(|provisioned| &provisioned.account));
    let stop = intended.stops.get(name);
    let (state, why) = state(known, stop.is_some());
    let unreadable = held.map(|why| Reason { code: "definition-unreadable".to_owned(), sentence: why.clone() });
    // Somebody's edit that is to be reported and no more: nothing waits because of it.
    let (drift, holds): (Vec<&plan::Hold>, Vec<&plan::Hold>) =
        provisioned.into_iter().flat_map(|provisioned| &provisioned.holds).partition(|hold| hold.code == HoldCode::Edited);
    Some(Tunnel {
        name: name.to_string(),
        origin: wanted.map_or_else(|| left_origin(name).to_owned(), |wanted| wanted.origin.to_string()),
        account: account.map_or_else(String::new, ToString::to_string),
        id: provisioned.and_then(|provisioned| provisioned.id.as_ref()).map(ToString::to_string),
        cloudflare_status: provisioned.and_then(|provisioned| provisioned.cloudflare_status.clone()),
        state,
        reason: why,
        settled: wanted.is_some_and(|wanted| settled(wanted, stop.is_some(), defined_at, status, known)),
        replicas: wanted.map_or_else(|| replicas_left(known), |wanted| wanted.replicas),
        connectors: known.connectors.values().map(|known| connector(known)).collect(),
        routes: match (wanted, stop) {
            (Some(_), None) => route_health::judged(routes(wanted, provisioned), known),
            (None, _) | (_, Some(_)) => routes(wanted, provisioned),
        },
        stop: stop.map(|stop| Stop { by: stop.by.clone(), at: stop.at }),
        holds: holds.into_iter().map(hold).chain(unreadable).collect(),
        drift: drift.into_iter().next().map(hold),
        written_version: provisioned.and_then(|provisioned| provisioned.written_version),
        secret: provisioned.and_then(|provisioned| secret(intended, wanted, provisioned)),
    })
}

/// How old the secret of a tunnel is that is made.
fn secret(intended: &Intended, wanted: Option<&config::Tunnel>, provisioned: &plan::ProvisionedTunnel) -> Option<TunnelSecret> {
    let id = provisioned.id.as_ref()?;
    let every = wanted.and_then(|wanted| wanted.rotate_every.or(intended.config.cloudflared.rotate_every));
    let rotation = provisioned.secret.rotation.as_ref();
    Some(TunnelSecret {
        since: provisioned.secret.since,
        due_at: every.zip(provisioned.secret.since).map(|(every, since)| plan::due_at(since, every, id)),
        rotation: rotation.map(|rotation| Rotation {
            stage: rotation.stage.as_str().to_owned(),
            began_at: rotation.began_at,
            emergency: rotation.emergency,
            by: rotation.by.clone(),
        }),
    })
}

/// Where a tunnel that no configuration has came from.
fn left_origin(name: &TunnelName) -> &'static str {
    if name.is_derived() { "replaced" } else { "removed" }
}

/// How many connectors are wanted of a tunnel that no configuration has: those of one that another takes the place of, until that one
/// serves.
fn replicas_left(known: &TunnelStatus) -> u8 {
    let retires = known.provisioned.as_deref().is_some_and(|provisioned| provisioned.fate == Fate::Retiring);
    if retires { u8::try_from(known.connectors.len()).unwrap_or(u8::MAX) } else { 0 }
}

/// Whether everything that is wanted of a tunnel is in force: a pass that began after the last change left nothing to do, and every
/// connector runs what was written.
fn settled(wanted: &config::Tunnel, stopped: bool, defined_at: Instant, status: &Status, known: &TunnelStatus) -> bool {
    if stopped {
        return known.connectors.values().all(|connector| connector.state == connector::State::Stopped);
    }
    let seen = status.accounts.get(&wanted.account).and_then(|account| account.last_pass.as_ref());
    let seen = seen.is_some_and(|pass| pass.result != PassResult::Failed && pass.began >= defined_at);
    let Some(provisioned) = known.provisioned.as_deref().filter(|_| seen) else { return false };
    let current = |connector: &ConnectorStatus| {
        let version = connector.config_version.and_then(|version| i64::try_from(version).ok());
        connector.serving && connector.successor.is_none() && version >= provisioned.written_version
    };
    known.connectors.len() == usize::from(wanted.replicas)
        && known.connectors.values().all(|known| current(known))
        && provisioned.routes.iter().all(|route| route.state != plan::RouteState::Pending)
        && provisioned.private_routes.iter().all(|route| route.state != plan::RouteState::Pending)
}

/// A tunnel's state and reason: those of its worst connector. Without any it is pending, or stopped when somebody stopped it.
fn state(known: &TunnelStatus, stopped: bool) -> (State, Option<Reason>) {
    let Some(state) = known.state() else {
        return if stopped { (State::Stopped, None) } else { (State::Pending, pending(known)) };
    };
    let worst = known.connectors.values().find(|connector| connector.state == state);
    (connector_state(state), worst.and_then(|worst| connector_reason(worst)))
}

/// Why a tunnel has no connectors yet.
fn pending(known: &TunnelStatus) -> Option<Reason> {
    let provisioned = known.provisioned.as_deref()?;
    let conflict =
        provisioned.conflict.as_ref().map(|conflict| Reason { code: "conflict".to_owned(), sentence: conflict.to_string() });
    provisioned.holds.first().map(hold).or(conflict)
}

/// The account of that name as it is known.
pub fn account(name: &AccountName, known: Option<&AccountStatus>) -> Account {
    let holds = known.into_iter().flat_map(|known| &known.view.holds);
    Account {
        name: name.to_string(),
        id: known.and_then(|known| known.view.account_id.as_ref()).map(ToString::to_string),
        synced_at: known.and_then(|known| known.last_success),
        holds: holds.filter(|hold| hold.tunnel().is_none()).map(hold_with_scope).collect(),
        orphans: known.map_or(0, |known| known.view.orphans),
    }
}

/// The verdict over everything.
pub fn health(health: &health::Health) -> Health {
    let reasons = health.reasons.iter().map(|finding| Finding {
        code: finding.code.clone(),
        sentence: finding.sentence.clone(),
        tunnel: finding.tunnel.as_ref().map(ToString::to_string),
        verdict: verdict(finding.verdict),
    });
    Health { verdict: verdict(health.verdict), reasons: reasons.collect() }
}

fn verdict(verdict: health::Verdict) -> Verdict {
    match verdict {
        health::Verdict::Healthy => Verdict::Healthy,
        health::Verdict::Attention => Verdict::Attention,
        health::Verdict::Failing => Verdict::Failing,
    }
}

/// Whether the host reaches Cloudflare's edge.
pub fn uplink(uplink: &UplinkStatus) -> Uplink {
    Uplink {
        state: match uplink.state {
            status::UplinkState::Up => UplinkState::Up,
            status::UplinkState::Lost => UplinkState::Lost,
        },
        since: uplink.since,
        reason: reason(&uplink.reason),
        braked_since: uplink.braked_since,
    }
}

/// An entry of the feed.
pub fn event(entry: &event::Entry) -> Event {
    Event {
        id: entry.id,
        at: entry.at,
        level: match entry.level {
            event::Level::Reading | event::Level::Info => Level::Info,
            event::Level::Warn => Level::Warn,
            event::Level::Error => Level::Error,
        },
        kind: entry.kind.clone(),
        subject: Subject {
            tunnel: entry.subject.tunnel.as_ref().map(ToString::to_string),
            replica: entry.subject.replica,
            generation: entry.subject.generation,
            account: entry.subject.account.as_ref().map(ToString::to_string),
        },
        reason: entry.reason.clone(),
        sentence: entry.sentence.clone(),
    }
}

/// A line of a connector: its message, and behind it what else it says.
pub fn log_line(numbered: &output::NumberedLine) -> LogLine {
    let output::NumberedLine { id, line } = numbered;
    let mut text = match line.level {
        Some(level) => format!("{} {}", level.as_str(), line.message),
        None => line.message.clone(),
    };
    for (name, value) in &line.fields {
        text.push_str(&format!(" {name}={value}"));
    }
    LogLine { id: *id, at: line.at, replica: line.replica, text }
}

/// What would change, and what is left alone. `connectors` are replaced or stopped by it, and `starts` are started.
pub fn plan(plans: &Plans, connectors: Vec<Replaced>, starts: Vec<Started>) -> Plan {
    let all = || plans.0.values();
    Plan {
        hash: plans.hash().to_string(),
        changes: all().map(|plan| plan.steps.len() + plan.waiting.len()).sum::<usize>() + connectors.len() + starts.len(),
        left_alone: all().map(|plan| lasting_holds(plan) + plan.conflicts.len()).sum(),
        text: text(plans, &connectors, &starts),
        plans: all().map(|plan| serde_json::to_value(plan).expect("a plan has a JSON form")).collect(),
        connectors,
        starts,
    }
}

/// Holds that somebody has to look at: what is part of a planned change and ends by itself is none.
fn lasting_holds(plan: &plan::Plan) -> usize {
    plan.holds.iter().filter(|hold| !hold.code.ends_by_itself()).count()
}

fn text(plans: &Plans, connectors: &[Replaced], starts: &[Started]) -> String {
    let mut text = plans.to_string();
    if connectors.len() + starts.len() > 0 {
        text.push_str("on this host\n");
        starts.iter().for_each(|connector| text.push_str(&format!("  + {}\n", connector.sentence())));
        connectors.iter().for_each(|connector| text.push_str(&format!("  ~ {}\n", connector.sentence())));
    }
    text
}

/// The program that connectors are.
pub fn cloudflared(program: &event::ProgramView) -> Cloudflared {
    Cloudflared {
        path: program.path.display().to_string(),
        version: program.version.clone(),
        rollout: program.state.as_str().to_owned(),
        other_version: program.other_version.clone(),
        reason: program.reason.as_ref().map(reason),
    }
}

/// What came of applying a plan.
pub fn applied(hash: String, reports: &BTreeMap<AccountName, PassReport>) -> Applied {
    let left = reports.values().flat_map(|report| &report.left);
    Applied {
        hash,
        done: reports.values().map(|report| report.done.len()).sum(),
        left: left.map(|left| Reason { code: "not-done".to_owned(), sentence: format!("{}: {}", left.step, left.why) }).collect(),
    }
}

fn connector(connector: &ConnectorStatus) -> Connector {
    Connector {
        replica: connector.replica,
        generation: connector.generation.0,
        state: connector_state(connector.state),
        serving: connector.serving,
        reason: connector_reason(connector),
        since: connector.since,
        pid: connector.pid,
        connector_id: connector.connector_id.as_ref().map(ToString::to_string),
        connections: connector.connections,
        config_version: connector.config_version.and_then(|version| i64::try_from(version).ok()),
        stale: connector.stale,
        restarts_total: connector.restarts_total,
        next_try_at: connector.next_try_at,
        last_exit: connector.last_exit.as_ref().map(last_exit),
    }
}

fn last_exit(exit: &connector::LastExit) -> LastExit {
    LastExit { at: exit.at, generation: exit.generation.0, reason: reason(&exit.reason) }
}

fn connector_state(state: connector::State) -> State {
    match state {
        connector::State::Starting => State::Starting,
        connector::State::Ready => State::Ready,
        connector::State::Degraded => State::Degraded,
        connector::State::Draining => State::Draining,
        connector::State::Stopped => State::Stopped,
        connector::State::BackingOff => State::BackingOff,
        connector::State::Blocked => State::Blocked,
        connector::State::Quarantined => State::Quarantined,
    }
}

/// A connector that is simply ready has no reason to tell; one whose successor failed has.
fn connector_reason(connector: &ConnectorStatus) -> Option<Reason> {
    (connector.state != connector::State::Ready || connector.reason.code != "ready").then(|| reason(&connector.reason))
}

fn reason(reason: &connector::Reason) -> Reason {
    Reason { code: reason.code.to_string(), sentence: reason.sentence.to_string() }
}

/// The routes as far as they are provisioned, or as they are wanted before the first pass saw them.
fn routes(wanted: Option<&config::Tunnel>, provisioned: Option<&plan::ProvisionedTunnel>) -> Vec<Route> {
    match provisioned {
        Some(provisioned) => {
            let private = provisioned
                .private_routes
                .iter()
                .map(|status| Route { reason: status.reason.clone(), ..private_route(&status.route, route_state(status.state)) });
            provisioned.routes.iter().map(route).chain(private).collect()
        }
        None => {
            let rules = wanted.into_iter().flat_map(|wanted| &wanted.ingress).map(wanted_route);
            let private = wanted.into_iter().flat_map(config::Tunnel::private_routes);
            rules.chain(private.map(|route| private_route(&route, RouteState::Pending))).collect()
        }
    }
}

/// A private route, without a reason for its state.
fn private_route(route: &config::PrivateRoute, state: RouteState) -> Route {
    let network = route.network();
    Route {
        kind: if network.is_some() { RouteKind::Network } else { RouteKind::PrivateHostname },
        hostname: match route {
            config::PrivateRoute::Network(_) => None,
            config::PrivateRoute::Hostname { private_hostname } => Some(private_hostname.to_string()),
        },
        network: network.map(|network| network.network.to_string()),
        virtual_network: network.and_then(|network| network.virtual_network.clone()),
        path: None,
        service: None,
        dns: false,
        state,
        reason: None,
        health: None,
    }
}

fn route_state(state: plan::RouteState) -> RouteState {
    match state {
        plan::RouteState::Live => RouteState::Live,
        plan::RouteState::Pending => RouteState::Pending,
        plan::RouteState::Conflict => RouteState::Conflict,
        plan::RouteState::Orphaned => RouteState::Orphaned,
        plan::RouteState::Off => RouteState::Off,
    }
}

fn route(route: &plan::RouteStatus) -> Route {
    let kind = match route.kind {
        plan::RouteKind::Hostname => RouteKind::Hostname,
        plan::RouteKind::LoadBalancer => RouteKind::LoadBalancer,
    };
    Route {
        kind,
        hostname: route.hostname.as_ref().map(ToString::to_string),
        network: None,
        virtual_network: None,
        path: route.path.clone(),
        service: route.service.clone(),
        dns: route.dns == plan::DnsStatus::Managed,
        state: route_state(route.state),
        reason: route.reason.clone(),
        health: None,
    }
}

fn wanted_route(rule: &config::IngressRule) -> Route {
    Route {
        kind: RouteKind::Hostname,
        hostname: rule.hostname.as_ref().map(ToString::to_string),
        network: None,
        virtual_network: None,
        path: rule.path.clone(),
        service: Some(rule.service.to_string()),
        dns: rule.dns && rule.hostname.is_some(),
        state: RouteState::Pending,
        reason: None,
        health: None,
    }
}

fn hold(hold: &plan::Hold) -> Reason {
    Reason { code: hold.code.as_str().to_owned(), sentence: hold.why.clone() }
}

fn hold_with_scope(hold: &plan::Hold) -> Reason {
    let sentence = match &hold.scope {
        plan::Scope::Account => hold.why.clone(),
        scope @ (plan::Scope::Zone { .. }
        | plan::Scope::Tunnel { .. }
        | plan::Scope::Route { .. }
        | plan::Scope::Networks
        | plan::Scope::PrivateRoute { .. }) => {
            format!("{scope}: {}", hold.why)
        }
    };
    Reason { code: hold.code.as_str().to_owned(), sentence }
}
