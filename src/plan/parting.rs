//! Hostnames that leave a tunnel: what it keeps for them, and for how long.
//!
//! ```text
//!  another tunnel wants it        its record points there          the grace period is over
//!  ───────────────────────▶ waits ───────────────────────▶ parting ────────────────────────▶ (gone)
//!                           └──────── rule and connectors stay ────────┘
//! ```
//!
//! Whoever resolved the name a moment ago, or has a connection open, still comes by the tunnel that the record led to.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{HoldCode, Known, Planner, Standing, Step};
use crate::{
    desired::{DesiredTunnel, fingerprint},
    name::{Hostname, TunnelName},
    record::{ConfigurationSource, Fate, KeptDocument, TunnelRecord},
};

/// How long a tunnel keeps rule and connectors for a hostname whose record points elsewhere: what was resolved before is used no
/// longer by then.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// What is to be in force of a tunnel's configuration.
pub(super) struct InForce<'a> {
    pub(super) document: Cow<'a, Value>,
    pub(super) sha256: Cow<'a, str>,
}

/// A configuration with the rules that stay for hostnames that leave: those of `before` of which `leaves` says so, and of which the
/// wanted document has none. Each stays where it was among the others, as far as no rule hides another by that.
pub fn with_parting_rules<'a>(wanted: &'a Value, before: Option<&Value>, leaves: impl Fn(&Hostname) -> bool) -> Cow<'a, Value> {
    let Some(rules) = rules(wanted) else { return Cow::Borrowed(wanted) };
    let is_wanted = |hostname: &Hostname| rules.iter().any(|rule| hostname_of(rule).as_ref() == Some(hostname));
    let mut merged: Option<Vec<Value>> = None;
    let mut next = 0;
    for rule in before.and_then(self::rules).into_iter().flatten() {
        let Some(hostname) = hostname_of(rule) else { continue };
        let present = merged.as_deref().unwrap_or(rules);
        if !leaves(&hostname) || is_wanted(&hostname) {
            let same = |other: &Value| (other.get("hostname"), other.get("path")) == (rule.get("hostname"), rule.get("path"));
            next = present.iter().position(same).map_or(next, |at| next.max(at + 1));
            continue;
        }
        let at = place(present, &hostname, next);
        merged.get_or_insert_with(|| rules.to_vec()).insert(at, rule.clone());
        next = at + 1;
    }
    let Some(merged) = merged else { return Cow::Borrowed(wanted) };
    let mut document = wanted.clone();
    document["ingress"] = Value::Array(merged);
    Cow::Owned(document)
}

/// Where a rule for `hostname` goes: at `at` or behind, but behind the rules that it would hide, and before those that would hide it.
fn place(rules: &[Value], hostname: &Hostname, at: usize) -> usize {
    let hides = |rule: &Value| hostname_of(rule).is_none_or(|other| other.matches(hostname.as_str()));
    let hidden = |rule: &Value| hostname_of(rule).is_some_and(|other| hostname.matches(other.as_str()));
    let first = rules.iter().rposition(hidden).map_or(at, |hidden| at.max(hidden + 1));
    // The catch-all hides everything behind it, so that there is always an end.
    rules.iter().position(hides).map_or(first, |hiding| first.min(hiding))
}

fn rules(document: &Value) -> Option<&[Value]> {
    document.get("ingress").and_then(Value::as_array).map(Vec::as_slice)
}

fn hostname_of(rule: &Value) -> Option<Hostname> {
    rule.get("hostname")?.as_str()?.parse().ok()
}

impl<'a> Planner<'a> {
    /// Ends the time of hostnames that left long enough ago or came back, and says of the others until when it lasts.
    pub(super) fn end_partings(&mut self) {
        let input = self.input;
        let records: Vec<Known<'_>> = self.records.values().filter(|record| !record.parting.is_empty()).cloned().collect();
        for record in records {
            let want = input.desired.tunnels.get(&record.name);
            for (hostname, since) in &record.parting {
                let is_back = want.is_some_and(|want| want.hostnames.contains(hostname));
                let ends_at = since.checked_add(GRACE).unwrap_or(Timestamp::MAX);
                if is_back || ends_at <= input.now {
                    self.steps.push(Step::EndParting { tunnel: record.name.clone(), hostname: hostname.clone() });
                    if let Some(record) = self.records.get_mut(&record.name) {
                        record.change().parting.remove(hostname);
                    }
                    continue;
                }
                self.wake_at(ends_at);
                let what = if want.is_some() { "its rule stays" } else { "its rule and connectors stay" };
                let why = format!("it went over to another tunnel; {what} for who still comes by this one, until {ends_at:.0}");
                self.hold_route(&record.name, hostname, HoldCode::GracePeriod, why);
            }
        }
    }

    /// The configuration that is to be in force: the wanted one, with the rules that stay for hostnames that leave.
    pub(super) fn in_force(&self, name: &TunnelName, want: &'a DesiredTunnel) -> InForce<'a> {
        // Nearly always nothing leaves, and then no rule has to be looked at.
        let record = self.records.get(name).filter(|record| self.is_handing_over(record));
        let leaves = |hostname: &Hostname| record.is_some_and(|record| self.leaves(record, hostname));
        let before = record.and_then(|record| record.document.as_ref()).map(KeptDocument::value);
        match with_parting_rules(&want.document, before.as_ref(), leaves) {
            document @ Cow::Borrowed(_) => InForce { document, sha256: Cow::Borrowed(&want.sha256) },
            Cow::Owned(document) => {
                let sha256 = Cow::Owned(fingerprint(&document));
                InForce { document: Cow::Owned(document), sha256 }
            }
        }
    }

    /// Whether a hostname is on its way from the tunnel of `record` to another of ours, or went a moment ago.
    fn leaves(&self, record: &TunnelRecord, hostname: &Hostname) -> bool {
        record.parting.contains_key(hostname)
            || (record.dns.contains_key(hostname) && self.heir(&record.name, hostname).is_some())
    }

    /// Whether any hostname is.
    pub(super) fn is_handing_over(&self, record: &TunnelRecord) -> bool {
        let want = self.input.desired.tunnels.get(&record.name);
        let mut unwanted = record.dns.keys().filter(|hostname| want.is_none_or(|want| !want.hostnames.contains(*hostname)));
        !record.parting.is_empty() || unwanted.any(|hostname| self.heir(&record.name, hostname).is_some())
    }

    /// The tunnel that wants a hostname besides this one.
    pub(super) fn heir(&self, tunnel: &TunnelName, hostname: &Hostname) -> Option<&'a TunnelName> {
        let wanted_by = self.wanted_by.get_or_init(|| wanted_by(self.input.desired));
        wanted_by.get(hostname).copied().filter(|heir| *heir != tunnel)
    }

    /// Puts on record which configuration is in force, where nothing else does: the rules of hostnames that leave later come from it.
    pub(super) fn note_document(&mut self, name: &TunnelName, want: &'a DesiredTunnel) {
        if self.standing.get(name) == Some(&Standing::Held) {
            return;
        }
        let Some(record) = self.records.get(name).filter(|record| record.fate != Fate::Delete) else { return };
        let in_force = self.in_force(name, want);
        let is_there = match want.source {
            ConfigurationSource::Local => true,
            ConfigurationSource::Remote => record.written.as_ref().is_some_and(|written| written.sha256 == in_force.sha256),
        };
        let is_noted = || record.document.as_ref().is_some_and(|kept| kept.is(&in_force.document));
        if is_there && !is_noted() {
            self.steps.push(Step::NoteDocument { tunnel: name.clone(), document: in_force.document.into_owned() });
        }
    }
}

/// Which tunnel wants which hostname. A configuration names each once.
pub(super) fn wanted_by(desired: &crate::desired::Desired) -> BTreeMap<&Hostname, &TunnelName> {
    let tunnels = desired.tunnels.iter();
    tunnels.flat_map(|(name, want)| want.hostnames.iter().map(move |hostname| (hostname, name))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn document(hostnames: &[&str]) -> Value {
        let mut ingress: Vec<Value> =
            hostnames.iter().map(|hostname| json!({ "hostname": hostname, "service": "http://localhost:80" })).collect();
        ingress.push(json!({ "service": "http_status:404" }));
        json!({ "ingress": ingress })
    }

    fn merged(wanted: &[&str], before: &[&str], leaving: &[&str]) -> Vec<String> {
        let leaves = |hostname: &Hostname| leaving.contains(&hostname.as_str());
        let (wanted, before) = (document(wanted), document(before));
        let merged = with_parting_rules(&wanted, Some(&before), leaves);
        rules(&merged).unwrap().iter().filter_map(|rule| Some(rule.get("hostname")?.as_str()?.to_owned())).collect()
    }

    #[test]
    fn a_rule_that_stays_keeps_its_place_so_that_nothing_else_changes() {
        let all = ["a.example.com", "b.example.com", "c.example.com"];
        assert_eq!(merged(&["a.example.com", "c.example.com"], &all, &["b.example.com"]), all);
        assert_eq!(merged(&["b.example.com", "c.example.com"], &all, &["a.example.com"]), all);
        assert_eq!(merged(&[], &all, &all), all);
        assert_eq!(merged(&["a.example.com"], &all, &[]), ["a.example.com"]);
    }

    #[test]
    fn a_rule_that_stays_hides_no_wanted_one_and_is_hidden_by_none() {
        let wild = "*.example.com";
        let merged_wild = merged(&["a.example.com", "new.example.com"], &["a.example.com", wild], &[wild]);
        assert_eq!(merged_wild, ["a.example.com", "new.example.com", wild]);
        assert_eq!(merged(&[wild], &["a.example.com"], &["a.example.com"]), ["a.example.com", wild]);
    }

    #[test]
    fn without_anything_that_leaves_the_wanted_document_is_in_force() {
        let wanted = document(&["a.example.com"]);
        assert!(matches!(with_parting_rules(&wanted, Some(&document(&["b.example.com"])), |_| false), Cow::Borrowed(_)));
        assert!(matches!(with_parting_rules(&wanted, None, |_| true), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn every_wanted_rule_stays_in_its_order_and_the_catch_all_is_last(
            wanted in proptest::sample::subsequence(vec!["a.x.org", "b.x.org", "c.x.org", "*.x.org"], 0..=4),
            before in proptest::sample::subsequence(vec!["b.x.org", "d.x.org", "a.x.org", "*.x.org"], 0..=4),
        ) {
            let (wanted, before) = (document(&wanted), document(&before));
            let merged = with_parting_rules(&wanted, Some(&before), |_| true).into_owned();
            let merged = rules(&merged).unwrap();
            let kept: Vec<&Value> = merged.iter().filter(|rule| rules(&wanted).unwrap().contains(rule)).collect();
            prop_assert_eq!(kept, rules(&wanted).unwrap().iter().collect::<Vec<_>>());
            prop_assert!(hostname_of(merged.last().unwrap()).is_none());
            for (at, rule) in merged.iter().enumerate() {
                let Some(hostname) = hostname_of(rule) else { continue };
                let hidden = merged[..at].iter().filter_map(hostname_of).any(|other| other.matches(hostname.as_str()));
                prop_assert!(!hidden, "{} can never match in {:?}", hostname, merged);
            }
        }
    }
}
