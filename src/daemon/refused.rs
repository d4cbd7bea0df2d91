//! Which tunnels' connectors are refused, for the reconciler: whether the tunnel still exists is looked at at once, and a tunnel of
//! ours that was deleted is made again without waiting for the next pass.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    connector::{Happening, Reason},
    event::ConnectorEvent,
    reconciler::Refusals,
};

/// Counts the refusals.
pub(super) struct CountedRefusals(watch::Sender<Arc<Refusals>>);

impl CountedRefusals {
    /// Nothing was refused yet.
    pub(super) fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// The counts, as they change.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Refusals>> {
        self.0.subscribe()
    }

    /// Takes in what happened to a connector.
    pub(super) fn look(&self, event: &ConnectorEvent) {
        if is_refusal(&event.notice.happening) {
            self.0.send_modify(|refusals| *Arc::make_mut(refusals).entry(event.slot.tunnel.clone()).or_default() += 1);
        }
    }
}

/// Whether Cloudflare does not take a connector for one of its tunnel, or cloudflared not its token for one.
fn is_refusal(happening: &Happening) -> bool {
    let is_about_token = |reason: &Reason| reason.code == "token-refused";
    matches!(happening, Happening::RegistrationRefused { .. })
        || matches!(happening, Happening::Exited { reason, asked: false, .. } if is_about_token(reason))
}
