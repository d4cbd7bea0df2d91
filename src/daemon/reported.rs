//! Which configuration version each tunnel's connectors run, for the reconciler: drift shows there first, at no API call.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::watch;

use crate::{
    connector::Happening,
    event::ConnectorEvent,
    name::TunnelName,
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

    /// Takes in what happened to a connector, after which `status` holds.
    pub(super) fn look(&self, event: &ConnectorEvent, status: &Status) {
        if let Happening::Renamed { from } = &event.notice.happening {
            self.look_at(from, status);
        }
        self.look_at(&event.slot.tunnel, status);
    }

    fn look_at(&self, tunnel: &TunnelName, status: &Status) {
        let version = status.tunnels.get(tunnel).and_then(version);
        self.0.send_if_modified(|reported| {
            let changed = reported.get(tunnel).copied() != version;
            if changed {
                let reported = Arc::make_mut(reported);
                match version {
                    Some(version) => reported.insert(tunnel.clone(), version),
                    None => reported.remove(tunnel),
                };
            }
            changed
        });
    }
}

/// The version that every serving connector of a tunnel has reached: a configuration counts as applied when the last of them runs
/// it. A local configuration has a number instead, which counts when all of them have the same. Whoever has neither has 0.
fn version(tunnel: &TunnelStatus) -> Option<i64> {
    let serving = tunnel.connectors.values().filter(|connector| connector.serving);
    let versions = serving.map(|connector| {
        let version = connector.config_version.and_then(|version| i64::try_from(version).ok());
        connector.document.or(version).unwrap_or(0)
    });
    let versions: BTreeSet<i64> = versions.collect();
    match versions.first() {
        Some(lowest) if *lowest < 0 && versions.len() > 1 => Some(0),
        lowest => lowest.copied(),
    }
}
