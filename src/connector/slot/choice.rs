//! Over what a process is started, where the operator leaves it open, and how long it may take to get a connection over that.

use std::{sync::Arc, time::Instant};

use super::{Finding, Goal, Leave, Run, Slot, Stage};
use crate::connector::{Launch, LaunchFacts, RestartReason, Transport, watch::Health};

impl Slot {
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
        let Goal::Run { .. } = self.goal else { return None };
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

    /// The launch that is wanted, over `transport`.
    pub(super) fn launch_over(launch: &Arc<Launch>, facts: &LaunchFacts, transport: Transport) -> (Arc<Launch>, LaunchFacts) {
        let launch = match transport {
            Transport::AsConfigured => Arc::clone(launch),
            Transport::Http2 | Transport::Quic => Arc::new(Launch { transport, ..(**launch).clone() }),
        };
        (launch, LaunchFacts { transport, ..*facts })
    }

    pub(super) fn is_transport_open(&self) -> bool {
        match &self.goal {
            Goal::Run { launch, .. } => launch.leaves_transport_open(),
            Goal::Unknown | Goal::Surplus | Goal::Stopped(_) | Goal::Gone | Goal::Shutdown => false,
        }
    }

    pub(super) fn is_http2_barred(&self, now: Instant) -> bool {
        self.causes.http2_barred_until.is_some_and(|until| now < until)
    }
}
