//! The slot and the uplink that it shares with all others: where it stands, and what the fleet asks of it.

use std::time::Instant;

use super::{Goal, Leave, Phase, Replacement, Slot, Stage, Wait, replacing::change_between};
use crate::connector::{
    Generation, Happening, Reason, RestartReason, Standing,
    fleet::{Refusal, YOUNG, no_uplink},
    watch::Health,
};

/// What the fleet has asked of a slot.
#[derive(Debug, Default)]
pub(super) struct FleetOrders {
    /// Its wait is prolonged because nobody reaches the edge.
    held: bool,
    /// It does not replace a process for hanging.
    restrained: bool,
    /// This generation goes if a fresh probe finds it without a connection.
    revive: Option<Generation>,
}

impl FleetOrders {
    /// What was asked of a slot that waited, or of the process before the next, is over.
    pub(super) fn forget_waiting(&mut self) {
        (self.held, self.revive) = (false, None);
    }
}

impl Slot {
    /// How it stands with Cloudflare's edge.
    pub fn standing(&self) -> Standing {
        match &self.stage {
            Stage::Resting => Standing::Aside,
            Stage::Waiting { wait: Wait::BackOff, reason, .. } => Standing::Waiting { environment: reason.code == "environment" },
            Stage::Waiting { wait: Wait::Blocked, .. } => Standing::Aside,
            Stage::Waiting { wait: Wait::Room, .. } => Standing::Starting,
            Stage::Serving { run, .. } => match &run.phase {
                Phase::Spawning => Standing::Starting,
                // One miss early: who hangs with all others is to be known before the first of them is replaced.
                Phase::Alive(alive) if alive.watch.is_about_to_hang(&self.settings) => Standing::Hung,
                Phase::Alive(alive) => match alive.watch.health(&self.settings) {
                    Health::Hung => Standing::Hung,
                    Health::Stale | Health::Unready | Health::Ready | Health::Lost if alive.watch.vitals.connections > 0 => {
                        Standing::Connected
                    }
                    Health::Silent | Health::Stale => Standing::Starting,
                    Health::Unready | Health::Ready => Standing::Unconnected { since: alive.since },
                    Health::Lost => Standing::Lost,
                },
            },
            Stage::Quarantined { alive, .. } if alive.watch.vitals.connections > 0 => Standing::Connected,
            Stage::Quarantined { .. } => Standing::Aside,
        }
    }

    /// Whoever has no connection starts anew: at once where it waits, after a fresh probe where a process runs. A process without
    /// connections serves nobody, so nothing is lost by replacing it in place.
    pub fn handle_revive(&mut self, now: Instant) {
        self.handle_edge_back();
        match &mut self.stage {
            Stage::Waiting { wait: Wait::BackOff, restart, .. } => {
                let restart = *restart;
                self.start(restart, now);
            }
            Stage::Serving { run, .. } => {
                let generation = run.generation;
                if let Some(alive) = run.alive_mut() {
                    alive.watch.hurry(now);
                    self.orders.revive = Some(generation);
                }
            }
            Stage::Resting | Stage::Waiting { wait: Wait::Blocked | Wait::Room, .. } | Stage::Quarantined { .. } => {}
        }
    }

    /// Another connector has just lost all of its connections: asks at once whether this one still has some.
    pub fn handle_doubt(&mut self, now: Instant) {
        let Stage::Serving { run, .. } = &mut self.stage else { return };
        if let Some(alive) = run.alive_mut().filter(|alive| alive.watch.vitals.connections > 0) {
            alive.watch.hurry(now);
        }
    }

    /// It need not wait for the uplink any more.
    pub fn handle_release(&mut self, now: Instant) {
        if let Stage::Waiting { until, .. } = &mut self.stage
            && std::mem::take(&mut self.orders.held)
        {
            *until = now;
        }
    }

    /// From here on it does not replace a process for hanging, or does again.
    pub fn handle_restraint(&mut self, restrained: bool, now: Instant) {
        self.orders.restrained = restrained;
        self.mend(now);
    }

    /// Whether it does not replace a process for hanging, as most connectors of the host have trouble at the same time.
    pub fn is_restrained(&self) -> bool {
        self.orders.restrained
    }

    /// Its start was refused.
    pub(super) fn take_refusal(&mut self, refusal: Refusal, now: Instant) {
        let held = match refusal {
            Refusal::NoUplink(_) => true,
            Refusal::Busy(_) => false,
        };
        let before = std::mem::replace(&mut self.orders.held, held);
        match (before, held) {
            (false, true) => self.tell(Happening::Held { reason: no_uplink() }),
            (true, false) => self.tell_waiting(refusal.until().saturating_duration_since(now)),
            (false, false) | (true, true) => {}
        }
    }

    pub(super) fn reason_to_wait(&self, own: &Reason) -> Reason {
        if self.orders.held { no_uplink() } else { own.clone() }
    }

    /// The end of the sentence about a process that hangs.
    pub(super) fn why_not_replaced(&self) -> &'static str {
        if self.orders.restrained {
            "; it is left as it is while most connectors of this host have trouble at the same time"
        } else {
            ""
        }
    }

    /// A probe of `generation` has come back: carries out what [`Slot::handle_revive`] asked for.
    pub(super) fn revive(&mut self, generation: Generation, now: Instant) {
        let Stage::Serving { run, .. } = &self.stage else { return };
        let Some(alive) = run.alive().filter(|_| self.orders.revive == Some(generation) && run.generation == generation) else {
            return;
        };
        if alive.watch.due().is_some_and(|at| at <= now) {
            return; // this probe was on its way before; a fresh one follows
        }
        let unconnected = match alive.watch.health(&self.settings) {
            // A probe that was missed says nothing; it hangs after some, or answers.
            Health::Stale => return,
            Health::Unready | Health::Lost if !alive.watch.answered_last() => return,
            Health::Unready | Health::Lost => alive.watch.vitals.connections == 0,
            Health::Silent | Health::Ready | Health::Hung => false,
        };
        self.orders.revive = None;
        if unconnected {
            self.start_over(now);
        }
    }

    /// Nobody depends on the serving generation, and the edge can be reached again.
    ///
    /// Another takes its place, unless that would be something else than what it is: a changed launch or another program may not
    /// work, and then it is the one that has to stay. Such a successor starts beside it, without waiting for a turn.
    fn start_over(&mut self, now: Instant) {
        // Of what is not known to be wanted none would be started in its place.
        let Goal::Run { facts: wanted, .. } = &self.goal else { return };
        let Stage::Serving { run, replacement } = &self.stage else { return };
        match replacement {
            Replacement::Running { successor, restart, .. } => {
                let is_other = change_between(&run.facts, &successor.facts).is_some();
                let (restart, young) = (*restart, successor.alive().is_none_or(|alive| now < alive.since + YOUNG));
                match (is_other, young || successor.is_connected()) {
                    (true, true) => {}
                    (true, false) => self.renew_successor(restart, now),
                    (false, young) => {
                        if let Some(former) = self.succeed() {
                            self.leave(*former, Leave::Soon, now);
                        }
                        if !young {
                            // It may have got through, and is asked itself.
                            self.handle_revive(now);
                        }
                    }
                }
            }
            Replacement::None | Replacement::Asked { .. } | Replacement::Retry { .. } => match change_between(&run.facts, wanted)
            {
                Some(change) if self.has_room() => self.begin_replacement(change, now),
                Some(_) => {} // those that leave make room, and then it is its turn
                None => {
                    self.clear_stage(Leave::Soon, now);
                    self.start(Some(RestartReason::Uplink), now);
                }
            },
        }
    }
}
