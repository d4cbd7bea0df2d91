//! The webhook: deliveries go out one after another, and are tried again while that may help.

use std::{future::pending, sync::Arc};

use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{
    courier::{Courier, Parcel, Try},
    intake::{Intake, Taken},
    message,
    outbox::Repeated,
    sender::Sender,
    telling::Telling,
    verdict::{Outcome, Verdict},
};
use crate::{event::Entry, metrics::HookResult};

/// A delivery that fails so often in a row is told: once or twice is a hiccup.
const TOLD_AFTER: u32 = 3;

/// The webhook's task.
pub(super) struct WebhookTask {
    sender: Arc<Sender>,
    telling: Telling,
    intake: Intake,
    courier: Courier,
    sending: Option<AbortOnDropHandle<Outcome>>,
    /// How many tries have failed since the last one that did not.
    failures: u32,
}

impl WebhookTask {
    /// A task that sends with `sender`.
    pub(super) fn new(sender: Sender, telling: Telling, intake: Intake) -> Self {
        let courier = Courier::default();
        Self { sender: Arc::new(sender), telling, intake, courier, sending: None, failures: 0 }
    }

    /// Tells of what has happened, and goes on until the feed ends.
    pub(super) async fn run(mut self, past: Vec<Arc<Entry>>) {
        for entry in past {
            self.take(entry);
        }
        loop {
            self.send_next();
            let wake = self.courier.poll_timeout();
            // Each arm is cancel-safe.
            tokio::select! {
                taken = self.intake.next() => match taken {
                    Some(Taken::Wanted(entry)) => self.take(entry),
                    Some(Taken::Unseen(count)) => self.telling.dropped(count),
                    None => return,
                },
                outcome = ended(&mut self.sending) => self.take_outcome(outcome),
                () = until(wake) => {}
            }
        }
    }

    fn take(&mut self, entry: Arc<Entry>) {
        if !self.courier.handle_event(entry, Instant::now()) {
            self.telling.dropped(1);
        }
    }

    fn send_next(&mut self) {
        let telling = &self.telling;
        let pack = |events: &[Repeated]| {
            let id = Uuid::new_v4().to_string();
            let body = message::of_several(&telling.place(), &id, telling.missed(), events);
            let first_id = events.iter().map(|event| event.first_id).min().unwrap_or_default();
            Parcel { id, body, events: events.iter().map(|event| event.count).sum(), first_id }
        };
        let Some(Try { parcel, number }) = self.courier.handle_timeout(Instant::now(), pack) else { return };
        let sender = self.sender.clone();
        let sending = tokio::spawn(async move { sender.send(&parcel, number).await });
        self.sending = Some(AbortOnDropHandle::new(sending));
    }

    fn take_outcome(&mut self, outcome: Outcome) {
        self.sending = None;
        let (verdict, events) = self.courier.handle_outcome(outcome, Instant::now(), rand::random());
        match verdict {
            Verdict::Delivered => {
                self.failures = 0;
                self.telling.count(HookResult::Delivered);
                self.telling.delivered(self.courier.waiting());
            }
            Verdict::Again { why, .. } => {
                self.failures += 1;
                self.telling.count(HookResult::Retried);
                if self.failures >= TOLD_AFTER {
                    self.telling.failed(&self.sender.about(&why), 0);
                }
            }
            Verdict::GiveUp { why } => {
                self.failures += 1;
                self.telling.count(HookResult::Failed);
                self.telling.failed(&self.sender.about(&why), events);
            }
        }
        if let Some(id) = self.courier.settled() {
            self.telling.settled(id);
        }
    }
}

/// What came of the try; for ever without one.
async fn ended(sending: &mut Option<AbortOnDropHandle<Outcome>>) -> Outcome {
    match sending {
        Some(sending) => sending.await.expect("sending does not panic"),
        None => pending().await,
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
