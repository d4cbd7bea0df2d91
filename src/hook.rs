//! Hooks: who outside of Adit is told of events, by a command or over HTTP.
//!
//! ```text
//!           ┌─▶ intake ─▶ waiting events ─▶ command: one run at a time, the event on its stdin
//!  feed ────┤
//!           └─▶ intake ─▶ courier: outbox, deliveries, tries ─▶ sender: signed POST
//! ```
//!
//! Each hook has a task of its own behind the feed, so that the recorder never waits for one. A hook that is behind misses events, which
//! is counted and told; one that fails is told of once, by an event that no hook is told of. Up to which event a hook was told is kept in
//! the state directory: the next daemon goes on there with what is not too old, and may tell of some events a second time.

mod command;
mod courier;
mod intake;
mod marks;
mod message;
mod outage;
mod outbox;
mod sender;
mod signature;
mod telling;
#[cfg(test)]
mod testing;
mod verdict;
mod webhook;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::{sync::watch, task::spawn_blocking};
use tokio_util::task::AbortOnDropHandle;

use self::{command::CommandTask, intake::Intake, marks::MarkBook, sender::Sender, telling::Telling, webhook::WebhookTask};
use crate::{
    config::{Hooks, TokenSource},
    credential::Source,
    desired::Intended,
    event::{Entry, Hook, Sink},
    metrics::Metrics,
    recorder::Recorder,
    store::Store,
};

/// What hooks need of the daemon.
pub struct Start {
    /// Whose feed they follow.
    pub recorder: Recorder,
    /// Where they tell how they fare.
    pub events: Sink,
    /// Where they count.
    pub metrics: Metrics,
    /// Where it is kept how far they are.
    pub store: Store,
    /// Where a secret of the configuration is, with what the environment says of that.
    pub source: Arc<dyn Fn(&TokenSource) -> Source + Send + Sync>,
}

/// What the tasks of hooks share.
#[derive(Clone)]
struct Shared {
    host: String,
    events: Sink,
    metrics: Metrics,
    store: Store,
    book: MarkBook,
}

/// Runs the hooks of the configuration in force, and others when it changes. Dropping it ends whatever a hook runs.
pub async fn keep(start: Start, mut intended: watch::Receiver<Arc<Intended>>) {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let book = MarkBook::new(start.store.clone());
    let mut shared = Shared { host, events: start.events, metrics: start.metrics, store: start.store, book };
    let recorder = start.recorder;
    // A hook that was never told of anything begins with the daemon, and one that is added later with what happens from then on.
    let mut beginning = just_before(recorder.status().started_at);
    loop {
        let hooks = Arc::new(intended.borrow_and_update().config.hooks.clone());
        shared.book = shared.book.next();
        let _running = [
            run_command(&hooks, &shared, &recorder, beginning).await,
            run_webhook(&hooks, &shared, &recorder, beginning, &*start.source).await,
        ];
        loop {
            if intended.changed().await.is_err() {
                return;
            }
            if intended.borrow_and_update().config.hooks != *hooks {
                break;
            }
        }
        beginning = recorder.feed().last().map_or(beginning, |entry| entry.id);
    }
}

async fn run_command(hooks: &Arc<Hooks>, shared: &Shared, recorder: &Recorder, beginning: u64) -> Option<AbortOnDropHandle<()>> {
    let since = since(Hook::Command, !hooks.on_event.is_empty(), shared, beginning).await?;
    let (telling, intake, past) = begin(Hook::Command, hooks, shared, recorder, since);
    let task = CommandTask::new(hooks.on_event.clone(), telling, intake);
    Some(AbortOnDropHandle::new(tokio::spawn(task.run(past))))
}

async fn run_webhook(
    hooks: &Arc<Hooks>,
    shared: &Shared,
    recorder: &Recorder,
    beginning: u64,
    source: &(dyn Fn(&TokenSource) -> Source + Send + Sync),
) -> Option<AbortOnDropHandle<()>> {
    let since = since(Hook::Webhook, hooks.webhook.is_some(), shared, beginning).await?;
    let webhook = hooks.webhook.as_ref()?;
    let (mut telling, intake, past) = begin(Hook::Webhook, hooks, shared, recorder, since);
    match Sender::new(webhook.url.clone(), source(&webhook.secret)) {
        Ok(sender) => {
            let task = WebhookTask::new(sender, telling, intake);
            Some(AbortOnDropHandle::new(tokio::spawn(task.run(past))))
        }
        Err(why) => {
            telling.failed(&why, 0);
            None
        }
    }
}

/// Behind which event a hook begins; `None` for one that is not configured, of which nothing is kept.
async fn since(hook: Hook, is_configured: bool, shared: &Shared, beginning: u64) -> Option<u64> {
    let book = shared.book.clone();
    let mark = spawn_blocking(move || {
        if is_configured {
            return Some(book.begin(hook));
        }
        if let Err(error) = book.forget(hook) {
            tracing::debug!(hook = hook.as_str(), %error, "the mark of a hook that is no more is left");
        }
        None
    });
    mark.await.expect("a mark is read without a panic").map(|mark| mark.unwrap_or(beginning))
}

fn begin(hook: Hook, hooks: &Arc<Hooks>, shared: &Shared, recorder: &Recorder, since: u64) -> (Telling, Intake, Vec<Arc<Entry>>) {
    let mut telling = Telling::new(hook, shared.clone());
    let (intake, past, too_old) = Intake::begin(hooks.clone(), recorder.feed(), since, Timestamp::now());
    // Also of a hook that is told of its first event after the next start.
    telling.settled(since);
    telling.dropped(too_old);
    (telling, intake, past)
}

/// An id below those of all events from this moment on: an id is at least the microseconds since 1970.
fn just_before(at: Timestamp) -> u64 {
    u64::try_from(at.as_microsecond()).unwrap_or(0).saturating_sub(1)
}
