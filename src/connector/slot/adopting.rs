//! Processes of an earlier daemon: those that are ours go on, those that may be are watched and left alone.

use std::time::Instant;

use super::{Alive, Leave, Leaver, LeaverPhase, Phase, Replacement, Run, Slot, Stage, signs::Signs, told::Doubted};
use crate::connector::{Exit, Generation, Happening, RestartReason, Survivor, Told, Transport, watch::Watch};

impl Slot {
    /// These processes of an earlier daemon were found in this slot. To be called before anything else, at most once.
    pub fn handle_survivors(&mut self, mut survivors: Vec<Survivor>, now: Instant) {
        survivors.sort_by_key(|survivor| survivor.generation);
        for survivor in survivors {
            self.generation = self.generation.max(survivor.generation);
            let (generation, pid, metrics) = (survivor.generation, survivor.pid, survivor.metrics);
            let watch = Watch::resumed(survivor.connector_id.clone(), survivor.last_known, &survivor.facts, now);
            let vitals = watch.vitals.clone();
            let doubted_since = match survivor.told {
                Told::No => None,
                Told::Recorded | Told::Unknown => Some(now),
            };
            let alive = Alive { pid, metrics, since: now, watch, signs: Signs::default(), doubted_since };
            if !survivor.proved {
                self.consider_unproved(survivor, alive);
                continue;
            }
            if survivor.told == Told::Recorded {
                let kill_at = now + survivor.facts.grace_period + self.settings.stop_margin;
                let exit = LeaverPhase::Draining { kill_at };
                let (token, connector_id) = (survivor.facts.token, alive.watch.vitals.connector_id.clone());
                let doubted = Some(Doubted::new(Box::new(alive), survivor.facts, now));
                self.leaving.push(Leaver { generation, token, connector_id, since: Some(now), exit, doubted });
            } else {
                let run =
                    Box::new(Run { generation, facts: survivor.facts, adopted: true, phase: Phase::Alive(Box::new(alive)) });
                self.take_in(run, now);
            }
            // Told last: whoever hears of it sees the slot as it is with the process in it.
            self.tell(Happening::Adopted { generation, pid, metrics, vitals });
        }
    }

    /// Puts a process of an earlier daemon where it belongs: the oldest serves, a younger one was to follow it.
    pub(super) fn take_in(&mut self, run: Box<Run>, now: Instant) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Resting) {
            Stage::Serving { run: older, replacement } => {
                if let Replacement::Running { successor, .. } = replacement {
                    self.leave(*successor, Leave::Gracefully, now);
                }
                let deadline = self.successor_deadline(run.facts.transport, now);
                let restart = match run.facts.transport {
                    Transport::Quic => RestartReason::Transport,
                    Transport::AsConfigured | Transport::Http2 => RestartReason::Config,
                };
                let replacement = Replacement::Running { successor: run, restart, deadline };
                Stage::Serving { run: older, replacement }
            }
            Stage::Quarantined { generation, alive, .. } => {
                self.tell(Happening::Abandoned { generation, pid: alive.pid });
                Stage::Serving { run, replacement: Replacement::None }
            }
            Stage::Resting | Stage::Waiting { .. } => Stage::Serving { run, replacement: Replacement::None },
        };
    }

    /// A process that cannot be proved ours keeps an empty slot, if it can be told by its connector id.
    pub(super) fn consider_unproved(&mut self, survivor: Survivor, alive: Alive) {
        let (generation, pid) = (survivor.generation, survivor.pid);
        match self.stage {
            Stage::Resting if survivor.connector_id.is_some() && survivor.told != Told::Recorded => {
                self.stage = Stage::Quarantined { generation, facts: survivor.facts, alive: Box::new(alive) };
                self.tell(Happening::Quarantined { generation, pid });
            }
            Stage::Resting | Stage::Waiting { .. } | Stage::Serving { .. } | Stage::Quarantined { .. } => {
                self.tell(Happening::Abandoned { generation, pid });
            }
        }
    }

    /// The process in quarantine has ended, so there is nothing left that a start could be a second copy of.
    pub(super) fn end_quarantine(&mut self, exit: &Exit, now: Instant) {
        let Stage::Quarantined { generation, alive, .. } = std::mem::replace(&mut self.stage, Stage::Resting) else { return };
        let lived = now.saturating_duration_since(alive.since);
        let diagnosis = exit.diagnose(lived, alive.watch.has_answered());
        self.tell_exit(generation, exit, lived, false, diagnosis.reason);
        self.start(Some(diagnosis.restart), now);
    }

    pub(super) fn abandon(&mut self, generation: Generation, pid: u32, restart: RestartReason, now: Instant) {
        self.stage = Stage::Resting;
        self.tell(Happening::Abandoned { generation, pid });
        self.start(Some(restart), now);
    }
}
