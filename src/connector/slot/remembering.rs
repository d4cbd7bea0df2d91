//! What a slot hands on to the next daemon, and how it goes on from that.

use std::time::{Duration, Instant};

use super::{Goal, Replacement, Slot, Stage, Wait};
use crate::{
    backoff::Backoff,
    connector::{FailedReplacement, Happening, Past, Reason, RestartReason, SlotMemory, Waiting},
};

impl Slot {
    /// What the next daemon must know of it.
    pub fn memory(&self) -> SlotMemory {
        let launch = match &self.goal {
            Goal::Unknown => self.resumed,
            Goal::Run { facts, .. } => Some(facts.fingerprint),
            // Nothing is to be started, and an operator's start forgets what was before.
            Goal::Surplus | Goal::Stopped(_) | Goal::Gone | Goal::Shutdown => return SlotMemory::default(),
        };
        let mut memory = SlotMemory { backoff: self.backoff.clone(), launch, ..SlotMemory::default() };
        match &self.stage {
            Stage::Resting | Stage::Quarantined { .. } => {}
            Stage::Waiting { wait: Wait::Room, .. } => {}
            Stage::Waiting { until, wait, restart, reason } => {
                let (until, restart, reason) = (*until, *restart, reason.clone());
                memory.waiting = Some(Waiting { until, blocked: *wait == Wait::Blocked, restart, reason });
            }
            Stage::Serving { replacement, .. } => {
                memory.ran = true;
                if let Replacement::Retry { at, restart, why } = replacement {
                    memory.failed_replacement = Some(FailedReplacement { retry_at: *at, restart: *restart, reason: why.clone() });
                }
            }
        }
        memory
    }

    /// Goes on from what an earlier daemon left: to be called after [`Slot::handle_survivors`] and before anything else. No wait
    /// ends later than it could if it began at `now`.
    pub fn resume(&mut self, memory: SlotMemory, past: Past, now: Instant) {
        let SlotMemory { backoff, launch, ran, waiting, failed_replacement } = memory;
        self.backoff = backoff;
        self.tell(Happening::Remembered { past });
        self.resumed = launch;
        match (&mut self.stage, waiting, failed_replacement) {
            (Stage::Resting, Some(Waiting { until, blocked, restart, reason }), _) => {
                let (wait, longest) =
                    if blocked { (Wait::Blocked, self.settings.blocked_retry) } else { (Wait::BackOff, Backoff::WAIT_MAX) };
                let until = until.clamp(now, now + longest);
                self.stage = Stage::Waiting { until, wait, restart, reason };
                self.tell_waiting(until.saturating_duration_since(now).max(Duration::from_millis(1)));
            }
            (Stage::Resting, None, _) if ran && self.backoff.failures() > 0 => {
                // It ended while nobody watched, in a series of failures: one more of them.
                let delay = self.backoff.fail(&mut self.rng);
                let reason = Reason::new("ended-meanwhile", "its process ended while no daemon ran");
                self.wait(delay, Wait::BackOff, RestartReason::Exit, reason, now);
            }
            (Stage::Serving { replacement: replacement @ Replacement::None, .. }, _, Some(failed)) => {
                let FailedReplacement { retry_at, restart, reason } = failed;
                let at = retry_at.clamp(now, now + self.settings.successor_retry);
                *replacement = Replacement::Retry { at, restart, why: reason };
            }
            (Stage::Resting | Stage::Waiting { .. } | Stage::Serving { .. } | Stage::Quarantined { .. }, _, _) => {}
        }
    }
}
