//! Starts that were ordered: each waits for room, and for a program to be started as.

use std::{collections::VecDeque, io, sync::Arc};

use super::{
    starter::{Job, SPAWNS_MAX},
    task::{Report, Task, now},
};
use crate::{
    connector::{Generation, Launch, Reason, SlotId, SpawnFailure},
    failpoint::{self, Point},
    process::Spawned,
};

/// The starts of all slots.
#[derive(Default)]
pub(super) struct Starts {
    /// In order.
    waiting: VecDeque<Start>,
    under_way: usize,
}

struct Start {
    slot: Arc<SlotId>,
    generation: Generation,
    launch: Arc<Launch>,
}

impl Starts {
    /// Whether some are being made that nothing was reported of.
    pub(super) fn are_under_way(&self) -> bool {
        self.under_way > 0
    }
}

impl Task {
    /// Starts a process as soon as there is room. That may be at once: who listens to what happened can wait, who waits for a connector
    /// cannot.
    pub(super) fn order_start(&mut self, id: &Arc<SlotId>, generation: Generation, launch: Arc<Launch>) {
        self.starts.waiting.push_back(Start { slot: Arc::clone(id), generation, launch });
        self.start_spawns();
    }

    /// Whether nothing but the time holds up a start. Where others are being started, their reports wake the loop.
    pub(super) fn waits_for_room(&self) -> bool {
        !self.starts.waiting.is_empty() && self.starts.under_way < SPAWNS_MAX
    }

    /// Starts what there is room for.
    pub(super) fn start_spawns(&mut self) {
        while self.waits_for_room()
            && self.uplink.fleet.has_room_to_start(now())
            && let Some(Start { slot, generation, launch }) = self.starts.waiting.pop_front()
        {
            let wanted = self.slots.get(&slot).is_some_and(|entry| entry.slot.awaits_spawn(generation));
            if wanted && !self.programs.is_known() {
                self.starts.waiting.push_front(Start { slot, generation, launch });
                return;
            }
            if !wanted {
                let reason = Reason::new("not-wanted", "it was not wanted any more before it was started");
                let failure = SpawnFailure { reason, lasting: false };
                self.with_slot(&slot, |slot| slot.handle_spawn_failed(generation, failure, now()));
                continue;
            }
            let program = match self.program_for(&slot, generation) {
                Ok(program) => program,
                Err(failure) => {
                    self.with_slot(&slot, |slot| slot.handle_spawn_failed(generation, failure, now()));
                    continue;
                }
            };
            self.starts.under_way += 1;
            self.uplink.fleet.handle_start(&slot, generation, now());
            let (reports, id) = (self.report_sender.clone(), Arc::clone(&slot));
            let told = Box::new(move |what| {
                // Fails when the task is over, which drops the process's handle and leaves the process to the next daemon.
                let _ = reports.blocking_send(Report { slot: id, generation, what });
            });
            self.parts.starter.start(Job { slot, generation, launch, program, told });
        }
    }

    /// What came of a start.
    pub(super) fn take_spawned(
        &mut self,
        id: &Arc<SlotId>,
        generation: Generation,
        result: Result<Box<Spawned>, SpawnFailure>,
        log_trouble: Option<io::Error>,
    ) {
        self.starts.under_way -= 1;
        if let Some(error) = log_trouble {
            self.with_slot(id, |slot| slot.handle_log_unavailable(generation, error.to_string()));
        }
        match result {
            Ok(spawned) => {
                failpoint::hit(Point::ProcessReported);
                let Spawned { process, metrics } = *spawned;
                let pid = self.watch(id, generation, process);
                self.with_slot(id, |slot| slot.handle_spawned(generation, pid, metrics, now()));
            }
            Err(failure) => {
                self.parts.output.finish(id, generation);
                self.with_slot(id, |slot| slot.handle_spawn_failed(generation, failure, now()));
            }
        }
    }
}
