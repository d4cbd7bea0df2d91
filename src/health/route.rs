//! What all that is known of a route comes to: its connectors, what they run, its origin, what visitors meet.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Finding, Verdict, finding};
use crate::{
    connector::State,
    name::TunnelName,
    plan::RouteState,
    route_check::{CheckKind, CheckState, RouteKey},
    status::{Check, RouteChecks, TunnelStatus},
};

/// How well it goes with a route, with the reasons for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteHealth {
    /// The worst of the reasons' verdicts.
    pub verdict: RouteVerdict,
    /// What is wrong or not known, worst first; empty when all is well.
    pub reasons: Vec<RouteFinding>,
}

/// How well it goes with a route. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteVerdict {
    /// Requests get through, as far as it is checked.
    Healthy,
    /// It cannot be told: it was not checked yet, or too long ago.
    Unknown,
    /// Requests get through, and something wants to be looked at.
    Attention,
    /// Visitors get an error.
    Failing,
}

/// One thing that is wrong with a route, or not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteFinding {
    /// How bad it is.
    pub verdict: RouteVerdict,
    /// The stable code, such as `origin-down`.
    pub code: &'static str,
    /// One sentence for a person, without a full stop.
    pub sentence: String,
    /// Since when it is so, where that is known.
    pub since: Option<Timestamp>,
}

/// What is known of the route `key` of a tunnel that should serve; `key` is `None` for one that no rule answers, such as a private
/// network. `state` is how far it is at Cloudflare.
pub fn route_health(tunnel: &TunnelStatus, key: Option<&RouteKey>, state: RouteState) -> RouteHealth {
    let nothing = RouteChecks::default();
    let checks = key.and_then(|key| tunnel.checks.get(key)).unwrap_or(&nothing);
    let mut reasons: Vec<RouteFinding> =
        [of_connectors(tunnel), of_versions(tunnel), of_state(state)].into_iter().flatten().collect();
    reasons.extend(checks.origin.as_ref().and_then(|check| of_check(CheckKind::Origin, check)));
    reasons.extend(checks.outside.as_ref().and_then(|check| of_check(CheckKind::Outside, check)));
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.verdict));
    RouteHealth { verdict: reasons.first().map_or(RouteVerdict::Healthy, |worst| worst.verdict), reasons }
}

fn of_connectors(tunnel: &TunnelStatus) -> Option<RouteFinding> {
    let (all, serving) = (tunnel.connectors.len(), tunnel.connectors.values().filter(|connector| connector.serving).count());
    let worst = tunnel.connectors.values().filter(|connector| connector.state != State::Ready);
    let since = worst.map(|connector| connector.since).max();
    match (serving, all) {
        (0, 0) => Some(found(RouteVerdict::Failing, "no-connector", "the tunnel has no connector".to_owned(), since)),
        (0, _) => Some(found(RouteVerdict::Failing, "no-connector", "no connector of the tunnel serves".to_owned(), since)),
        (serving, all) if serving < all => {
            let sentence = format!("{serving} of {all} connectors of the tunnel serve");
            Some(found(RouteVerdict::Attention, "connectors-missing", sentence, since))
        }
        (_, _) => None,
    }
}

/// Whether a connector that serves runs an older configuration than the one that was written.
fn of_versions(tunnel: &TunnelStatus) -> Option<RouteFinding> {
    let written = tunnel.provisioned.as_deref()?.written_version?;
    let serving = tunnel.connectors.values().filter(|connector| connector.serving);
    let oldest =
        serving.filter_map(|connector| connector.config_version).filter_map(|version| i64::try_from(version).ok()).min()?;
    (oldest < written).then(|| {
        let sentence = format!("a connector runs version {oldest} of the configuration, and version {written} was written");
        found(RouteVerdict::Attention, "version-behind", sentence, None)
    })
}

fn of_state(state: RouteState) -> Option<RouteFinding> {
    let why = match state {
        RouteState::Live | RouteState::Off => return None,
        RouteState::Pending => "it is still being made at Cloudflare",
        RouteState::Conflict => "something of somebody else stands in its place at Cloudflare",
        RouteState::Orphaned => "nothing wants it any more",
    };
    Some(found(RouteVerdict::Attention, "not-live", why.to_owned(), None))
}

fn of_check(kind: CheckKind, check: &Check) -> Option<RouteFinding> {
    let Check { asked, reason, .. } = check;
    let why = &reason.sentence;
    let (verdict, code, sentence) = match (kind, check.state) {
        (_, CheckState::Up) => return None,
        (CheckKind::Origin, CheckState::Down) => (RouteVerdict::Failing, "origin-down", down(kind, asked, why)),
        (CheckKind::Outside, CheckState::Down) => (RouteVerdict::Failing, "probe-failed", down(kind, asked, why)),
        (CheckKind::Origin, CheckState::Unknown | CheckState::Pending) => {
            (RouteVerdict::Unknown, "origin-unknown", format!("the origin {asked}: {why}"))
        }
        (CheckKind::Outside, CheckState::Unknown) => (RouteVerdict::Unknown, "probe-unknown", format!("{asked}: {why}")),
        (CheckKind::Outside, CheckState::Pending) => {
            (RouteVerdict::Unknown, "probe-pending", format!("{asked} {why}; it is new, so that may take some minutes"))
        }
    };
    Some(found(verdict, code, sentence, Some(check.since)))
}

fn down(kind: CheckKind, asked: &str, why: &str) -> String {
    match kind {
        CheckKind::Origin => format!("the origin {asked} {why}"),
        CheckKind::Outside => format!("visitors do not get through: {asked} {why}"),
    }
}

fn found(verdict: RouteVerdict, code: &'static str, sentence: String, since: Option<Timestamp>) -> RouteFinding {
    RouteFinding { verdict, code, sentence, since }
}

/// How many origins and public hostnames of a tunnel are told one by one: a person reads them.
const TOLD_MAX: usize = 5;

/// What checks of a tunnel's routes found wrong: each origin and each public hostname once, however many routes lead there, and of
/// many the first ones.
pub(super) fn of_checks(name: &TunnelName, tunnel: &TunnelStatus) -> Vec<Finding> {
    let mut broken: BTreeMap<(CheckKind, &str), (&Check, usize)> = BTreeMap::new();
    for checks in tunnel.checks.values() {
        let both = [(CheckKind::Origin, &checks.origin), (CheckKind::Outside, &checks.outside)];
        for (kind, check) in both {
            if let Some(check) = check.as_ref().filter(|check| check.state == CheckState::Down) {
                broken.entry((kind, &check.asked)).or_insert((check, 0)).1 += 1;
            }
        }
    }
    let rest = broken.len().saturating_sub(TOLD_MAX);
    let told = broken.into_iter().take(TOLD_MAX).map(|((kind, asked), (check, count))| {
        let routes = if count == 1 { "a route".to_owned() } else { format!("{count} routes") };
        let why = down(kind, asked, &check.reason.sentence);
        match kind {
            CheckKind::Origin => ("origin-down", format!("visitors of {routes} of {name} get an error: {why}")),
            CheckKind::Outside => ("probe-failed", why),
        }
    });
    let more = (rest > 0).then(|| {
        let sentence = format!("{rest} more origins or hostnames of {name} are down: `adit status {name}` shows them");
        ("routes-failing", sentence)
    });
    told.chain(more).map(|(code, sentence)| finding(Verdict::Failing, code, sentence, Some(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{connector::Reason, status::ConnectorStatus};

    fn key() -> RouteKey {
        RouteKey { hostname: Some("app.example.com".parse().unwrap()), path: None }
    }

    fn check(state: CheckState) -> Check {
        let reason = Reason::new("no-connection", "takes no connection: refused");
        Check { state, reason, ..Check::new("127.0.0.1:8080".to_owned(), Timestamp::UNIX_EPOCH) }
    }

    fn tunnel(serving: &[bool], origin: Option<CheckState>, outside: Option<CheckState>) -> TunnelStatus {
        let mut tunnel = TunnelStatus::default();
        for (replica, serving) in (0..).zip(serving) {
            let state = if *serving { State::Ready } else { State::BackingOff };
            let connector = ConnectorStatus { state, serving: *serving, ..ConnectorStatus::new(replica, Timestamp::UNIX_EPOCH) };
            tunnel.connectors.insert(replica, Box::new(connector));
        }
        tunnel.checks.insert(key(), RouteChecks { origin: origin.map(check), outside: outside.map(check) });
        tunnel
    }

    #[test]
    fn one_verdict_comes_of_all_that_is_known_and_the_worst_is_told_first() {
        use CheckState::{Down, Pending, Unknown, Up};
        use RouteVerdict::{Attention, Failing, Healthy};
        type Case<'a> = (&'a [bool], Option<CheckState>, Option<CheckState>, RouteVerdict, &'a [&'a str]);
        let cases: [Case<'_>; 10] = [
            (&[true], Some(Up), Some(Up), Healthy, &[]),
            (&[true], None, None, Healthy, &[]),
            (&[true], Some(Down), Some(Up), Failing, &["origin-down"]),
            (&[true], Some(Up), Some(Down), Failing, &["probe-failed"]),
            (&[true], Some(Unknown), None, RouteVerdict::Unknown, &["origin-unknown"]),
            (&[true], Some(Up), Some(Pending), RouteVerdict::Unknown, &["probe-pending"]),
            (&[true, false], Some(Up), None, Attention, &["connectors-missing"]),
            (&[true, false], Some(Down), None, Failing, &["origin-down", "connectors-missing"]),
            (&[false], Some(Up), None, Failing, &["no-connector"]),
            (&[], None, None, Failing, &["no-connector"]),
        ];
        for (serving, origin, outside, verdict, codes) in cases {
            let health = route_health(&tunnel(serving, origin, outside), Some(&key()), RouteState::Live);
            let told: Vec<&str> = health.reasons.iter().map(|reason| reason.code).collect();
            assert_eq!((health.verdict, told.as_slice()), (verdict, codes), "{serving:?} {origin:?} {outside:?}");
        }
    }

    #[test]
    fn a_route_that_is_not_live_is_told_and_so_is_an_origin_that_serves_many() {
        let mut tunnel = tunnel(&[true], Some(CheckState::Down), None);
        let pending = route_health(&tunnel, None, RouteState::Pending);
        assert_eq!((pending.verdict, pending.reasons[0].code), (RouteVerdict::Attention, "not-live"));
        let other = RouteKey { path: Some("^/api".to_owned()), ..key() };
        let same = tunnel.checks[&key()].clone();
        tunnel.checks.insert(other, same);
        let findings = of_checks(&"web".parse().unwrap(), &tunnel);
        let told: Vec<_> = findings.iter().map(|finding| (finding.code.as_str(), finding.sentence.as_str())).collect();
        let sentence = "visitors of 2 routes of web get an error: the origin 127.0.0.1:8080 takes no connection: refused";
        assert_eq!(told, [("origin-down", sentence)]);
    }

    #[test]
    fn what_visitors_meet_is_told_without_the_tunnel_that_stands_before_it() {
        let findings = of_checks(&"web".parse().unwrap(), &tunnel(&[true], None, Some(CheckState::Down)));
        let sentence = "visitors do not get through: 127.0.0.1:8080 takes no connection: refused";
        assert_eq!((findings[0].sentence.as_str(), findings[0].code.as_str()), (sentence, "probe-failed"));
    }

    #[test]
    fn of_many_origins_that_are_down_the_first_are_told_and_the_rest_are_counted() {
        let mut tunnel = tunnel(&[true], None, None);
        for port in 0..20 {
            let hostname = Some(format!("a{port}.example.com").parse().unwrap());
            let check = Check { asked: format!("127.0.0.1:{port}"), ..check(CheckState::Down) };
            tunnel.checks.insert(RouteKey { hostname, path: None }, RouteChecks { origin: Some(check), outside: None });
        }
        let findings = of_checks(&"web".parse().unwrap(), &tunnel);
        let last = findings.last().unwrap();
        let sentence = "15 more origins or hostnames of web are down: `adit status web` shows them";
        assert_eq!((findings.len(), last.code.as_str(), last.sentence.as_str()), (6, "routes-failing", sentence));
    }
}
