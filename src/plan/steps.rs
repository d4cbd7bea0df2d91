//! The steps of a plan while it is made.

use std::{collections::BTreeSet, ops::Deref};

use super::{ForgetReason, NetworkStep, Step};
use crate::{
    id::RouteId,
    name::{Hostname, TunnelName},
};

/// The steps so far, and what is asked of them so often that it is found at once.
#[derive(Debug, Default)]
pub(super) struct Steps {
    all: Vec<Step>,
    moving: BTreeSet<Hostname>,
    losing: BTreeSet<TunnelName>,
    taken_routes: BTreeSet<RouteId>,
    moved_routes: BTreeSet<RouteId>,
}

impl Steps {
    /// One more.
    pub(super) fn push(&mut self, step: Step) {
        self.losing.extend(step.moves_from().cloned());
        if let Step::MoveRecord { hostname, .. } = &step {
            self.moving.insert(hostname.clone());
        }
        if let Step::ForgetRecord { tunnel, why: ForgetReason::Moved, .. } | Step::EndParting { tunnel, .. } = &step {
            self.losing.insert(tunnel.clone());
        }
        if let Step::Network(NetworkStep::TakeRoute { route_id, .. }) = &step {
            self.taken_routes.insert(route_id.clone());
        }
        if let Step::Network(NetworkStep::MoveRoute { route_id, .. }) = &step {
            self.moved_routes.insert(route_id.clone());
        }
        self.all.push(step);
    }

    /// Whether the DNS record of a hostname moves.
    pub(super) fn moves_record(&self, hostname: &Hostname) -> bool {
        self.moving.contains(hostname)
    }

    /// Whether something leaves a tunnel for another one, or has just done so for good.
    pub(super) fn takes_from(&self, tunnel: &TunnelName) -> bool {
        self.losing.contains(tunnel)
    }

    /// Whether a private route goes on record.
    pub(super) fn takes_route(&self, id: &RouteId) -> bool {
        self.taken_routes.contains(id)
    }

    /// Whether a private route moves.
    pub(super) fn moves_route(&self, id: &RouteId) -> bool {
        self.moved_routes.contains(id)
    }

    /// All of them, in the order of a plan.
    pub(super) fn into_order(self) -> Vec<Step> {
        let mut steps = self.all;
        // Stable, so that within one rank the order of names stays.
        steps.sort_by_key(|step| step.facts().rank);
        steps
    }
}

impl Deref for Steps {
    type Target = [Step];

    fn deref(&self) -> &[Step] {
        &self.all
    }
}
