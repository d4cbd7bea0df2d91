//! What is wanted of a slot: by the configuration, by operators, by the daemon.

use std::{sync::Arc, time::Instant};

use super::{Goal, Leave, Phase, Replacement, RestartRefused, Slot, Stage, Wait};
use crate::connector::{Launch, LaunchFacts, RestartReason, Stop};

impl Slot {
    /// The tunnel is wanted with `launch`, unless an operator stopped it.
    pub fn handle_wanted(&mut self, launch: &Arc<Launch>, stop: Option<&Stop>, now: Instant) {
        match &self.goal {
            Goal::Shutdown => return,
            Goal::Run { launch: same, .. } if stop.is_none() && Arc::ptr_eq(same, launch) => return,
            Goal::Stopped(same) if stop == Some(same) => return,
            Goal::Unknown | Goal::Run { .. } | Goal::Surplus | Goal::Stopped(_) | Goal::Gone => {}
        }
        if let Some(stop) = stop {
            self.goal = Goal::Stopped(stop.clone());
            return self.rest(now);
        }
        let facts = LaunchFacts { binary: self.wish.id, ..launch.facts() };
        let remembered = self.resumed.take() == Some(facts.fingerprint);
        let spared = self.is_surplus();
        let changed = !matches!(&self.goal, Goal::Run { facts: before, .. } if before.fingerprint == facts.fingerprint);
        self.goal = Goal::Run { launch: Arc::clone(launch), facts };
        if !changed {
            return;
        }
        match &self.stage {
            Stage::Resting => self.start(None, now),
            // As an earlier daemon left it, for the same launch.
            Stage::Waiting { .. } | Stage::Serving { replacement: Replacement::Retry { .. }, .. } if remembered => {}
            Stage::Waiting { wait: Wait::BackOff | Wait::Blocked, restart, .. } => {
                let restart = restart.or(Some(RestartReason::Config));
                self.backoff.reset();
                self.start(restart, now);
            }
            Stage::Waiting { wait: Wait::Room, .. } => {} // it starts with the launch that is wanted by then
            Stage::Serving { .. } => {
                self.reconsider_replacement(now);
                if spared {
                    self.tell_reading();
                }
            }
            Stage::Quarantined { .. } => {} // it keeps the slot while it answers, however it was started
        }
    }

    /// The tunnel, or this replica of it, is not wanted any more.
    pub fn handle_unwanted(&mut self, now: Instant) {
        match self.goal {
            Goal::Unknown | Goal::Run { .. } | Goal::Surplus | Goal::Stopped(_) => {
                self.goal = Goal::Gone;
                self.rest(now);
            }
            Goal::Gone | Goal::Shutdown => {} // it is leaving already
        }
    }

    /// The daemon stops.
    pub fn handle_shutdown(&mut self, now: Instant) {
        match self.goal {
            Goal::Unknown | Goal::Run { .. } | Goal::Surplus | Goal::Stopped(_) | Goal::Gone => {
                self.goal = Goal::Shutdown;
                self.rest(now);
            }
            Goal::Shutdown => {} // it is leaving already
        }
    }

    /// An operator wants a fresh process: beside a serving one, at once where none serves.
    pub fn handle_restart(&mut self, now: Instant) -> Result<(), RestartRefused> {
        match self.goal {
            Goal::Run { .. } => {}
            Goal::Unknown | Goal::Surplus | Goal::Stopped(_) | Goal::Gone | Goal::Shutdown => {
                return Err(RestartRefused::Stopped);
            }
        }
        self.backoff.reset();
        match &mut self.stage {
            Stage::Resting | Stage::Waiting { .. } => self.start(Some(RestartReason::Operator), now),
            Stage::Serving { run, replacement } if run.serves() => match replacement {
                Replacement::None | Replacement::Asked { .. } | Replacement::Retry { .. } => {
                    *replacement = Replacement::Asked { restart: RestartReason::Operator };
                }
                Replacement::Running { .. } => {} // a fresh process is on its way
            },
            Stage::Serving { run, .. } => match run.phase {
                Phase::Spawning => {} // a fresh process is on its way
                Phase::Alive(_) => self.start_afresh(RestartReason::Operator, now),
            },
            Stage::Quarantined { .. } => return Err(RestartRefused::Quarantined),
        }
        Ok(())
    }

    /// An operator gives up a process that cannot be proved ours; it is left to itself.
    pub fn handle_abandon(&mut self, now: Instant) -> Result<(), RestartRefused> {
        match &self.stage {
            Stage::Quarantined { generation, alive, .. } => {
                let (generation, pid) = (*generation, alive.pid);
                self.abandon(generation, pid, RestartReason::Operator, now);
                Ok(())
            }
            Stage::Resting | Stage::Waiting { .. } | Stage::Serving { .. } => Err(RestartRefused::NotQuarantined),
        }
    }

    /// The serving generation has never served: it goes, and the next starts at once.
    pub(super) fn start_afresh(&mut self, restart: RestartReason, now: Instant) {
        self.clear_stage(Leave::Gracefully, now);
        self.backoff.reset();
        self.start(Some(restart), now);
    }
}
