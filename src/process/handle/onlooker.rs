//! A process that may be ours: its end is learnt, and it is never signalled.

use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

use super::{is_readable, told_ending};
use crate::connector::Ending;

/// A process that can be watched and nothing else.
pub struct Onlooker {
    pidfd: AsyncFd<OwnedFd>,
}

impl Onlooker {
    /// Watches a process.
    pub(in crate::process) fn new(pidfd: AsyncFd<OwnedFd>) -> Self {
        Self { pidfd }
    }

    /// Waits for its end, and says how it ended where the kernel does.
    pub async fn end(&self) -> Ending {
        loop {
            let Ok(mut guard) = self.pidfd.readable().await else {
                // The runtime is going down, and this task with it.
                return std::future::pending().await;
            };
            guard.clear_ready();
            if is_readable(self.pidfd.get_ref()) {
                return told_ending(&self.pidfd).await;
            }
        }
    }
}
