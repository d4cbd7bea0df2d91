//! Whether the loop makes progress.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// What shows that the loop makes progress.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    turns: AtomicU64,
    asked: Notify,
}

impl Heartbeat {
    /// The loop turns.
    pub(super) fn beat(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until somebody wants to feel it, who is answered by the turn. It can be dropped at any time.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// How often the loop has turned. It turns once more for this.
    pub(super) fn feel(&self) -> u64 {
        self.asked.notify_one();
        self.turns.load(Ordering::Relaxed)
    }
}
