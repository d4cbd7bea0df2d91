//! Our rules among those of others, in one configuration. Pure.
//!
//! ```text
//!  found:   [theirs 1] [ours a] [theirs 2] [ours b] [theirs: everything else]
//!  wanted:             a changed           c in the place of b
//!  written: [theirs 1] [ours a'] [theirs 2] [ours c] [theirs: everything else]
//! ```
//!
//! Laws: every rule that is not ours stays as it was, byte for byte and in order; a rule of ours never takes the place of one
//! that somebody else wrote, and never takes all requests of one that had some; what was merged is left as it is by the next
//! merge.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::document::{Document, Rule, place};
use crate::{
    desired::fingerprint,
    name::TunnelName,
    record::{OwnRule, RulePlace},
};

/// What answers when no rule of anybody matches, in a configuration that had no rules at all.
const NO_ROUTE: &str = "http_status:404";

/// A configuration with our rules in it.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The whole of it.
    pub document: Document,
    /// Which rules are ours once it is written.
    pub rules: Vec<OwnRule>,
    /// What differs from what was found, in the order of the configuration; empty when nothing has to be written.
    pub changes: Vec<RuleChange>,
    /// Wanted rules that somebody else's stand in the way of. They are not written.
    pub conflicts: Vec<RuleConflict>,
    /// Whether somebody else changed or removed a rule of ours.
    pub edited: bool,
}

/// What becomes of a rule of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// Which.
    #[serde(flatten)]
    pub place: RulePlace,
    /// What.
    pub change: RuleChangeKind,
}

/// What becomes of a rule of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleChangeKind {
    /// It is put in.
    Added,
    /// It gets another content.
    Changed,
    /// It goes to another place in the order.
    Moved,
    /// It is taken out.
    Removed,
}

impl fmt::Display for RuleChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change {
            RuleChangeKind::Added => write!(formatter, "+ {}", self.place),
            RuleChangeKind::Changed => write!(formatter, "~ {}", self.place),
            RuleChangeKind::Moved => write!(formatter, "~ {} (order)", self.place),
            RuleChangeKind::Removed => write!(formatter, "- {}", self.place),
        }
    }
}

/// A wanted rule that is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleConflict {
    /// Which.
    pub place: RulePlace,
    /// The text of the rule in its way.
    pub theirs: String,
    /// Why it is in its way.
    pub why: &'static str,
}

/// A rule in the list that is being made.
#[derive(Clone)]
struct Entry {
    rule: Rule,
    /// Which of the wanted rules it is, when it is one of ours.
    own: Option<usize>,
}

/// Puts the `wanted` rules, in their order, into what was `found`, of which `ours` is ours.
pub fn merge(found: &Document, ours: &[OwnRule], wanted: &[Value]) -> Merged {
    let mut merge = Merge::sort_out(found, ours, wanted);
    // From the last to the first, each before the later ones of ours that it shares requests with.
    for index in (0..wanted.len()).rev() {
        merge.settle(index);
    }
    merge.finish(ours)
}

struct Merge<'a> {
    found: &'a Document,
    wanted: Vec<Rule>,
    entries: Vec<Entry>,
    changes: Vec<RuleChange>,
    conflicts: Vec<RuleConflict>,
    edited: bool,
}

impl<'a> Merge<'a> {
    /// Tells our rules from those of others, takes out what is not wanted any more and changes what is wanted otherwise.
    fn sort_out(found: &'a Document, ours: &[OwnRule], wanted: &[Value]) -> Self {
        let wanted: Vec<Rule> = wanted.iter().map(Rule::of).collect();
        let mut merge = Self { found, wanted, entries: Vec::new(), changes: Vec::new(), conflicts: Vec::new(), edited: false };
        let mut left: Vec<&OwnRule> = ours.iter().collect();
        for rule in &found.rules {
            // A rule whose change was never confirmed is on record as it was and as it was sent.
            let here = |own: &&&OwnRule| rule.place.as_ref() == Some(&own.place);
            let as_left = left.iter().filter(here).find(|own| is_as_left(own, rule));
            let own = as_left.or_else(|| left.iter().filter(here).find(|own| own.stored_sha256.is_some())).copied();
            match own {
                Some(own) => {
                    merge.take(own, rule);
                    left.retain(|left| left.place != own.place);
                }
                None => merge.entries.push(Entry { rule: rule.clone(), own: None }),
            }
        }
        // What was written and is not there was taken out by somebody.
        merge.edited |= left.iter().any(|own| own.stored_sha256.is_some() && merge.wants(&own.place).is_some());
        merge
    }

    /// A rule of ours that was found.
    fn take(&mut self, own: &OwnRule, rule: &Rule) {
        let as_stored = is_as_left(own, rule);
        match self.wants(&own.place) {
            // Whoever changed a rule that we want no longer has made it theirs.
            None if !as_stored => self.entries.push(Entry { rule: rule.clone(), own: None }),
            None => self.changes.push(RuleChange { place: own.place.clone(), change: RuleChangeKind::Removed }),
            Some(index) => {
                self.edited |= !as_stored;
                let wanted = &self.wanted[index];
                let is_fine = as_stored && own.sha256 == wanted.sha256;
                let rule = if is_fine { rule.clone() } else { wanted.clone() };
                if !is_fine {
                    self.changes.push(RuleChange { place: own.place.clone(), change: RuleChangeKind::Changed });
                }
                self.entries.push(Entry { rule, own: Some(index) });
            }
        }
    }

    fn wants(&self, place: &RulePlace) -> Option<usize> {
        self.wanted.iter().position(|rule| rule.place.as_ref() == Some(place))
    }

    /// Puts a wanted rule where it is reached, unless somebody else's stands in its way.
    fn settle(&mut self, index: usize) {
        let rule = self.wanted[index].clone();
        let current = self.entries.iter().position(|entry| entry.own == Some(index));
        let theirs = |entry: &&Entry| entry.own.is_none() && entry.rule.place == rule.place;
        if current.is_none()
            && let Some(entry) = self.entries.iter().find(theirs)
        {
            let theirs = entry.rule.text.get().to_owned();
            return self.conflict(&rule, theirs, "somebody else wrote a rule for the same requests");
        }
        let behind = |entry: &Entry| match entry.own {
            None => entry.rule.hides(&rule),
            Some(other) => other != index && (entry.rule.hides(&rule) || (other > index && entry.rule.overlaps(&rule))),
        };
        let limit = self.entries.iter().position(behind).unwrap_or(self.entries.len());
        if current.is_some_and(|current| current < limit) {
            return;
        }
        if let Some(hidden) = self.would_hide(&rule, limit) {
            return self.conflict(&rule, hidden, "it would take all requests of somebody else's rule");
        }
        let (rule, change) = match current {
            Some(current) => (self.entries.remove(current).rule, RuleChangeKind::Moved),
            None => (rule, RuleChangeKind::Added),
        };
        self.note(&rule, change);
        self.entries.insert(limit, Entry { rule, own: Some(index) });
    }

    /// The text of a rule of others that has requests, and would have none behind `rule` at this place in the list.
    fn would_hide(&self, rule: &Rule, at: usize) -> Option<String> {
        let theirs = self.entries[at..].iter().filter(|entry| entry.own.is_none() && rule.hides(&entry.rule));
        let mut reached = theirs.filter(|entry| {
            let is_it = |found: &&Rule| found.text.get() == entry.rule.text.get();
            !self.found.rules.iter().take_while(|found| !is_it(found)).any(|former| former.hides(&entry.rule))
        });
        reached.next().map(|entry| entry.rule.text.get().to_owned())
    }

    fn note(&mut self, rule: &Rule, change: RuleChangeKind) {
        let place = rule.place.clone().expect("a rule of ours has a hostname and a path");
        if !self.changes.iter().any(|known| known.place == place) {
            self.changes.push(RuleChange { place, change });
        }
    }

    fn conflict(&mut self, rule: &Rule, theirs: String, why: &'static str) {
        let place = rule.place.clone().expect("a rule of ours has a hostname and a path");
        self.conflicts.push(RuleConflict { place, theirs, why });
    }

    fn finish(mut self, ours: &[OwnRule]) -> Merged {
        // What has no rule for every request at its end is no configuration; the rule is everybody's from then on.
        if !self.entries.last().is_some_and(|entry| entry.rule.is_catch_all()) && !self.changes.is_empty() {
            let rule = Rule::of(&serde_json::json!({ "service": NO_ROUTE }));
            self.entries.push(Entry { rule, own: None });
        }
        let mut placed: Vec<usize> = self.entries.iter().filter_map(|entry| entry.own).collect();
        placed.sort_unstable();
        let rules = placed.into_iter().map(|index| {
            let rule = &self.wanted[index];
            let place = rule.place.clone().expect("a rule of ours has a hostname and a path");
            let former = ours.iter().find(|own| own.place == place && own.sha256 == rule.sha256);
            OwnRule { stored_sha256: former.and_then(|former| former.stored_sha256.clone()), sha256: rule.sha256.clone(), place }
        });
        let rules = rules.collect();
        let entries = std::mem::take(&mut self.entries);
        let mut document = self.found.clone();
        document.rules = entries.into_iter().map(|entry| entry.rule).collect();
        self.conflicts.reverse();
        Merged { document, rules, changes: self.changes, conflicts: self.conflicts, edited: self.edited }
    }
}

/// Whether a rule is as we left it: as it was stored, or as it was sent when that was never confirmed.
fn is_as_left(own: &OwnRule, rule: &Rule) -> bool {
    if let Some(stored) = &own.stored_sha256 {
        return *stored == rule.sha256;
    }
    let sent: Result<Value, _> = serde_json::from_str(rule.text.get());
    sent.is_ok_and(|rule| own.sha256 == fingerprint(&only_known(&rule)))
}

/// A rule without what Cloudflare may add to it.
fn only_known(rule: &Value) -> Value {
    let known = ["hostname", "path", "service", "originRequest"];
    let entries = rule.as_object().into_iter().flatten().filter(|(key, _)| known.contains(&key.as_str()));
    Value::Object(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// A change of our rules for a person.
pub(super) fn describe_rules(tunnel: &TunnelName, changes: &[RuleChange]) -> String {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    if changes.is_empty() {
        return format!(
            "rules of {tunnel} in its shared configuration: note which stand there, and what is in the way of others"
        );
    }
    format!("rules of {tunnel} in its shared configuration: {}; others' rules stay as they are", changes.join(", "))
}

/// The rules of `wanted` that stand in `found` just as they are wanted: what an operator who adopts the tunnel makes ours.
pub fn already_there(found: &Document, wanted: &[Value]) -> Vec<OwnRule> {
    let there = wanted.iter().filter_map(|rule| {
        let place = place(rule)?;
        let first = found.rules.iter().find(|found| found.place.as_ref() == Some(&place))?;
        let value: Value = serde_json::from_str(first.text.get()).ok()?;
        let same = fingerprint(&only_known(&value)) == fingerprint(rule);
        same.then(|| OwnRule { place, sha256: fingerprint(rule), stored_sha256: Some(first.sha256.clone()) })
    });
    there.collect()
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
