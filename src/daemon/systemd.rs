//! What the daemon tells systemd: ready, reloading, stopping, its status line, and that its loops make progress.
//!
//! A thread of its own does the talking: a systemd that is busy or reloads itself leaves its socket full, and a loop that waited for
//! it would look after no connector meanwhile.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;

/// The connection upwards; without systemd every call does nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceManager {
    /// How often systemd wants to hear from us, if it does.
    watchdog: Option<Duration>,
    /// To the thread that talks. `None` where there is nobody to talk to.
    voice: Option<SyncSender<Message>>,
}

/// What is to be said.
struct Message {
    text: String,
    /// Who waits until it is said.
    said: Option<SyncSender<()>>,
}

/// How many messages may wait for systemd. Status lines and the watchdog's food that do not fit are stale before they are heard.
const MESSAGES_MAX: usize = 64;

/// How long it is waited for that a change of state is said, so that none is lost at the daemon's end. systemd takes microseconds.
const SAYING_TIME_MAX: Duration = Duration::from_millis(100);

impl ServiceManager {
    /// Reads from the environment what systemd expects.
    pub(super) fn from_environment() -> Self {
        let (voice, messages) = sync_channel(MESSAGES_MAX);
        let talking = thread::Builder::new().name("service-manager".to_owned()).spawn(move || talk(&messages));
        Self { watchdog: sd_notify::watchdog_enabled(), voice: talking.is_ok().then_some(voice) }
    }

    /// The control socket answers and every known tunnel is being started. What the status line says is left as it is.
    pub(super) fn ready(&self) {
        self.announce(&[NotifyState::Ready]);
    }

    /// A reload begins; [`Self::ready`] ends it, also when the new configuration was refused.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.announce(&[NotifyState::Reloading, now]),
            Err(_) => self.announce(&[NotifyState::Reloading]),
        }
    }

    /// Every connector is being drained.
    pub(super) fn stopping(&self, status: &str) {
        self.announce(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// One line for `systemctl status`.
    pub(super) fn status(&self, status: &str) {
        self.say(&[NotifyState::Status(status)], None);
    }

    /// Feeds the watchdog for as long as `progress` grows: the loop over the connectors counts it up on its turns, one of which it
    /// makes when it is asked, so that one that hangs stops the feeding, which a timer of its own would not. It ends at once when
    /// systemd does not want to be fed.
    pub(super) async fn feed_watchdog(self, progress: impl Fn() -> u64) {
        let Some(limit) = self.watchdog else { return };
        let mut ticks = tokio::time::interval(limit / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = None;
        loop {
            ticks.tick().await;
            let now = progress();
            if seen != Some(now) {
                self.say(&[NotifyState::Watchdog], None);
            }
            seen = Some(now);
        }
    }

    /// Says what must not be lost, and waits a moment until it is said.
    fn announce(&self, state: &[NotifyState<'_>]) {
        let (said, done) = sync_channel(1);
        self.say(state, Some(said));
        // Not said in time, it is said as soon as systemd listens.
        let _ = done.recv_timeout(SAYING_TIME_MAX);
    }

    fn say(&self, state: &[NotifyState<'_>], said: Option<SyncSender<()>>) {
        let Some(voice) = &self.voice else { return };
        let lines: Vec<String> = state.iter().map(ToString::to_string).collect();
        // Full means that systemd has not listened for long: what it will hear first is as good.
        let _ = voice.try_send(Message { text: lines.join("\n"), said });
    }
}

/// Says one message after another, for as long as anybody may have something to say. It may wait for systemd as long as it takes.
fn talk(messages: &Receiver<Message>) {
    for Message { text, said } in messages {
        // A systemd that cannot be told is one that will notice by itself; there is nobody else to tell.
        if let Err(error) = sd_notify::notify(&[NotifyState::Custom(&text)]) {
            tracing::debug!(%error, "cannot notify the service manager");
        }
        // Whoever waited may have gone on.
        let _ = said.map(|said| said.try_send(()));
    }
}
