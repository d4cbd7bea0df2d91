//! How many starts the whole host makes: after failures, after an outage, and at once.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    backoff::RestartBudget,
    connector::{Generation, SlotId},
    name::TunnelName,
};

/// How many processes may be between their start and their first answer. cloudflared spends most of its start on the processor:
/// five at once answer within 225 ms on four cores (`facts/cloudflared.md` 9), more only take longer, all of them.
const STARTING_MAX: usize = 5;
/// A process that has not answered by then makes room for the next all the same: with slow DNS the first answer takes 30 s.
const STARTING_TIME_MAX: Duration = Duration::from_millis(250);

/// Restarts after failures, shared fairly.
///
/// A crash-looping tunnel takes no more than half of what there is: it leaves half of the bucket to those that fail for the first
/// time, and half of the rate to other tunnels that crash as well.
#[derive(Debug)]
pub(super) struct FairBudget {
    bucket: RestartBudget,
    /// When a tunnel that crashes again and again may start a connector next.
    tunnels: BTreeMap<TunnelName, Instant>,
}

impl FairBudget {
    pub(super) fn new(now: Instant) -> Self {
        Self { bucket: RestartBudget::after_failures(now), tunnels: BTreeMap::new() }
    }

    pub(super) fn resize(&mut self, connectors: usize, now: Instant) {
        self.bucket.resize(connectors, now);
        self.tunnels.retain(|_, at| *at > now);
    }

    /// Takes a start of a connector of `tunnel` that has failed `failures` times in a row, or says when there may be one.
    pub(super) fn take(&mut self, tunnel: &TunnelName, failures: u32, now: Instant) -> Result<(), Instant> {
        if failures < LOOPING {
            return self.bucket.take(now);
        }
        if let Some(at) = self.tunnels.get(tunnel).filter(|at| **at > now) {
            return Err(*at);
        }
        self.bucket.take_beyond_half(now)?;
        self.tunnels.insert(tunnel.clone(), now + self.bucket.interval() * 2);
        Ok(())
    }
}

/// From so many failures in a row on a connector counts as crashing in a loop.
pub(super) const LOOPING: u32 = 2;

/// The processes that have been started and not answered yet.
#[derive(Debug, Default)]
pub(super) struct Starting(BTreeMap<(SlotId, Generation), Instant>);

impl Starting {
    /// Whether another may be started.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        self.0.retain(|_, since| now.saturating_duration_since(*since) < STARTING_TIME_MAX);
        self.0.len() < STARTING_MAX
    }

    /// When there will be room, if there is none.
    pub(super) fn room_at(&self) -> Option<Instant> {
        (self.0.len() >= STARTING_MAX).then(|| self.0.values().min().map(|since| *since + STARTING_TIME_MAX)).flatten()
    }

    pub(super) fn begin(&mut self, slot: &SlotId, generation: Generation, now: Instant) {
        self.0.insert((slot.clone(), generation), now);
    }

    /// The slot's process answers, or is gone.
    pub(super) fn end(&mut self, slot: &SlotId) {
        self.0.retain(|(starting, _), _| starting != slot);
    }
}
