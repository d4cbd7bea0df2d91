//! What at Cloudflare is not as Adit wrote it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{HoldCode, Plan, Scope, Step};

/// A kind of thing that somebody else changed or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// A tunnel was deleted.
    Tunnel,
    /// A tunnel's configuration was edited.
    Configuration,
    /// What leads a public hostname to a tunnel was changed or deleted: a DNS record, or a part of load balancing.
    Route,
    /// A private route or a virtual network was.
    Network,
}

impl DriftKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Tunnel, Self::Configuration, Self::Route, Self::Network];

    /// The stable word, as in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::Configuration => "configuration",
            Self::Route => "route",
            Self::Network => "network",
        }
    }
}

impl Plan {
    /// How many things of each kind are not as Adit wrote them: those that a step would put right, at once or after a confirmation,
    /// and those that are only reported.
    pub fn drift(&self) -> BTreeMap<DriftKind, usize> {
        let steps = self.steps.iter().chain(&self.waiting).filter_map(Step::drift);
        let reported = self.holds.iter().filter(|hold| hold.code == HoldCode::Edited).map(|hold| match &hold.scope {
            Scope::Account | Scope::Tunnel { .. } => DriftKind::Configuration,
            Scope::Zone { .. } | Scope::Route { .. } => DriftKind::Route,
            Scope::Networks | Scope::PrivateRoute { .. } => DriftKind::Network,
        });
        let mut drift = BTreeMap::new();
        for kind in steps.chain(reported) {
            *drift.entry(kind).or_default() += 1;
        }
        drift
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Hold, PutReason};

    fn put(why: PutReason) -> Step {
        let tunnel = "web".parse().unwrap();
        Step::PutConfiguration { tunnel, why, over_edits: true, document: serde_json::Value::Null, sha256: String::new() }
    }

    fn record(again: bool) -> Step {
        let (zone_id, hostname) = ("zone".parse().unwrap(), "app.example.com".parse().unwrap());
        Step::CreateRecord { tunnel: "web".parse().unwrap(), hostname, zone_id, again }
    }

    #[test]
    fn what_is_wanted_anew_is_no_drift_and_what_others_changed_is() {
        let mut plan = Plan::empty("default".parse().unwrap());
        plan.steps = vec![put(PutReason::Changed), put(PutReason::First), record(false)];
        assert_eq!(plan.drift(), BTreeMap::new());
        plan.steps = vec![put(PutReason::Edited { version: 3 }), record(true)];
        plan.waiting = vec![record(true), record(false)];
        assert_eq!(plan.drift(), BTreeMap::from([(DriftKind::Configuration, 1), (DriftKind::Route, 2)]));
    }

    #[test]
    fn what_is_only_reported_is_drift_too() {
        let mut plan = Plan::empty("default".parse().unwrap());
        let tunnel = || "web".parse().unwrap();
        let hold = |scope, code| Hold { scope, code, why: "it is so".to_owned() };
        plan.holds = vec![
            hold(Scope::Tunnel { tunnel: tunnel() }, HoldCode::Edited),
            hold(Scope::Route { tunnel: tunnel(), hostname: "app.example.com".parse().unwrap() }, HoldCode::Edited),
            hold(Scope::Tunnel { tunnel: tunnel() }, HoldCode::NotApplied),
        ];
        assert_eq!(plan.drift(), BTreeMap::from([(DriftKind::Configuration, 1), (DriftKind::Route, 1)]));
    }

    #[test]
    fn the_word_in_metrics_is_the_one_in_json() {
        for kind in DriftKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
