//! The webhook's decisions: what is sent, when, and how often.
//!
//! ```text
//!  events ─▶ outbox ── 2 s after the first ─▶ a delivery ─▶ send ─▶ outcome ─┬─▶ delivered, or given up
//!                                                 ▲                          │
//!                                                 └──────── after a pause ◀──┘
//! ```
//!
//! Nothing here sends, sleeps or reads a clock: the webhook's task does, and reports back. There is one delivery at a time, so that they
//! arrive in order; what happens meanwhile waits in the outbox.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    outbox::{BATCH_MAX, Outbox, Repeated},
    verdict::{Outcome, Verdict, judge},
};
use crate::event::Entry;

/// How long an event waits for others: what belongs together comes within a moment, and a person reads a message or two.
pub(super) const WINDOW: Duration = Duration::from_secs(2);

/// Events on their way: the same bytes at every try.
#[derive(Debug)]
pub(super) struct Parcel {
    /// What the other side knows it by.
    pub(super) id: String,
    /// The body.
    pub(super) body: Vec<u8>,
    /// How many events it tells of.
    pub(super) events: u64,
    /// The id of the first of them.
    pub(super) first_id: u64,
}

/// One try to send a parcel.
#[derive(Debug, Clone)]
pub(super) struct Try {
    pub(super) parcel: Arc<Parcel>,
    /// Which try it is, counted from 1.
    pub(super) number: u32,
}

/// The webhook's state.
#[derive(Debug, Default)]
pub(super) struct Courier {
    outbox: Outbox,
    /// When the outbox has waited long enough, while something is in it.
    due: Option<Instant>,
    stage: Stage,
    /// The newest event that was taken in.
    newest: Option<u64>,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Sending {
        parcel: Arc<Parcel>,
        since: Instant,
        number: u32,
    },
    Waiting {
        parcel: Arc<Parcel>,
        since: Instant,
        number: u32,
        until: Instant,
    },
}

impl Courier {
    /// Takes in an event; `false` when there is no room for it.
    pub(super) fn handle_event(&mut self, entry: Arc<Entry>, now: Instant) -> bool {
        self.newest = self.newest.max(Some(entry.id));
        let has_room = self.outbox.add(entry);
        let due = *self.due.get_or_insert(now + WINDOW);
        if self.outbox.len() >= BATCH_MAX {
            self.due = Some(due.min(now));
        }
        has_room
    }

    /// When [`Self::handle_timeout`] is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Idle => self.due,
            Stage::Sending { .. } => None,
            Stage::Waiting { until, .. } => Some(until),
        }
    }

    /// What is to be sent, if it is time. A new delivery is made of its events by `pack`.
    pub(super) fn handle_timeout(&mut self, now: Instant, pack: impl FnOnce(&[Repeated]) -> Parcel) -> Option<Try> {
        let (parcel, since, number) = match &self.stage {
            Stage::Waiting { parcel, since, number, until } if *until <= now => (parcel.clone(), *since, number + 1),
            Stage::Idle if self.due.is_some_and(|due| due <= now) => {
                let events = self.outbox.take();
                // What is left has waited long enough already.
                self.due = self.due.filter(|_| self.outbox.len() > 0);
                (Arc::new(pack(&events)), now, 1)
            }
            Stage::Idle | Stage::Sending { .. } | Stage::Waiting { .. } => return None,
        };
        self.stage = Stage::Sending { parcel: parcel.clone(), since, number };
        Some(Try { parcel, number })
    }

    /// Takes in what came of the try. `chance` is from 0 to 1. Gives also the number of events that are settled by it.
    pub(super) fn handle_outcome(&mut self, outcome: Outcome, now: Instant, chance: f64) -> (Verdict, u64) {
        let Stage::Sending { parcel, since, number } = std::mem::take(&mut self.stage) else {
            unreachable!("an outcome comes of a try, and there is one at a time")
        };
        let verdict = judge(outcome, number, now.saturating_duration_since(since), chance);
        match &verdict {
            Verdict::Again { pause, .. } => {
                self.stage = Stage::Waiting { parcel, since, number, until: now + *pause };
                (verdict, 0)
            }
            Verdict::Delivered | Verdict::GiveUp { .. } => (verdict, parcel.events),
        }
    }

    /// How many different events wait for a delivery.
    pub(super) fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// The newest event up to which all are settled.
    pub(super) fn settled(&self) -> Option<u64> {
        let sending = match &self.stage {
            Stage::Idle => None,
            Stage::Sending { parcel, .. } | Stage::Waiting { parcel, .. } => Some(parcel.first_id),
        };
        let open = self.outbox.first_id().into_iter().chain(sending).min();
        open.map(|first| first.saturating_sub(1)).or(self.newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::testing::entry;

    const OK: Outcome = Outcome::Answered { status: 204, retry_after: None };

    fn pack(events: &[Repeated]) -> Parcel {
        let first_id = events.iter().map(|event| event.first_id).min().unwrap();
        let body = events.iter().map(|event| event.entry.kind.as_str()).collect::<Vec<_>>().join(" ");
        let count = events.iter().map(|event| event.count).sum();
        Parcel { id: format!("of {first_id}"), body: body.into_bytes(), events: count, first_id }
    }

    fn body(sent: Option<Try>) -> (String, u32) {
        let Try { parcel, number } = sent.expect("something is to be sent");
        (String::from_utf8(parcel.body.clone()).unwrap(), number)
    }

    #[test]
    fn events_within_a_window_are_one_delivery() {
        let (mut courier, start) = (Courier::default(), Instant::now());
        assert_eq!((courier.poll_timeout(), courier.settled()), (None, None));
        courier.handle_event(entry(1, "a"), start);
        courier.handle_event(entry(2, "b"), start + WINDOW / 2);
        courier.handle_event(entry(3, "a"), start + WINDOW / 2);
        assert_eq!(courier.poll_timeout(), Some(start + WINDOW));
        assert!(courier.handle_timeout(start + WINDOW / 2, pack).is_none());
        assert_eq!(body(courier.handle_timeout(start + WINDOW, pack)), ("b a".to_owned(), 1));
        assert_eq!(courier.settled(), Some(0));
        assert_eq!(courier.handle_outcome(OK, start + WINDOW, 0.5), (Verdict::Delivered, 3));
        assert_eq!((courier.poll_timeout(), courier.settled()), (None, Some(3)));
    }

    #[test]
    fn a_delivery_keeps_its_id_and_bytes_while_others_wait() {
        let (mut courier, start) = (Courier::default(), Instant::now());
        courier.handle_event(entry(1, "a"), start);
        let first = courier.handle_timeout(start + WINDOW, pack).unwrap();
        courier.handle_event(entry(2, "b"), start + WINDOW);
        let down = Outcome::Unanswered("no answer".to_owned());
        let (verdict, settled) = courier.handle_outcome(down, start + WINDOW, 1.0);
        let Verdict::Again { pause, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!((settled, courier.settled()), (0, Some(0)));
        let again_at = start + WINDOW + pause;
        assert_eq!(courier.poll_timeout(), Some(again_at));
        let second = courier.handle_timeout(again_at, pack).unwrap();
        assert!(Arc::ptr_eq(&first.parcel, &second.parcel) && second.number == 2);
        courier.handle_outcome(OK, again_at, 0.5);
        assert_eq!((courier.settled(), courier.waiting()), (Some(1), 1));
        assert_eq!(body(courier.handle_timeout(start + 2 * WINDOW, pack)), ("b".to_owned(), 1));
    }

    #[test]
    fn a_full_delivery_waits_for_no_window_and_the_rest_follows_it() {
        let (mut courier, start) = (Courier::default(), Instant::now());
        for id in 1..=BATCH_MAX as u64 + 1 {
            courier.handle_event(entry(id, &format!("kind-{id}")), start);
        }
        assert_eq!(courier.poll_timeout(), Some(start));
        assert_eq!(courier.handle_timeout(start, pack).unwrap().parcel.events, BATCH_MAX as u64);
        courier.handle_outcome(OK, start, 0.5);
        assert_eq!(courier.handle_timeout(start, pack).unwrap().parcel.events, 1);
        courier.handle_outcome(OK, start, 0.5);
        assert_eq!(courier.poll_timeout(), None);
    }

    #[test]
    fn a_refused_delivery_is_given_up_and_the_next_one_is_sent() {
        let (mut courier, start) = (Courier::default(), Instant::now());
        courier.handle_event(entry(1, "a"), start);
        courier.handle_timeout(start + WINDOW, pack).unwrap();
        let refused = Outcome::Answered { status: 404, retry_after: None };
        let (verdict, settled) = courier.handle_outcome(refused, start + WINDOW, 0.5);
        assert_eq!((verdict, settled), (Verdict::GiveUp { why: "it answers 404".to_owned() }, 1));
        courier.handle_event(entry(2, "b"), start + 2 * WINDOW);
        assert_eq!(body(courier.handle_timeout(start + 3 * WINDOW, pack)), ("b".to_owned(), 1));
    }
}
