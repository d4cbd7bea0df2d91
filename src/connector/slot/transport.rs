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

use std::{sync::Arc, time::Instant};

use super::{Goal, Leave, Replacement, Run, Slot, Stage};
use crate::connector::{Generation, Happening, Launch, LaunchFacts, Protocol, RestartReason, Transport, watch::Health};

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
        run.is_connected() && run.alive().is_some_and(|alive| alive.signs.has_used_quic())
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

    /// What `generation` said may tell that QUIC does not get through.
    pub(super) fn consider_transport(&mut self, generation: Generation, now: Instant) {
        if !self.is_transport_open() || self.is_http2_barred(now) {
            return;
        }
        let Stage::Serving { run, replacement } = &mut self.stage else { return };
        if run.generation != generation || run.is_over_http2() || run.is_connected() || run.is_refused() {
            return;
        }
        let transport = run.facts.transport;
        let Some(alive) = run.alive_mut() else { return };
        if std::mem::take(&mut alive.signs.fell_back) {
            // It has gone over by itself; the others need not find out for themselves.
            alive.signs.protocol = Some(Protocol::Http2);
            self.findings.push_back(Finding::QuicBlocked);
            return;
        }
        match alive.watch.health(&self.settings) {
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

    /// What a process is started with that takes the place of nobody.
    pub(super) fn transport_to_start(&self, now: Instant) -> Transport {
        match self.causes.begin_with {
            Transport::Http2 if self.is_transport_open() && !self.is_http2_barred(now) => Transport::Http2,
            Transport::Http2 | Transport::AsConfigured | Transport::Quic => Transport::AsConfigured,
        }
    }

    /// What a successor is started with.
    pub(super) fn transport_to_succeed(&self, restart: RestartReason, now: Instant) -> Transport {
        let Stage::Serving { run, .. } = &self.stage else { return self.transport_to_start(now) };
        match restart {
            RestartReason::Transport if !self.is_transport_open() => Transport::AsConfigured,
            RestartReason::Transport if run.is_connected() => Transport::Quic,
            RestartReason::Transport => Transport::Http2,
            RestartReason::Exit
            | RestartReason::NotReady
            | RestartReason::Uplink
            | RestartReason::Hung
            | RestartReason::Oom
            | RestartReason::Upgrade
            | RestartReason::Rotate
            | RestartReason::Config
            | RestartReason::Operator
            | RestartReason::Flapping
            | RestartReason::Signal => self.transport_to_start(now),
        }
    }

    /// When a successor that was started with `transport` has to be ready.
    pub(super) fn successor_deadline(&self, transport: Transport, now: Instant) -> Instant {
        now + match transport {
            Transport::AsConfigured => self.settings.successor_deadline,
            Transport::Http2 | Transport::Quic => self.settings.transport_deadline,
        }
    }

    /// When a serving generation that has no connection over the transport that Adit chose is given up.
    pub(super) fn transport_given_up_at(&self, run: &Run) -> Option<Instant> {
        let alive = run.alive()?;
        let never_ready = match alive.watch.health(&self.settings) {
            Health::Unready => !run.is_connected() && !run.is_refused(),
            Health::Silent | Health::Stale | Health::Ready | Health::Lost | Health::Hung => false,
        };
        match run.facts.transport {
            Transport::Http2 | Transport::Quic if never_ready && !alive.watch.was_ready() => {
                Some(alive.since + self.settings.transport_deadline)
            }
            Transport::AsConfigured | Transport::Http2 | Transport::Quic => None,
        }
    }

    pub(super) fn give_up_transport(&mut self, now: Instant) {
        let Stage::Serving { run, .. } = &self.stage else { return };
        match run.facts.transport {
            Transport::Http2 => self.causes.http2_barred_until = Some(now + self.settings.http2_bar),
            Transport::Quic => self.findings.push_back(Finding::TrialFailed),
            Transport::AsConfigured => return,
        }
        self.clear_stage(Leave::Soon, now);
        self.start(Some(RestartReason::Transport), now);
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

    /// The launch that is wanted, over `transport`.
    pub(super) fn launch_over(launch: &Arc<Launch>, facts: &LaunchFacts, transport: Transport) -> (Arc<Launch>, LaunchFacts) {
        let launch = match transport {
            Transport::AsConfigured => Arc::clone(launch),
            Transport::Http2 | Transport::Quic => Arc::new(Launch { transport, ..(**launch).clone() }),
        };
        (launch, LaunchFacts { transport, ..*facts })
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

    fn is_transport_open(&self) -> bool {
        match &self.goal {
            Goal::Run { launch, .. } => launch.leaves_transport_open(),
            Goal::Unknown | Goal::Stopped(_) | Goal::Gone | Goal::Shutdown => false,
        }
    }

    fn is_http2_barred(&self, now: Instant) -> bool {
        self.causes.http2_barred_until.is_some_and(|until| now < until)
    }
}
