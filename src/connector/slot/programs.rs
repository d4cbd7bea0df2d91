//! Which program file the processes of a slot are: what is wanted, what runs, and what a change of it means.

use std::time::{Duration, Instant};

use super::{BinaryWish, Goal, Replacement, Run, Slot, SlotPrograms, Stage, Wait};
use crate::connector::{BinaryId, Generation, RestartReason, watch::Health};

impl Slot {
    /// Processes of this slot are to be of this program file from here on. One that is of another gets a successor; a slot that
    /// waits to be started does so at once, as another program may not fail.
    pub fn handle_binary(&mut self, wish: BinaryWish, now: Instant) {
        let before = std::mem::replace(&mut self.wish, wish);
        if before.id == wish.id {
            return;
        }
        let Goal::Run { facts, .. } = &mut self.goal else { return };
        facts.binary = wish.id;
        match &self.stage {
            Stage::Serving { .. } => self.reconsider_replacement(now),
            // What was not known before is no change.
            Stage::Waiting { wait: Wait::BackOff | Wait::Blocked, .. } if before.id.is_some() && wish.id.is_some() => {
                self.backoff.reset();
                self.start(Some(RestartReason::Upgrade), now);
            }
            Stage::Resting | Stage::Waiting { .. } | Stage::Quarantined { .. } => {} // the next start takes it up
        }
    }

    /// There is a usable program file where there was none: a slot that waits for it starts.
    pub fn handle_binary_appeared(&mut self, now: Instant) {
        match &self.stage {
            Stage::Waiting { wait: Wait::BackOff | Wait::Blocked, reason, restart, .. } if reason.code.starts_with("binary-") => {
                let restart = *restart;
                self.backoff.reset();
                self.start(restart, now);
            }
            Stage::Resting | Stage::Waiting { .. } | Stage::Serving { .. } | Stage::Quarantined { .. } => {} // it waits for no program
        }
    }

    /// Which program file its processes are to be.
    pub fn binary_wish(&self) -> BinaryWish {
        self.wish
    }

    /// The program file that `generation`, which is about to be started, is wanted to be.
    pub fn program_wanted(&self, generation: Generation) -> Option<BinaryId> {
        match &self.stage {
            Stage::Serving { run, .. } if run.generation == generation => run.facts.binary,
            Stage::Serving { replacement: Replacement::Running { successor, .. }, .. } if successor.generation == generation => {
                successor.facts.binary
            }
            Stage::Resting | Stage::Waiting { .. } | Stage::Serving { .. } | Stage::Quarantined { .. } => None,
        }
    }

    /// The program file that `generation` is started as: the wanted one, or another where that cannot be had.
    pub fn handle_program(&mut self, generation: Generation, program: BinaryId) {
        if let Some(run) = self.run_mut(generation) {
            run.facts.binary = Some(program);
        }
    }

    /// What its processes are, for whoever decides about all slots.
    pub fn programs(&self) -> SlotPrograms {
        let running = |run: &Run| run.alive().map(|_| (run.generation, run.facts.binary));
        let mut programs = SlotPrograms { wanted: matches!(self.goal, Goal::Run { .. }), ..SlotPrograms::default() };
        match &self.stage {
            Stage::Resting => {}
            Stage::Waiting { wait: Wait::Room, .. } => {}
            Stage::Waiting { wait: Wait::BackOff | Wait::Blocked, .. } => programs.failing = true,
            Stage::Serving { run, replacement } => {
                programs.serving = running(run);
                programs.ready_since = match run.alive() {
                    Some(alive) if alive.watch.health(&self.settings) == Health::Ready => alive.watch.ready_since(),
                    Some(_) | None => None,
                };
                programs.successor = match replacement {
                    Replacement::Running { successor, .. } => Some(successor.generation),
                    Replacement::None | Replacement::Asked { .. } | Replacement::Retry { .. } => None,
                };
            }
            Stage::Quarantined { .. } => programs.wanted = false,
        }
        programs
    }

    /// How long a successor must have been ready: longer when its program is on trial.
    pub(super) fn healthy_min(&self, successor: &Run) -> Duration {
        let on_trial = self.wish.id.is_some() && successor.facts.binary == self.wish.id;
        self.wish.healthy_min.filter(|_| on_trial).unwrap_or(self.settings.healthy_min).max(self.settings.healthy_min)
    }
}
