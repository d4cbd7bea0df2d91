//! Events and log lines: which are wanted, and how they follow one another.

use futures_util::stream;
use jiff::Timestamp;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    control::{
        EventQuery, LogQuery,
        api::{Event, Followed, LogLine},
    },
    event::Entry,
};

pub(super) fn wants_entry(query: &EventQuery, entry: &Entry) -> bool {
    query.from.is_none_or(|from| entry.at >= from)
        && query.tunnel.as_ref().is_none_or(|tunnel| entry.subject.tunnel.as_ref() == Some(tunnel))
}

pub(super) fn newest(mut events: Vec<Event>, query: &EventQuery) -> Vec<Event> {
    events.drain(..events.len().saturating_sub(usize::from(query.limit.get())));
    events
}

pub(super) fn wants_line(query: &LogQuery, line: &LogLine) -> bool {
    query.since.is_none_or(|since| line.id > since) && query.replica.is_none_or(|replica| line.replica == replica)
}

/// Numbers lines so that they grow: by their time in microseconds, as cloudflared's whole seconds leave room for a million lines each.
#[derive(Default)]
pub(super) struct LineNumbers(u64);

impl LineNumbers {
    pub(super) fn next(&mut self, at: Timestamp) -> u64 {
        self.0 = u64::try_from(at.as_microsecond()).unwrap_or(0).max(self.0 + 1);
        self.0
    }
}

/// Everything that a broadcast brings, until its sender is gone.
pub(super) fn followed<T: Clone + Send + 'static>(receiver: Receiver<T>) -> impl futures_util::Stream<Item = Followed<T>> + Send {
    stream::unfold(receiver, async |mut receiver| match receiver.recv().await {
        Ok(item) => Some((Followed::Item(item), receiver)),
        Err(RecvError::Lagged(missed)) => Some((Followed::Missed(missed), receiver)),
        Err(RecvError::Closed) => None,
    })
}
