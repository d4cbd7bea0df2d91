//! Which processes hold which tunnel's secret.

use std::sync::Arc;

use tokio::sync::watch;

use crate::connector::{Holder, Holders, SlotId};

/// Says which processes of a slot hold a secret, when that changed.
pub(super) fn publish_holders(known: &watch::Sender<Arc<Holders>>, id: &SlotId, holders: Vec<Holder>) {
    known.send_if_modified(|known| {
        let is_news = *known.of_slot(id) != *holders;
        if is_news {
            Arc::make_mut(known).set(id, holders);
        }
        is_news
    });
}
