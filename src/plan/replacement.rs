//! A tunnel whose configuration comes to live elsewhere: Cloudflare cannot change that in place, so another tunnel takes its place.
//!
//! ```text
//!  web (remote) ── retire ──▶ web~1 (remote): goes on ── its hostnames move ──▶ grace period ──▶ drains ──▶ deleted
//!                             web (local): made, its connectors start, get ready ──▲
//! ```
//!
//! When the configuration goes back before the end, the tunnel that was there first is taken again, and the other one retires.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{ForgetReason, HoldCode, Known, Planner, Release, Step};
use crate::{
    config::Ownership,
    desired::DesiredTunnel,
    name::TunnelName,
    observed::Part,
    record::{ConfigurationSource, Fate, TunnelRecord},
};

/// How long a tunnel that has been replaced waits for its connectors to finish their requests: the longest grace period that
/// cloudflared takes (three minutes), and what stopping takes.
pub const DRAIN_MAX: SignedDuration = SignedDuration::from_secs(210);

impl Planner<'_> {
    /// A tunnel that was about to be retired by a daemon that crashed is on record twice. It is one tunnel, and lives on under the
    /// name that people gave; whether it retires is decided anew.
    pub(super) fn forget_twins(&mut self) {
        let derived: Vec<TunnelName> = self.records.keys().filter(|name| name.is_derived()).cloned().collect();
        if derived.is_empty() {
            return;
        }
        let mut counts = secrets(self.input.records.in_account(self.input.account_id));
        for name in derived {
            let left = counts.get_mut(self.records[&name].secret.expose()).expect("every secret is counted");
            if *left > 1 {
                *left -= 1;
                self.records.remove(&name);
                self.steps.push(Step::ForgetTunnel { tunnel: name });
            }
        }
    }

    /// Whether a record is left over from a rename that crashed: the tunnel lives on under its other name.
    pub(super) fn lives_on(&self, record: &TunnelRecord) -> bool {
        let twins = || {
            let counts = secrets(self.records.values().map(|known| &**known));
            let is_twin = |known: &&Known<'_>| counts[known.secret.expose()] > 1;
            self.records.values().filter(is_twin).map(|known| known.name.clone()).collect()
        };
        self.twins.get_or_init(twins).contains(&record.name)
    }

    /// Retires each tunnel that was made with another place for its configuration than is wanted now.
    pub(super) fn replace_tunnels(&mut self) {
        let input = self.input;
        let mut retiring: BTreeMap<TunnelName, Vec<TunnelName>> = BTreeMap::new();
        for record in self.records.values().filter(|record| record.fate == Fate::Retiring) {
            retiring.entry(record.name.given()).or_default().push(record.name.clone());
        }
        for (name, want) in &input.desired.tunnels {
            if matches!(input.observed.tunnels, Part::Gap(_)) || input.records.held.contains_key(name) {
                continue;
            }
            match self.records.get(name) {
                Some(record) if record.fate == Fate::Delete || record.source == want.source => continue,
                Some(record) if !may_be_replaced(record, want) => continue,
                Some(record) => {
                    let from = record.source;
                    let retired = name.derive(|name| {
                        let held = input.records.held.contains_key(name);
                        held || self.records.contains_key(name) || input.records.tunnels.contains_key(name)
                    });
                    self.take_name(name, &retired, Fate::Retiring);
                    self.steps.push(Step::RetireTunnel { tunnel: name.clone(), retired, from, to: want.source });
                }
                None => {}
            }
            if input.records.tunnels.get(name).is_none_or(|record| record.account_id == *input.account_id) {
                let former = retiring.get(name).map(Vec::as_slice).unwrap_or_default();
                self.take_former_back(name, want.source, former);
            }
        }
    }

    /// A tunnel that retires and is what is wanted again, takes its name back: nothing has to be made.
    fn take_former_back(&mut self, name: &TunnelName, source: ConfigurationSource, retiring: &[TunnelName]) {
        let is_former = |record: &Known<'_>| record.id.is_some() && record.draining_since.is_none() && record.source == source;
        if let Some(former) = retiring.iter().find(|former| self.records.get(former).is_some_and(is_former)) {
            self.take_name(former, name, Fate::Keep);
            self.steps.push(Step::RenameTunnel { from: former.clone(), tunnel: name.clone() });
        }
    }

    /// What is known under one name is known under another from here on.
    pub(super) fn take_name(&mut self, from: &TunnelName, to: &TunnelName, fate: Fate) {
        if let Some(mut record) = self.records.remove(from) {
            let changed = record.change();
            (changed.name, changed.fate) = (to.clone(), fate);
            self.records.insert(to.clone(), record);
        }
        if self.reported.contains_key(from) {
            let reported = self.reported.to_mut();
            if let Some(version) = reported.remove(from) {
                reported.insert(to.clone(), version);
            }
        }
    }

    /// Lets a retired tunnel go when nothing leads to it any more and nobody uses it.
    pub(super) fn retire(&mut self, record: &TunnelRecord) {
        let input = self.input;
        let given = record.name.given();
        let want = input.desired.tunnels.get(&given);
        if self.is_left_behind(record) {
            return self.notes.push(super::tunnels::left_behind(record));
        }
        if want.is_none() && !input.desired.held.contains_key(&given) {
            return self.delete_tunnel(record);
        }
        for (hostname, dns) in &record.dns {
            let handed_over = self.hand_over(&record.name, hostname, dns).is_some();
            let is_foreign = want.is_some_and(|want| want.foreign_hostnames.contains(hostname));
            match (handed_over, want) {
                (true, _) | (false, None) => {}
                (false, Some(_)) if is_foreign => self.forget(&record.name, hostname, ForgetReason::HandedOver),
                (false, Some(_)) => {
                    let (Release::Done | Release::Blocked) = self.release(record, hostname, dns);
                }
            }
        }
        if !record.dns.is_empty() || !record.private_routes.is_empty() || !record.parting.is_empty() {
            return;
        }
        match (&record.id, record.draining_since) {
            (None, _) => self.delete_tunnel(record),
            (Some(_), None) => self.steps.push(Step::DrainTunnel { tunnel: record.name.clone() }),
            (Some(_), Some(_)) => self.delete_tunnel(record),
        }
    }

    /// Whether what a retired tunnel has at Cloudflare stays until somebody asks for its deletion, as that of the tunnel that took its
    /// place does: the configuration has that no longer.
    pub(super) fn is_left_behind(&self, record: &TunnelRecord) -> bool {
        let given = record.name.given();
        let desired = self.input.desired;
        let has_left = !desired.tunnels.contains_key(&given) && !desired.held.contains_key(&given);
        let successor = self.records.get(&given).filter(|_| record.fate == Fate::Retiring && has_left);
        successor.is_some_and(|successor| successor.fate != Fate::Delete)
    }

    /// Whether private routes and virtual networks of a tunnel have to be out of the way, because it is to be deleted.
    pub(super) fn is_ending(&self, record: &TunnelRecord) -> bool {
        record.fate.is_ending() && !self.is_left_behind(record)
    }

    /// Whether the connectors of a tunnel that was replaced had all the time that they get.
    pub(super) fn drained_for_long(&self, record: &TunnelRecord) -> bool {
        let ends_at = record.draining_since.and_then(|since| since.checked_add(DRAIN_MAX).ok());
        ends_at.is_some_and(|ends_at| self.input.now >= ends_at)
    }

    /// Whether the connectors of a tunnel that is to go may still finish requests; with a hold that says until when.
    pub(super) fn drains(&mut self, record: &TunnelRecord) -> bool {
        let (Some(id), Some(since)) = (&record.id, record.draining_since) else { return false };
        let listed = self.input.observed.tunnels.complete().and_then(|tunnels| tunnels.get(id));
        let connected = listed.is_some_and(|tunnel| matches!(tunnel.status.as_str(), "healthy" | "degraded"));
        let ends_at = since.checked_add(DRAIN_MAX).unwrap_or(Timestamp::MAX);
        if !connected || self.input.now >= ends_at {
            return false;
        }
        self.wake_at(ends_at);
        let why = format!("its connectors finish their requests before it is deleted, at the latest at {ends_at:.0}");
        self.hold_tunnel(&record.name, HoldCode::Draining, why);
        true
    }

    /// The plan is worth making again at `at`, although nothing happens.
    pub(super) fn wake_at(&mut self, at: Timestamp) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

/// Whether another tunnel can take the place of this one: its pool leads to it alone, and what others share is theirs as well.
fn may_be_replaced(record: &TunnelRecord, want: &DesiredTunnel) -> bool {
    record.balancing.is_empty() && record.shared.is_none() && want.ownership == Ownership::Owned
}

/// How many records have each secret.
fn secrets<'r>(records: impl Iterator<Item = &'r TunnelRecord>) -> BTreeMap<&'r str, usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(record.secret.expose()).or_default() += 1;
    }
    counts
}
