//! The common moments for what may be a little late: waking up costs more than a probe, and a host may run 500 connectors.

use std::time::{Duration, Instant};

/// The time between two moments.
pub(super) const STEP: Duration = Duration::from_millis(250);

/// Moments in equal steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid(Instant);

impl Grid {
    /// One with `origin` among its moments.
    pub(super) fn new(origin: Instant) -> Self {
        Self(origin)
    }

    /// The first moment at or after `at`.
    pub(super) fn at_or_after(self, at: Instant) -> Instant {
        let passed = at.saturating_duration_since(self.0).as_nanos();
        let steps = passed.div_ceil(STEP.as_nanos());
        self.0 + STEP * u32::try_from(steps).unwrap_or(u32::MAX)
    }

    /// The first moment after `at`.
    pub(super) fn after(self, at: Instant) -> Instant {
        self.at_or_after(at + Duration::from_nanos(1))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;
    use crate::connector::{
        Command, Fleet, Generation, Settings, Slot, SlotId, VersionReading,
        testing::{answer, launch, start_of_time},
    };

    #[test]
    fn its_moments_are_a_step_apart() {
        let origin = start_of_time();
        let grid = Grid::new(origin);
        assert_eq!((grid.at_or_after(origin), grid.after(origin)), (origin, origin + STEP));
        let between = origin + STEP * 3 / 2;
        assert_eq!((grid.at_or_after(between), grid.after(between)), (origin + STEP * 2, origin + STEP * 2));
    }

    #[test]
    fn idle_connectors_wake_the_loop_to_be_asked_and_to_be_heard_and_for_nothing_else() {
        let one = Idle::of(1).for_a_while(Duration::from_secs(3600));
        assert!((580..=900).contains(&one.probes), "one in 4 to 6 s: {one:?}");
        // The last answer may be heard after the end.
        assert!((2 * one.probes).abs_diff(one.wake_ups) <= 1, "{one:?}");
    }

    #[test]
    fn no_number_of_idle_connectors_wakes_the_loop_more_often_than_the_grid_has_moments() {
        let while_ = Duration::from_secs(600);
        let moments = usize::try_from(while_.as_nanos() / STEP.as_nanos()).unwrap();
        let mut last = 0;
        for connectors in [10, 100, 500] {
            let idle = Idle::of(connectors).for_a_while(while_);
            assert!(idle.wake_ups <= moments + 1 && idle.wake_ups >= last, "{idle:?}");
            assert!((connectors * 95..=connectors * 150).contains(&idle.probes), "{idle:?}");
            // Those who began together spread out soon.
            assert!(idle.most_at_once <= connectors / 8 + 8, "{idle:?}");
            last = idle.wake_ups;
        }
    }

    /// Connectors that are well, and the loop over them as far as it has to do with time.
    struct Idle {
        slots: Vec<Slot>,
        fleet: Fleet,
        now: Instant,
    }

    #[derive(Debug, Default)]
    struct Seen {
        wake_ups: usize,
        probes: usize,
        /// How many were asked at one moment, from the second minute on.
        most_at_once: usize,
    }

    impl Idle {
        fn of(connectors: usize) -> Self {
            let now = start_of_time();
            let fleet = Fleet::new(now, SmallRng::seed_from_u64(7));
            let slots = (0..connectors).map(|number| {
                let id = SlotId::new(format!("t{number}").parse().unwrap(), 0);
                let mut slot = Slot::new(id, Settings::default(), Generation(0), SmallRng::seed_from_u64(number as u64));
                slot.handle_wanted(&Arc::new(launch()), None, now);
                slot
            });
            let mut idle = Self { slots: slots.collect(), fleet, now };
            while !idle.slots.iter().all(Slot::is_quiet) {
                for index in 0..idle.slots.len() {
                    if idle.ask(index) {
                        idle.answer(index);
                    }
                }
                idle.now += Duration::from_millis(10);
            }
            idle
        }

        /// Gives the slot its time. Whether it has its connector asked.
        fn ask(&mut self, index: usize) -> bool {
            let (slot, now) = (&mut self.slots[index], self.now);
            if slot.poll_timeout().is_some_and(|at| at <= now) {
                let id = slot.id().clone();
                slot.handle_timeout(now, &mut self.fleet.gate(&id));
            }
            let mut is_asked = false;
            while let Some(command) = slot.next_command() {
                match command {
                    Command::Spawn { generation, .. } => {
                        slot.handle_spawned(generation, 100, "127.0.0.1:4000".parse().unwrap(), now);
                    }
                    Command::Probe { .. } => is_asked = true,
                    Command::Terminate { .. } | Command::Kill { .. } => panic!("they are well"),
                }
            }
            while slot.next_notice().is_some() {}
            is_asked
        }

        fn answer(&mut self, index: usize) {
            let slot = &mut self.slots[index];
            slot.handle_probe(slot.generation(), answer("a", 4, VersionReading::Version(1)), self.now);
        }

        fn for_a_while(mut self, while_: Duration) -> Seen {
            let (grid, start, mut seen) = (Grid::new(self.now), self.now, Seen::default());
            let mut out: Vec<usize> = Vec::new();
            loop {
                let due = self.slots.iter().filter_map(|slot| Some(grid.at_or_after(slot.poll_timeout()?)));
                let heard = (!out.is_empty()).then(|| grid.after(self.now));
                self.now = due.chain(heard).min().expect("something is always due");
                if self.now > start + while_ {
                    return seen;
                }
                for index in std::mem::take(&mut out) {
                    self.answer(index);
                }
                out = (0..self.slots.len()).filter(|index| self.ask(*index)).collect();
                assert!(self.slots.iter().all(Slot::is_quiet) && self.slots.iter_mut().all(|slot| slot.next_notice().is_none()));
                seen.wake_ups += 1;
                seen.probes += out.len();
                if self.now > start + Duration::from_secs(60) {
                    seen.most_at_once = seen.most_at_once.max(out.len());
                }
            }
        }
    }
}
