//! Routes as a table.

use jiff::Timestamp;

use super::{Cell, Look, Table, Tone};
use crate::control::api::{Route, RouteKind};

/// Routes, each with the tunnel that it leads to. Without its name, where that is clear, there is no such column.
pub(in crate::cli) fn routes<'a>(
    routes: impl Iterator<Item = (&'a str, &'a Route)> + Clone,
    now: Timestamp,
    look: Look,
) -> Table<10> {
    let all_public = routes.clone().all(|(_, route)| route.kind == RouteKind::Hostname);
    let first = if all_public { "HOSTNAME" } else { "ROUTE" };
    let mut table = Table::new([first, "KIND", "PATH", "TUNNEL", "SERVICE", "DNS", "STATE", "HEALTH", "CHECKED", "WHY"]);
    for (tunnel, route) in routes {
        table.row([
            Cell::new(route.label()),
            Cell::new(if all_public { "" } else { route.kind.word() }),
            Cell::maybe(route.path.as_ref()),
            Cell::new(tunnel),
            Cell::maybe(route.service.as_ref()),
            Cell::new(route.dns_word()),
            Cell::toned(route.state.word(), Tone::of_route(route.state)),
            health(route),
            Cell::maybe(checked_at(route).map(|at| look.moment(at, now))),
            Cell::new(why(route)),
        ]);
    }
    table
}

/// The verdict; nothing for a route of a tunnel that should not serve.
fn health(route: &Route) -> Cell {
    match &route.health {
        Some(health) => Cell::toned(health.verdict.word(), Tone::of_route_verdict(health.verdict)),
        None => Cell::new(""),
    }
}

/// When it was last checked, from any side.
fn checked_at(route: &Route) -> Option<Timestamp> {
    let health = route.health.as_ref()?;
    health.origin.iter().chain(&health.outside).filter_map(|check| check.checked_at).max()
}

/// Why it is not live, and what is wrong with it or not known.
fn why(route: &Route) -> String {
    // How far it is has a sentence of its own, and a better one.
    let told = |code: &str| code == "not-live" && route.reason.is_some();
    let reasons = route.health.iter().flat_map(|health| &health.reasons).filter(|reason| !told(&reason.code));
    let sentences = route.reason.iter().cloned().chain(reasons.map(|reason| format!("{} ({})", reason.sentence, reason.code)));
    sentences.collect::<Vec<_>>().join("; ")
}
