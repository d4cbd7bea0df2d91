//! What was found out about a tunnel's routes.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::Status;
use crate::{
    connector::Reason,
    event::RouteCheckEvent,
    name::TunnelName,
    route_check::{CheckKind, CheckState, Finding, Happening, Notice, RouteKey},
};

/// The checks of one route; `None` for what is not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RouteChecks {
    /// Of its origin.
    pub origin: Option<Check>,
    /// Of its public hostname, as a visitor.
    pub outside: Option<Check>,
}

impl RouteChecks {
    fn of(&mut self, kind: CheckKind) -> &mut Option<Check> {
        match kind {
            CheckKind::Origin => &mut self.origin,
            CheckKind::Outside => &mut self.outside,
        }
    }
}

/// What is known of a route from one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is known.
    pub state: CheckState,
    /// What was found, or why nothing is known.
    pub reason: Reason,
    /// What is asked, for a person.
    pub asked: String,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// When it was last checked.
    pub checked_at: Option<Timestamp>,
    /// How long that took.
    #[serde(skip)]
    pub took: Option<Duration>,
    /// From when on the last result stands for nothing.
    pub stale_at: Option<Timestamp>,
}

impl Check {
    /// One that is to be made from `now` on.
    pub fn new(asked: String, now: Timestamp) -> Self {
        Self {
            state: CheckState::Unknown,
            reason: Reason::new("not-checked-yet", "it was not checked yet"),
            asked,
            since: now,
            checked_at: None,
            took: None,
            stale_at: None,
        }
    }

    fn read(&mut self, finding: &Finding, at: Timestamp) {
        if self.state != finding.state {
            self.since = at;
        }
        (self.state, self.reason) = (finding.state, finding.outcome.reason.clone());
        (self.checked_at, self.took) = (Some(at), Some(finding.outcome.took));
        self.stale_at = at.checked_add(finding.fresh_for).ok();
    }

    fn expire(&mut self, at: Timestamp) {
        if self.state != CheckState::Unknown {
            self.since = at;
        }
        self.state = CheckState::Unknown;
        self.reason = Reason::new("stale", "the last result is too old to stand for anything");
        self.stale_at = None;
    }
}

impl Status {
    /// Checks whose last result stands for nothing at `now`, as notices that say so, and when the next one comes to that.
    pub fn stale_checks(&self, now: Timestamp) -> (Vec<Notice>, Option<Timestamp>) {
        let (mut stale, mut next) = (Vec::new(), None);
        for (tunnel, route, kind, check) in self.checks() {
            match check.stale_at {
                Some(at) if at <= now => stale.push(Notice {
                    tunnel: tunnel.clone(),
                    routes: vec![route.clone()],
                    kind,
                    asked: check.asked.clone(),
                    happening: Happening::Expired,
                }),
                Some(at) => next = Some(next.map_or(at, |next: Timestamp| next.min(at))),
                None => {}
            }
        }
        (stale, next)
    }

    fn checks(&self) -> impl Iterator<Item = (&TunnelName, &RouteKey, CheckKind, &Check)> {
        self.tunnels.iter().flat_map(|(name, tunnel)| {
            tunnel.checks.iter().flat_map(move |(route, checks)| {
                let origin = checks.origin.iter().map(|check| (CheckKind::Origin, check));
                let outside = checks.outside.iter().map(|check| (CheckKind::Outside, check));
                origin.chain(outside).map(move |(kind, check)| (name, route, kind, check))
            })
        })
    }
}

/// Takes in what was found out at `at`. A tunnel that there is no more has no routes to know anything of.
pub(super) fn fold(status: &mut Status, event: &RouteCheckEvent, at: Timestamp) {
    for notice in event.notices() {
        let Some(tunnel) = status.tunnels.get_mut(&notice.tunnel) else { continue };
        for route in &notice.routes {
            let checks = tunnel.checks.entry(route.clone()).or_default();
            let check = checks.of(notice.kind);
            match &notice.happening {
                Happening::Began => *check = Some(Check::new(notice.asked.clone(), at)),
                Happening::Ended => *check = None,
                Happening::Read(finding) | Happening::Turned(finding) => {
                    check.get_or_insert_with(|| Check::new(notice.asked.clone(), at)).read(finding, at);
                }
                // A result that came meanwhile stands.
                Happening::Expired => {
                    check
                        .iter_mut()
                        .filter(|check| check.stale_at.is_some_and(|until| until <= at))
                        .for_each(|check| check.expire(at));
                }
            }
            if *checks == RouteChecks::default() {
                tunnel.checks.remove(route);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        route_check::{Answer, Outcome},
        status::TunnelStatus,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key() -> RouteKey {
        RouteKey { hostname: Some("app.example.com".parse().unwrap()), path: None }
    }

    fn notice(tunnel: &str, happening: Happening) -> Notice {
        let (tunnel, routes) = (tunnel.parse().unwrap(), vec![key()]);
        Notice { tunnel, routes, kind: CheckKind::Origin, asked: "127.0.0.1:8080".to_owned(), happening }
    }

    fn read(state: CheckState) -> Happening {
        let (reason, took) = (Reason::new("because", "it is so"), Duration::from_millis(2));
        let outcome = Outcome { answer: Answer::Good, reason, took };
        Happening::Read(Finding { state, outcome, fresh_for: Duration::from_secs(100) })
    }

    /// A status with a tunnel `web`, to which these happened at these seconds.
    fn after(happenings: impl IntoIterator<Item = (i64, Happening)>) -> Status {
        let mut status = Status::new(at(0));
        status.tunnels.insert("web".parse().unwrap(), TunnelStatus::default());
        for (second, happening) in happenings {
            fold(&mut status, &RouteCheckEvent::Read(vec![notice("web", happening)]), at(second));
        }
        status
    }

    fn origin(status: &Status) -> Option<&Check> {
        status.tunnels.values().next()?.checks.get(&key())?.origin.as_ref()
    }

    #[test]
    fn a_route_is_not_known_before_its_first_result_and_keeps_its_time_while_nothing_changes() {
        let status = after([(1, Happening::Began)]);
        let check = origin(&status).unwrap();
        assert_eq!((check.state, check.reason.code.as_ref(), check.checked_at), (CheckState::Unknown, "not-checked-yet", None));
        let status = after([(1, Happening::Began), (2, read(CheckState::Up)), (32, read(CheckState::Up))]);
        let check = origin(&status).unwrap();
        assert_eq!((check.state, check.since, check.checked_at), (CheckState::Up, at(2), Some(at(32))));
    }

    #[test]
    fn a_result_that_is_too_old_stands_for_nothing() {
        let mut status = after([(1, Happening::Began), (10, read(CheckState::Up))]);
        assert_eq!(status.stale_checks(at(109)), (Vec::new(), Some(at(110))));
        let (stale, next) = status.stale_checks(at(110));
        assert_eq!((stale.len(), next), (1, None));
        fold(&mut status, &RouteCheckEvent::Read(stale.clone()), at(111));
        let check = origin(&status).unwrap();
        assert_eq!((check.state, check.reason.code.as_ref(), check.checked_at), (CheckState::Unknown, "stale", Some(at(10))));
        assert_eq!(status.stale_checks(at(1_000)), (Vec::new(), None), "it is told once");
        // A result that came before the notice stands.
        let mut status = after([(1, Happening::Began), (10, read(CheckState::Up)), (111, read(CheckState::Up))]);
        fold(&mut status, &RouteCheckEvent::Read(stale), at(112));
        assert_eq!(origin(&status).unwrap().state, CheckState::Up);
    }

    #[test]
    fn what_is_not_checked_any_more_and_tunnels_that_are_gone_leave_nothing() {
        let mut status = after([(1, Happening::Began), (2, read(CheckState::Down)), (3, Happening::Ended)]);
        assert!(status.tunnels.values().all(|tunnel| tunnel.checks.is_empty()));
        fold(&mut status, &RouteCheckEvent::Read(vec![notice("gone", read(CheckState::Up))]), at(4));
        assert_eq!(status.tunnels.len(), 1);
    }
}
