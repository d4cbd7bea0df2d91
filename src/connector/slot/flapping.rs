//! Edge flapping: connections that come and go all the time, and a process that burns a processor over it.
//!
//! cloudflared can reconnect 2,900 times a second against a broken edge, and where an address refuses it dials without any
//! wait. It is shown as degraded while it lasts. Only a process that also uses up a processor for a while is replaced, once and then
//! more and more seldom: whatever is broken is most likely not here.

use std::time::{Duration, Instant};

use super::{Replacement, Slot, Stage};
use crate::connector::{Generation, Happening, RestartReason};

/// How fast what happened is forgotten: after this time about a third of it counts.
const MEMORY: Duration = Duration::from_secs(60);
/// From so many registrations within that memory on, a connector flaps. A start makes four, and four more when all were lost.
const FLAPPING: f64 = 20.0;
/// It is over when so few are left.
const STEADY: f64 = 8.0;
/// A process that uses at least this share of a processor burns it. An idle one uses less than a hundredth.
const BURNING_SHARE: f64 = 0.5;

/// How often a process registers connections.
#[derive(Debug, Default)]
pub(super) struct Churn {
    /// Registrations, those of long ago counted less.
    level: f64,
    counted_at: Option<Instant>,
    is_flapping: bool,
    burn: Burn,
}

/// How much processor time it uses.
#[derive(Debug, Default)]
struct Burn {
    last: Option<(Duration, Instant)>,
    since: Option<Instant>,
}

/// Whether it began or ended at this look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Began,
    Ended,
    None,
}

impl Churn {
    /// A connection was registered.
    pub(super) fn count(&mut self, now: Instant) {
        self.level = self.level_at(now) + 1.0;
        self.counted_at = Some(now);
    }

    /// Decides anew whether it flaps.
    pub(super) fn look(&mut self, now: Instant) -> Turn {
        let level = self.level_at(now);
        let flaps = if self.is_flapping { level >= STEADY } else { level >= FLAPPING };
        match (std::mem::replace(&mut self.is_flapping, flaps), flaps) {
            (false, true) => Turn::Began,
            (true, false) => Turn::Ended,
            (true, true) | (false, false) => Turn::None,
        }
    }

    pub(super) fn is_flapping(&self) -> bool {
        self.is_flapping
    }

    /// Registrations a minute, about.
    pub(super) fn rate(&self) -> u64 {
        // Never negative, and far below what the conversion cuts.
        self.level.round() as u64
    }

    /// Takes in the processor time that it has used in all.
    fn count_processor(&mut self, used: Duration, now: Instant) {
        let burning = self.burn.last.is_some_and(|(before, at)| {
            let passed = now.saturating_duration_since(at);
            !passed.is_zero() && used.saturating_sub(before).as_secs_f64() / passed.as_secs_f64() >= BURNING_SHARE
        });
        self.burn.last = Some((used, now));
        self.burn.since = if burning { self.burn.since.or(Some(now)) } else { None };
    }

    fn burns_since(&self) -> Option<Instant> {
        self.burn.since
    }

    fn level_at(&self, now: Instant) -> f64 {
        let passed = self.counted_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.level * (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }
}

impl Slot {
    /// Whether the processor time of `generation` is worth reading: of one that serves steadily it is not.
    pub fn watches_processor(&self, generation: Generation) -> bool {
        let Stage::Serving { run, .. } = &self.stage else { return false };
        let is_restless = |alive: &super::Alive| alive.signs.churn.is_flapping() || alive.watch.vitals.connections == 0;
        run.generation == generation && run.alive().is_some_and(is_restless)
    }

    /// `generation` has used so much processor time since its start.
    pub fn handle_processor_time(&mut self, generation: Generation, used: Duration, now: Instant) {
        if !self.watches_processor(generation) {
            return;
        }
        let Stage::Serving { run, replacement } = &mut self.stage else { return };
        let Some(alive) = run.alive_mut() else { return };
        alive.signs.churn.count_processor(used, now);
        let long = alive.signs.churn.burns_since().is_some_and(|since| now >= since + self.settings.burning_max);
        let may = self.causes.burn_restart_at.is_none_or(|at| at <= now);
        let free = match replacement {
            Replacement::None | Replacement::Asked { restart: RestartReason::NotReady } => true,
            Replacement::Asked { .. } | Replacement::Retry { .. } | Replacement::Running { .. } => false,
        };
        if !long || !may || !free {
            return;
        }
        *replacement = Replacement::Asked { restart: RestartReason::Flapping };
        let pause = self.settings.burn_pause * 2u32.pow(self.causes.burns.min(BURNS_COUNTED));
        self.causes.burns += 1;
        self.causes.burn_restart_at = Some(now + pause);
    }

    /// Says when flapping begins and ends.
    pub(super) fn tell_flapping(&mut self, now: Instant) {
        let Stage::Serving { run, .. } = &mut self.stage else { return };
        let generation = run.generation;
        let Some(alive) = run.alive_mut() else { return };
        let vitals = alive.watch.vitals.clone();
        match alive.signs.churn.look(now) {
            Turn::Began => {
                let registrations = alive.signs.churn.rate();
                self.tell(Happening::Flapping { generation, registrations });
            }
            Turn::Ended => self.tell(Happening::Recovered { generation, vitals }),
            Turn::None => {}
        }
    }
}

/// The pause between two restarts for this cause doubles so often: from 10 min to 10.7 h.
const BURNS_COUNTED: u32 = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::connector::testing::start_of_time;

    #[test]
    fn a_start_and_a_lost_edge_are_no_flapping_and_a_storm_is() {
        let (mut churn, mut now) = (Churn::default(), start_of_time());
        for _ in 0..3 {
            (0..4).for_each(|_| churn.count(now));
            assert_eq!(churn.look(now), Turn::None);
            now += Duration::from_secs(20);
        }
        (0..100).for_each(|_| churn.count(now));
        assert_eq!((churn.look(now), churn.look(now)), (Turn::Began, Turn::None));
        assert_eq!(churn.look(now + Duration::from_secs(60)), Turn::None);
        assert_eq!(churn.look(now + Duration::from_secs(180)), Turn::Ended);
    }

    #[test]
    fn only_a_process_that_goes_on_burning_burns() {
        let (mut churn, start) = (Churn::default(), start_of_time());
        let mut used = Duration::ZERO;
        for (second, share, burns) in [(0, 0.9, false), (5, 0.9, true), (10, 0.6, true), (15, 0.1, false), (20, 0.9, true)] {
            used += Duration::from_secs_f64(5.0 * share);
            churn.count_processor(used, start + Duration::from_secs(second));
            assert_eq!(churn.burns_since().is_some(), burns, "at {second} s");
        }
    }

    proptest! {
        #[test]
        fn whatever_flaps_becomes_steady_when_nothing_happens(counts in 1usize..10_000) {
            let (mut churn, now) = (Churn::default(), start_of_time());
            (0..counts).for_each(|_| churn.count(now));
            churn.look(now);
            churn.look(now + Duration::from_secs(15 * 60));
            prop_assert!(!churn.is_flapping());
        }
    }
}
