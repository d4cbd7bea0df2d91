//! What the follower shares with others: whom it tells of new lines, and what is about to be followed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::journal::News;
use crate::{
    connector::{Generation, SlotId},
    name::TunnelName,
};

/// Those who watch a tunnel live. A tunnel that nobody watches costs nothing.
#[derive(Clone, Default)]
pub(super) struct Watchers {
    live: Arc<Mutex<BTreeMap<TunnelName, watch::Sender<u64>>>>,
    /// The journal's thread, if there is one.
    pub(super) news: Option<News>,
}

impl Watchers {
    pub(super) fn subscribe(&self, tunnel: &TunnelName) -> watch::Receiver<u64> {
        self.lock().entry(tunnel.clone()).or_default().subscribe()
    }

    /// There are lines with numbers from `first` up to before `next`.
    pub(super) fn tell(&self, tunnel: &TunnelName, first: u64, next: u64) {
        if let Some(news) = &self.news {
            news.tell(tunnel, first, next);
        }
        let mut watchers = self.lock();
        let Some(sender) = watchers.get(tunnel) else { return };
        if sender.receiver_count() == 0 {
            watchers.remove(tunnel);
        } else {
            sender.send_replace(next);
        }
    }

    pub(super) fn end(&self) {
        if let Some(news) = &self.news {
            news.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TunnelName, watch::Sender<u64>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Generations whose files are made, but of which the follower has not been told yet: what is found of them is nothing old.
#[derive(Clone, Default)]
pub(super) struct Coming(Arc<Mutex<BTreeSet<(SlotId, Generation)>>>);

impl Coming {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeSet<(SlotId, Generation)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
