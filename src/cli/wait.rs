//! Waiting until a tunnel is as asked for.

mod words;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use self::words::{is_gone, last_word, outset, too_late};
use super::{Context, Ending, Failure, arguments};
use crate::control::api::{RouteState, State, Tunnel};

/// How often the daemon is asked: often enough for a person, and cheap, as it asks nobody further.
const PAUSE: Duration = Duration::from_millis(250);

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goal {
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
enum Progress {
    Reached,
    /// What is still to come.
    Under(String),
    /// It will not come by waiting.
    Stuck(Ending, String),
}

/// Waits until `tunnel` has reached `goal`, if the arguments say so.
///
/// # Errors
///
/// When that takes too long, or cannot come true by waiting.
pub(super) async fn wait(
    arguments: &arguments::Wait,
    context: &mut Context<'_>,
    tunnel: &str,
    goal: &Goal,
) -> Result<Ending, Failure> {
    if !arguments.wait {
        return Ok(Ending::Fine);
    }
    let began = Instant::now();
    let deadline = began + arguments.timeout;
    let mut told = String::new();
    loop {
        let seen = timeout_at(deadline, context.client.tunnel(tunnel)).await;
        let seen = match seen {
            Err(_) => return Err(too_late(tunnel, goal, &told, arguments.timeout)),
            Ok(Ok(detail)) => Some(detail.tunnel),
            Ok(Err(trouble)) if is_gone(goal, &trouble) => None,
            Ok(Err(trouble)) => return Err(trouble.into()),
        };
        match progress(goal, seen.as_ref()) {
            Progress::Reached => {
                context.terminal.tell(&last_word(tunnel, goal, seen.as_ref(), began.elapsed()));
                return Ok(Ending::Fine);
            }
            Progress::Stuck(ending, why) => return Err(Failure::new(ending, format!("tunnel {tunnel:?} {why}"))),
            Progress::Under(what) => {
                if told.is_empty() {
                    context.terminal.tell(&outset(tunnel, goal, arguments.timeout));
                }
                if what != told {
                    context.terminal.tell(&format!("{tunnel}: {what}"));
                    told = what;
                }
            }
        }
        if Instant::now() >= deadline {
            return Err(too_late(tunnel, goal, &told, arguments.timeout));
        }
        sleep(PAUSE).await;
    }
}

fn progress(goal: &Goal, tunnel: Option<&Tunnel>) -> Progress {
    match (goal, tunnel) {
        (Goal::Gone, None) => Progress::Reached,
        (Goal::Gone, Some(tunnel)) => Progress::Under(described(tunnel)),
        (Goal::Serving | Goal::ServingAfresh(_) | Goal::Rotated | Goal::Stopped, None) => {
            Progress::Stuck(Ending::Failed, "is no more".to_owned())
        }
        (Goal::Stopped, Some(tunnel)) => {
            let runs = tunnel.connectors.iter().any(|connector| connector.pid.is_some());
            if tunnel.stop.is_some() && !runs { Progress::Reached } else { Progress::Under(described(tunnel)) }
        }
        (Goal::Rotated, Some(tunnel)) => rotated(tunnel),
        (Goal::Serving, Some(tunnel)) => serving(tunnel, &[]),
        (Goal::ServingAfresh(former), Some(tunnel)) => serving(tunnel, former),
    }
}

fn rotated(tunnel: &Tunnel) -> Progress {
    let rotation = tunnel.secret.as_ref().and_then(|secret| secret.rotation.as_ref());
    let Some(rotation) = rotation else { return Progress::Reached };
    match tunnel.holds.iter().find(|hold| hold.code == "rotation-failed") {
        Some(hold) => Progress::Stuck(Ending::Failed, format!("keeps its secret for now: {} ({})", hold.sentence, hold.code)),
        None => Progress::Under(format!("{}, the change of its secret is {}", described(tunnel), rotation.stage)),
    }
}

fn serving(tunnel: &Tunnel, former: &[(u8, u64)]) -> Progress {
    if tunnel.stop.is_some() {
        return Progress::Stuck(Ending::Failed, "is stopped; \"adit tunnel start\" starts it".to_owned());
    }
    if let Some(hold) = tunnel.holds.iter().find(|hold| !passes_by_itself(&hold.code)) {
        return Progress::Stuck(Ending::Conflict, format!("waits: {} ({})", hold.sentence, hold.code));
    }
    if let Some(route) = tunnel.routes.iter().find(|route| route.state == RouteState::Conflict) {
        let why = route.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        return Progress::Stuck(Ending::Conflict, format!("cannot have the route {}{why}", route.label()));
    }
    if tunnel.settled && tunnel.state == State::Blocked {
        return Progress::Stuck(Ending::Failed, format!("is {}", described(tunnel)));
    }
    let serves = matches!(tunnel.state, State::Ready | State::Degraded);
    let live = tunnel.routes.iter().all(|route| route.state == RouteState::Live);
    let fresh = tunnel.connectors.iter().all(|connector| {
        former.iter().all(|(replica, generation)| connector.replica != *replica || connector.generation > *generation)
    });
    if tunnel.settled && serves && live && fresh {
        return Progress::Reached;
    }
    Progress::Under(if tunnel.settled { described(tunnel) } else { format!("{}, changes under way", described(tunnel)) })
}

fn described(tunnel: &Tunnel) -> String {
    let why = tunnel.reason.as_ref().map(|reason| format!(" ({})", reason.sentence)).unwrap_or_default();
    format!("{}{why}", tunnel.state.word())
}

/// Whether a hold is likely to end without anybody's doing: Cloudflare could not be read this once, or a token is being read.
fn passes_by_itself(code: &str) -> bool {
    matches!(code, "unread" | "no-credential" | "not-ready" | "being-deleted")
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
        assert_eq!(progress(&Goal::Serving, Some(&tunnel())), Progress::Reached);
        let under = Tunnel { settled: false, ..tunnel() };
        assert_eq!(progress(&Goal::Serving, Some(&under)), Progress::Under("ready, changes under way".to_owned()));
        let starting = Tunnel { state: State::Starting, ..tunnel() };
        assert_eq!(progress(&Goal::Serving, Some(&starting)), Progress::Under("starting".to_owned()));
    }

    #[test]
    fn a_restart_is_reached_by_a_later_generation_only() {
        assert_eq!(progress(&Goal::ServingAfresh(vec![(0, 3)]), Some(&tunnel())), Progress::Under("ready".to_owned()));
        assert_eq!(progress(&Goal::ServingAfresh(vec![(0, 2)]), Some(&tunnel())), Progress::Reached);
    }

    #[test]
    fn what_waiting_cannot_help_is_told_at_once() {
        let mut conflict = tunnel();
        conflict.routes[0].state = RouteState::Conflict;
        assert!(matches!(progress(&Goal::Serving, Some(&conflict)), Progress::Stuck(Ending::Conflict, _)));
        let hold = Reason { code: "read-incomplete".to_owned(), sentence: "a list was cut short".to_owned() };
        let held = Tunnel { holds: vec![hold], ..tunnel() };
        assert!(matches!(progress(&Goal::Serving, Some(&held)), Progress::Stuck(Ending::Conflict, _)));
        let blocked = Tunnel { state: State::Blocked, ..tunnel() };
        assert!(matches!(progress(&Goal::Serving, Some(&blocked)), Progress::Stuck(Ending::Failed, _)));
        assert!(matches!(progress(&Goal::Serving, None), Progress::Stuck(Ending::Failed, _)));
    }

    #[test]
    fn a_stop_is_reached_when_nothing_runs() {
        let stop = Some(Stop { by: "alice".to_owned(), at: "2026-01-02T03:04:05Z".parse().unwrap() });
        let draining = Tunnel { stop, state: State::Draining, ..tunnel() };
        assert_eq!(progress(&Goal::Stopped, Some(&draining)), Progress::Under("draining".to_owned()));
        let mut stopped = draining;
        stopped.connectors[0].pid = None;
        assert_eq!(progress(&Goal::Stopped, Some(&stopped)), Progress::Reached);
        assert_eq!(progress(&Goal::Gone, None), Progress::Reached);
    }
}
