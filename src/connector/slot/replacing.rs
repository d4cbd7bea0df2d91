//! Make before break: a successor starts beside the serving generation and takes over when it has been ready for a while.

use std::time::Instant;

use super::{Goal, LEAVING_MAX, Leave, Replacement, Run, Slot, Stage, Wait, causes::is_over, never_answered, signs::Refusal};
use crate::connector::{
    Command, Generation, Happening, LaunchFacts, Reason, RestartReason, Settings, exit::in_words, watch::Health,
};

impl Slot {
    /// Why the slot waits for its turn to replace its generation, if it does and has room for a successor.
    pub fn wants_turn(&self) -> Option<RestartReason> {
        match &self.stage {
            Stage::Serving { replacement: Replacement::Asked { restart }, .. } if self.may_replace() => Some(*restart),
            Stage::Resting | Stage::Waiting { .. } | Stage::Serving { .. } | Stage::Quarantined { .. } => None,
        }
    }

    /// Whether a successor is on its way.
    pub fn is_replacing(&self) -> bool {
        matches!(&self.stage, Stage::Serving { replacement: Replacement::Running { .. }, .. })
    }

    /// It is this slot's turn: the successor starts.
    pub fn handle_turn(&mut self, now: Instant) {
        if let Some(restart) = self.wants_turn() {
            if matches!(restart, RestartReason::NotReady | RestartReason::Transport) && !self.is_connected() {
                self.causes.revivals += 1;
            }
            if !self.revive_in_place(restart, now) {
                self.begin_replacement(restart, now);
            }
        }
    }

    /// What is wanted changed under a serving generation.
    pub(super) fn reconsider_replacement(&mut self, now: Instant) {
        let Goal::Run { facts: wanted, .. } = &self.goal else { return };
        let wanted = *wanted;
        let Stage::Serving { run, replacement } = &mut self.stage else { return };
        let change = change_between(&run.facts, &wanted);
        let asked = match replacement {
            Replacement::Running { successor, .. } if change_between(&successor.facts, &wanted).is_none() => return,
            Replacement::None => None,
            Replacement::Asked { restart } | Replacement::Retry { restart, .. } | Replacement::Running { restart, .. } => {
                Some(*restart)
            }
        };
        // An operator's wish and a hung process need a successor whatever the launch says.
        let other = asked.filter(|restart| !is_about_launch(*restart));
        let next = match change.or(other) {
            Some(restart) => Replacement::Asked { restart },
            None => Replacement::None,
        };
        let serves = run.serves() && !run.is_refused();
        let obsolete = std::mem::replace(replacement, next);
        if let (Replacement::Retry { .. }, Some(alive)) = (&obsolete, run.alive()) {
            // What failed is no reason any more.
            let happening = Happening::Read { generation: run.generation, vitals: alive.watch.vitals.clone() };
            self.tell(happening);
        }
        if let Replacement::Running { successor, .. } = obsolete {
            let generation = successor.generation;
            self.leave(*successor, Leave::Gracefully, now);
            let reason = Reason::new("superseded", "what is wanted changed again");
            self.tell(Happening::ReplacementFailed { generation, reason, retry: None });
        }
        match change {
            Some(restart) if !serves => self.start_afresh(restart, now),
            Some(_) | None => self.mend(now),
        }
    }

    pub(super) fn handle_replacement_timeout(&mut self, now: Instant) {
        let Stage::Serving { run, replacement } = &mut self.stage else { return };
        match replacement {
            Replacement::None | Replacement::Asked { .. } => {}
            Replacement::Retry { at, restart, .. } if *at <= now => {
                *replacement = still_asked(&self.goal, run, *restart, &self.settings);
                self.mend(now);
            }
            Replacement::Retry { .. } => {}
            Replacement::Running { successor, deadline, .. } => {
                let deadline = *deadline;
                self.commands.extend(successor.probe(&self.settings, now));
                if successor.alive().is_some_and(|alive| never_answered(alive, &self.settings, now)) {
                    return self.give_up_successor(Reason::new("never-answered", "its metrics server never answered"), now);
                }
                let Stage::Serving { replacement: Replacement::Running { successor, .. }, .. } = &self.stage else { return };
                match self.promotion_at(successor) {
                    Some(at) if at <= now => self.promote(now),
                    Some(_) => {}
                    None if self.successor_given_up_at(successor, deadline).is_some_and(|at| at <= now) => {
                        let refused = successor.alive().and_then(|alive| alive.signs.refusal()).map(Refusal::reason);
                        let waited = successor.alive().map_or(self.settings.successor_deadline, |alive| now - alive.since);
                        let late = || Reason::new("not-ready", format!("it was not ready within {}", in_words(waited)));
                        self.give_up_successor(refused.unwrap_or_else(late), now);
                    }
                    None => {}
                }
            }
        }
    }

    /// When a successor that stays as it is takes over: it is ready, and has been for long enough by then.
    pub(super) fn promotion_at(&self, successor: &Run) -> Option<Instant> {
        let alive = successor.alive()?;
        match alive.watch.health(&self.settings) {
            Health::Ready => alive.watch.ready_since().map(|since| since + self.healthy_min(successor)),
            Health::Silent | Health::Stale | Health::Unready | Health::Lost | Health::Hung => None,
        }
    }

    /// When a successor that is not ready has had its time; `None` while it is left as it is.
    ///
    /// One that was ready and lost its connections gets the same time for them as in the beginning: it may have been on trial for
    /// longer than that, and what it lost is most likely lost to others too.
    pub(super) fn successor_given_up_at(&self, successor: &Run, deadline: Instant) -> Option<Instant> {
        let Some(alive) = successor.alive() else { return Some(deadline) };
        match alive.watch.health(&self.settings) {
            Health::Lost => {
                let Some(lost_since) = alive.watch.lost_since() else { return Some(deadline) };
                let again = self.successor_deadline(successor.facts.transport, lost_since);
                // Connections that come and go do not put it off for ever.
                let last = self.successor_deadline(successor.facts.transport, deadline + self.healthy_min(successor));
                Some(deadline.max(again.min(last)))
            }
            Health::Hung if self.is_restrained() => None,
            Health::Silent | Health::Stale | Health::Unready | Health::Ready | Health::Hung => Some(deadline),
        }
    }

    /// A hung generation is replaced without waiting for a turn, whatever it was to be replaced for before: it may serve nobody.
    pub(super) fn mend(&mut self, now: Instant) {
        let Stage::Serving { run, replacement } = &self.stage else { return };
        if self.is_restrained() || !run.alive().is_some_and(|alive| alive.watch.health(&self.settings) == Health::Hung) {
            return;
        }
        if !run.serves() {
            let reason = self.reason();
            self.clear_stage(Leave::Soon, now);
            let delay = self.backoff.fail(&mut self.rng);
            return self.wait(delay, Wait::BackOff, RestartReason::Hung, reason, now);
        }
        match replacement {
            Replacement::Running { .. } => {}
            // One that was to end this hang has failed already.
            Replacement::Retry { restart: RestartReason::Hung, .. } => {}
            Replacement::None | Replacement::Asked { .. } | Replacement::Retry { .. } if self.has_room() => {
                self.begin_replacement(RestartReason::Hung, now);
            }
            Replacement::None | Replacement::Asked { .. } | Replacement::Retry { .. } => {} // the next that leaves calls again
        }
    }

    pub(super) fn is_successor(&self, generation: Generation) -> bool {
        match &self.stage {
            Stage::Serving { replacement: Replacement::Running { successor, .. }, .. } => successor.generation == generation,
            Stage::Resting | Stage::Waiting { .. } | Stage::Serving { .. } | Stage::Quarantined { .. } => false,
        }
    }

    /// Lets the successor stand for the slot, if there is one, and gives back the generation that did.
    pub(super) fn succeed(&mut self) -> Option<Box<Run>> {
        match std::mem::replace(&mut self.stage, Stage::Resting) {
            Stage::Serving { run: former, replacement: Replacement::Running { successor, restart, .. } } => {
                let happening = Happening::Replaced {
                    generation: successor.generation,
                    former: former.generation,
                    restart,
                    process: successor.process(),
                    vitals: successor.alive().map(|alive| alive.watch.vitals.clone()).unwrap_or_default(),
                };
                self.stage = Stage::Serving { run: successor, replacement: Replacement::None };
                self.note_succeeded();
                self.tell(happening);
                Some(former)
            }
            other @ (Stage::Resting | Stage::Waiting { .. } | Stage::Serving { .. } | Stage::Quarantined { .. }) => {
                self.stage = other;
                None
            }
        }
    }

    /// The successor is gone.
    pub(super) fn fail_replacement(&mut self, reason: Reason, now: Instant) {
        if let Some((successor, restart)) = self.take_successor() {
            self.note_failed(&successor, restart);
            self.settle_failed(successor.generation, restart, reason, now);
        }
    }

    fn promote(&mut self, now: Instant) {
        let Some(former) = self.succeed() else { return };
        let hung = former.alive().is_some_and(|alive| alive.watch.health(&self.settings) == Health::Hung);
        // A hung process shows no progress with its requests, and the edge may still send it some.
        self.leave(*former, if hung { Leave::Soon } else { Leave::Gracefully }, now);
    }

    fn give_up_successor(&mut self, reason: Reason, now: Instant) {
        if let Some((successor, restart)) = self.take_successor() {
            let generation = successor.generation;
            self.note_failed(&successor, restart);
            self.leave(*successor, Leave::Gracefully, now);
            self.settle_failed(generation, restart, reason, now);
        }
    }

    /// A successor without a connection makes way for a fresh one, which does not wait for its next try.
    pub(super) fn renew_successor(&mut self, restart: RestartReason, now: Instant) {
        // The one that goes needs a place too.
        if self.leaving.len() + 1 >= LEAVING_MAX {
            return;
        }
        if let Some((successor, _)) = self.take_successor() {
            let generation = successor.generation;
            self.leave(*successor, Leave::Soon, now);
            let reason = Reason::new("superseded", "the edge can be reached again, and another one tries at once");
            self.tell(Happening::ReplacementFailed { generation, reason, retry: None });
            self.begin_replacement(restart, now);
        }
    }

    fn take_successor(&mut self) -> Option<(Box<Run>, RestartReason)> {
        let Stage::Serving { replacement, .. } = &mut self.stage else { return None };
        match std::mem::replace(replacement, Replacement::None) {
            Replacement::Running { successor, restart, .. } => Some((successor, restart)),
            other @ (Replacement::None | Replacement::Asked { .. } | Replacement::Retry { .. }) => {
                *replacement = other;
                None
            }
        }
    }

    /// The generation that serves stays; what the successor was for is tried again later.
    fn settle_failed(&mut self, generation: Generation, restart: RestartReason, reason: Reason, now: Instant) {
        let change = match (&self.goal, &self.stage) {
            (Goal::Run { facts, .. }, Stage::Serving { run, .. }) => change_between(&run.facts, facts),
            (_, _) => None,
        };
        let hangs = match &self.stage {
            Stage::Serving { run, .. } => run.alive().is_some_and(|alive| alive.watch.health(&self.settings) == Health::Hung),
            Stage::Resting | Stage::Waiting { .. } | Stage::Quarantined { .. } => false,
        };
        // What hangs cannot wait as long as a change can, which the next successor brings too.
        let restart = if hangs { RestartReason::Hung } else { change.unwrap_or(restart) };
        let retry = match restart {
            RestartReason::Hung => Some(self.backoff.fail(&mut self.rng)),
            RestartReason::Config | RestartReason::Rotate | RestartReason::Upgrade => Some(self.settings.successor_retry),
            RestartReason::NotReady => Some(self.revival_wait()),
            // The host says when QUIC is tried again; of one without a connection it was another way to get one.
            RestartReason::Transport => (!self.is_connected()).then(|| self.revival_wait()),
            // Asked for once, and answered.
            RestartReason::Operator
            | RestartReason::Exit
            | RestartReason::Uplink
            | RestartReason::Oom
            | RestartReason::Flapping
            | RestartReason::Signal => None,
        };
        if let (Some(delay), Stage::Serving { replacement, .. }) = (retry, &mut self.stage) {
            *replacement = Replacement::Retry { at: now + delay, restart, why: reason.clone() };
        }
        self.tell(Happening::ReplacementFailed { generation, reason, retry });
    }

    pub(super) fn begin_replacement(&mut self, restart: RestartReason, now: Instant) {
        let Goal::Run { launch, facts } = &self.goal else { return };
        let transport = self.transport_to_succeed(restart, now);
        let (launch, facts) = Self::launch_over(launch, facts, transport);
        let deadline = self.successor_deadline(transport, now);
        let Stage::Serving { run, replacement } = &mut self.stage else { return };
        let serving = run.generation;
        let generation = self.generation.next();
        self.generation = generation;
        self.commands.push_back(Command::Spawn { generation, launch });
        *replacement = Replacement::Running { successor: Box::new(Run::spawning(generation, facts)), restart, deadline };
        self.tell(Happening::Replacing { generation: serving, successor: generation, restart });
    }

    /// Whether a successor can be started at all.
    fn may_replace(&self) -> bool {
        matches!(self.goal, Goal::Run { .. }) && self.has_room()
    }

    pub(super) fn has_room(&self) -> bool {
        self.leaving.len() < LEAVING_MAX
    }
}

/// What is left of the wish to replace `run` because of `restart`. A change that is wanted besides is not over with the hang that came
/// before it.
pub(super) fn still_asked(goal: &Goal, run: &Run, restart: RestartReason, settings: &Settings) -> Replacement {
    let change = match goal {
        Goal::Run { facts: wanted, .. } => change_between(&run.facts, wanted),
        Goal::Unknown | Goal::Surplus | Goal::Stopped(_) | Goal::Gone | Goal::Shutdown => None,
    };
    let still = (!is_over(run, restart, settings)).then_some(restart);
    still.or(change).map_or(Replacement::None, |restart| Replacement::Asked { restart })
}

/// Why a process that was started with `running` does not do for `wanted`, if it does not.
pub(super) fn change_between(running: &LaunchFacts, wanted: &LaunchFacts) -> Option<RestartReason> {
    if running.fingerprint == wanted.fingerprint {
        // A file that is not known may be the wanted one.
        let differs = running.binary.zip(wanted.binary).is_some_and(|(running, wanted)| running != wanted);
        differs.then_some(RestartReason::Upgrade)
    } else if running.token != wanted.token {
        Some(RestartReason::Rotate)
    } else {
        Some(RestartReason::Config)
    }
}

/// Whether a replacement for this reason is over when the launch is again what it was.
fn is_about_launch(restart: RestartReason) -> bool {
    match restart {
        RestartReason::Config | RestartReason::Rotate | RestartReason::Upgrade => true,
        RestartReason::Transport
        | RestartReason::Hung
        | RestartReason::Operator
        | RestartReason::Exit
        | RestartReason::NotReady
        | RestartReason::Uplink
        | RestartReason::Oom
        | RestartReason::Flapping
        | RestartReason::Signal => false,
    }
}
