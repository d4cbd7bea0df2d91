//! How well it goes with routes, as the socket shows it.

use super::super::api::{self, CheckState, RouteCheck, RouteFinding, RouteHealth, RouteKind, RouteVerdict};
use crate::{
    health::{self, route_health},
    plan,
    route_check::{self, RouteKey},
    status::{Check, TunnelStatus},
};

/// The routes with what is known of each, of a tunnel that should serve.
pub(super) fn judged(routes: Vec<api::Route>, known: &TunnelStatus) -> Vec<api::Route> {
    let judge = |route: api::Route| api::Route { health: Some(judged_one(&route, known)), ..route };
    routes.into_iter().map(judge).collect()
}

fn judged_one(route: &api::Route, known: &TunnelStatus) -> RouteHealth {
    let key = key(route);
    let judged = route_health(known, key.as_ref(), state(route.state));
    let checks = key.as_ref().and_then(|key| known.checks.get(key));
    let serving = || known.connectors.values().filter(|connector| connector.serving);
    RouteHealth {
        verdict: verdict(judged.verdict),
        reasons: judged.reasons.into_iter().map(finding).collect(),
        serving: u8::try_from(serving().count()).unwrap_or(u8::MAX),
        config_version: serving()
            .filter_map(|connector| connector.config_version)
            .min()
            .and_then(|version| i64::try_from(version).ok()),
        written_version: known.provisioned.as_deref().and_then(|provisioned| provisioned.written_version),
        origin: checks.and_then(|checks| checks.origin.as_ref()).map(check),
        outside: checks.and_then(|checks| checks.outside.as_ref()).map(check),
    }
}

/// Which rule answers it; `None` when none does.
fn key(route: &api::Route) -> Option<RouteKey> {
    match route.kind {
        RouteKind::Hostname => {
            let hostname = route.hostname.as_deref().map(str::parse).transpose().ok()?;
            Some(RouteKey { hostname, path: route.path.clone() })
        }
        RouteKind::LoadBalancer | RouteKind::Network | RouteKind::PrivateHostname => None,
    }
}

fn state(state: api::RouteState) -> plan::RouteState {
    match state {
        api::RouteState::Live => plan::RouteState::Live,
        api::RouteState::Pending => plan::RouteState::Pending,
        api::RouteState::Conflict => plan::RouteState::Conflict,
        api::RouteState::Orphaned => plan::RouteState::Orphaned,
        api::RouteState::Off => plan::RouteState::Off,
    }
}

fn finding(finding: health::RouteFinding) -> RouteFinding {
    let health::RouteFinding { verdict: bad, code, sentence, since } = finding;
    RouteFinding { verdict: verdict(bad), code: code.to_owned(), sentence, since }
}

fn verdict(verdict: health::RouteVerdict) -> RouteVerdict {
    match verdict {
        health::RouteVerdict::Healthy => RouteVerdict::Healthy,
        health::RouteVerdict::Unknown => RouteVerdict::Unknown,
        health::RouteVerdict::Attention => RouteVerdict::Attention,
        health::RouteVerdict::Failing => RouteVerdict::Failing,
    }
}

fn check(check: &Check) -> RouteCheck {
    RouteCheck {
        state: match check.state {
            route_check::CheckState::Unknown => CheckState::Unknown,
            route_check::CheckState::Up => CheckState::Up,
            route_check::CheckState::Down => CheckState::Down,
            route_check::CheckState::Pending => CheckState::Pending,
        },
        reason: super::reason(&check.reason),
        asked: check.asked.clone(),
        since: check.since,
        checked_at: check.checked_at,
        took_millis: check.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    }
}
