//! What a hook takes from the feed: what it wants to be told of, from where the daemon before left off.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    config::Hooks,
    event::Entry,
    recorder::{Feed, Following},
};

/// The oldest event that a daemon tells a hook of after a restart: what is older is no news, and it can be read with `adit events`.
const AGE_MAX: Duration = Duration::from_secs(3_600);

/// A hook's way through the feed.
pub(super) struct Intake {
    hooks: Arc<Hooks>,
    next: Receiver<Arc<Entry>>,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// An event that the hook wants to be told of.
    Wanted(Arc<Entry>),
    /// So many events went by unseen.
    Unseen(u64),
}

impl Intake {
    /// Begins behind the event `since`, with what happened after it already and is wanted, and how much of that is too old.
    pub(super) fn begin(hooks: Arc<Hooks>, feed: &Feed, since: u64, now: Timestamp) -> (Self, Vec<Arc<Entry>>, u64) {
        let Following { past, next, .. } = feed.follow(Some(since));
        let oldest = SignedDuration::try_from(AGE_MAX).map_or(now, |age| now - age);
        let wanted = past.into_iter().filter(|entry| hooks.want(&entry.kind, entry.level));
        let (past, old): (Vec<_>, Vec<_>) = wanted.partition(|entry| entry.at >= oldest);
        (Self { hooks, next }, past, u64::try_from(old.len()).unwrap_or(u64::MAX))
    }

    /// The next event that is wanted; `None` when there will be no more. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Taken> {
        loop {
            match self.next.recv().await {
                Ok(entry) if self.hooks.want(&entry.kind, entry.level) => return Some(Taken::Wanted(entry)),
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => return Some(Taken::Unseen(count)),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
