//! What a status means: a verdict with reasons.
//!
//! Health is derived and never set: the control socket, the command line, the metrics and systemd's status line all show this one
//! value. A reason has a stable code and a sentence that says what is wrong, of which tunnel.

mod route;

use std::{cmp::Reverse, collections::BTreeSet};

pub use route::{RouteFinding, RouteHealth, RouteVerdict, route_health};

use crate::{
    connector::State,
    desired::Intended,
    event::{CredentialState, RolloutState},
    name::TunnelName,
    plan::{Hold, Scope},
    status::{Status, TunnelStatus, UplinkState},
};

/// The verdict over everything, with the reasons for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The worst of the reasons' verdicts.
    pub verdict: Verdict,
    /// What is wrong, worst first; empty when nothing is.
    pub reasons: Vec<Finding>,
}

/// How well it goes. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All is as it should be.
    Healthy,
    /// Every tunnel serves, and something wants to be looked at.
    Attention,
    /// A tunnel or a route that should serve does not.
    Failing,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// The stable code, such as `config-refused` or a hold's code.
    pub code: String,
    /// One sentence for a person, without a full stop.
    pub sentence: String,
    /// The tunnel that it is about, if it is about one.
    pub tunnel: Option<TunnelName>,
}

/// What `status` means for what is `intended`. `config_problems` are those of the files on disk, while an older configuration is in
/// force because of them; `unreadable` are the parts of the state directory that cannot be read.
pub fn health(intended: &Intended, status: &Status, config_problems: &[String], unreadable: &[String]) -> Health {
    let mut reasons = Vec::new();
    if let Some(first) = config_problems.first() {
        let sentence = match config_problems.len() {
            1 => format!("the configuration's files are not in force: {first}"),
            count => format!("the configuration's files are not in force because of {count} problems, the first: {first}"),
        };
        reasons.push(finding(Verdict::Attention, "config-refused", sentence, None));
    }
    for part in unreadable {
        reasons.push(finding(Verdict::Attention, "state-unreadable", part.clone(), None));
    }
    for (name, why) in &intended.held {
        let sentence = format!("the definition of {name} cannot be read and is left as it is: {why}");
        reasons.push(finding(Verdict::Attention, "definition-unreadable", sentence, Some(name)));
    }
    reasons.extend(of_uplink(status));
    let nothing = TunnelStatus::default();
    for name in intended.config.tunnels.keys() {
        if !intended.stops.contains_key(name) {
            let tunnel = status.tunnels.get(name).unwrap_or(&nothing);
            reasons.extend(of_tunnel(name, tunnel));
            reasons.extend(route::of_checks(name, tunnel));
        }
    }
    reasons.extend(of_program(status));
    reasons.extend(of_accounts(status));
    reasons.sort_by_key(|finding| Reverse(finding.verdict));
    Health { verdict: reasons.first().map_or(Verdict::Healthy, |worst| worst.verdict), reasons }
}

/// What is wrong with all connectors at once.
fn of_uplink(status: &Status) -> Option<Finding> {
    let uplink = &status.uplink;
    match uplink.state {
        UplinkState::Lost => Some(finding(Verdict::Failing, &uplink.reason.code, uplink.reason.sentence.to_string(), None)),
        UplinkState::Up if uplink.braked_since.is_some() => {
            let sentence = "most connectors have trouble at the same time, so none that lives is replaced for it".to_owned();
            Some(finding(Verdict::Attention, "common-cause", sentence, None))
        }
        UplinkState::Up => None,
    }
}

/// What is wrong with a tunnel's connectors.
fn of_tunnel(name: &TunnelName, tunnel: &TunnelStatus) -> Option<Finding> {
    let worst = tunnel.connectors.values().max_by_key(|connector| (connector.state != State::Ready, !connector.serving));
    let Some(worst) = worst else {
        let sentence = match tunnel.provisioned.as_deref().and_then(|provisioned| provisioned.holds.first()) {
            Some(hold) => format!("the tunnel {name} has no connector: {}", hold.why),
            None => format!("the tunnel {name} is to be made at Cloudflare first"),
        };
        return Some(finding(Verdict::Failing, "tunnel-pending", sentence, Some(name)));
    };
    let serving = tunnel.connectors.values().filter(|connector| connector.serving).count();
    let all = tunnel.connectors.len();
    match (serving, worst.state) {
        (_, State::Ready) => {
            let failed = tunnel.connectors.values().find(|connector| connector.reason.code == "replacement-failed")?;
            let sentence = format!("a connector of {name} should be replaced: {}", failed.reason.sentence);
            Some(finding(Verdict::Attention, "replacement-failed", sentence, Some(name)))
        }
        (0, state) => {
            let sentence = format!("the tunnel {name} does not serve, its connector is {state}: {}", worst.reason.sentence);
            Some(finding(Verdict::Failing, "tunnel-down", sentence, Some(name)))
        }
        (serving, state) => {
            let sentence = format!("{serving} of {all} connectors of {name} serve, one is {state}: {}", worst.reason.sentence);
            Some(finding(Verdict::Attention, "tunnel-degraded", sentence, Some(name)))
        }
    }
}

/// What is wrong with the program that connectors are.
fn of_program(status: &Status) -> Option<Finding> {
    let program = status.program.as_ref()?;
    let reason = program.reason.as_ref()?;
    let sentence = match (&program.version, program.state) {
        (Some(_), RolloutState::RolledBack) => reason.sentence.to_string(),
        (Some(version), _) => format!("connectors stay with cloudflared {version}: {}", reason.sentence),
        (None, _) => format!("no connector can be started: {}", reason.sentence),
    };
    Some(finding(Verdict::Attention, &reason.code, sentence, None))
}

/// What waits at Cloudflare: each hold and each conflict once.
fn of_accounts(status: &Status) -> Vec<Finding> {
    let mut reasons = Vec::new();
    for (account, known) in &status.accounts {
        let holds: BTreeSet<&Hold> = known.view.holds.iter().filter(|hold| !hold.code.ends_by_itself()).collect();
        reasons.extend(holds.into_iter().map(|hold| {
            let sentence = match &hold.scope {
                Scope::Account => format!("account {account}: {}", hold.why),
                scope @ (Scope::Zone { .. }
                | Scope::Tunnel { .. }
                | Scope::Route { .. }
                | Scope::Networks
                | Scope::PrivateRoute { .. }) => format!("{scope}: {}", hold.why),
            };
            finding(Verdict::Attention, hold.code.as_str(), sentence, hold.tunnel())
        }));
        reasons.extend(known.view.conflicts.iter().map(|conflict| {
            let sentence = conflict.to_string();
            finding(Verdict::Attention, "conflict", sentence, Some(conflict.tunnel()))
        }));
        if let CredentialState::Refused { reason } = &known.view.credential {
            reasons.push(finding(Verdict::Attention, "credential-refused", format!("account {account}: {reason}"), None));
        } else if let Some(error) = known.last_pass.as_ref().and_then(|pass| pass.error.as_ref())
            && known.view.holds.is_empty()
        {
            reasons.push(finding(Verdict::Attention, "sync-failed", format!("account {account}: {error}"), None));
        }
        if let Some(waiting) = &known.view.waiting {
            let sentence =
                format!("account {account}: a plan waits for `adit apply --plan {}`: {}", waiting.hash, waiting.summary);
            reasons.push(finding(Verdict::Attention, "plan-waiting", sentence, None));
        }
    }
    reasons
}

fn finding(verdict: Verdict, code: &str, sentence: String, tunnel: Option<&TunnelName>) -> Finding {
    Finding { verdict, code: code.to_owned(), sentence, tunnel: tunnel.cloned() }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use jiff::Timestamp;

    use super::*;
    use crate::{
        config::{Source, parse},
        connector::{Reason, Stop},
        event::ProgramView,
        plan::HoldCode,
        status::{AccountStatus, ConnectorStatus},
    };

    fn intended() -> Intended {
        let text = "[accounts.default]\napi_token = { file = \"/etc/token\" }\n\
                    [tunnels.web]\ningress = [{ hostname = \"a.example.com\", service = \"http://localhost:8080\" }]\n";
        let config = parse(&[Source { path: "adit.toml".into(), text: text.to_owned() }]).unwrap();
        Intended { config: Arc::new(config), stops: BTreeMap::new(), held: BTreeMap::new() }
    }

    fn web() -> TunnelName {
        "web".parse().unwrap()
    }

    /// A status with one connector of `web` for each state; the second value is whether it serves.
    fn status(connectors: &[(State, bool)]) -> Status {
        let mut tunnel = TunnelStatus::default();
        for (replica, (state, serving)) in (0..).zip(connectors) {
            let reason = Reason::new("because", "it is so");
            let connector = ConnectorStatus {
                state: *state,
                serving: *serving,
                reason,
                ..ConnectorStatus::new(replica, Timestamp::UNIX_EPOCH)
            };
            tunnel.connectors.insert(replica, Box::new(connector));
        }
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        status.tunnels.insert(web(), tunnel);
        status
    }

    fn codes(health: &Health) -> Vec<(Verdict, &str)> {
        health.reasons.iter().map(|finding| (finding.verdict, finding.code.as_str())).collect()
    }

    #[test]
    fn a_tunnel_is_judged_by_whether_requests_get_through_and_then_by_its_worst_connector() {
        type Case<'a> = (&'a [(State, bool)], &'a [(Verdict, &'a str)]);
        let cases: [Case<'_>; 6] = [
            (&[(State::Ready, true), (State::Ready, true)], &[]),
            (&[(State::Ready, true), (State::BackingOff, false)], &[(Verdict::Attention, "tunnel-degraded")]),
            (&[(State::Degraded, true)], &[(Verdict::Attention, "tunnel-degraded")]),
            (&[(State::Degraded, false)], &[(Verdict::Failing, "tunnel-down")]),
            (&[(State::Blocked, false), (State::BackingOff, false)], &[(Verdict::Failing, "tunnel-down")]),
            (&[], &[(Verdict::Failing, "tunnel-pending")]),
        ];
        for (connectors, expected) in cases {
            let health = health(&intended(), &status(connectors), &[], &[]);
            assert_eq!(codes(&health), expected, "{connectors:?}");
            assert_eq!(health.verdict, expected.first().map_or(Verdict::Healthy, |(verdict, _)| *verdict));
        }
    }

    #[test]
    fn no_uplink_is_told_before_the_tunnels_that_it_takes_down() {
        let mut status = status(&[(State::Degraded, false)]);
        status.uplink.braked_since = Some(Timestamp::UNIX_EPOCH);
        let of_brake = [(Verdict::Failing, "tunnel-down"), (Verdict::Attention, "common-cause")];
        assert_eq!(codes(&health(&intended(), &status, &[], &[])), of_brake);
        status.uplink.state = UplinkState::Lost;
        status.uplink.reason = Reason::new("no-uplink", "none of 4 connectors has a connection");
        let of_uplink = [(Verdict::Failing, "no-uplink"), (Verdict::Failing, "tunnel-down")];
        assert_eq!(codes(&health(&intended(), &status, &[], &[])), of_uplink);
    }

    #[test]
    fn a_tunnel_that_an_operator_stopped_is_nothing_to_look_at() {
        let mut intended = intended();
        intended.stops.insert(web(), Stop { by: "jane".to_owned(), at: Timestamp::UNIX_EPOCH });
        assert_eq!(health(&intended, &status(&[(State::Stopped, false)]), &[], &[]).verdict, Verdict::Healthy);
    }

    #[test]
    fn a_program_that_was_rolled_back_or_cannot_be_used_wants_to_be_looked_at() {
        let mut status = status(&[(State::Ready, true)]);
        let view = |state, version: Option<&str>, code| ProgramView {
            path: "/usr/bin/cloudflared".into(),
            version: version.map(str::to_owned),
            state,
            other_version: None,
            reason: Some(Reason::new(code, "it is so")),
        };
        for (program, sentence) in [
            (view(RolloutState::RolledBack, Some("2026.8.0"), "upgrade-rolled-back"), "it is so"),
            (
                view(RolloutState::Settled, Some("2026.8.0"), "binary-too-old"),
                "connectors stay with cloudflared 2026.8.0: it is so",
            ),
            (view(RolloutState::Settled, None, "binary-missing"), "no connector can be started: it is so"),
        ] {
            let code = program.reason.as_ref().unwrap().code.to_string();
            status.program = Some(program);
            let health = health(&intended(), &status, &[], &[]);
            assert_eq!(codes(&health), [(Verdict::Attention, code.as_str())]);
            assert_eq!(health.reasons[0].sentence, sentence);
        }
    }

    #[test]
    fn bad_files_holds_and_unreadable_definitions_want_to_be_looked_at_the_worst_comes_first() {
        let mut intended = intended();
        intended.held.insert("shop".parse().unwrap(), "torn".to_owned());
        let mut status = status(&[(State::BackingOff, false)]);
        let mut account = AccountStatus::default();
        account.view.holds.push(Hold { scope: Scope::Account, code: HoldCode::Unread, why: "it answers 500".to_owned() });
        status.accounts.insert("default".parse().unwrap(), account);
        let problems = ["adit.toml:3: no".to_owned(), "adit.toml:4: no".to_owned()];
        let health = health(&intended, &status, &problems, &["stops.toml is torn".to_owned()]);
        let attention = |code| (Verdict::Attention, code);
        let expected = [
            (Verdict::Failing, "tunnel-down"),
            attention("config-refused"),
            attention("state-unreadable"),
            attention("definition-unreadable"),
            attention("unread"),
        ];
        assert_eq!(codes(&health), expected);
        assert_eq!(
            health.reasons[1].sentence,
            "the configuration's files are not in force because of 2 problems, the first: adit.toml:3: no"
        );
        assert_eq!(health.reasons[4].sentence, "account default: it answers 500");
    }
}
