//! Readings of connectors' traffic: on demand, shared by everybody who asks, and none waits for one that hangs.
//!
//! ```text
//!  read(targets) ─▶ for each that has no fresh reading: a task, at most 16 at once ─▶ its metrics server
//!        └─ waits for those tasks, 500 ms at the longest, and tells what there is by then
//! ```
//!
//! A connector that missed is asked again only after a while and in a lane of its own: however many hang, the others' figures come
//! as ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, timeout},
};

use crate::{
    connector::SlotId,
    probe::{Traffic, traffic},
};

/// How old a reading may be to be told again. A little less than a second, so that who asks each second gets another one each time.
const FRESH: Duration = Duration::from_millis(900);

/// A reading of this age is told without an excuse: where there are many connectors, not all are read in one wait.
const RECENT: Duration = Duration::from_secs(3);

/// How long one that missed is left alone.
const MISSED_PAUSE: Duration = Duration::from_secs(10);

/// How many connectors are asked at once: a reading takes about a millisecond, so that a thousand take less than an answer's wait.
const ASKED_MAX: usize = 16;

/// How many of those that missed last time are asked at once, besides.
const MISSED_ASKED_MAX: usize = 4;

/// How long an answer waits for readings that are under way.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// A connector whose traffic is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Its place.
    pub(super) slot: SlotId,
    /// The how manieth process there.
    pub(super) generation: u64,
    /// The process.
    pub(super) pid: u32,
    /// Where its metrics are.
    pub(super) metrics: SocketAddr,
}

/// What is known of a connector's traffic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    /// What it said last, if it ever did.
    pub(super) last: Option<Reading>,
    /// Why there is nothing fresher.
    pub(super) unread: Option<String>,
}

/// What a connector said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    /// When.
    pub(super) at: Timestamp,
    /// How long ago.
    pub(super) age: Duration,
    /// What.
    pub(super) traffic: Traffic,
}

/// Everybody's readings. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct TrafficReader {
    entries: Arc<Mutex<BTreeMap<SlotId, Entry>>>,
    lane: Arc<Semaphore>,
    missed_lane: Arc<Semaphore>,
}

/// What is kept of one connector.
#[derive(Debug)]
struct Entry {
    target: Target,
    /// When the last asking ended, and with what.
    asked: Option<(Instant, Result<(), String>)>,
    last: Option<(Instant, Timestamp, Traffic)>,
    /// Whether it is being asked: the value changes when that ends.
    asking: watch::Sender<bool>,
}

impl TrafficReader {
    pub(super) fn new() -> Self {
        Self {
            entries: Arc::default(),
            lane: Arc::new(Semaphore::new(ASKED_MAX)),
            missed_lane: Arc::new(Semaphore::new(MISSED_ASKED_MAX)),
        }
    }

    /// What each of `targets` carries, in that order. Those that are no target any more are forgotten.
    pub(super) async fn read(&self, targets: &[Target]) -> Vec<Figures> {
        let waits: Vec<_> = {
            let mut entries = self.lock();
            let wanted: BTreeSet<&SlotId> = targets.iter().map(|target| &target.slot).collect();
            entries.retain(|slot, _| wanted.contains(slot));
            targets.iter().filter_map(|target| self.ask(&mut entries, target)).collect()
        };
        // Whatever is not there in time is told as being under way.
        let _ = timeout(WAIT_MAX, join_all(waits.into_iter().map(until_asked))).await;
        let (entries, now) = (self.lock(), Instant::now());
        targets.iter().map(|target| entries.get(&target.slot).map_or_else(Figures::none, |entry| entry.figures(now))).collect()
    }

    /// Begins to ask `target` if it is time to, and gives what to wait for.
    fn ask(&self, entries: &mut BTreeMap<SlotId, Entry>, target: &Target) -> Option<watch::Receiver<bool>> {
        if entries.get(&target.slot).is_none_or(|entry| entry.target != *target) {
            entries.insert(target.slot.clone(), Entry::new(target.clone()));
        }
        let entry = entries.get_mut(&target.slot).expect("it was put there");
        let missed = matches!(entry.asked, Some((_, Err(_))));
        if !*entry.asking.borrow() {
            let pause = if missed { MISSED_PAUSE } else { FRESH };
            if entry.asked.as_ref().is_some_and(|(at, _)| at.elapsed() < pause) {
                return None;
            }
            entry.asking.send_replace(true);
            let lane = Arc::clone(if missed { &self.missed_lane } else { &self.lane });
            tokio::spawn(self.clone().ask_now(target.clone(), lane));
        }
        // Nobody waits for one that missed last time.
        (!missed).then(|| entry.asking.subscribe())
    }

    async fn ask_now(self, target: Target, lane: Arc<Semaphore>) {
        let _permit = lane.acquire().await.expect("nobody closes the lane");
        let said = traffic(target.metrics).await;
        let (now, at) = (Instant::now(), Timestamp::now());
        let mut entries = self.lock();
        // Another process may stand in its place by then.
        let Some(entry) = entries.get_mut(&target.slot).filter(|entry| entry.target == target) else { return };
        entry.asked = Some((now, said.as_ref().map(|_| ()).map_err(ToString::to_string)));
        if let Ok(traffic) = said {
            entry.last = Some((now, at, traffic));
        }
        entry.asking.send_replace(false);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SlotId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(target: Target) -> Self {
        Self { target, asked: None, last: None, asking: watch::Sender::new(false) }
    }

    fn figures(&self, now: Instant) -> Figures {
        let last = self.last.as_ref().map(|(read, at, traffic)| Reading {
            at: *at,
            age: now.saturating_duration_since(*read),
            traffic: traffic.clone(),
        });
        let is_recent = last.as_ref().is_some_and(|last| last.age < RECENT);
        let unread = match &self.asked {
            Some((_, Err(why))) => Some(format!("its metrics cannot be read: {why}")),
            Some((_, Ok(()))) | None if is_recent => None,
            Some((_, Ok(()))) | None => Some("its metrics server has not answered yet".to_owned()),
        };
        Figures { last, unread }
    }
}

impl Figures {
    fn none() -> Self {
        Self { last: None, unread: Some("it was replaced a moment ago".to_owned()) }
    }
}

async fn until_asked(mut asking: watch::Receiver<bool>) {
    // An error says that its entry is gone, which is an end as well.
    let _ = asking.wait_for(|asking| !asking).await;
}

#[cfg(test)]
mod tests;
