//! What the connectors' logs say, and what one connector finds out for all.

use std::{sync::Arc, time::Instant};

use super::task::{Task, now};
use crate::{
    connector::{Finding, RestartReason, Slot, SlotId},
    output::Hint,
};

impl Task {
    /// A log was read.
    pub(super) fn take_hint(&mut self, hint: Hint) {
        let Hint { slot, generation, said } = hint;
        let id = Arc::new(slot);
        for said in &said {
            self.with_slot(&id, |slot| slot.handle_said(generation, said, now()));
        }
    }

    /// A connector found out something that concerns all of them.
    pub(super) fn take_finding(&mut self, id: &Arc<SlotId>, finding: Finding) {
        let before = self.transport.begin_with();
        match finding {
            Finding::QuicBlocked => {
                let quic_works = self.slots.iter().any(|(other, entry)| other != id && entry.slot.uses_quic());
                self.transport.handle_blocked(quic_works, &mut self.rng, now());
            }
            Finding::TrialFailed => {
                self.transport.handle_trial_failed(&mut self.rng, now());
                self.for_all(Slot::handle_trial_failed);
            }
            Finding::Http2Failed => self.transport.handle_http2_failed(now()),
            Finding::QuicWorks => self.transport.handle_trial_succeeded(),
        }
        let begin_with = self.transport.begin_with();
        // After a trial that worked even those go back whose trouble was their own.
        if begin_with != before || finding == Finding::QuicWorks {
            tracing::debug!(?begin_with, "Connectors begin with another transport where it is left open");
            self.for_all(|slot| slot.handle_host_transport(begin_with, now()));
        }
    }

    /// Whether a turn can help `id` at this moment.
    pub(super) fn can_help(&self, id: &Arc<SlotId>, restart: RestartReason) -> bool {
        let is_attempt = restart == RestartReason::Transport && !self.connected.contains(id);
        !is_attempt || (!self.uplink.fleet.is_out_of_reach() && self.transport.may_attempt_http2(now()))
    }

    /// When [`Self::can_help`] says something else than before for one of those that ask, if nothing happens until then.
    pub(super) fn attempt_due(&self) -> Option<Instant> {
        self.transport.http2_attempt_at().filter(|at| !self.asking.is_empty() && *at > now())
    }

    /// When it is time, one connector that talks HTTP/2 gets a successor over QUIC beside it.
    pub(super) fn try_quic(&mut self) {
        if !self.transport.take_trial(&mut self.rng, now()) {
            return;
        }
        let able: Vec<Arc<SlotId>> =
            self.slots.iter().filter(|(_, entry)| entry.slot.has_fallen_back()).map(|(id, _)| Arc::clone(id)).collect();
        for id in &able {
            if self.with_slot(id, |slot| slot.handle_trial(now())) == Some(true) {
                return;
            }
        }
    }
}
