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
mod notice;
mod revival;
mod standing;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use rand::rngs::SmallRng;

pub(super) use self::gate::{Refusal, no_uplink};
pub use self::{
    brake::BrakeEnd,
    edge::EdgeAnswer,
    gate::Gate,
    notice::{FleetCommand, FleetNotice, UplinkEnd},
    standing::Standing,
};
use self::{
    brake::{Brake, Braked, release_at},
    budget::{FairBudget, Starting},
    edge::{Edge, Need},
    hold::{HOLD_AFTER, Hold},
    standing::{Cause, Member},
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
    members: BTreeMap<SlotId, Member>,
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

/// The time from when the edge was silent, or everything was lost, to when it can be reached again.
#[derive(Debug)]
struct Outage {
    since: Instant,
    /// At some time during it nobody had a connection, so that the first who gets one proves that it is over.
    total: bool,
}

/// How many slots stand how.
#[derive(Debug, Clone, Copy)]
struct Sums {
    connected: usize,
    lacking: usize,
    lost: usize,
}

impl Fleet {
    /// A fleet of no connectors.
    pub fn new(now: Instant, rng: SmallRng) -> Self {
        Self {
            rng,
            members: BTreeMap::new(),
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
            if self.members.remove(slot).is_some() {
                self.reckon(now);
                self.due = self.next_due();
            }
            return;
        };
        match self.members.get_mut(slot) {
            Some(member) if member.standing == standing => return,
            Some(member) => member.stand(standing, now),
            None => {
                let mut member = Member::new();
                member.stand(standing, now);
                self.members.insert(slot.clone(), member);
            }
        }
        match standing {
            Standing::Starting => {}
            Standing::Waiting { .. } | Standing::Aside => {
                self.starting.end(slot);
                self.vacate(slot);
            }
            Standing::Unconnected { .. } | Standing::Connected | Standing::Hung => self.starting.end(slot),
            Standing::Lost => {
                self.starting.end(slot);
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
        let sums = self.sums();
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
        let sums = self.sums();
        self.edge.need(sums.need(), now, &mut self.rng);
        self.reckon_outage(sums, now);
        self.reckon_hold(sums, now);
        self.reckon_brake(now);
    }

    fn next_due(&self) -> Option<Instant> {
        let revival = self.members.values().filter_map(|member| member.revival.due).min();
        let revival = revival.map(|due| self.revivals_at.map_or(due, |at| at.max(due)));
        let released = self.members.values().filter_map(|member| member.restrained_until).min();
        [self.edge.due(), self.hold_at(), revival, self.brake.due(), released].into_iter().flatten().min()
    }

    fn sums(&self) -> Sums {
        let lacks = || self.members.values().filter_map(|member| member.lack);
        Sums {
            connected: self.members.values().filter(|member| member.is_connected()).count(),
            lacking: lacks().count(),
            lost: lacks().filter(|lack| lack.lost).count(),
        }
    }

    fn reckon_outage(&mut self, sums: Sums, now: Instant) {
        match &mut self.outage {
            None if sums.is_dark() && sums.lost > 0 => self.begin_outage(sums, now),
            None => {}
            Some(_) if sums.lacking == 0 && sums.connected == 0 => self.end_outage(UplinkEnd::NotNeeded, now),
            Some(outage) if sums.is_dark() => outage.total = true,
            Some(outage) if outage.total || sums.lacking == 0 => {
                let first = self.members.iter().find(|(_, member)| member.is_connected()).map(|(slot, _)| slot.clone());
                self.end_outage(first.map_or(UplinkEnd::NotNeeded, UplinkEnd::Connected), now);
            }
            Some(_) => {}
        }
    }

    fn reckon_hold(&mut self, sums: Sums, now: Instant) {
        if !sums.is_dark() {
            self.dark_since = None;
            return;
        }
        if self.dark_since.is_none() {
            self.dark_since = Some(now);
            // What it answered before proves nothing about this.
            self.edge.forget_answer();
        }
        if self.hold_at().is_some_and(|at| at <= now) {
            self.begin_outage(sums, now);
            self.hold = Some(Hold::new(now));
            let silence = self.edge.silence().map(str::to_owned);
            self.notices.push_back(FleetNotice::UplinkLost { connectors: sums.lacking, silence });
        }
    }

    /// When the hold begins if nothing changes. Only an answer of the edge puts it off; its silence does not bring it nearer.
    fn hold_at(&self) -> Option<Instant> {
        let dark_since = self.dark_since.filter(|_| self.hold.is_none())?;
        let at = dark_since + HOLD_AFTER;
        Some(self.edge.proved_until().map_or(at, |proved| at.max(proved)))
    }

    fn begin_outage(&mut self, sums: Sums, now: Instant) {
        if self.outage.is_some() {
            return;
        }
        self.outage = Some(Outage { since: now, total: sums.is_dark() });
        for member in self.members.values_mut() {
            member.revival.due = None; // of an outage before this one
        }
    }

    fn end_outage(&mut self, how: UplinkEnd, now: Instant) {
        let Some(outage) = self.outage.take() else { return };
        // It counts anew from here, if it goes on; what the edge just answered still holds.
        self.dark_since = self.dark_since.map(|_| now);
        let restarting = self.plan_revivals(Cause::Outage, now);
        for member in self.members.values_mut() {
            if let Some(lack) = &mut member.lack {
                lack.lost = false;
            }
        }
        let hold = self.hold.take();
        if hold.is_some() || restarting > 0 {
            let lasted = now.saturating_duration_since(outage.since);
            self.notices.push_back(FleetNotice::UplinkBack { how, lasted, restarting });
        }
        let held = hold.into_iter().flat_map(Hold::into_held);
        self.commands.extend(held.map(FleetCommand::Release));
        self.revive_due(now);
    }

    /// Plans a restart of every connector without a connection, and says how many are due at once.
    fn plan_revivals(&mut self, cause: Cause, now: Instant) -> usize {
        self.members.values_mut().map(|member| member.plan_revival(cause, now)).filter(|at_once| *at_once).count()
    }

    fn revive_due(&mut self, now: Instant) {
        self.revivals_at = None;
        for (slot, member) in &mut self.members {
            if member.revival.due.is_none_or(|due| due > now) || !member.wants_revival(now) {
                continue;
            }
            match self.revivals.take(now) {
                Ok(()) => {
                    member.revived(now);
                    self.commands.push_back(FleetCommand::Revive(slot.clone()));
                }
                Err(later) => {
                    self.revivals_at = Some(later);
                    return;
                }
            }
        }
    }

    fn reckon_brake(&mut self, now: Instant) {
        match self.brake.reckon(&self.members, self.outage.is_none(), now) {
            Some(Braked::On { stumbled, of }) => self.notices.push_back(FleetNotice::BrakeOn { stumbled, of }),
            Some(Braked::Off(end)) => self.release_brake(end, now),
            Some(Braked::Try(slot)) => self.try_canary(&slot, now),
            None => {}
        }
        for (slot, member) in &mut self.members {
            member.restrained_until = member.restrained_until.filter(|until| *until > now);
            let restrained = self.brake.restrains(slot) || member.restrained_until.is_some();
            if std::mem::replace(&mut member.restrained, restrained) != restrained {
                self.commands.push_back(FleetCommand::Restrain { slot: slot.clone(), restrained });
            }
        }
    }

    /// A canary that hangs is no longer restrained, and replaced; one that has no connection starts anew.
    fn try_canary(&mut self, slot: &SlotId, now: Instant) {
        let Some(member) = self.members.get_mut(slot) else { return };
        if member.standing == Standing::Lost {
            member.revived(now);
            self.commands.push_back(FleetCommand::Revive(slot.clone()));
        }
    }

    fn release_brake(&mut self, end: BrakeEnd, now: Instant) {
        self.notices.push_back(FleetNotice::BrakeOff(end));
        for member in self.members.values_mut() {
            if member.standing == Standing::Hung {
                member.restrained_until = Some(release_at(now, &mut self.rng));
            }
            match end {
                BrakeEnd::CanaryReady if member.standing == Standing::Lost => {
                    member.revival.due = Some(release_at(now, &mut self.rng));
                }
                BrakeEnd::CanaryReady | BrakeEnd::Recovered => {}
                BrakeEnd::TimeOver => member.stumbled_at = None,
            }
        }
    }

    /// An outage meets all at once, and shows in each only at its next probe.
    fn look_around(&mut self, now: Instant) {
        let lately = self.looked_around_at.is_some_and(|at| now.saturating_duration_since(at) < LOOK_GAP);
        if !lately && self.members.values().any(Member::is_connected) {
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

impl Sums {
    /// No connector has a connection although one should.
    fn is_dark(self) -> bool {
        self.connected == 0 && self.lacking > 0
    }

    fn need(self) -> Need {
        if self.lacking == 0 {
            Need::None
        } else if self.lost > 0 || self.connected == 0 {
            Need::Urgent
        } else {
            Need::Curious
        }
    }
}
