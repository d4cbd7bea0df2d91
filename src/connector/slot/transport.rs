//! Transport that cannot work: what a slot does about it.
//!
//! ```text
//!   as configured ──▶ no connection, and only HTTP/2 gets through ──▶ HTTP/2, in its place
//!        ▲            lost, and QUIC dials fail again and again ────▶ HTTP/2, beside it
//!        │                                                              │        │
//!        │◀── HTTP/2 gets no connection either, for a while ────────────┘        │ its turn for a trial
//!        │                                                                       ▼
//!        └◀── it works: it serves, and the others of the host follow ───── QUIC, beside it
//! ```

use std::time::Instant;

use super::{Leave, Replacement, Run, Slot, Stage, signs::Signs};
use crate::connector::{Generation, Happening, Protocol, RestartReason, Transport, watch::Health};

/// What a slot finds out that concerns every connector of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// QUIC does not get through.
    QuicBlocked,
    /// A trial got ready over QUIC.
    QuicWorks,
    /// A trial did not get ready over QUIC.
    TrialFailed,
    /// A connector that lost the edge did not get ready over HTTP/2 either.
    Http2Failed,
}

impl Run {
    /// Whether it talks HTTP/2, as far as is known.
    pub(super) fn is_over_http2(&self) -> bool {
        let said = self.alive().is_some_and(|alive| alive.signs.protocol == Some(Protocol::Http2));
        self.facts.transport == Transport::Http2 || said
    }

    pub(super) fn is_connected(&self) -> bool {
        self.alive().is_some_and(|alive| alive.watch.vitals.connections > 0)
    }
}

impl Slot {
    /// What it found out that concerns the whole host.
    pub fn next_finding(&mut self) -> Option<Finding> {
        self.findings.pop_front()
    }

    /// Whether it has a connection to the edge at this moment.
    pub fn is_connected(&self) -> bool {
        match &self.stage {
            Stage::Serving { run, .. } => run.is_connected(),
            Stage::Quarantined { alive, .. } => alive.watch.vitals.connections > 0,
            Stage::Resting | Stage::Waiting { .. } => false,
        }
    }

    /// Whether it is connected over QUIC, so that QUIC gets through.
    pub fn uses_quic(&self) -> bool {
        let Stage::Serving { run, .. } = &self.stage else { return false };
        // What an adopted process said was said to an earlier daemon, which would have started one without QUIC over HTTP/2.
        let began_with_quic = run.adopted && run.facts.transport == Transport::AsConfigured && self.is_transport_open();
        let uses = |signs: &Signs| signs.has_used_quic() || (signs.protocol.is_none() && began_with_quic);
        run.is_connected() && run.alive().is_some_and(|alive| uses(&alive.signs))
    }

    /// Whether it serves over HTTP/2 although QUIC is left open to it.
    pub fn has_fallen_back(&self) -> bool {
        let Stage::Serving { run, .. } = &self.stage else { return false };
        self.is_transport_open() && run.is_over_http2()
    }

    /// The connectors of the host begin with this from here on.
    pub fn handle_host_transport(&mut self, begin_with: Transport, now: Instant) {
        self.causes.begin_with = begin_with;
        if !self.is_transport_open() {
            return;
        }
        match begin_with {
            Transport::Http2 => self.follow_to_http2(now),
            Transport::AsConfigured | Transport::Quic => {
                let fallen_back = self.has_fallen_back();
                if let Stage::Serving { replacement: replacement @ Replacement::None, .. } = &mut self.stage
                    && fallen_back
                {
                    *replacement = Replacement::Asked { restart: RestartReason::Transport };
                }
            }
        }
    }

    /// It is this slot's part to try QUIC again, if it serves over HTTP/2 and has nothing else to do. Says whether it does.
    pub fn handle_trial(&mut self, now: Instant) -> bool {
        let free = matches!(&self.stage, Stage::Serving { replacement: Replacement::None, .. });
        let suited = free && self.has_fallen_back() && self.is_quiet() && self.has_room();
        if suited {
            self.begin_replacement(RestartReason::Transport, now);
        }
        suited
    }

    /// A trial of QUIC failed on this host: another one need not be made before the host says so.
    pub fn handle_trial_failed(&mut self) {
        let connected = self.is_connected();
        if let Stage::Serving { replacement, .. } = &mut self.stage
            && connected
            && matches!(replacement, Replacement::Asked { restart: RestartReason::Transport })
        {
            *replacement = Replacement::None;
        }
    }

    /// An outage of the edge is over: what failed during it says nothing about QUIC.
    pub fn handle_edge_back(&mut self) {
        let Stage::Serving { run, replacement } = &mut self.stage else { return };
        if let Some(alive) = run.alive_mut() {
            alive.signs.forget_dials();
        }
        if !run.is_connected() && matches!(replacement, Replacement::Asked { restart: RestartReason::Transport }) {
            *replacement = Replacement::None;
        }
    }

    /// What `generation` said may tell that QUIC does not get through.
    pub(super) fn consider_transport(&mut self, generation: Generation, now: Instant) {
        if !self.is_transport_open() || self.is_http2_barred(now) {
            return;
        }
        let Stage::Serving { run, replacement } = &mut self.stage else { return };
        if run.generation != generation || run.is_over_http2() || run.is_connected() || run.is_refused() {
            return;
        }
        let (transport, adopted) = (run.facts.transport, run.adopted);
        let Some(alive) = run.alive_mut() else { return };
        if std::mem::take(&mut alive.signs.fell_back) {
            // It has gone over by itself; the others need not find out for themselves.
            alive.signs.protocol = Some(Protocol::Http2);
            self.findings.push_back(Finding::QuicBlocked);
            return;
        }
        match alive.watch.health(&self.settings) {
            Health::Silent if adopted => {} // it may serve, as far as is known
            Health::Silent | Health::Unready => {
                if transport == Transport::AsConfigured
                    && let Some(why) = alive.signs.blocked_at_start()
                {
                    self.findings.push_back(Finding::QuicBlocked);
                    self.fall_back(why, now);
                }
            }
            // An outage looks the same until HTTP/2 was tried. Only one connector of the host tries at a time.
            Health::Lost if alive.signs.is_dialling_in_vain() => match replacement {
                Replacement::None | Replacement::Asked { restart: RestartReason::NotReady } => {
                    *replacement = Replacement::Asked { restart: RestartReason::Transport };
                }
                Replacement::Asked { .. } | Replacement::Retry { .. } | Replacement::Running { .. } => {}
            },
            Health::Lost | Health::Stale | Health::Ready | Health::Hung => {}
        }
    }

    /// A successor stands for the slot.
    pub(super) fn note_succeeded(&mut self) {
        let Stage::Serving { run, .. } = &self.stage else { return };
        if !run.is_connected() {
            return; // it stands in for one that died
        }
        match run.facts.transport {
            Transport::Http2 if self.causes.begin_with != Transport::Http2 => {
                self.causes.begin_with = Transport::Http2;
                self.findings.push_back(Finding::QuicBlocked);
            }
            Transport::Quic => self.findings.push_back(Finding::QuicWorks),
            Transport::AsConfigured | Transport::Http2 => {}
        }
    }

    /// A successor failed.
    pub(super) fn note_failed(&mut self, successor: &Run, restart: RestartReason) {
        match successor.facts.transport {
            Transport::Quic => self.findings.push_back(Finding::TrialFailed),
            Transport::Http2 if restart == RestartReason::Transport => self.findings.push_back(Finding::Http2Failed),
            Transport::AsConfigured | Transport::Http2 => {}
        }
    }

    /// Another connector of the host found out that QUIC does not get through, and that HTTP/2 may.
    fn follow_to_http2(&mut self, now: Instant) {
        let barred = self.is_http2_barred(now);
        let Stage::Serving { run, replacement } = &self.stage else { return };
        if barred || run.is_over_http2() || run.is_connected() || run.is_refused() {
            return;
        }
        let lost = run.alive().is_some_and(|alive| alive.watch.health(&self.settings) == Health::Lost);
        let free = matches!(replacement, Replacement::None | Replacement::Asked { .. });
        if !run.serves() {
            self.fall_back("another connector of this host found that only HTTP/2 gets through", now);
        } else if lost && free && self.has_room() {
            self.begin_replacement(RestartReason::Transport, now);
        }
    }

    /// Nobody depends on the serving generation: it goes, and the next talks HTTP/2.
    fn fall_back(&mut self, why: &'static str, now: Instant) {
        let Stage::Serving { run, .. } = &self.stage else { return };
        let generation = run.generation;
        self.causes.begin_with = Transport::Http2;
        self.tell(Happening::FellBack { generation, why });
        self.clear_stage(Leave::Soon, now);
        self.start(Some(RestartReason::Transport), now);
    }
}
