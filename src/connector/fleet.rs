//! What the connectors of a host have in common: the uplink, and how many of them start at once.
//!
//! Nothing here asks the edge, sleeps or reads a clock: the supervisor does, and reports back. [`Fleet`] is told where every slot
//! stands, what the edge answers and that the clock was set; it decides what none of the slots can decide alone.
//!
//! ```text
//!   no connection on the whole host for HOLD_AFTER, and no sign of the edge ──▶ hold: crash-looping starts wait, one canary starts
//!   the edge answers, or somebody gets a connection ──▶ outage over: whoever has no connection starts anew, once
//!   most connectors stumble at once ──▶ brake: nothing is replaced for hanging, one canary is
//! ```
//!
//! A single connector without a connection, while others have some, is that connector's own affair.

mod brake;
mod budget;
mod edge;
mod gate;
mod hold;
mod members;
mod notice;
mod outage;
mod revival;
mod standing;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand::rngs::SmallRng;

use self::{
    brake::Brake,
    budget::{FairBudget, Starting},
    edge::Edge,
    hold::Hold,
    members::Members,
    outage::Outage,
    standing::{Cause, Member},
};
pub use self::{
    brake::BrakeEnd,
    edge::EdgeAnswer,
    gate::Gate,
    notice::{FleetCommand, FleetNotice, UplinkEnd},
    standing::Standing,
};
pub(super) use self::{
    gate::{Refusal, no_uplink},
    revival::YOUNG,
};
use super::{Generation, SlotId};
use crate::backoff::RestartBudget;

/// A clock that is set again and again, as by a time service that cannot settle, is heeded this often.
const CLOCK_STEP_GAP: Duration = Duration::from_secs(60);

/// After somebody lost all connections the others are asked at once, but no more often than they are asked anyway.
const LOOK_GAP: Duration = Duration::from_secs(5);

/// All connectors of the host.
#[derive(Debug)]
pub struct Fleet {
    rng: SmallRng,
    members: Members,
    edge: Edge,
    outage: Option<Outage>,
    /// Since when no connector has a connection although one should.
    dark_since: Option<Instant>,
    /// There is one only during an outage.
    hold: Option<Hold>,
    brake: Brake,
    budget: FairBudget,
    revivals: RestartBudget,
    /// When the bucket for restarts after outages has one again.
    revivals_at: Option<Instant>,
    starting: Starting,
    clock_heeded_at: Option<Instant>,
    looked_around_at: Option<Instant>,
    /// When something is due. Kept, because it is asked for at every turn of the supervisor's loop.
    due: Option<Instant>,
    commands: VecDeque<FleetCommand>,
    notices: VecDeque<FleetNotice>,
}

impl Fleet {
    /// A fleet of no connectors.
    pub fn new(now: Instant, rng: SmallRng) -> Self {
        Self {
            rng,
            members: Members::default(),
            edge: Edge::new(),
            outage: None,
            dark_since: None,
            hold: None,
            brake: Brake::default(),
            budget: FairBudget::new(now),
            revivals: RestartBudget::after_outages(now),
            revivals_at: None,
            starting: Starting::default(),
            clock_heeded_at: None,
            looked_around_at: None,
            due: None,
            commands: VecDeque::new(),
            notices: VecDeque::new(),
        }
    }

    /// What to do next.
    pub fn next_command(&mut self) -> Option<FleetCommand> {
        self.commands.pop_front()
    }

    /// What happened next.
    pub fn next_notice(&mut self) -> Option<FleetNotice> {
        self.notices.pop_front()
    }

    // ---- starts ----

    /// What `slot` asks before it starts again after a failure.
    pub fn gate<'a>(&'a mut self, slot: &'a SlotId) -> Gate<'a> {
        Gate::new(self, slot)
    }

    /// Whether another process may be started at this moment, whatever for.
    pub fn has_room_to_start(&mut self, now: Instant) -> bool {
        self.starting.has_room(now)
    }

    /// When [`Fleet::has_room_to_start`] is worth asking again, after it said no.
    pub fn room_to_start_at(&self) -> Option<Instant> {
        self.starting.room_at()
    }

    /// A process of `slot` is being started.
    pub fn handle_start(&mut self, slot: &SlotId, generation: Generation, now: Instant) {
        self.starting.begin(slot, generation, now);
    }

    // ---- what happens ----

    /// Takes in how many connectors the host has.
    pub fn resize(&mut self, connectors: usize, now: Instant) {
        self.budget.resize(connectors, now);
        self.revivals.resize(connectors, now);
    }

    /// `slot` stands like this from here on; `None` when there is no such slot any more.
    pub fn see(&mut self, slot: &SlotId, standing: Option<Standing>, now: Instant) {
        let Some(standing) = standing else {
            self.starting.end(slot);
            self.vacate(slot);
            if self.members.remove(slot) {
                self.reckon(now);
                self.due = self.next_due();
            }
            return;
        };
        if self.members.get(slot).is_some_and(|member| member.standing == standing) {
            return;
        }
        self.members.change(slot, |member| member.stand(standing, now));
        match standing {
            Standing::Starting => {}
            Standing::Waiting { .. } | Standing::Aside => {
                self.starting.end(slot);
                self.vacate(slot);
            }
            Standing::Unconnected { .. } | Standing::Connected | Standing::Hung => self.starting.end(slot),
            Standing::Lost => {
                self.starting.end(slot);
                self.edge.hurry(now, &mut self.rng);
                self.look_around(now);
            }
        }
        self.reckon(now);
        self.due = self.next_due();
    }

    /// What came of asking the edge.
    pub fn handle_edge(&mut self, answer: EdgeAnswer, now: Instant) {
        let answers = answer == EdgeAnswer::Answers;
        self.edge.handle_answer(answer, now, &mut self.rng);
        let sums = self.members.sums();
        if answers && self.outage.is_some() {
            self.end_outage(UplinkEnd::EdgeAnswers, now);
        } else if !answers && sums.lacking > 0 {
            self.begin_outage(sums, now);
        }
        self.reckon(now);
        self.due = self.next_due();
    }

    /// The host's clock was set, or the host slept: what is without a connection may wait for a time that is long over.
    pub fn handle_clock_step(&mut self, now: Instant) {
        if self.clock_heeded_at.is_some_and(|at| now.saturating_duration_since(at) < CLOCK_STEP_GAP) {
            return;
        }
        self.clock_heeded_at = Some(now);
        let restarting = self.plan_revivals(Cause::ClockStep, now);
        self.notices.push_back(FleetNotice::ClockStepped { restarting });
        self.handle_timeout(now);
    }

    /// Whether the hold lasts and the edge was asked by TCP and is silent, so that HTTP/2 cannot help where QUIC does not.
    pub fn is_out_of_reach(&self) -> bool {
        self.hold.is_some() && self.edge.silence().is_some()
    }

    /// When [`Fleet::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The time has come that [`Fleet::poll_timeout`] named.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.edge.ask(now) {
            self.commands.push_back(FleetCommand::ProbeEdge);
        }
        self.reckon(now);
        self.revive_due(now);
        self.due = self.next_due();
    }

    // ---- what follows ----

    fn reckon(&mut self, now: Instant) {
        let sums = self.members.sums();
        self.edge.need(sums.need(), now, &mut self.rng);
        self.reckon_outage(sums, now);
        self.reckon_hold(sums, now);
        self.reckon_brake(now);
    }

    fn next_due(&self) -> Option<Instant> {
        let sums = self.members.sums();
        let earliest = |of: usize, at: fn(&Member) -> Option<Instant>| {
            (of > 0).then(|| self.members.values().filter_map(at).min()).flatten()
        };
        let revival = earliest(sums.reviving, |member| member.revival.due);
        let revival = revival.map(|due| self.revivals_at.map_or(due, |at| at.max(due)));
        let released = earliest(sums.restrained, |member| member.restrained_until);
        [self.edge.due(), self.hold_at(), revival, self.brake.due(), released].into_iter().flatten().min()
    }

    /// An outage meets all at once, and shows in each only at its next probe.
    fn look_around(&mut self, now: Instant) {
        let lately = self.looked_around_at.is_some_and(|at| now.saturating_duration_since(at) < LOOK_GAP);
        if !lately && self.members.sums().connected > 0 {
            self.looked_around_at = Some(now);
            self.commands.push_back(FleetCommand::LookAround);
        }
    }

    fn vacate(&mut self, slot: &SlotId) {
        if let Some(hold) = &mut self.hold {
            hold.vacate(slot);
        }
    }
}
