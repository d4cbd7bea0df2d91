//! No uplink at all: starts that have failed again and again wait, all but one.
//!
//! The hold only ever delays, and only starts of connectors that crash in a loop; a process that runs goes on trying by itself.
//! Whoever gets a connection ends it, and so does the edge when it answers.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rand::{RngExt, rngs::SmallRng};

use crate::{backoff::STEP_MAX, connector::SlotId};

/// No connection on the whole host for this long is more than connectors that take their time.
pub(super) const HOLD_AFTER: Duration = Duration::from_secs(5);
/// Those who wait for the canary's place ask for it within this time after it is free, in no order.
const ASK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Hold {
    /// The slot that may start all the same.
    canary: Option<SlotId>,
    /// When another may: at the pace at which one connector alone would try.
    next_at: Instant,
    /// The slots that were told to wait.
    held: BTreeSet<SlotId>,
}

impl Hold {
    pub(super) fn new(now: Instant) -> Self {
        Self { canary: None, next_at: now, held: BTreeSet::new() }
    }

    /// Lets a slot start as the canary, or says when it may ask again.
    pub(super) fn admit(&mut self, slot: &SlotId, now: Instant, rng: &mut SmallRng) -> Result<(), Instant> {
        if self.canary.as_ref() == Some(slot) {
            return Ok(()); // it has not got as far as starting
        }
        if now < self.next_at {
            self.held.insert(slot.clone());
            return Err(self.next_at + rng.random_range(Duration::ZERO..=ASK_AGAIN));
        }
        self.held.remove(slot);
        self.canary = Some(slot.clone());
        self.next_at = now + rng.random_range(STEP_MAX / 2..=STEP_MAX);
        Ok(())
    }

    /// The slot's process ended, or the slot is not wanted any more: it is the canary no longer.
    pub(super) fn vacate(&mut self, slot: &SlotId) {
        if self.canary.as_ref() == Some(slot) {
            self.canary = None;
        }
    }

    /// The slot that may start all the same, at this time.
    #[cfg(test)]
    pub(super) fn canary(&self) -> Option<&SlotId> {
        self.canary.as_ref()
    }

    /// Those who wait for its end.
    pub(super) fn into_held(self) -> BTreeSet<SlotId> {
        self.held
    }
}
