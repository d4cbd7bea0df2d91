//! What a slot must know again after a restart of the daemon.

use std::{collections::BTreeMap, time::Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fingerprint, Generation, Happening, Reason, RestartReason};
use crate::backoff::Backoff;

/// What of a slot's past decides about its future, apart from its processes. Without it a daemon that restarts again and again
/// would start a connector that always fails again and again, without any pause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotMemory {
    /// Its pace.
    pub backoff: Backoff,
    /// The launch that was wanted: a wait for another one is over.
    pub launch: Option<Fingerprint>,
    /// Whether a process served it, or was to.
    pub ran: bool,
    /// What it waits for, if it waits to be started.
    pub waiting: Option<Waiting>,
    /// The replacement that failed, while the former process goes on.
    pub failed_replacement: Option<FailedReplacement>,
}

/// A wait for the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its end.
    pub until: Instant,
    /// Whether only a change can help.
    pub blocked: bool,
    /// What the start will be counted as.
    pub restart: Option<RestartReason>,
    /// What happened.
    pub reason: Reason,
}

/// A successor that did not take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedReplacement {
    /// When it is tried again.
    pub retry_at: Instant,
    /// What it was for.
    pub restart: RestartReason,
    /// Why it did not take over.
    pub reason: Reason,
}

/// What happened in a slot since the host was started, over every daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// How often its process was started again, by reason; reasons that never applied are left out.
    pub restarts: BTreeMap<RestartReason, u64>,
    /// How the last process that was not told to stop ended.
    pub last_exit: Option<LastExit>,
}

/// The end of a process that nobody had asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastExit {
    /// When.
    pub at: Timestamp,
    /// Which generation.
    pub generation: Generation,
    /// The end in words, such as `exit code 1`.
    pub how: String,
    /// How long it had run, in milliseconds.
    pub lived_millis: u64,
    /// What it means.
    pub reason: Reason,
}

impl Past {
    /// Takes in what happened at `at`, and says whether that changed anything.
    pub fn take(&mut self, happening: &Happening, at: Timestamp) -> bool {
        if let Some(restart) = happening.restart() {
            let count = self.restarts.entry(restart).or_default();
            *count = count.saturating_add(1);
            return true;
        }
        let Happening::Exited { generation, how, lived, asked: false, reason } = happening else { return false };
        self.last_exit = Some(LastExit {
            at,
            generation: *generation,
            how: how.clone(),
            lived_millis: u64::try_from(lived.as_millis()).unwrap_or(u64::MAX),
            reason: reason.clone(),
        });
        true
    }

    /// How often its process was started again.
    pub fn restarts_total(&self) -> u64 {
        self.restarts.values().fold(0, |total, count| total.saturating_add(*count))
    }
}

impl SlotMemory {
    /// Whether nothing of it decides about anything: the next daemon does without.
    pub fn is_empty(&self) -> bool {
        // A process that serves and never failed is known by its record.
        self.backoff == Backoff::new() && self.waiting.is_none() && self.failed_replacement.is_none()
    }
}
