//! The machine's inside words, in the outside's.

use super::{
    Goal, Replacement, Slot, Stage, Wait,
    run::{Phase, Run},
    signs::Refusal,
};
use crate::connector::{Reason, State, watch::Health};

impl Slot {
    /// What the slot is doing.
    pub fn state(&self) -> State {
        match &self.stage {
            Stage::Resting if self.leaving.is_empty() => State::Stopped,
            Stage::Resting => State::Draining,
            Stage::Waiting { wait: Wait::BackOff | Wait::Room, .. } => State::BackingOff,
            Stage::Waiting { wait: Wait::Blocked, .. } => State::Blocked,
            Stage::Serving { run, .. } => self.state_of(run),
            Stage::Quarantined { .. } => State::Quarantined,
        }
    }

    /// Why it is in that state.
    pub fn reason(&self) -> Reason {
        match &self.stage {
            Stage::Resting => self.reason_to_rest(),
            Stage::Waiting { reason, .. } => self.reason_to_wait(reason),
            Stage::Serving { run, replacement: Replacement::Retry { why, .. } } => {
                let own = self.reason_of(run);
                Reason::new("replacement-failed", format!("{}; its replacement failed: {}", own.sentence, why.sentence))
            }
            Stage::Serving { run, .. } => {
                let own = self.reason_of(run);
                let not_wanted = "not wanted any more; it goes on until another replica of its tunnel serves";
                // What hangs serves nobody for certain, which is the more important reason.
                if self.is_surplus() && own.code != "hung" {
                    Reason::new("last-to-serve", format!("{}; {not_wanted}", own.sentence))
                } else {
                    own
                }
            }
            Stage::Quarantined { alive, .. } => Reason::new(
                "identity-unproved",
                format!(
                    "process {} of an earlier daemon answers, but cannot be proved ours, so it is never signalled",
                    alive.pid
                ),
            ),
        }
    }

    fn state_of(&self, run: &Run) -> State {
        match &run.phase {
            Phase::Spawning => State::Starting,
            Phase::Alive(alive) => match alive.watch.health(&self.settings) {
                Health::Silent | Health::Unready => State::Starting,
                Health::Stale if !alive.watch.was_ready() => State::Starting,
                Health::Ready if alive.signs.churn.is_flapping() => State::Degraded,
                Health::Ready | Health::Stale if alive.watch.vitals.connections >= run.facts.connections => State::Ready,
                Health::Ready | Health::Stale | Health::Lost | Health::Hung => State::Degraded,
            },
        }
    }

    fn reason_of(&self, run: &Run) -> Reason {
        let alive = match &run.phase {
            Phase::Spawning => return Reason::new("starting", "its process is being started"),
            Phase::Alive(alive) => alive,
        };
        let (connections, whole) = (alive.watch.vitals.connections, run.facts.connections);
        if let Some(refusal) = alive.signs.refusal().filter(|_| run.is_refused()) {
            return refusal.reason();
        }
        match alive.watch.health(&self.settings) {
            Health::Silent if run.adopted => {
                Reason::new("adopted", "it was started by an earlier daemon and has not answered yet")
            }
            Health::Stale => Reason::new(
                "adopted",
                format!(
                    "{connections} of {whole} connections when an earlier daemon asked last; it has not answered this one yet"
                ),
            ),
            Health::Silent => Reason::new("no-answer-yet", "its metrics server has not answered yet"),
            Health::Unready if connections == 0 => Reason::new("not-connected", "it has no connection to Cloudflare's edge yet"),
            Health::Unready => Reason::new(
                "no-configuration",
                format!(
                    "{connections} of {whole} connections, but the edge has pushed no configuration yet, so requests get 503"
                ),
            ),
            Health::Ready if alive.signs.churn.is_flapping() => Reason::new(
                "flapping",
                format!(
                    "its connections come and go, {} times within the last minute or so; {connections} of {whole} connections",
                    alive.signs.churn.rate()
                ),
            ),
            Health::Ready if connections >= whole && self.has_fallen_back() => Reason::new(
                "transport-fallback",
                format!(
                    "{connections} of {whole} connections over HTTP/2, as QUIC (UDP port 7844) did not get through; QUIC is tried \
                     again from time to time"
                ),
            ),
            Health::Ready if connections >= whole => Reason::new("ready", format!("{connections} of {whole} connections")),
            Health::Ready => {
                let refused = alive.signs.refusal().and_then(Refusal::in_words);
                let refused = refused.map(|why| format!("; Cloudflare's edge refuses more: {why}")).unwrap_or_default();
                Reason::new("partly-connected", format!("{connections} of {whole} connections{refused}"))
            }
            Health::Lost => Reason::new(
                "lost-connections",
                "it has no connection to Cloudflare's edge left; cloudflared tries again by itself",
            ),
            Health::Hung => Reason::new(
                "hung",
                format!("its metrics server stopped answering: {}{}", alive.watch.last_miss(), self.why_not_replaced()),
            ),
        }
    }

    fn reason_to_rest(&self) -> Reason {
        match &self.goal {
            Goal::Unknown => Reason::new("not-known-yet", "whether it is wanted is not known yet"),
            Goal::Run { .. } => Reason::new("starting", "it is about to be started"),
            Goal::Stopped(stop) => Reason::new("operator-stop", stop.to_string()),
            Goal::Surplus | Goal::Gone => Reason::new("not-wanted", "it is not wanted any more"),
            Goal::Shutdown => Reason::new("shutdown", "the daemon stops"),
        }
    }
}
