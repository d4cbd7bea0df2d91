//! When a tunnel is as it was asked for. Pure.

use super::api::{ErrorKind, RouteState, State, Tunnel};
use crate::plan::HoldCode;

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// All that was accepted is in force, and the tunnel serves.
    Serving,
    /// The same, by connectors of later generations than these, by replica.
    ServingAfresh(Vec<(u8, u64)>),
    /// No change of its secret goes on.
    Rotated,
    /// Nothing runs any more.
    Stopped,
    /// The tunnel is no more.
    Gone,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// It is so.
    Reached,
    /// It is on the way there.
    Under {
        /// How many connectors are as they are to be.
        done: u64,
        /// Of how many; 0 where they are not counted.
        total: u64,
        /// What is still to come.
        what: String,
    },
    /// It will not come by waiting; as what that counts, and why.
    Stuck(ErrorKind, String),
}

/// How far `tunnel` is on the way to `goal`; there may be none any more.
pub fn outlook(goal: &Goal, tunnel: Option<&Tunnel>) -> Outlook {
    match (goal, tunnel) {
        (Goal::Gone, None) => Outlook::Reached,
        (Goal::Gone, Some(tunnel)) => under(described(tunnel)),
        (Goal::Serving | Goal::ServingAfresh(_) | Goal::Rotated | Goal::Stopped, None) => {
            Outlook::Stuck(ErrorKind::NotFound, "is no more".to_owned())
        }
        (Goal::Stopped, Some(tunnel)) => {
            let runs = tunnel.connectors.iter().any(|connector| connector.pid.is_some());
            if tunnel.stop.is_some() && !runs { Outlook::Reached } else { under(described(tunnel)) }
        }
        (Goal::Rotated, Some(tunnel)) => rotated(tunnel),
        (Goal::Serving, Some(tunnel)) => serving(tunnel, &[]),
        (Goal::ServingAfresh(former), Some(tunnel)) => serving(tunnel, former),
    }
}

fn under(what: String) -> Outlook {
    Outlook::Under { done: 0, total: 0, what }
}

fn rotated(tunnel: &Tunnel) -> Outlook {
    let rotation = tunnel.secret.as_ref().and_then(|secret| secret.rotation.as_ref());
    let Some(rotation) = rotation else { return Outlook::Reached };
    match tunnel.holds.iter().find(|hold| hold.code == HoldCode::RotationFailed.as_str()) {
        Some(hold) => {
            let why = format!("keeps its secret for now: {} ({})", hold.sentence, hold.code);
            Outlook::Stuck(ErrorKind::Unavailable, why)
        }
        None => under(format!("{}, the change of its secret is {}", described(tunnel), rotation.stage)),
    }
}

fn serving(tunnel: &Tunnel, former: &[(u8, u64)]) -> Outlook {
    if tunnel.stop.is_some() {
        return Outlook::Stuck(ErrorKind::Unavailable, "is stopped; \"adit tunnel start\" starts it".to_owned());
    }
    if let Some(hold) = tunnel.holds.iter().find(|hold| !passes_by_itself(&hold.code)) {
        return Outlook::Stuck(ErrorKind::Hold, format!("waits: {} ({})", hold.sentence, hold.code));
    }
    if let Some(route) = tunnel.routes.iter().find(|route| route.state == RouteState::Conflict) {
        let why = route.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        return Outlook::Stuck(ErrorKind::Conflict, format!("cannot have the route {}{why}", route.label()));
    }
    if tunnel.settled && tunnel.state == State::Blocked {
        return Outlook::Stuck(ErrorKind::Unavailable, format!("is {}", described(tunnel)));
    }
    let serves = matches!(tunnel.state, State::Ready | State::Degraded);
    let live = tunnel.routes.iter().all(|route| route.state == RouteState::Live);
    let is_fresh = |(replica, generation): &&(u8, u64)| {
        let connectors = &tunnel.connectors;
        connectors.iter().filter(|connector| connector.replica == *replica).all(|connector| connector.generation > *generation)
    };
    let fresh = former.iter().filter(is_fresh).count();
    if tunnel.settled && serves && live && fresh == former.len() {
        return Outlook::Reached;
    }
    let what = if tunnel.settled { described(tunnel) } else { format!("{}, changes under way", described(tunnel)) };
    Outlook::Under { done: fresh as u64, total: former.len() as u64, what }
}

fn described(tunnel: &Tunnel) -> String {
    let why = tunnel.reason.as_ref().map(|reason| format!(" ({})", reason.sentence)).unwrap_or_default();
    format!("{}{why}", tunnel.state.word())
}

/// Whether a hold is likely to end without anybody's doing: Cloudflare could not be read this once, or a token is being read.
fn passes_by_itself(code: &str) -> bool {
    let passing = [HoldCode::Unread, HoldCode::NoCredential, HoldCode::NotReady, HoldCode::BeingDeleted];
    passing.iter().any(|hold| hold.as_str() == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::{Connector, Reason, Route, RouteKind, Stop};

    fn tunnel() -> Tunnel {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        Tunnel {
            name: "web".to_owned(),
            origin: "api".to_owned(),
            account: "default".to_owned(),
            id: None,
            cloudflare_status: None,
            state: State::Ready,
            reason: None,
            settled: true,
            replicas: 1,
            connectors: vec![Connector {
                replica: 0,
                generation: 3,
                state: State::Ready,
                reason: None,
                since: now,
                pid: Some(1),
                connector_id: None,
                serving: true,
                connections: 4,
                config_version: None,
                stale: false,
                last_exit: None,
                restarts_total: 0,
                next_try_at: None,
            }],
            routes: vec![Route {
                kind: RouteKind::Hostname,
                hostname: Some("app.example.com".to_owned()),
                network: None,
                virtual_network: None,
                path: None,
                service: Some("http://localhost:1".to_owned()),
                dns: true,
                state: RouteState::Live,
                reason: None,
                health: None,
            }],
            stop: None,
            holds: Vec::new(),
            drift: None,
            written_version: None,
            secret: None,
        }
    }

    #[test]
    fn a_tunnel_that_serves_what_was_accepted_is_reached() {
        assert_eq!(outlook(&Goal::Serving, Some(&tunnel())), Outlook::Reached);
        let unsettled = Tunnel { settled: false, ..tunnel() };
        assert_eq!(outlook(&Goal::Serving, Some(&unsettled)), under("ready, changes under way".to_owned()));
        let starting = Tunnel { state: State::Starting, ..tunnel() };
        assert_eq!(outlook(&Goal::Serving, Some(&starting)), under("starting".to_owned()));
    }

    #[test]
    fn a_restart_is_reached_by_a_later_generation_only() {
        let waiting = Outlook::Under { done: 0, total: 1, what: "ready".to_owned() };
        assert_eq!(outlook(&Goal::ServingAfresh(vec![(0, 3)]), Some(&tunnel())), waiting);
        assert_eq!(outlook(&Goal::ServingAfresh(vec![(0, 2)]), Some(&tunnel())), Outlook::Reached);
    }

    #[test]
    fn what_waiting_cannot_help_is_told_at_once() {
        let mut conflict = tunnel();
        conflict.routes[0].state = RouteState::Conflict;
        assert!(matches!(outlook(&Goal::Serving, Some(&conflict)), Outlook::Stuck(ErrorKind::Conflict, _)));
        let hold = Reason { code: "read-incomplete".to_owned(), sentence: "a list was cut short".to_owned() };
        let held = Tunnel { holds: vec![hold], ..tunnel() };
        assert!(matches!(outlook(&Goal::Serving, Some(&held)), Outlook::Stuck(ErrorKind::Hold, _)));
        let blocked = Tunnel { state: State::Blocked, ..tunnel() };
        assert!(matches!(outlook(&Goal::Serving, Some(&blocked)), Outlook::Stuck(ErrorKind::Unavailable, _)));
        assert!(matches!(outlook(&Goal::Serving, None), Outlook::Stuck(ErrorKind::NotFound, _)));
    }

    #[test]
    fn a_stop_is_reached_when_nothing_runs() {
        let stop = Some(Stop { by: "alice".to_owned(), at: "2026-01-02T03:04:05Z".parse().unwrap() });
        let draining = Tunnel { stop, state: State::Draining, ..tunnel() };
        assert_eq!(outlook(&Goal::Stopped, Some(&draining)), under("draining".to_owned()));
        let mut stopped = draining;
        stopped.connectors[0].pid = None;
        assert_eq!(outlook(&Goal::Stopped, Some(&stopped)), Outlook::Reached);
        assert_eq!(outlook(&Goal::Gone, None), Outlook::Reached);
    }
}
