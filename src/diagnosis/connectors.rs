//! The connectors on this host, and their connections to Cloudflare's edge.

use super::{Case, broken, fine, not_checked};
use crate::{
    connector::State,
    control::api::{DiagnosisLink, Link},
    status::{ConnectorStatus, UplinkState},
};

/// How many connections a connector keeps to the edge.
const WHOLE: usize = 4;

impl Case<'_> {
    /// Whether processes run.
    pub(super) fn connectors(&self) -> DiagnosisLink {
        let (name, at) = (self.name(), Some(self.facts.at));
        let connectors = self.connectors_known();
        let Some(worst) = connectors.iter().find(|connector| !runs(connector)).or(connectors.first()) else {
            let program = self.facts.status.program.as_ref().and_then(|program| program.reason.as_ref());
            return match program {
                Some(reason) => {
                    let sentence = format!("tunnel {name} has no connector on this host: {}", reason.sentence);
                    broken(Link::Connectors, sentence, INSTALL, at)
                }
                None => broken(
                    Link::Connectors,
                    format!("tunnel {name} has no connector on this host"),
                    "one is started when the tunnel is made; `adit status` says what it waits for",
                    at,
                ),
            };
        };
        let running = connectors.iter().filter(|connector| runs(connector)).count();
        let all = connectors.len();
        if running == 0 {
            let sentence =
                format!("connector {name}/{} is {}: {}{}", worst.replica, word(worst), worst.reason.sentence, self.past(worst));
            return broken(Link::Connectors, sentence, self.cure(worst), at);
        }
        let processes: Vec<String> = connectors.iter().filter_map(|one| one.pid).map(|pid| pid.to_string()).collect();
        let beside = match connectors.iter().find(|connector| !runs(connector)) {
            Some(one) => format!("; {name}/{} is {}: {}", one.replica, word(one), one.reason.sentence),
            None => String::new(),
        };
        let stale = if connectors.iter().any(|connector| connector.stale) { ", as an earlier daemon knew it" } else { "" };
        let kind = if processes.len() == 1 { "process" } else { "processes" };
        let sentence = format!("{running} of {all} run ({kind} {}){stale}{beside}", processes.join(", "));
        fine(Link::Connectors, sentence, at)
    }

    /// Whether those that run have connections.
    pub(super) fn edge(&self) -> DiagnosisLink {
        let at = Some(self.facts.at);
        let running: Vec<&ConnectorStatus> = self.connectors_known().into_iter().filter(|connector| runs(connector)).collect();
        let Some(first) = running.first() else {
            return not_checked(Link::EdgeConnections, "no connector runs that could have one");
        };
        let connections: usize = running.iter().map(|connector| usize::from(connector.connections)).sum();
        let whole = WHOLE * running.len();
        let uplink = &self.facts.status.uplink;
        if connections == 0 {
            let (sentence, action) = match uplink.state {
                UplinkState::Lost => (uplink.reason.sentence.to_string(), NETWORK),
                UplinkState::Up => (format!("0 of {whole} connections: {}", first.reason.sentence), WATCH),
            };
            return broken(Link::EdgeConnections, sentence, action, Some(uplink.since.max(first.since)));
        }
        let what = match running.iter().find(|connector| connector.reason.code != "ready") {
            Some(one) => format!(" ({})", one.reason.sentence),
            None => String::new(),
        };
        fine(Link::EdgeConnections, format!("{connections} of {whole} connections{what}"), at)
    }

    /// How the last process ended, and when the next one starts.
    fn past(&self, connector: &ConnectorStatus) -> String {
        let exit = connector.last_exit.as_ref().filter(|exit| exit.reason.sentence != connector.reason.sentence);
        let exit = exit.map(|exit| format!("; before, {}", exit.reason.sentence)).unwrap_or_default();
        let next = connector.next_try_at.map(|next| format!("; it is tried again at {next}")).unwrap_or_default();
        format!("{exit}{next}")
    }

    fn cure(&self, connector: &ConnectorStatus) -> String {
        let name = self.name();
        match &*connector.reason.code {
            "operator-stop" => format!("`adit tunnel start {name}`"),
            code if code.starts_with("binary-") => INSTALL.to_owned(),
            "hung" => format!("`adit tunnel restart {name}` replaces it"),
            _ => match connector.state {
                State::Quarantined => format!("`adit status {name}` says why it cannot be proved ours"),
                State::Starting
                | State::Ready
                | State::Degraded
                | State::Draining
                | State::Stopped
                | State::BackingOff
                | State::Blocked => format!("`adit logs {name}` shows its last words"),
            },
        }
    }
}

const INSTALL: &str = "install cloudflared, or name it under [cloudflared] binary; `adit doctor` looks at it";
const NETWORK: &str = "look at the network: TCP and UDP port 7844 to the outside must be open; `adit doctor` tries them";
const WATCH: &str = "cloudflared tries again by itself; `adit doctor` tries the way to the edge, `adit logs` shows more";

/// Whether it has a process that does its work.
fn runs(connector: &ConnectorStatus) -> bool {
    match connector.state {
        State::Starting | State::Ready | State::Degraded | State::Quarantined => {
            connector.pid.is_some() && (connector.reason.code != "hung" || connector.serving)
        }
        State::Draining | State::Stopped | State::BackingOff | State::Blocked => false,
    }
}

/// Its state as a person reads it.
fn word(connector: &ConnectorStatus) -> String {
    connector.state.to_string().replace('_', " ")
}
