//! The feed: the last entries in memory, and whoever follows them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::broadcast;

use super::writer::Writer;
use crate::{
    event::{Entry, Event},
    metrics::Metrics,
};

/// How many entries are kept in memory: some hours of a busy host, below 500 KiB.
const KEPT_MAX: usize = 1_000;

/// How far a follower may fall behind before it is told that it missed entries.
const FOLLOWER_LAG_MAX: usize = 256;

/// The entries of events, oldest first.
pub struct Feed {
    kept: Mutex<Kept>,
    followers: broadcast::Sender<Arc<Entry>>,
    writer: Writer,
    metrics: Metrics,
}

struct Kept {
    entries: VecDeque<Arc<Entry>>,
    last_id: u64,
    /// The newest entry that is not kept any more.
    dropped: Option<u64>,
}

/// What a follower starts with and how it goes on.
pub struct Following {
    /// Whether there were entries after the one to go on behind that are not kept any more.
    pub has_gap: bool,
    /// The entries that were there, oldest first.
    pub past: Vec<Arc<Entry>>,
    /// Each entry from then on, without a gap to `past`.
    pub next: broadcast::Receiver<Arc<Entry>>,
}

impl Feed {
    pub(super) fn new(past: Vec<Entry>, writer: Writer, metrics: Metrics) -> Self {
        let dropped = past.len().checked_sub(KEPT_MAX + 1).map(|newest| past[newest].id);
        let entries: VecDeque<_> = past.into_iter().rev().take(KEPT_MAX).rev().map(Arc::new).collect();
        let last_id = entries.back().map_or(0, |entry| entry.id);
        Self {
            kept: Mutex::new(Kept { entries, last_id, dropped }),
            followers: broadcast::Sender::new(FOLLOWER_LAG_MAX),
            writer,
            metrics,
        }
    }

    /// The entries after `since` (all that are kept: `None`), oldest first.
    pub fn entries(&self, since: Option<u64>) -> Vec<Arc<Entry>> {
        after(&self.lock(), since)
    }

    /// The newest entry, if there is any.
    pub fn last(&self) -> Option<Arc<Entry>> {
        self.lock().entries.back().cloned()
    }

    /// The entries after `since` and everything that comes.
    pub fn follow(&self, since: Option<u64>) -> Following {
        // Both under one lock, so that no entry falls between the past and what comes.
        let kept = self.lock();
        let has_gap = kept.dropped.is_some_and(|dropped| since.is_some_and(|since| since < dropped));
        Following { has_gap, past: after(&kept, since), next: self.followers.subscribe() }
    }

    pub(super) fn add(&self, at: Timestamp, event: &Event) {
        let mut kept = self.lock();
        // Microseconds since 1970, or one more than the last: ids grow within a run, and over a restart they go on beyond the
        // last one that was written, also when the tail of the file was lost.
        let now = u64::try_from(at.as_microsecond()).unwrap_or(0);
        let id = now.max(kept.last_id + 1);
        let entry = Arc::new(Entry::new(id, at, event));
        kept.last_id = id;
        if kept.entries.len() == KEPT_MAX {
            kept.dropped = kept.entries.pop_front().map(|entry| entry.id);
        }
        kept.entries.push_back(entry.clone());
        // Nobody following is fine.
        let _ = self.followers.send(entry.clone());
        drop(kept);
        if !self.writer.write(entry) {
            self.metrics.log_line_dropped();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn after(kept: &Kept, since: Option<u64>) -> Vec<Arc<Entry>> {
    kept.entries.iter().filter(|entry| since.is_none_or(|since| entry.id > since)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::DaemonEvent, recorder::Recorder};

    #[test]
    fn a_follower_that_comes_back_too_late_is_told_of_the_gap() {
        let folder = tempfile::tempdir().unwrap();
        let gaps = |recorder: &Recorder, since: &[u64]| -> Vec<bool> {
            since.iter().map(|since| recorder.feed().follow(Some(*since)).has_gap).collect()
        };
        let (recorder, guard) = Recorder::start(folder.path(), Metrics::new());
        let event = Event::from(DaemonEvent::Started { version: "0.0.0" });
        recorder.record(&event);
        let first = recorder.feed().last().unwrap().id;
        for _ in 1..KEPT_MAX {
            recorder.record(&event);
        }
        assert_eq!(gaps(&recorder, &[0, first]), [false, false], "all that ever happened is kept");
        recorder.record(&event);
        let newest = recorder.feed().last().unwrap().id;
        assert_eq!(gaps(&recorder, &[0, first, newest]), [true, false, false]);
        assert!(!recorder.feed().follow(None).has_gap, "who begins misses nothing");
        drop((recorder, guard));
        let (recorder, _guard) = Recorder::start(folder.path(), Metrics::new());
        assert_eq!(gaps(&recorder, &[0, first, newest]), [true, false, false], "over a restart, too");
    }
}
