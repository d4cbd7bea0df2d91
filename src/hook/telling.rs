//! What a hook's task says of itself: events, metrics, and how far it is.

use super::{Shared, marks::Marks, message::Place, outage::Outage};
use crate::{
    event::{DaemonEvent, Hook},
    metrics::HookResult,
};

/// A hook's voice.
pub(super) struct Telling {
    hook: Hook,
    shared: Shared,
    outage: Outage,
    marks: Marks,
}

impl Telling {
    /// The voice of `hook`.
    pub(super) fn new(hook: Hook, shared: Shared) -> Self {
        let marks = Marks::start(shared.book.clone(), hook);
        Self { hook, shared, outage: Outage::new(hook), marks }
    }

    /// Where what is told happened.
    pub(super) fn place(&self) -> Place {
        Place { host: self.shared.host.clone(), install: self.shared.store.install().as_str().to_owned() }
    }

    /// Counts what became of one run or sending.
    pub(super) fn count(&self, result: HookResult) {
        self.shared.metrics.count_hook_delivery(self.hook, result);
    }

    /// The hook could not be told, and `missed` events are given up for it.
    pub(super) fn failed(&mut self, why: &str, missed: u64) {
        tracing::debug!(hook = self.hook.as_str(), why, missed, "a hook was not told");
        let event = self.outage.failed(why, missed);
        self.tell(event);
    }

    /// So many events were left out.
    pub(super) fn dropped(&mut self, events: u64) {
        if events > 0 {
            self.shared.metrics.count_hook_drops(self.hook, events);
            let event = self.outage.dropped(events);
            self.tell(event);
        }
    }

    /// The hook was told, while so many events wait.
    pub(super) fn delivered(&mut self, waiting: usize) {
        let event = self.outage.delivered(waiting);
        self.tell(event);
    }

    /// Everything up to this event is settled.
    pub(super) fn settled(&self, id: u64) {
        self.marks.move_to(id);
    }

    /// How many events the hook was not told of since it was well.
    pub(super) fn missed(&self) -> u64 {
        self.outage.missed()
    }

    fn tell(&self, event: Option<DaemonEvent>) {
        if let Some(event) = event {
            self.shared.events.tell(event);
        }
    }
}
