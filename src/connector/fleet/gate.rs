//! What a slot asks before it starts again after a failure.

use std::time::Instant;

use super::{Fleet, budget::LOOPING};
use crate::connector::{Reason, SlotId};

/// One slot's way to the fleet's rules.
#[derive(Debug)]
pub struct Gate<'a> {
    fleet: &'a mut Fleet,
    slot: &'a SlotId,
}

/// Why a start has to wait, and until when at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connector) enum Refusal {
    /// Others start at this moment.
    Busy(Instant),
    /// Nobody reaches the edge, and another one is tried.
    NoUplink(Instant),
}

impl Refusal {
    /// When to ask again.
    pub(in crate::connector) fn until(self) -> Instant {
        match self {
            Self::Busy(until) | Self::NoUplink(until) => until,
        }
    }
}

impl<'a> Gate<'a> {
    pub(super) fn new(fleet: &'a mut Fleet, slot: &'a SlotId) -> Self {
        Self { fleet, slot }
    }

    /// Lets the slot start after `failures` failures in a row, or makes it wait. An exit after a good run passes whatever the uplink
    /// is like.
    pub(in crate::connector) fn admit(&mut self, failures: u32, now: Instant) -> Result<(), Refusal> {
        let fleet = &mut *self.fleet;
        if failures >= LOOPING
            && let Some(hold) = &mut fleet.hold
        {
            hold.admit(self.slot, now, &mut fleet.rng).map_err(Refusal::NoUplink)?;
        }
        fleet.budget.take(&self.slot.tunnel, failures, now).map_err(Refusal::Busy)
    }
}

/// Why a slot waits that was refused with [`Refusal::NoUplink`].
pub(in crate::connector) fn no_uplink() -> Reason {
    Reason::new(
        "no-uplink",
        "no connector of this host reaches Cloudflare's edge; one is tried every minute, the others wait until the edge answers",
    )
}
