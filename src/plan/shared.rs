//! Tunnels whose configuration others edit too: only our own rules are written, and nothing else of them is ever deleted.

use serde_json::{Value, json};

use super::{
    Conflict, HoldCode, Planner, Question, RuleChange, RuleChangeKind, Scope, Standing, Step,
    document::Document,
    merge::{Merged, merge},
};
use crate::{
    config::{OnDrift, Ownership},
    desired::{DesiredTunnel, fingerprint},
    id::TunnelId,
    name::TunnelName,
    observed::{ObservedConfiguration, Part},
    record::{SharedPart, TunnelRecord, WrittenConfiguration},
};

/// The rules of a wanted document that are ours in a shared one: all but the last one, for every request, which is the others'.
pub fn shared_rules(document: &Value) -> Vec<Value> {
    let rules = document.get("ingress").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    rules.split_last().map(|(_catch_all, rules)| rules.to_vec()).unwrap_or_default()
}

/// The document of which [`shared_rules`] makes these rules.
pub fn document_of(rules: &[Value]) -> Value {
    let catch_all = json!({ "service": "http_status:404" });
    json!({ "ingress": rules.iter().chain([&catch_all]).collect::<Vec<_>>() })
}

impl<'a> Planner<'a> {
    /// A tunnel becomes shared, or Adit's own, by an operator who adopts it as that: until then nothing of it is touched.
    pub(super) fn check_shared(&mut self, name: &TunnelName, want: &DesiredTunnel) -> Option<Standing> {
        let why = match (want.ownership, self.records.get(name).map(|record| record.shared.is_some())) {
            (Ownership::Owned, None | Some(false)) | (Ownership::Shared, Some(true)) => return None,
            (Ownership::Shared, None) => "a shared tunnel is one that others made",
            (Ownership::Shared, Some(false)) => "it is Adit's own so far, and the configuration says that it is shared",
            (Ownership::Owned, Some(true)) => "it is shared so far, and the configuration says that all of it is Adit's",
        };
        self.hold_tunnel(name, HoldCode::NotAdopted, format!("{why}; `adit tunnel adopt {name}` shows it and takes it as that"));
        Some(Standing::Held)
    }

    /// Decides about our rules in a configuration that others edit too. It is read only when there is something to write, or
    /// when the connectors run a version that is not known.
    pub(super) fn plan_rules(&mut self, name: &TunnelName, want: &'a DesiredTunnel) {
        let Some(Standing::Live(id)) = self.standing.get(name).cloned() else { return };
        let Some((record, shared)) = self.records.get(name).and_then(|record| Some((record, record.shared.clone()?))) else {
            return;
        };
        let written = record.written.clone();
        let reported = self.input.reported.get(name);
        // Rules for hostnames that leave stay among ours for a while.
        let in_force = self.in_force(name, want);
        let (wanted, sha256) = (in_force.document.into_owned(), in_force.sha256.into_owned());
        let is_written = written.as_ref().is_some_and(|written| written.sha256 == sha256);
        let is_known = written.as_ref().is_some_and(|written| reported.is_none_or(|version| *version <= written.version));
        // A rule that was never confirmed may stand there as it was sent, or not at all.
        let is_confirmed = shared.rules.iter().all(|own| own.stored_sha256.is_some());
        if is_written && is_known && is_confirmed && !shared.in_conflict {
            return;
        }
        let Some(found) = self.stored(name, &id) else { return };
        let rules = shared_rules(&wanted);
        let Ok(document) = Document::read(&found.document.to_string()) else {
            return self.hold_tunnel(name, HoldCode::Unread, "its stored configuration is no configuration");
        };
        let Merged { document: _, rules: _, changes, conflicts, edited } = merge(&document, &shared.rules, &rules);
        let has_conflicts = !conflicts.is_empty();
        for conflict in conflicts {
            let (place, why) = (conflict.place, conflict.why.to_owned());
            self.conflicts.push(Conflict::Rule { tunnel: name.clone(), place, theirs: conflict.theirs, why });
        }
        let edited = edited || (is_written && is_confirmed && !shared.in_conflict && !changes.is_empty());
        if edited && want.on_drift == OnDrift::Report {
            let why = format!("somebody else changed rules of ours (version {}), which are left as they are", found.version);
            return self.hold_tunnel(name, HoldCode::Edited, why);
        }
        let stored_sha256 = fingerprint(&found.document);
        if changes.is_empty() && is_confirmed {
            let seen = WrittenConfiguration { version: found.version, sha256: sha256.clone(), stored_sha256 };
            // While something is in the way it is looked at again in every pass.
            if written.as_ref() != Some(&seen) && has_conflicts == shared.in_conflict {
                self.steps.push(Step::NoteVersion { tunnel: name.clone(), written: seen });
                return;
            }
            if has_conflicts == shared.in_conflict {
                return;
            }
        }
        self.steps.push(Step::WriteRules { tunnel: name.clone(), changes, rules, sha256 });
    }

    /// The stored configuration, if it was read.
    fn stored(&mut self, name: &TunnelName, id: &TunnelId) -> Option<ObservedConfiguration> {
        let input = self.input;
        match input.observed.answers.configurations.get(name) {
            None => {
                self.questions.insert(Question::Configuration { tunnel: name.clone(), id: id.clone() });
                None
            }
            Some(Part::Gap(gap)) => {
                self.hold_gap(Scope::Tunnel { tunnel: name.clone() }, gap);
                None
            }
            Some(Part::Complete(found)) => Some(found.clone()),
        }
    }

    /// A shared tunnel is never deleted at Cloudflare: our rules go, then it is forgotten.
    pub(super) fn withdraw(&mut self, record: &TunnelRecord, shared: &SharedPart) {
        let tunnel = record.name.clone();
        if !shared.rules.is_empty() {
            let removed = |place| RuleChange { place, change: RuleChangeKind::Removed };
            let changes = shared.rules.iter().map(|rule| removed(rule.place.clone())).collect();
            let (rules, sha256) = (Vec::new(), String::new());
            self.steps.push(Step::WriteRules { tunnel: tunnel.clone(), changes, rules, sha256 });
        }
        self.steps.push(Step::ForgetTunnel { tunnel });
    }
}
