//! A clock for what is kept in records: it tells wall time and never jumps while the daemon runs.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Wall time at the start, and how long ago that is by a clock that nobody sets. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct SteadyClock {
    began_at: Timestamp,
    began: Instant,
}

impl SteadyClock {
    /// A clock that agrees with the wall's at this moment.
    pub(super) fn start() -> Self {
        Self { began_at: Timestamp::now(), began: Instant::now() }
    }

    /// This moment.
    pub(super) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        self.began_at.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}
