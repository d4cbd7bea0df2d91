//! What signals mean to the daemon.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{audit::By, reload::Reload};

/// Why the daemon ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Every connector is drained and stopped.
    Stop(&'static str),
    /// The connectors go on, and the next daemon finds them.
    Detach,
}

/// The signals that mean something.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    detach: Signal,
}

impl Signals {
    /// Takes them over from the kernel's own handling.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            detach: signal(SignalKind::user_defined1())?,
        })
    }

    /// Reloads whenever it is asked for, until a signal ends the daemon.
    pub(super) async fn end(&mut self, reload: &Reload) -> End {
        loop {
            // Cancel-safe: a signal that came is kept until it is received.
            tokio::select! {
                _ = self.terminate.recv() => return End::Stop("SIGTERM"),
                _ = self.interrupt.recv() => return End::Stop("SIGINT"),
                _ = self.detach.recv() => return End::Detach,
                // What was wrong with the files is in the feed and in the status.
                _ = self.hangup.recv() => drop(reload.now(By::Signal).await),
            }
        }
    }

    /// Waits until somebody asks once more for a stop.
    pub(super) async fn again(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
