//! The connectors' own metrics for a scrape: read at most once at a time, whoever scrapes.
//!
//! ```text
//!  scrape ─┐                                                          ┌─▶ each scrape writes it out, piece by piece
//!  scrape ─┴▶ read: one at a time ─▶ page of each connector ─▶ merged ┘   and the last one drops it
//! ```

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedSemaphorePermit},
    time::Instant,
};

use super::page_reader::{KeptPage, PageReader, Target};
use crate::{
    connector::SlotId,
    exposition::{ADDED_LABELS, Merged, Page, Source},
    intent::Intent,
    metrics::{Metrics, RelayReading},
    name::TunnelName,
    recorder::Recorder,
    status::Status,
};

/// How old a reading may be to be shared by a scrape that comes while another one is still written.
const FRESH: Duration = Duration::from_millis(900);

/// Reads connectors for scrapes; clones share the readings.
#[derive(Clone)]
pub(super) struct Relay {
    pub(super) pages: PageReader,
    pub(super) recorder: Recorder,
    pub(super) intent: Intent,
    pub(super) metrics: Metrics,
    pub(super) last: Arc<Mutex<LastReading>>,
}

/// The last reading and when it ended, as long as somebody writes it out.
#[derive(Default)]
pub(super) struct LastReading(Option<(Instant, Weak<Relayed>)>);

/// What connectors said.
#[derive(Debug, Default)]
pub(super) struct Relayed {
    /// Their pages as one.
    pub(super) merged: Merged,
    /// The memory that they take; given back when the last scrape has ended.
    _room: Vec<OwnedSemaphorePermit>,
}

impl Relay {
    /// What the running connectors say now; nothing when the configuration says so. It takes a few seconds at the longest.
    pub(super) async fn read(&self) -> Arc<Relayed> {
        let relay = self.clone();
        // In a task of its own: a scraper that goes away leaves no half-read pages behind.
        tokio::spawn(async move { relay.read_or_share().await }).await.unwrap_or_default()
    }

    async fn read_or_share(&self) -> Arc<Relayed> {
        if !self.intent.intended().config.metrics.relay {
            self.metrics.record_relay(&BTreeSet::new(), &[]);
            return Arc::default();
        }
        // Held while connectors are read: whoever comes meanwhile gets the same.
        let mut last = self.last.lock().await;
        let shared = last.0.as_ref().filter(|(read, _)| read.elapsed() < FRESH).and_then(|(_, relayed)| relayed.upgrade());
        if let Some(shared) = shared {
            return shared;
        }
        let targets = Target::all(&self.recorder.status());
        let pages = self.pages.pages(&targets).await;
        let relayed = Arc::new(self.merge(targets, pages));
        last.0 = Some((Instant::now(), Arc::downgrade(&relayed)));
        relayed
    }

    fn merge(&self, targets: Vec<Target>, pages: Vec<Option<KeptPage>>) -> Relayed {
        let (mut readings, mut sources, mut read, mut rooms) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let status = self.recorder.status();
        for (target, kept) in targets.into_iter().zip(pages) {
            if let Some(KeptPage { page, room }) = kept {
                sources.push(self.source(&target.slot, &status, page));
                read.push(readings.len());
                rooms.extend(room);
                readings.push(RelayReading { slot: target.slot, is_up: true, dropped: 0 });
            } else {
                readings.push(RelayReading { slot: target.slot, is_up: false, dropped: 0 });
            }
        }
        let known = slots(&status);
        drop(status);
        let merged = Merged::new(sources);
        for (source, reading) in read.into_iter().enumerate() {
            readings[reading].dropped = merged.dropped(source);
        }
        self.metrics.record_relay(&known, &readings);
        Relayed { merged, _room: rooms }
    }

    fn source(&self, slot: &SlotId, status: &Status, page: Page) -> Source {
        let account = self.account(&slot.tunnel, status).unwrap_or_default();
        let [tunnel, account_label, replica] = ADDED_LABELS;
        Source::new(&[(tunnel, slot.tunnel.as_str()), (account_label, &account), (replica, &slot.replica.to_string())], page)
    }

    /// The account that a tunnel is in, or was before it was taken out of the configuration.
    fn account(&self, tunnel: &TunnelName, status: &Status) -> Option<String> {
        let intended = self.intent.intended();
        let configured = intended.config.tunnels.get(tunnel).map(|tunnel| &tunnel.account);
        let provisioned = || Some(&status.tunnels.get(tunnel)?.provisioned.as_deref()?.account);
        configured.or_else(provisioned).map(ToString::to_string)
    }
}

/// The places of all connectors that there are, running or not.
fn slots(status: &Status) -> BTreeSet<SlotId> {
    let slots = status
        .tunnels
        .iter()
        .flat_map(|(name, tunnel)| tunnel.connectors.values().map(move |connector| SlotId::new(name.clone(), connector.replica)));
    slots.collect()
}
