//! Restarts by tunnel and reason: as many counters as all others together, so that they are counted here and not by the library.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::registry::{Family, Registry};
use crate::{connector::RestartReason, exposition::Kind, name::TunnelName};

/// The counters.
pub(super) struct Restarts(Arc<Mutex<Counts>>);

type Counts = BTreeMap<TunnelName, BTreeMap<RestartReason, u64>>;

impl Restarts {
    pub(super) fn register(registry: &Registry) -> Self {
        let restarts = Self(Arc::default());
        let family = Family::new(
            "adit_connector_restarts_total",
            Kind::Counter,
            "Connectors that were started again, by reason.",
            &["tunnel", "reason"],
        );
        let counts = Arc::clone(&restarts.0);
        let registered = registry.register_written(
            family,
            Box::new(move |_, series| {
                // Nobody who counts waits until all is written.
                let counts = lock(&counts).clone();
                for (tunnel, reasons) in &counts {
                    for (reason, count) in reasons {
                        series.add(&[tunnel.as_str(), reason.as_str()], *count as f64);
                    }
                }
            }),
        );
        registered.expect("each name is used once");
        restarts
    }

    /// Counts so many restarts. The counter is there from now on, be it with none.
    pub(super) fn add(&self, tunnel: &TunnelName, reason: RestartReason, count: u64) {
        *lock(&self.0).entry(tunnel.clone()).or_default().entry(reason).or_default() += count;
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
