//! Readings of connectors' pages of metrics: on demand, shared by everybody who asks, and none waits for one that hangs.
//!
//! ```text
//!  traffic(targets) ─┬▶ for each that has no fresh reading: a task, at most 16 at once ─▶ its metrics server
//!  pages(targets) ───┘
//!        └─ waits for those tasks, for a bounded time, and tells what there is by then
//! ```
//!
//! A connector that missed is asked again only after a while and in a lane of its own: however many hang, the others' figures come
//! as ever. Figures are small and kept; a page is large, kept only while somebody waits for it, and given away once.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout},
};

use crate::{
    connector::SlotId,
    exposition::Page,
    probe::{Traffic, traffic, traffic_and_page},
    status::Status,
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

/// How long one that does not answer keeps another from being asked.
const LANE_TIME: Duration = Duration::from_millis(100);

/// How many that take longer are heard out besides; more are given up as missed.
const SLOW_MAX: usize = 64;

/// How long an answer waits for readings that are under way.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How much longer those who want pages wait for each connector: a hundred take this host's processors longer than one.
const PAGE_WAIT: Duration = Duration::from_millis(2);

/// How long they wait at most: a scraper gives up after 10 s.
const PAGES_WAIT_MAX: Duration = Duration::from_secs(5);

/// How much memory all kept pages take at most, in KiB: one of cloudflared takes about 12.
const PAGES_KIB_MAX: u32 = 64 * 1024;

/// A connector whose metrics are wanted.
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

/// A page, and the room that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct KeptPage {
    /// What is told again.
    pub(super) page: Page,
    /// Given back when the page is gone.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Everybody's readings. Clones share them.
#[derive(Clone)]
pub(super) struct PageReader {
    entries: Arc<Mutex<BTreeMap<SlotId, Entry>>>,
    lane: Arc<Semaphore>,
    slow_lane: Arc<Semaphore>,
    missed_lane: Arc<Semaphore>,
    /// In KiB.
    room: Arc<Semaphore>,
    /// How many series of a page are told again; `None` for no page at all.
    series_max: Arc<dyn Fn() -> Option<usize> + Send + Sync>,
}

/// What is kept of one connector.
#[derive(Debug)]
struct Entry {
    target: Target,
    /// When the last asking ended, and with what.
    asked: Option<(Instant, Result<(), String>)>,
    last: Option<(Instant, Timestamp, Traffic)>,
    /// Whether somebody waits for its page.
    is_page_wanted: bool,
    /// That page.
    page: Option<KeptPage>,
    /// Whether it is being asked: the value changes when that ends.
    asking: watch::Sender<bool>,
}

impl Target {
    /// Every connector that runs. Where one takes over from another, it is the one that stands for their place; the other, which
    /// finishes its requests, is not read any more, so that no series is told twice.
    pub(super) fn all(status: &Status) -> Vec<Self> {
        let connectors = status.tunnels.iter().flat_map(|(name, tunnel)| {
            tunnel.connectors.values().filter_map(move |connector| {
                Some(Self {
                    slot: SlotId::new(name.clone(), connector.replica),
                    generation: connector.generation.0,
                    pid: connector.pid?,
                    metrics: connector.metrics_address?,
                })
            })
        });
        connectors.collect()
    }
}

impl PageReader {
    /// A reader that has read nothing yet; `series_max` says how many series of a page are told again, `None` for no page at all.
    pub(super) fn new(series_max: impl Fn() -> Option<usize> + Send + Sync + 'static) -> Self {
        Self {
            entries: Arc::default(),
            lane: Arc::new(Semaphore::new(ASKED_MAX)),
            slow_lane: Arc::new(Semaphore::new(SLOW_MAX)),
            missed_lane: Arc::new(Semaphore::new(MISSED_ASKED_MAX)),
            room: Arc::new(Semaphore::new(PAGES_KIB_MAX as usize)),
            series_max: Arc::new(series_max),
        }
    }

    /// What each of `targets` carries, in that order. Those that are no target any more are forgotten.
    pub(super) async fn traffic(&self, targets: &[Target]) -> Vec<Figures> {
        self.until_read(targets, false, WAIT_MAX).await;
        let (entries, now) = (self.lock(), Instant::now());
        targets.iter().map(|target| entries.get(&target.slot).map_or_else(Figures::none, |entry| entry.figures(now))).collect()
    }

    /// The page of each of `targets`, in that order; `None` for one that did not answer. Each page is given away: one must ask at a
    /// time.
    pub(super) async fn pages(&self, targets: &[Target]) -> Vec<Option<KeptPage>> {
        let count = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        let wait = WAIT_MAX.saturating_add(PAGE_WAIT.saturating_mul(count)).min(PAGES_WAIT_MAX);
        self.until_read(targets, true, wait).await;
        let mut entries = self.lock();
        let page = |target: &Target| {
            let entry = entries.get_mut(&target.slot).filter(|entry| entry.target == *target)?;
            entry.is_page_wanted = false;
            entry.page.take()
        };
        targets.iter().map(page).collect()
    }

    /// Has each of `targets` read that has no fresh reading, and waits until it is done or `wait` is over.
    async fn until_read(&self, targets: &[Target], wants_page: bool, wait: Duration) {
        let waits: Vec<_> = {
            let mut entries = self.lock();
            let wanted: BTreeSet<&SlotId> = targets.iter().map(|target| &target.slot).collect();
            entries.retain(|slot, _| wanted.contains(slot));
            targets.iter().filter_map(|target| self.ask(&mut entries, target, wants_page)).collect()
        };
        // Whatever is not there in time is told as being under way.
        let _ = timeout(wait, join_all(waits.into_iter().map(until_asked))).await;
    }

    /// Begins to ask `target` if it is time to, and gives what to wait for.
    fn ask(&self, entries: &mut BTreeMap<SlotId, Entry>, target: &Target, wants_page: bool) -> Option<watch::Receiver<bool>> {
        if entries.get(&target.slot).is_none_or(|entry| entry.target != *target) {
            entries.insert(target.slot.clone(), Entry::new(target.clone()));
        }
        let entry = entries.get_mut(&target.slot).expect("it was put there");
        entry.is_page_wanted |= wants_page;
        let missed = matches!(entry.asked, Some((_, Err(_))));
        if !*entry.asking.borrow() {
            let pause = match (missed, wants_page) {
                (true, _) => MISSED_PAUSE,
                (false, false) => FRESH,
                // The page of the last reading, if it had one, is gone.
                (false, true) => Duration::ZERO,
            };
            if entry.asked.as_ref().is_some_and(|(at, _)| at.elapsed() < pause) {
                return None;
            }
            entry.asking.send_replace(true);
            tokio::spawn(self.clone().ask_now(target.clone(), missed));
        }
        // Nobody waits for one that missed last time.
        (!missed).then(|| entry.asking.subscribe())
    }

    async fn ask_now(self, target: Target, missed: bool) {
        let said = if missed {
            let _permit = self.missed_lane.acquire().await.expect("nobody closes the lane");
            self.hear(&target).await
        } else {
            self.hear_in_lane(&target).await
        };
        let (now, at) = (Instant::now(), Timestamp::now());
        let mut entries = self.lock();
        // Another process may stand in its place by then.
        let Some(entry) = entries.get_mut(&target.slot).filter(|entry| entry.target == target) else { return };
        entry.asked = Some((now, said.as_ref().map(|_| ()).map_err(ToString::to_string)));
        if let Ok((traffic, page)) = said {
            entry.last = Some((now, at, traffic));
            entry.page = page.filter(|_| entry.is_page_wanted).map(|page| self.keep(page));
        }
        entry.asking.send_replace(false);
    }

    /// Asks when it is its turn. One that takes long makes way for the next.
    async fn hear_in_lane(&self, target: &Target) -> io::Result<(Traffic, Option<Page>)> {
        let permit = self.lane.acquire().await.expect("nobody closes the lane");
        let mut hearing = pin!(self.hear(target));
        match timeout(LANE_TIME, &mut hearing).await {
            Ok(said) => said,
            Err(_) => {
                let _slow = self.slow_lane.try_acquire().map_err(|_| {
                    let why = format!("no answer within {} ms, like {SLOW_MAX} others", LANE_TIME.as_millis());
                    io::Error::new(io::ErrorKind::TimedOut, why)
                })?;
                drop(permit);
                hearing.await
            }
        }
    }

    async fn hear(&self, target: &Target) -> io::Result<(Traffic, Option<Page>)> {
        match (self.series_max)() {
            Some(series_max) => {
                let (traffic, page) = traffic_and_page(target.metrics, series_max).await?;
                Ok((traffic, Some(page)))
            }
            None => Ok((traffic(target.metrics).await?, None)),
        }
    }

    /// Keeps a page, or where there is no room only what it was.
    fn keep(&self, page: Page) -> KeptPage {
        let kib = u32::try_from(page.bytes().div_ceil(1024)).unwrap_or(u32::MAX);
        match Arc::clone(&self.room).try_acquire_many_owned(kib) {
            Ok(room) => KeptPage { page, room: Some(room) },
            Err(_) => KeptPage { page: page.without_series(), room: None },
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SlotId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(target: Target) -> Self {
        Self { target, asked: None, last: None, is_page_wanted: false, page: None, asking: watch::Sender::new(false) }
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
