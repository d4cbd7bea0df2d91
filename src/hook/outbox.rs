//! What waits for the webhook: each event once, however often it repeats itself.

use std::{collections::VecDeque, sync::Arc};

use jiff::Timestamp;

use crate::event::{Entry, Subject};

/// How many different events may wait. A host in trouble repeats itself, so that more than this many different ones are another
/// outage altogether.
pub(super) const WAITING_MAX: usize = 500;

/// How many different events one delivery has at most: some 40 KiB of JSON.
pub(super) const BATCH_MAX: usize = 100;

/// An event, and how often it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repeated {
    /// The last of them.
    pub(super) entry: Arc<Entry>,
    /// How many there were.
    pub(super) count: u64,
    /// The id of the first.
    pub(super) first_id: u64,
    /// When the first happened.
    pub(super) first_at: Timestamp,
}

/// Events that wait, in the order of the last of each.
#[derive(Debug, Default)]
pub(super) struct Outbox(VecDeque<Repeated>);

impl Outbox {
    /// Takes in an event; `false` when there is no room for it.
    pub(super) fn add(&mut self, entry: Arc<Entry>) -> bool {
        if let Some(place) = self.0.iter().position(|repeated| is_repetition(&repeated.entry, &entry)) {
            let earlier = self.0.remove(place).expect("the place was just found");
            self.0.push_back(Repeated { entry, count: earlier.count + 1, ..earlier });
            return true;
        }
        if self.0.len() == WAITING_MAX {
            return false;
        }
        let (first_id, first_at) = (entry.id, entry.at);
        self.0.push_back(Repeated { entry, count: 1, first_id, first_at });
        true
    }

    /// Takes out the first events, as many as one delivery may have.
    pub(super) fn take(&mut self) -> Vec<Repeated> {
        let count = self.0.len().min(BATCH_MAX);
        self.0.drain(..count).collect()
    }

    /// How many different events wait.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The id of the first event that waits.
    pub(super) fn first_id(&self) -> Option<u64> {
        self.0.iter().map(|repeated| repeated.first_id).min()
    }
}

/// Whether the one says what the other said: the same of the same, whatever numbers are in the sentence. The generation counts
/// restarts and does not count here.
fn is_repetition(before: &Entry, after: &Entry) -> bool {
    let without_generation = |subject: &Subject| Subject { generation: None, ..subject.clone() };
    before.kind == after.kind
        && before.level == after.level
        && before.reason == after.reason
        && without_generation(&before.subject) == without_generation(&after.subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::testing::entry;

    #[test]
    fn what_repeats_itself_is_one_event_with_a_count() {
        let mut outbox = Outbox::default();
        for (id, kind) in [(1, "connector-exited"), (2, "connector-ready"), (3, "connector-exited"), (4, "connector-exited")] {
            assert!(outbox.add(entry(id, kind)));
        }
        assert_eq!(outbox.first_id(), Some(1));
        let told: Vec<(u64, u64, u64)> =
            outbox.take().iter().map(|repeated| (repeated.entry.id, repeated.count, repeated.first_id)).collect();
        assert_eq!(told, [(2, 1, 2), (4, 3, 1)]);
        assert_eq!((outbox.len(), outbox.first_id()), (0, None));
    }

    #[test]
    fn there_is_room_for_so_many_and_repetitions_need_none() {
        let mut outbox = Outbox::default();
        for id in 0..WAITING_MAX as u64 {
            assert!(outbox.add(entry(id, &format!("kind-{id}"))));
        }
        assert!(!outbox.add(entry(1_000, "another")));
        assert!(outbox.add(entry(1_001, "kind-7")));
        assert_eq!(outbox.take().len(), BATCH_MAX);
        assert!(outbox.add(entry(1_002, "another")));
    }
}
