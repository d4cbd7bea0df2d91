//! Tells what changed between two passes: holds, conflicts, and the whole view.

use std::{collections::BTreeSet, sync::Arc};

use super::worker::Worker;
use crate::{
    desired::{Desired, Intended, desired},
    event::{AccountView, ProvisioningEvent, WaitingPlan},
    id::AccountId,
    name::{AccountName, TunnelName},
    observed::Observed,
    orphan,
    plan::{Conflict, Hold, Plan, view},
};

/// What the last pass saw. What it went by is worked out again by whoever needs it, as that takes more room than what people want.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) account_id: Option<AccountId>,
    pub(super) intended: Arc<Intended>,
    pub(super) observed: Observed,
    pub(super) plan: Plan,
    pub(super) waiting: Option<WaitingPlan>,
}

impl Seen {
    /// What the pass went by.
    pub(super) fn desired(&self, account: &AccountName) -> Desired {
        desired(&self.intended, account)
    }
}

impl Worker {
    /// Tells which holds and conflicts began and ended. A hold whose sentence changes goes on.
    pub(super) fn tell_obstacles(&mut self) {
        let Some(seen) = self.seen.clone() else { return };
        let (holds, conflicts) = (&seen.plan.holds, &seen.plan.conflicts);
        let is_in = |hold: &Hold, all: &[Hold]| all.iter().any(|other| other.scope == hold.scope && other.code == hold.code);
        let stands = |conflict: &Conflict, all: &[Conflict]| all.iter().any(|other| same_name(conflict, other));
        for hold in self.holds.iter().filter(|hold| !is_in(hold, holds)) {
            self.shared.events.tell(ProvisioningEvent::HoldEnded { account: self.account.clone(), hold: hold.clone() });
        }
        for hold in holds.iter().filter(|hold| !is_in(hold, &self.holds)) {
            self.shared.events.tell(ProvisioningEvent::HoldBegan { account: self.account.clone(), hold: hold.clone() });
        }
        for conflict in self.conflicts.iter().filter(|conflict| !stands(conflict, conflicts)) {
            let (account, conflict) = (self.account.clone(), conflict.clone());
            self.shared.events.tell(ProvisioningEvent::ConflictEnded { account, conflict });
        }
        for conflict in conflicts.iter().filter(|conflict| !stands(conflict, &self.conflicts)) {
            let (account, conflict) = (self.account.clone(), conflict.clone());
            self.shared.events.tell(ProvisioningEvent::ConflictBegan { account, conflict });
        }
        self.holds = holds.clone();
        self.conflicts = conflicts.clone();
        // A name that somebody else holds is asked about before it is tried again.
        for hostname in conflicts.iter().filter_map(Conflict::hostname) {
            self.memory.contest(hostname);
        }
    }

    /// Tells all that is known of the account, if that changed: by what the last pass saw, what is on record, and what the
    /// connectors run. `desired` is what the last pass went by.
    pub(super) fn tell_view(&mut self, desired: &Desired) {
        let Some(seen) = self.seen.clone() else { return };
        let basis = self.basis();
        let stopped: BTreeSet<TunnelName> = self.in_force.borrow().stops.keys().cloned().collect();
        let tunnels = seen
            .account_id
            .as_ref()
            .map(|account_id| view(&basis.input(account_id, desired, &seen.observed), &seen.plan, &stopped));
        let zones = seen.observed.zones.complete().map(Vec::as_slice).unwrap_or_default();
        let client = self.shared.clients.borrow().get(&self.account).and_then(|client| client.clone().ok());
        // What could not be read is as it was seen last.
        let last_drift = self.told.as_ref().filter(|_| seen.observed.tunnels.gap().is_some()).map(|told| told.drift.clone());
        let known = AccountView {
            account_id: seen.account_id.clone(),
            credential: self.credential.clone(),
            tunnels: tunnels.unwrap_or_default(),
            holds: seen.plan.holds.clone(),
            conflicts: seen.plan.conflicts.clone(),
            zones: zones.iter().map(|zone| zone.name.clone()).collect(),
            waiting: seen.waiting.clone(),
            rate_limit_remaining: client.and_then(|client| client.budget().remaining),
            orphans: seen.account_id.as_ref().map_or(0, |id| orphan::count(basis.records(), id, &seen.observed)),
            drift: last_drift.unwrap_or_else(|| seen.plan.drift()),
            rogue_connectors: self.memory.census.counts(),
        };
        if self.told.as_deref() != Some(&known) {
            let view = Arc::new(known);
            self.told = Some(view.clone());
            self.shared.events.tell(ProvisioningEvent::Seen { account: self.account.clone(), view });
        }
    }
}

/// Whether two conflicts are about one name.
fn same_name(one: &Conflict, other: &Conflict) -> bool {
    one.tunnel() == other.tunnel() && one.hostname() == other.hostname() && one.rule() == other.rule()
}
