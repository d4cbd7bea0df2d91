//! The one listener: each event becomes a log line, a metric, a change of the status and an entry of the feed.
//!
//! ```text
//!  loops ── Event ─▶ Recorder ─┬─▶ Status (folded at once, under a short lock)
//!                              ├─▶ Metrics (counted at once)
//!                              └─▶ Feed ─┬─▶ the last entries in memory, and whoever follows them
//!                                        └─▶ bounded queue ─▶ writer thread ─▶ log line, events.jsonl
//! ```
//!
//! Recording is called from the loops, so nothing here waits: what may block (the journal, the disk) happens on the writer's
//! thread, behind a queue with an end. An entry that finds the queue full is shown and counted but not logged.

mod feed;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use tokio::sync::watch;

pub use feed::{Feed, Following};
pub use writer::WriterGuard;

use crate::{
    event::{Event, Level},
    metrics::Metrics,
    name::TunnelName,
    status::Status,
};

/// Passes on the lines of a tunnel's connectors, once there is somebody who can.
type LinesFirst = Arc<OnceLock<Box<dyn Fn(&TunnelName) + Send + Sync>>>;

/// The listener's handle; cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    status: RwLock<Status>,
    revision: AtomicU64,
    feed: Feed,
    lines_first: LinesFirst,
    metrics: Metrics,
    happened: watch::Sender<()>,
}

impl Recorder {
    /// Starts recording. The feed goes on from what `state_dir/events.jsonl` holds; a feed that cannot be read or written is
    /// logged and does without its past, because no event may wait for a disk. The guard writes out what is queued when it is
    /// dropped.
    pub fn start(state_dir: &Path, metrics: Metrics) -> (Self, WriterGuard) {
        let lines_first = LinesFirst::default();
        let (past, writer, guard) = writer::start(state_dir, lines_first.clone());
        let inner = Inner {
            status: RwLock::new(Status::new(Timestamp::now())),
            revision: AtomicU64::new(0),
            feed: Feed::new(past, writer, metrics.clone()),
            lines_first,
            metrics,
            happened: watch::Sender::new(()),
        };
        (Self(Arc::new(inner)), guard)
    }

    /// Has `pass_on` called from the writer's thread before an event about a connector is logged: it may wait a moment until the
    /// lines of the tunnel's connectors are where the event goes, so that what led to the event stands before it. The first counts.
    pub fn log_after(&self, pass_on: impl Fn(&TunnelName) + Send + Sync + 'static) {
        drop(self.0.lines_first.set(Box::new(pass_on)));
    }

    /// The status as it is; hold it shortly, events wait for it.
    pub fn status(&self) -> RwLockReadGuard<'_, Status> {
        // A panic while folding ends the daemon, so a poisoned lock can only be met on the way out.
        self.0.status.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes with everything that happens, readings included: whoever waits looks at the status again.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.0.happened.subscribe()
    }

    /// Grows after every change of the status: what is made of the status later than this was read is at least as new.
    pub fn revision(&self) -> u64 {
        self.0.revision.load(Ordering::Acquire)
    }

    /// The entries of the feed.
    pub fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// Takes in what happened. It never waits.
    pub fn record(&self, event: &Event) {
        event.check();
        let at = Timestamp::now();
        self.0.status.write().unwrap_or_else(PoisonError::into_inner).fold(event, at);
        self.0.revision.fetch_add(1, Ordering::Release);
        self.0.metrics.record(event);
        if event.level() != Level::Reading {
            self.0.feed.add(at, event);
        }
        self.0.happened.send_replace(());
    }
}
