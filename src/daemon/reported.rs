//! Which configuration version each tunnel's connectors run, for the reconciler: drift shows there first, at no API call.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    connector::SlotId,
    reconciler::Reported,
    status::{Status, TunnelStatus},
};

/// Follows the connectors' readings.
pub(super) struct ReportedVersions(watch::Sender<Arc<Reported>>);

impl ReportedVersions {
    /// Nothing is reported yet.
    pub(super) fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// What is reported, as it changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Reported>> {
        self.0.subscribe()
    }

    /// Takes in that something happened in `slot`, after which `status` holds.
    pub(super) fn look(&self, slot: &SlotId, status: &Status) {
        let version = status.tunnels.get(&slot.tunnel).and_then(version);
        self.0.send_if_modified(|reported| {
            let changed = reported.get(&slot.tunnel).copied() != version;
            if changed {
                let reported = Arc::make_mut(reported);
                match version {
                    Some(version) => reported.insert(slot.tunnel.clone(), version),
                    None => reported.remove(&slot.tunnel),
                };
            }
            changed
        });
    }
}

/// The version that every serving connector of a tunnel has reached: a configuration counts as applied when the last of them runs
/// it. A connector with a local configuration has none, which counts as 0.
fn version(tunnel: &TunnelStatus) -> Option<i64> {
    let serving = tunnel.connectors.values().filter(|connector| connector.serving);
    serving.map(|connector| connector.config_version.and_then(|version| i64::try_from(version).ok()).unwrap_or(0)).min()
}
