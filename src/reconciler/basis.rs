//! What a plan is made from beside what was read: what is on record, and what is known of the connectors.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Reported, worker::Worker};
use crate::{
    desired::Desired,
    id::AccountId,
    name::{AccountName, Hostname, TunnelName},
    observed::Observed,
    plan::{Input, Rotations},
    record::Records,
};

/// What is known at one moment. While it is held, whoever changes a record copies all of them.
pub(super) struct Basis<'a> {
    account: &'a AccountName,
    records: Arc<Records>,
    reported: Arc<Reported>,
    contested: BTreeSet<Hostname>,
    behind: BTreeMap<TunnelName, Timestamp>,
    rotations: Rotations,
    now: Timestamp,
}

impl Worker {
    /// What is known now.
    pub(super) fn basis(&self) -> Basis<'_> {
        Basis {
            account: &self.account,
            records: self.shared.ledger.records(),
            reported: self.reported(),
            contested: self.memory.contested(),
            behind: self.memory.behind(),
            rotations: self.rotations(),
            now: self.shared.clock.now(),
        }
    }
}

impl Basis<'_> {
    /// What is on record.
    pub(super) fn records(&self) -> &Records {
        &self.records
    }

    /// With what is wanted and what was read.
    pub(super) fn input<'a>(&'a self, account_id: &'a AccountId, desired: &'a Desired, observed: &'a Observed) -> Input<'a> {
        Input {
            account: self.account,
            account_id,
            desired,
            observed,
            records: &self.records,
            reported: &self.reported,
            contested: &self.contested,
            behind: &self.behind,
            now: self.now,
            rotations: &self.rotations,
        }
    }
}
