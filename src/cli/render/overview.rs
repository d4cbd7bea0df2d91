//! Everything at one look.

use jiff::Timestamp;

use super::{Cell, Look, Table, Tone, age, plain, stamp};
use crate::control::api::{
    Account, Cloudflared, Reason, Route, RouteHealth, RouteKind, RouteVerdict, Status, Tunnel, Uplink, UplinkState, Verdict,
};

/// The whole status: the verdict with its reasons, the accounts, the tunnels, the last change.
pub(in crate::cli) fn overview(status: &Status, now: Timestamp, look: Look) -> String {
    let overview = &status.overview;
    let verdict = match overview.health.verdict {
        Verdict::Healthy => "healthy",
        Verdict::Attention => "wants to be looked at",
        Verdict::Failing => "failing",
    };
    let verdict = Tone::of_verdict(overview.health.verdict).paint(verdict, look);
    let daemon = &overview.daemon;
    let started = daemon.started_at;
    let up = if look.width.is_some() { format!("up {}", age(started, now)) } else { format!("up since {}", stamp(started)) };
    let mut text = format!("adit {} · {up} · {verdict}\n", plain(&daemon.version));
    text.push_str(&uplink(&overview.uplink, now, look));
    for finding in &overview.health.reasons {
        let subject = finding.tunnel.as_deref().map(|tunnel| format!("{}: ", plain(tunnel))).unwrap_or_default();
        text.push_str(&format!("  ! {subject}{} ({})\n", plain(&finding.sentence), plain(&finding.code)));
    }
    for problem in &daemon.config_problems {
        text.push_str(&format!("  ! an older configuration is in force: {}\n", plain(problem)));
    }
    text.extend(overview.cloudflared.as_ref().and_then(upgrade));
    if !overview.accounts.is_empty() {
        text.push('\n');
        text.push_str(&accounts(status, now, look));
        text.extend(orphans(status));
    }
    text.push('\n');
    text.push_str(&tunnels(status, now, look));
    if let Some(change) = &overview.last_change {
        text.push_str(&format!("\nlast change {}: {}\n", look.ago(change.at, now), plain(&change.sentence)));
    }
    text
}

/// The roll-out of another cloudflared, while it is under way. One that failed is among the reasons of the verdict.
fn upgrade(cloudflared: &Cloudflared) -> Option<String> {
    let (version, other) = (cloudflared.version.as_ref()?, cloudflared.other_version.as_ref()?);
    let how_far = match cloudflared.rollout.as_str() {
        "waiting" => "waits for a connector that is fit to try it",
        "canary" => "is tried by one connector",
        "rolling" => "takes its place, one connector after another",
        _ => return None,
    };
    Some(format!("  cloudflared {}: {} {how_far}\n", plain(version), plain(other)))
}

/// What all tunnels share. Why it is so stands among the reasons of the verdict.
fn uplink(uplink: &Uplink, now: Timestamp, look: Look) -> String {
    let (state, tone) = match uplink.state {
        UplinkState::Up => ("up", Tone::Plain),
        UplinkState::Lost => ("lost", Tone::of_verdict(Verdict::Failing)),
    };
    let braked = uplink.braked_since.map(|since| format!(" · restarts braked {}", look.lasting(since, now))).unwrap_or_default();
    format!("uplink {} {}{braked}\n", tone.paint(state, look), look.lasting(uplink.since, now))
}

fn accounts(status: &Status, now: Timestamp, look: Look) -> String {
    let mut table = Table::new(["ACCOUNT", "ID", "IN SYNC", "WAITS FOR"]);
    for account in &status.overview.accounts {
        let synced = account.synced_at.map(|at| look.ago_in_column(at, now));
        table.row([
            Cell::new(&account.name),
            Cell::maybe(account.id.as_ref()),
            synced.map_or(Cell::toned("never", Tone::Notice), Cell::new),
            Cell::toned(sentences(&account.holds), Tone::Notice),
        ]);
    }
    table.render(look)
}

/// What is left over, and what to do about it.
fn orphans(status: &Status) -> Option<String> {
    match status.overview.accounts.iter().map(|account| account.orphans).sum() {
        0_usize => None,
        1 => Some("1 thing is left over at Cloudflare: \"adit gc\" shows it\n".to_owned()),
        count => Some(format!("{count} things are left over at Cloudflare: \"adit gc\" shows them\n")),
    }
}

/// One line for each tunnel.
fn tunnels(status: &Status, now: Timestamp, look: Look) -> String {
    if status.tunnels.is_empty() {
        return "no tunnels; \"adit tunnel create\" makes one\n".to_owned();
    }
    let mut table = Table::new(["TUNNEL", "STATE", "SINCE", "SERVING", "CONNECTIONS", "CLOUDFLARE", "ROUTES", "WHY"])
        .expending(&["CLOUDFLARE", "ROUTES", "SERVING"]);
    for tunnel in &status.tunnels {
        let account = status.overview.accounts.iter().find(|account| account.name == tunnel.account);
        let since = tunnel.connectors.iter().filter(|connector| connector.state == tunnel.state).map(|c| c.since).max();
        let serving = tunnel.connectors.iter().filter(|connector| connector.serving).count();
        let connections: u32 = tunnel.connectors.iter().map(|connector| u32::from(connector.connections)).sum();
        table.row([
            Cell::new(&tunnel.name),
            Cell::toned(tunnel.state.word(), Tone::of_state(tunnel.state)),
            Cell::maybe(since.map(|since| look.moment(since, now))),
            Cell::new(format!("{serving}/{}", tunnel.replicas)),
            Cell::new(format!("{connections}/{}", u32::from(tunnel.replicas) * 4)),
            Cell::maybe(tunnel.cloudflare_status.as_ref()),
            Cell::new(routes(&tunnel.routes)),
            Cell::new(why(tunnel, account, now, look)),
        ]);
    }
    table.render(look)
}

fn routes(routes: &[Route]) -> String {
    let every = |route: &&Route| route.kind == RouteKind::Hostname && route.hostname.is_none();
    let labels: Vec<String> = routes.iter().filter(|route| !every(route)).map(Route::label).collect();
    match labels.split_first() {
        None => String::new(),
        Some((first, [])) => first.clone(),
        Some((first, rest)) => format!("{first} +{}", rest.len()),
    }
}

/// All that is not simply well with a tunnel, in one line. What its account waits for stands there and is not told again.
fn why(tunnel: &Tunnel, account: Option<&Account>, now: Timestamp, look: Look) -> String {
    let of_account = |sentence: String| match account {
        Some(account) if account.holds.iter().any(|hold| hold.sentence == sentence) => {
            format!("waits with account {}", account.name)
        }
        Some(_) | None => sentence,
    };
    let stop = tunnel.stop.as_ref().map(|stop| format!("stopped by {} {}", stop.by, look.ago(stop.at, now)));
    let reason = tunnel.reason.as_ref().filter(|_| stop.is_none()).map(|reason| reason.sentence.clone());
    let holds = tunnel.holds.iter().map(|hold| hold.sentence.clone());
    let drift = tunnel.drift.iter().map(|drift| drift.sentence.clone());
    let route = |route: &Route| {
        let reason = route.reason.clone()?;
        let is_told = tunnel.holds.iter().chain(&tunnel.reason).any(|told| told.sentence == reason);
        // A conflict begins with the name of its route.
        let names_itself = reason.starts_with(&route.label());
        let told = of_account(reason.clone());
        Some(if is_told || names_itself || told != reason { told } else { format!("{}: {reason}", route.label()) })
    };
    let routes = tunnel.routes.iter().filter_map(route).chain(failing_routes(tunnel));
    // One hold may be the reason of several things.
    let mut said = Vec::new();
    for sentence in stop.into_iter().chain(reason).chain(holds).chain(drift).chain(routes).map(of_account) {
        if !said.contains(&sentence) {
            said.push(sentence);
        }
    }
    said.join("; ")
}

/// What keeps visitors from routes of a tunnel that serves, the first of them by its reason.
fn failing_routes(tunnel: &Tunnel) -> Option<String> {
    // Without a connector all of them fail, and the tunnel's own reason says why.
    tunnel.connectors.iter().find(|connector| connector.serving)?;
    let failing: Vec<&RouteHealth> = tunnel
        .routes
        .iter()
        .filter_map(|route| route.health.as_ref())
        .filter(|health| health.verdict == RouteVerdict::Failing)
        .collect();
    let first = failing.first()?.reasons.first()?;
    Some(match failing.len() {
        1 => first.sentence.clone(),
        count => format!("{count} of {} routes fail, the first: {}", tunnel.routes.len(), first.sentence),
    })
}

fn sentences(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.sentence.as_str()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::detail::tests::{example, now};
    use crate::control::api::{Daemon, Finding, Health, Overview, RouteFinding, State, Stop};

    fn up() -> Uplink {
        Uplink {
            state: UplinkState::Up,
            since: now() - jiff::SignedDuration::from_hours(72),
            reason: Reason { code: "up".to_owned(), sentence: "nothing speaks against it".to_owned() },
            braked_since: None,
        }
    }

    #[test]
    fn the_uplink_and_the_brake_are_told_with_their_ages() {
        let look = Look { colour: false, width: Some(80) };
        assert_eq!(uplink(&up(), now(), look), "uplink up for 3d\n");
        let minute = now() - jiff::SignedDuration::from_mins(1);
        let lost = Uplink { state: UplinkState::Lost, since: minute, braked_since: Some(minute), ..up() };
        assert_eq!(uplink(&lost, now(), look), "uplink lost for 1m · restarts braked for 1m\n");
    }

    fn status() -> Status {
        let web = example();
        let mut stopped = Tunnel { name: "api".to_owned(), state: State::Stopped, connectors: Vec::new(), ..example() };
        stopped.stop = Some(Stop { by: "alice".to_owned(), at: now() - jiff::SignedDuration::from_mins(5) });
        stopped.routes.clear();
        let finding = Finding {
            code: "connections-lost".to_owned(),
            sentence: "3 of 4 connections".to_owned(),
            tunnel: Some("web".to_owned()),
            verdict: Verdict::Failing,
        };
        Status {
            overview: Overview {
                daemon: Daemon {
                    version: "0.1.0".to_owned(),
                    pid: 1,
                    started_at: now() - jiff::SignedDuration::from_hours(72),
                    config_problems: Vec::new(),
                },
                health: Health { verdict: Verdict::Attention, reasons: vec![finding] },
                cloudflared: Some(Cloudflared {
                    path: "/usr/bin/cloudflared".to_owned(),
                    version: Some("2026.8.0".to_owned()),
                    rollout: "canary".to_owned(),
                    other_version: Some("2026.9.0".to_owned()),
                    reason: None,
                }),
                uplink: up(),
                accounts: vec![Account {
                    name: "default".to_owned(),
                    id: Some("0a1b".to_owned()),
                    synced_at: Some(now() - jiff::SignedDuration::from_secs(40)),
                    holds: Vec::new(),
                    orphans: 2,
                }],
                last_change: None,
            },
            tunnels: vec![stopped, web],
        }
    }

    fn screen(width: usize) -> String {
        overview(&status(), now(), Look { colour: false, width: Some(width) })
    }

    #[test]
    fn one_screen_says_what_is_wrong_and_since_when() {
        insta::assert_snapshot!(screen(200), @r#"
        adit 0.1.0 · up 3d · wants to be looked at
        uplink up for 3d
          ! web: 3 of 4 connections (connections-lost)
          cloudflared 2026.8.0: 2026.9.0 is tried by one connector

        ACCOUNT  ID    IN SYNC
        default  0a1b  40s ago
        2 things are left over at Cloudflare: "adit gc" shows them

        TUNNEL  STATE     SINCE  SERVING  CONNECTIONS  CLOUDFLARE  ROUTES              WHY
        api     stopped          0/1      0/4          healthy                         stopped by alice 5m ago
        web     degraded  3m     1/1      3/4          healthy     app.example.com +1  3 of 4 connections; *.dev.example.com: a record of someone else stands in its place
        "#);
    }

    #[test]
    fn a_narrow_screen_keeps_what_is_wrong() {
        insta::assert_snapshot!(screen(80), @r#"
        adit 0.1.0 · up 3d · wants to be looked at
        uplink up for 3d
          ! web: 3 of 4 connections (connections-lost)
          cloudflared 2026.8.0: 2026.9.0 is tried by one connector

        ACCOUNT  ID    IN SYNC
        default  0a1b  40s ago
        2 things are left over at Cloudflare: "adit gc" shows them

        TUNNEL  STATE     SINCE  SERVING  CONNECTIONS  WHY
        api     stopped          0/1      0/4          stopped by alice 5m ago
        web     degraded  3m     1/1      3/4          3 of 4 connections; *.dev.exampl…
        "#);
        insta::assert_snapshot!(screen(120), @r#"
        adit 0.1.0 · up 3d · wants to be looked at
        uplink up for 3d
          ! web: 3 of 4 connections (connections-lost)
          cloudflared 2026.8.0: 2026.9.0 is tried by one connector

        ACCOUNT  ID    IN SYNC
        default  0a1b  40s ago
        2 things are left over at Cloudflare: "adit gc" shows them

        TUNNEL  STATE     SINCE  SERVING  CONNECTIONS  CLOUDFLARE  ROUTES              WHY
        api     stopped          0/1      0/4          healthy                         stopped by alice 5m ago
        web     degraded  3m     1/1      3/4          healthy     app.example.com +1  3 of 4 connections; *.dev.example.com: a…
        "#);
    }

    #[test]
    fn a_file_gets_times_and_full_values() {
        insta::assert_snapshot!(overview(&status(), now(), Look { colour: false, width: None }), @r#"
        adit 0.1.0 · up since 2025-12-30T03:04:05Z · wants to be looked at
        uplink up since 2025-12-30T03:04:05Z
          ! web: 3 of 4 connections (connections-lost)
          cloudflared 2026.8.0: 2026.9.0 is tried by one connector

        ACCOUNT  ID    IN SYNC
        default  0a1b  2026-01-02T03:03:25Z
        2 things are left over at Cloudflare: "adit gc" shows them

        TUNNEL  STATE     SINCE                 SERVING  CONNECTIONS  CLOUDFLARE  ROUTES              WHY
        api     stopped                         0/1      0/4          healthy                         stopped by alice at 2026-01-02T02:59:05Z
        web     degraded  2026-01-02T03:01:05Z  1/1      3/4          healthy     app.example.com +1  3 of 4 connections; *.dev.example.com: a record of someone else stands in its place
        "#);
    }

    #[test]
    fn a_route_tells_nothing_twice() {
        let hold = Reason { code: "no-zone".to_owned(), sentence: "no active zone of the account has it".to_owned() };
        let mut held = Tunnel { reason: None, holds: vec![hold.clone()], ..example() };
        held.routes.truncate(1);
        held.routes[0].reason = Some(hold.sentence);
        let look = Look { colour: false, width: None };
        assert_eq!(why(&held, None, now(), look), "no active zone of the account has it");
        let conflict = format!("{} of web: a record stands there", held.routes[0].label());
        held.holds.clear();
        held.routes[0].reason = Some(conflict.clone());
        assert_eq!(why(&held, None, now(), look), conflict);
    }

    #[test]
    fn routes_that_fail_are_counted_and_the_first_is_told() {
        let failing = RouteHealth {
            verdict: RouteVerdict::Failing,
            reasons: vec![RouteFinding {
                verdict: RouteVerdict::Failing,
                code: "origin-down".to_owned(),
                sentence: "the origin localhost:8080 takes no connection".to_owned(),
                since: None,
            }],
            serving: 1,
            config_version: None,
            written_version: None,
            origin: None,
            outside: None,
        };
        let mut tunnel = example();
        tunnel.routes[0].health = Some(failing.clone());
        assert_eq!(failing_routes(&tunnel).as_deref(), Some("the origin localhost:8080 takes no connection"));
        tunnel.routes[1].health = Some(failing);
        let both = "2 of 2 routes fail, the first: the origin localhost:8080 takes no connection";
        assert_eq!(failing_routes(&tunnel).as_deref(), Some(both));
        tunnel.connectors[0].serving = false;
        assert_eq!(failing_routes(&tunnel), None);
    }

    #[test]
    fn what_an_account_waits_for_is_told_once() {
        let hold = Reason { code: "unread".to_owned(), sentence: "it answers 500".to_owned() };
        let mut status = status();
        status.overview.accounts[0].holds = vec![hold.clone()];
        let pending =
            Tunnel { state: State::Pending, reason: Some(hold.clone()), holds: vec![hold], routes: Vec::new(), ..example() };
        assert_eq!(
            why(&pending, status.overview.accounts.first(), now(), Look { colour: false, width: Some(80) }),
            "waits with account default"
        );
    }
}
