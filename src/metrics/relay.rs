//! How the reading of connectors' own metrics goes.

use std::collections::BTreeSet;

use prometheus::{IntCounterVec, IntGaugeVec};

use super::{
    families::{counters, gauges},
    registry::Registry,
};
use crate::connector::SlotId;

/// What came of reading one connector for a scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayReading {
    /// Its place.
    pub slot: SlotId,
    /// Whether its page came in time.
    pub is_up: bool,
    /// How many of its series are left out of the scrape.
    pub dropped: u64,
}

/// The families about it.
pub(super) struct Relay {
    up: IntGaugeVec,
    dropped: IntCounterVec,
    /// The places that have counters.
    counted: BTreeSet<SlotId>,
}

impl Relay {
    pub(super) fn register(registry: &Registry) -> Self {
        Self {
            up: gauges(
                registry,
                "adit_relay_up",
                "Whether a running connector's own metrics came in time for this scrape.",
                &["tunnel", "replica"],
            ),
            dropped: counters(
                registry,
                "adit_relay_dropped_series_total",
                "Series of a connector that were left out, summed up over scrapes: beyond relay_series_max, or unfit to be told again.",
                &["tunnel", "replica"],
            ),
            counted: BTreeSet::new(),
        }
    }

    /// Takes in what came of a reading. Of `known` places those without a reading keep their counts, and all others are forgotten.
    pub(super) fn record(&mut self, known: &BTreeSet<SlotId>, readings: &[RelayReading]) {
        for gone in self.counted.difference(known) {
            // It fails when there is none, which is what is wanted.
            drop(self.dropped.remove_label_values(&[gone.tunnel.as_str(), &gone.replica.to_string()]));
        }
        self.counted.retain(|slot| known.contains(slot));
        self.up.reset();
        for reading in readings {
            let labels = [reading.slot.tunnel.as_str(), &reading.slot.replica.to_string()];
            self.up.with_label_values(&labels).set(i64::from(reading.is_up));
            self.dropped.with_label_values(&labels).inc_by(reading.dropped);
            self.counted.insert(reading.slot.clone());
        }
    }
}
