//! Which processes hold which tunnel's secret.

use std::sync::Arc;

use tokio::sync::watch;

use crate::connector::{Holder, Holders, SlotId};

/// Says which processes of a slot hold a secret, when that changed.
pub(super) fn publish_holders(known: &watch::Sender<Arc<Holders>>, id: &SlotId, holders: Vec<Holder>) {
    known.send_if_modified(|known| {
        let before = known.get(&id.tunnel).and_then(|replicas| replicas.get(&id.replica));
        if before.map_or(holders.is_empty(), |before| *before == holders) {
            return false;
        }
        let known = Arc::make_mut(known);
        let replicas = known.entry(id.tunnel.clone()).or_default();
        if holders.is_empty() {
            replicas.remove(&id.replica);
        } else {
            replicas.insert(id.replica, holders);
        }
        if replicas.is_empty() {
            known.remove(&id.tunnel);
        }
        true
    });
}
