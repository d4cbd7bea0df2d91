//! What the daemon tells systemd: ready, reloading, stopping, its status line, and that its loops make progress.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;

/// The connection upwards; without systemd every call does nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceManager {
    /// How often systemd wants to hear from us, if it does.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Reads from the environment what systemd expects.
    pub(super) fn from_environment() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled() }
    }

    /// The control socket answers and every known tunnel is being started.
    pub(super) fn ready(&self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// A reload begins; [`Self::ready`] ends it, also when the new configuration was refused.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// Every connector is being drained.
    pub(super) fn stopping(&self, status: &str) {
        tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// One line for `systemctl status`.
    pub(super) fn status(&self, status: &str) {
        tell(&[NotifyState::Status(status)]);
    }

    /// Feeds the watchdog for as long as `progress` grows: the loop over the connectors counts it up on its turns, so that one that
    /// hangs stops the feeding, which a timer of its own would not. It ends at once when systemd does not want to be fed.
    pub(super) async fn feed_watchdog(self, progress: impl Fn() -> u64) {
        let Some(limit) = self.watchdog else { return };
        let mut ticks = tokio::time::interval(limit / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = None;
        loop {
            ticks.tick().await;
            let now = progress();
            if seen != Some(now) {
                tell(&[NotifyState::Watchdog]);
            }
            seen = Some(now);
        }
    }
}

/// A systemd that cannot be told is one that will notice by itself; there is nobody else to tell.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}
