//! How well it goes with a route, in a row of a table.

use jiff::Timestamp;

use super::{Cell, Tone};
use crate::control::api::Route;

/// The verdict; nothing for a route of a tunnel that should not serve.
pub(in crate::cli) fn route_health(route: &Route) -> Cell {
    match &route.health {
        Some(health) => Cell::toned(health.verdict.word(), Tone::of_route_verdict(health.verdict)),
        None => Cell::new(""),
    }
}

/// When it was last checked, from any side.
pub(in crate::cli) fn route_checked_at(route: &Route) -> Option<Timestamp> {
    let health = route.health.as_ref()?;
    health.origin.iter().chain(&health.outside).filter_map(|check| check.checked_at).max()
}

/// Why it is not live, and what is wrong with it or not known.
pub(in crate::cli) fn route_why(route: &Route) -> String {
    // How far it is has a sentence of its own, and a better one.
    let told = |code: &str| code == "not-live" && route.reason.is_some();
    let reasons = route.health.iter().flat_map(|health| &health.reasons).filter(|reason| !told(&reason.code));
    let sentences = route.reason.iter().cloned().chain(reasons.map(|reason| format!("{} ({})", reason.sentence, reason.code)));
    sentences.collect::<Vec<_>>().join("; ")
}
