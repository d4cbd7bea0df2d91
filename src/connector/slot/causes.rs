//! What is done about a serving generation that no report will bring about, and what a slot remembers for that beyond one process.
//!
//! | what is the matter | what is done |
//! | --- | --- |
//! | it lost its last connection, while other connectors are connected | a successor beside it, after cloudflared's own time |
//! | it never got a connection, while others are connected | another in its place, after a longer time |
//! | it got no connection over the transport that Adit chose | another in its place, over another transport |
//!
//! Each time the next one waits longer, until the slot is ready again.

use std::time::{Duration, Instant};

use super::{Goal, Leave, Replacement, Run, Slot, Stage, replacing::still_asked};
use crate::connector::{RestartReason, Transport, watch::Health};

/// What a slot remembers of causes beyond one process.
#[derive(Debug, Default)]
pub(super) struct Causes {
    /// What its processes begin with, where the launch leaves it open.
    pub(super) begin_with: Transport,
    /// HTTP/2 did not help either, and is not chosen again before.
    pub(super) http2_barred_until: Option<Instant>,
    /// How often it was started again for want of connections since it was ready last.
    pub(super) revivals: u32,
    /// How often it was replaced because it used up a processor.
    pub(super) burns: u32,
    pub(super) burn_restart_at: Option<Instant>,
}

/// Waits for want of connections double so often: from 45 s to 48 min, or from 4 min to 4.3 h.
const REVIVALS_COUNTED: u32 = 6;

impl Slot {
    /// When [`Slot::handle_cause_timeout`] has something to do.
    pub(super) fn cause_due(&self, run: &Run, replacement: &Replacement) -> Option<Instant> {
        let transport = self.transport_given_up_at(run);
        let revival = matches!(replacement, Replacement::None).then(|| self.revival_at(run)).flatten();
        [transport, revival].into_iter().flatten().min()
    }

    pub(super) fn handle_cause_timeout(&mut self, now: Instant) {
        let Stage::Serving { run, replacement } = &self.stage else { return };
        if self.transport_given_up_at(run).is_some_and(|at| at <= now) {
            return self.give_up_transport(now);
        }
        let due = matches!(replacement, Replacement::None) && self.revival_at(run).is_some_and(|at| at <= now);
        if due && let Stage::Serving { replacement, .. } = &mut self.stage {
            // Whether others are connected, so that it can help, is known to whoever gives the turns.
            *replacement = Replacement::Asked { restart: RestartReason::NotReady };
        }
    }

    /// When a generation without any connection has had the time that cloudflared may need.
    fn revival_at(&self, run: &Run) -> Option<Instant> {
        let Goal::Run { .. } = self.goal else { return None };
        let alive = run.alive()?;
        if run.is_refused() || alive.watch.vitals.connections > 0 {
            return None;
        }
        match alive.watch.health(&self.settings) {
            Health::Lost => Some(alive.watch.lost_since()? + self.doubled(self.settings.lost_max)),
            Health::Unready => Some(alive.since + self.doubled(self.settings.unready_max)),
            Health::Silent | Health::Stale | Health::Ready | Health::Hung => None,
        }
    }

    /// How long the next attempt to give it connections waits.
    pub(super) fn revival_wait(&self) -> Duration {
        self.doubled(self.settings.lost_max)
    }

    fn doubled(&self, wait: Duration) -> Duration {
        wait * 2u32.pow(self.causes.revivals.min(REVIVALS_COUNTED))
    }

    /// It is this slot's turn, and nothing depends on its process: another takes its place. Says whether that was so.
    pub(super) fn revive_in_place(&mut self, restart: RestartReason, now: Instant) -> bool {
        let Stage::Serving { run, .. } = &self.stage else { return false };
        if run.serves() {
            return false;
        }
        self.clear_stage(Leave::Soon, now);
        self.start(Some(restart), now);
        true
    }

    /// What a replacement was asked for may be over before its turn comes.
    pub(super) fn drop_obsolete_ask(&mut self) {
        let Stage::Serving { run, replacement } = &mut self.stage else { return };
        if let Replacement::Asked { restart } = replacement {
            *replacement = still_asked(&self.goal, run, *restart, &self.settings);
        }
    }
}

/// Whether the cause of a replacement is gone.
pub(super) fn is_over(run: &Run, restart: RestartReason, settings: &crate::connector::Settings) -> bool {
    let Some(alive) = run.alive() else { return false };
    let connected = alive.watch.vitals.connections > 0;
    match restart {
        RestartReason::Hung => alive.watch.health(settings) != Health::Hung,
        RestartReason::NotReady => connected,
        RestartReason::Flapping => connected && !alive.signs.churn.is_flapping(),
        // Of one that is connected it is a trial of QUIC, which one that has QUIC does not need.
        RestartReason::Transport => connected && !run.is_over_http2(),
        RestartReason::Config
        | RestartReason::Rotate
        | RestartReason::Upgrade
        | RestartReason::Operator
        | RestartReason::Uplink
        | RestartReason::Exit
        | RestartReason::Oom
        | RestartReason::Signal => false,
    }
}
