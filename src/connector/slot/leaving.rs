//! How generations go: told to finish, then killed, then gone.

use std::time::Instant;

use super::{Goal, Leave, Leaver, LeaverPhase, Phase, Replacement, Run, Slot, Stage, Wait, told::Doubted};
use crate::connector::{Command, Generation, Happening, Reason};

/// A process that is still there this long after it was killed is killed again.
const KILL_AGAIN: std::time::Duration = std::time::Duration::from_secs(10);

impl Slot {
    /// The daemon is told to stop at once: whatever leaves is killed.
    pub fn handle_abort(&mut self, now: Instant) {
        self.handle_shutdown(now);
        let draining: Vec<Generation> = self
            .leaving
            .iter()
            .filter(|leaver| matches!(leaver.exit, LeaverPhase::Draining { .. }))
            .map(|leaver| leaver.generation)
            .collect();
        for generation in draining {
            self.kill(generation, Reason::new("abort", "the daemon was told to stop at once"), now);
        }
    }

    /// Nothing is wanted: everything that runs leaves.
    pub(super) fn rest(&mut self, now: Instant) {
        self.clear_stage(Leave::Gracefully, now);
        self.tell_if_at_rest();
    }

    /// Makes everything that runs leave.
    pub(super) fn clear_stage(&mut self, leave: Leave, now: Instant) {
        match std::mem::replace(&mut self.stage, Stage::Resting) {
            Stage::Resting | Stage::Waiting { .. } => {}
            Stage::Serving { run, replacement } => {
                self.leave(*run, leave, now);
                if let Replacement::Running { successor, .. } = replacement {
                    self.leave(*successor, leave, now);
                }
            }
            Stage::Quarantined { generation, alive, .. } => self.tell(Happening::Abandoned { generation, pid: alive.pid }),
        }
    }

    /// Tells the process of `run` to finish, and gives it a time to.
    pub(super) fn leave(&mut self, run: Run, leave: Leave, now: Instant) {
        let (generation, token) = (run.generation, run.facts.token);
        match run.phase {
            Phase::Spawning => {
                let exit = LeaverPhase::Unspawned;
                self.leaving.push(Leaver { generation, token, connector_id: None, since: None, exit, doubted: None });
            }
            Phase::Alive(alive) => {
                let limit = match leave {
                    Leave::Gracefully => run.facts.grace_period + self.settings.stop_margin,
                    Leave::Soon => self.settings.stop_margin,
                };
                let (since, exit) = (Some(alive.since), LeaverPhase::Draining { kill_at: now + limit });
                let connector_id = alive.watch.vitals.connector_id.clone();
                let doubted = if alive.doubted_since.is_some() {
                    Some(Doubted::new(alive, run.facts, now))
                } else {
                    self.commands.push_back(Command::Terminate { generation });
                    None
                };
                self.leaving.push(Leaver { generation, token, connector_id, since, exit, doubted });
                self.tell(Happening::Draining { generation, limit });
            }
        }
    }

    /// Kills what has had its time.
    pub(super) fn handle_leaving_timeout(&mut self, now: Instant) {
        let due: Vec<(Generation, Reason)> = self
            .leaving
            .iter()
            .filter_map(|leaver| match leaver.exit {
                LeaverPhase::Draining { kill_at } if kill_at <= now => {
                    Some((leaver.generation, Reason::new("grace-over", "it did not exit in its time")))
                }
                LeaverPhase::Killed { again_at } if again_at <= now => {
                    Some((leaver.generation, Reason::new("kill-again", "it is still there after it was killed")))
                }
                LeaverPhase::Unspawned | LeaverPhase::Draining { .. } | LeaverPhase::Killed { .. } => None,
            })
            .collect();
        for (generation, reason) in due {
            self.kill(generation, reason, now);
        }
        self.ask_doubted(now);
    }

    /// A process came up that nobody wants any more. Says whether that was so.
    pub(super) fn kill_unspawned(&mut self, generation: Generation, now: Instant) -> bool {
        let unspawned = |leaver: &&mut Leaver| leaver.generation == generation && leaver.exit == LeaverPhase::Unspawned;
        let Some(leaver) = self.leaving.iter_mut().find(unspawned) else { return false };
        leaver.since = Some(now);
        self.kill(generation, Reason::new("not-wanted", "it was not wanted any more when it came up"), now);
        true
    }

    /// The process of a leaver is gone.
    pub(super) fn remove_leaver(&mut self, generation: Generation, now: Instant) {
        self.leaving.retain(|leaver| leaver.generation != generation);
        if let Stage::Waiting { wait: Wait::Room, until, .. } = &mut self.stage {
            *until = now;
        }
        self.tell_if_at_rest();
        self.mend(now);
    }

    fn kill(&mut self, generation: Generation, reason: Reason, now: Instant) {
        let Some(leaver) = self.leaving.iter_mut().find(|leaver| leaver.generation == generation) else { return };
        (leaver.exit, leaver.doubted) = (LeaverPhase::Killed { again_at: now + KILL_AGAIN }, None);
        self.commands.push_back(Command::Kill { generation });
        self.tell(Happening::Killed { generation, reason });
    }

    pub(super) fn tell_if_at_rest(&mut self) {
        if !self.is_at_rest() {
            return;
        }
        match self.goal {
            Goal::Stopped(_) | Goal::Shutdown => self.tell(Happening::Stopped),
            Goal::Gone => self.tell(Happening::Forgotten),
            Goal::Unknown | Goal::Run { .. } | Goal::Surplus => {} // about to start, or an adopted process that ended
        }
    }
}
