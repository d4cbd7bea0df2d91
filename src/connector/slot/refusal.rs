//! A connector that the edge does not register: its tunnel was deleted, or its secret is another by now.
//!
//! cloudflared goes on trying for ever, and starting it again cannot help, so it stays. What helps is to look whether the tunnel still
//! exists; whoever hears of the refusal does that. With the launch that comes of it the connector is replaced in place: it serves
//! nobody.

use std::time::Instant;

use super::{Run, Slot, Stage, signs::Refusal};
use crate::connector::{Happening, Reason};

impl Run {
    /// Whether the edge refuses it, and it has no connection.
    pub(super) fn is_refused(&self) -> bool {
        self.alive().is_some_and(|alive| alive.watch.vitals.connections == 0 && alive.signs.refusal().is_some())
    }
}

impl Slot {
    /// Says once that the edge refuses the serving generation.
    pub(super) fn tell_refusal(&mut self, now: Instant) {
        let Stage::Serving { run, .. } = &mut self.stage else { return };
        if !run.is_refused() {
            return;
        }
        let generation = run.generation;
        let Some(refusal) = run.alive_mut().and_then(|alive| alive.signs.untold_refusal(now)) else { return };
        let why = refusal.in_words().map(str::to_owned);
        self.tell(Happening::RegistrationRefused { generation, why });
    }
}

impl Refusal {
    pub(super) fn in_words(&self) -> Option<&str> {
        match self {
            Self::InWords(why) => Some(why),
            Self::Silent => None,
        }
    }

    pub(super) fn reason(&self) -> Reason {
        let why = match self {
            Self::InWords(why) => format!("Cloudflare's edge refuses to register it: {why}"),
            Self::Silent => "Cloudflare's edge does not register it; over QUIC it does not say why".to_owned(),
        };
        Reason::new(
            "registration-refused",
            format!("{why}; its tunnel may be deleted or its secret changed, which is looked into"),
        )
    }
}
