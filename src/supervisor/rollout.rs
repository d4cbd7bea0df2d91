//! How another cloudflared takes the place of the one that connectors are.
//!
//! Nothing here starts or looks at anything: the task tells what stands at the path, what the slots run and what happens to them,
//! and asks which program each slot is to be.
//!
//! ```text
//!              another file                 a slot is fit            it is well for long enough
//!   (settled) ─────────────▶ Waiting ─────────────────────▶ Canary ─────────────────────────────▶ Rolling ──▶ (confirmed)
//!                               ▲                             │  │                                   │
//!                               └── nothing could be learnt ──┘  └──────────── it fails ─────────────┤
//!                                                                                                    ▼
//!   (settled) ◀── yet another file, or an operator's restart tries it again ──────────────────── (refused)
//! ```
//!
//! Exactly one slot tries the other program first, beside the process that serves. The others follow one at a time, and each is
//! watched for a while. When one of them fails where its former program did not, all go back and stay there.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::names::Names;
use crate::{
    connector::{Binary, BinaryId, BinaryWish, Generation, Happening, Reason, SlotId, SlotPrograms},
    event::{ProgramHappening, RolloutState},
    name::TunnelName,
};

/// How long the first connector must be well as another program, and how long each that follows is watched.
pub(super) const OBSERVATION: Duration = Duration::from_secs(30);

/// How the host's program is, and what becomes of it.
#[derive(Debug)]
pub(super) struct Rollout {
    /// What the slots are called where others are told of them.
    names: Names,
    observation: Duration,
    retry: Duration,
    /// What stands at the path and can be used.
    installed: Option<Binary>,
    /// Why what stands there cannot be used.
    problem: Option<Reason>,
    /// What connectors are started as unless they try another.
    trusted: Option<Binary>,
    /// Whether it can be started.
    trusted_is_held: bool,
    upgrade: Option<Upgrade>,
    refused: Option<Refused>,
    notices: VecDeque<ProgramHappening>,
}

/// What the next daemon must know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RolloutMemory {
    /// What connectors are started as.
    pub(super) trusted: Option<Binary>,
    /// What failed.
    pub(super) refused: Option<Refused>,
}

/// A program that failed. It is not tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) binary: Binary,
    pub(super) reason: Reason,
}

#[derive(Debug)]
struct Upgrade {
    to: Binary,
    stage: Stage,
    /// The slots that are to be it.
    moves: BTreeMap<SlotId, Move>,
    /// The tunnel whose connector an operator wants to try it.
    preferred: Option<TunnelName>,
    /// A generation that somebody else ended.
    excused: Option<(SlotId, Generation)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Waiting { until: Instant },
    Canary { slot: SlotId },
    Rolling,
}

/// One slot's way to the other program.
#[derive(Debug, Clone, Copy, Default)]
struct Move {
    /// It was ready as the former program, so that the two can be compared.
    is_fair: bool,
    /// It is ready as the former program at this moment: where it is not, another one that does not get ready proves nothing.
    is_well_without: bool,
    /// It was the other program before this roll-out began: an earlier one, or an earlier daemon, made it so.
    is_inherited: bool,
    /// The generation that was started as the other program.
    started: Option<Generation>,
    /// It serves as the other program.
    is_there: bool,
    /// It has been well for long enough.
    has_passed: bool,
}

/// A slot and what its processes are.
type Programs = (Arc<SlotId>, SlotPrograms);

/// Reasons of failures that say nothing about the program.
const INNOCENT: [&str; 10] = [
    "superseded",
    // By the edge, for its tunnel or secret; the former one may be connected from before.
    "registration-refused",
    "not-wanted",
    "environment",
    "port-taken",
    "no-output",
    "cannot-hand-over",
    "bad-token",
    "cannot-spawn",
    "draining-first",
];

impl Rollout {
    /// A roll-out that goes on from what an earlier daemon left. `running` are the programs of adopted processes. A try of which
    /// nothing could be learnt is made again after `retry`.
    pub(super) fn resume(memory: RolloutMemory, running: impl IntoIterator<Item = BinaryId>, retry: Duration) -> Self {
        let RolloutMemory { trusted, refused } = memory;
        let mut counts: BTreeMap<BinaryId, usize> = BTreeMap::new();
        for id in running {
            *counts.entry(id).or_default() += 1;
        }
        // Without a memory of it, what most of them are has proved itself.
        let common = counts.into_iter().max_by_key(|(_, count)| *count);
        let trusted = trusted.or(common.map(|(id, _)| Binary { id, version: "of an unknown version".to_owned() }));
        Self {
            names: Names::default(),
            observation: OBSERVATION,
            retry,
            installed: None,
            problem: None,
            trusted,
            trusted_is_held: false,
            upgrade: None,
            refused,
            notices: VecDeque::new(),
        }
    }

    /// What the tunnels of the slots are called from here on.
    pub(super) fn set_names(&mut self, names: Names) {
        self.names = names;
    }

    /// How long connectors with another program are watched from here on.
    pub(super) fn set_observation(&mut self, observation: Duration) {
        self.observation = observation;
    }

    /// What the next daemon must know.
    pub(super) fn memory(&self) -> RolloutMemory {
        RolloutMemory { trusted: self.trusted.clone(), refused: self.refused.clone() }
    }

    /// What happened next.
    pub(super) fn next_notice(&mut self) -> Option<ProgramHappening> {
        self.notices.pop_front()
    }

    /// The programs that may have to be started.
    pub(super) fn needed(&self) -> impl Iterator<Item = BinaryId> {
        let to = self.upgrade.as_ref().map(|upgrade| &upgrade.to);
        [self.trusted.as_ref(), self.installed.as_ref(), to].into_iter().flatten().map(|binary| binary.id)
    }

    /// What connectors are started as.
    pub(super) fn trusted(&self) -> Option<&Binary> {
        self.trusted.as_ref()
    }

    /// What stands at the path and can be used.
    pub(super) fn installed(&self) -> Option<&Binary> {
        self.installed.as_ref()
    }

    /// How far it is, for everyone outside: the other version, and why it is not in use.
    pub(super) fn shown(&self) -> (RolloutState, Option<&str>, Option<&Reason>) {
        match (&self.upgrade, &self.refused) {
            (Some(upgrade), _) => {
                let state = match upgrade.stage {
                    Stage::Waiting { .. } => RolloutState::Waiting,
                    Stage::Canary { .. } => RolloutState::Canary,
                    Stage::Rolling => RolloutState::Rolling,
                };
                (state, Some(&upgrade.to.version), self.problem.as_ref())
            }
            (None, Some(refused)) => (RolloutState::RolledBack, Some(&refused.binary.version), Some(&refused.reason)),
            (None, None) => (RolloutState::Settled, None, self.problem.as_ref()),
        }
    }

    /// The slot that tries the other program.
    pub(super) fn canary(&self) -> Option<&SlotId> {
        match &self.upgrade.as_ref()?.stage {
            Stage::Canary { slot } => Some(slot),
            Stage::Waiting { .. } | Stage::Rolling => None,
        }
    }

    /// Whether [`Rollout::next_notice`] has something to tell.
    pub(super) fn has_news(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Whether [`Rollout::step`] has nothing to do.
    pub(super) fn is_quiet(&self) -> bool {
        self.upgrade.is_none() && (self.refused.is_none() || self.trusted_is_held)
    }

    /// When [`Rollout::step`] has something to do without anything happening; `None` when never, or when a slot's report comes
    /// first.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.upgrade.as_ref()?.stage {
            Stage::Waiting { until } => Some(until),
            Stage::Canary { .. } | Stage::Rolling => None,
        }
    }

    /// The program that a slot is to be.
    pub(super) fn wish(&self, slot: &SlotId) -> BinaryWish {
        let trusted = BinaryWish { id: self.trusted.as_ref().map(|trusted| trusted.id), healthy_min: None };
        match (&self.upgrade, &self.refused) {
            (Some(upgrade), _) if upgrade.moves.contains_key(slot) => {
                let healthy_min = match upgrade.stage {
                    Stage::Canary { .. } => Some(self.observation),
                    Stage::Waiting { .. } | Stage::Rolling => None,
                };
                BinaryWish { id: Some(upgrade.to.id), healthy_min }
            }
            // There is no way back: what runs goes on.
            (None, Some(_)) if !self.trusted_is_held => BinaryWish::default(),
            (Some(_) | None, _) => trusted,
        }
    }

    /// Something else stands at the path than before.
    pub(super) fn handle_installed(&mut self, found: Result<Binary, Reason>, now: Instant) {
        let binary = match found {
            Ok(binary) => binary,
            Err(reason) => {
                // What was found before is held, so a roll-out that is under way goes on.
                self.problem = Some(reason.clone());
                return self.notices.push_back(ProgramHappening::Unusable { reason });
            }
        };
        self.problem = None;
        self.installed = Some(binary.clone());
        let is = |other: Option<&Binary>| other.is_some_and(|other| other.id == binary.id);
        if self.trusted.is_none() || is(self.trusted.as_ref()) {
            self.notices.push_back(ProgramHappening::InUse { version: binary.version.clone() });
            (self.trusted, self.upgrade, self.refused) = (Some(binary), None, None);
        } else if is(self.upgrade.as_ref().map(|upgrade| &upgrade.to)) || is(self.refused.as_ref().map(|refused| &refused.binary))
        {
            // It is on its way, or was tried.
            let version = self.trusted_version();
            self.notices.push_back(ProgramHappening::InUse { version });
        } else {
            self.refused = None;
            let (from, to) = (self.trusted_version(), binary.version.clone());
            self.notices.push_back(ProgramHappening::Found { from, to });
            self.upgrade = Some(Upgrade::new(binary, None, now));
        }
    }

    /// Whether the trusted program can be started.
    pub(super) fn set_trusted_held(&mut self, is_held: bool) {
        self.trusted_is_held = is_held;
    }

    /// An operator restarts a tunnel: what was refused is tried again, there first.
    pub(super) fn handle_operator(&mut self, tunnel: &TunnelName, now: Instant) {
        if self.refused.take().is_none() {
            return;
        }
        let other =
            self.installed.clone().filter(|installed| self.trusted.as_ref().is_none_or(|trusted| trusted.id != installed.id));
        if let Some(installed) = other {
            self.upgrade = Some(Upgrade::new(installed, Some(tunnel.clone()), now));
        }
    }

    /// Somebody else ended this generation: it says nothing about its program.
    pub(super) fn excuse(&mut self, slot: &SlotId, generation: Generation) {
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.excused = Some((slot.clone(), generation));
        }
    }

    /// Something happened in a slot.
    pub(super) fn hear(&mut self, slot: &SlotId, happening: &Happening, now: Instant) {
        let Some(upgrade) = &mut self.upgrade else { return };
        let Some(step) = upgrade.moves.get_mut(slot) else { return };
        let never_answered = Reason::new("never-answered", "its metrics server never answered");
        let (generation, reason) = match happening {
            Happening::Starting { generation, .. } | Happening::Replacing { successor: generation, .. } => {
                step.started = Some(*generation);
                return;
            }
            Happening::ReplacementFailed { generation, reason, .. }
            | Happening::CannotStart { generation, reason }
            | Happening::Exited { generation, asked: false, reason, .. } => (*generation, reason.clone()),
            Happening::Hung { generation, why } => (*generation, Reason::new("hung", format!("it hangs: {why}"))),
            Happening::NeverAnswered { generation, .. } => (*generation, never_answered),
            Happening::Exited { asked: true, .. }
            | Happening::Started { .. }
            | Happening::Adopted { .. }
            | Happening::Quarantined { .. }
            | Happening::Abandoned { .. }
            | Happening::Ready { .. }
            | Happening::Degraded { .. }
            | Happening::LostConnections { .. }
            | Happening::Recovered { .. }
            | Happening::BackingOff { .. }
            | Happening::Held { .. }
            | Happening::Blocked { .. }
            | Happening::Replaced { .. }
            | Happening::Spared { .. }
            | Happening::Draining { .. }
            | Happening::Killed { .. }
            | Happening::Stopped
            | Happening::Read { .. }
            | Happening::RegistrationRefused { .. }
            | Happening::ConfigurationRefused { .. }
            | Happening::FellBack { .. }
            | Happening::Flapping { .. }
            | Happening::LogUnavailable { .. }
            | Happening::Remembered { .. }
            | Happening::Renamed { .. }
            | Happening::Forgotten => return,
        };
        if step.started != Some(generation) || step.has_passed || reason.code == "superseded" {
            return;
        }
        let is_excused = upgrade.excused.as_ref().is_some_and(|(whose, which)| whose == slot && *which == generation);
        let compares = reason.code != "not-ready" || step.is_well_without;
        let is_guilty = step.is_fair && compares && !is_excused && !INNOCENT.contains(&&*reason.code);
        if is_guilty {
            return self.roll_back(slot, &reason);
        }
        if upgrade.stage == (Stage::Canary { slot: slot.clone() }) {
            upgrade.moves.clear();
            upgrade.stage = Stage::Waiting { until: now + self.retry };
            let to = upgrade.to.version.clone();
            self.notices.push_back(ProgramHappening::Postponed { slot: self.names.shown_slot(slot), to, reason });
        }
    }

    /// Goes on as far as the slots allow. `slots` are all of the host.
    pub(super) fn step(&mut self, slots: &[Programs], now: Instant) {
        let trusted = self.trusted_version();
        let wanted: Vec<&Programs> = slots.iter().filter(|(_, programs)| programs.wanted).collect();
        self.give_up_trusted(&wanted);
        let Some(upgrade) = &mut self.upgrade else { return };
        upgrade.look(&wanted, self.observation, now);
        if wanted.is_empty() {
            return self.confirm();
        }
        match upgrade.stage.clone() {
            Stage::Waiting { .. } if !upgrade.moves.is_empty() => {
                // An earlier daemon began it.
                let first = upgrade.moves.keys().next().cloned();
                upgrade.stage = Stage::Canary { slot: first.expect("it is not empty") };
            }
            Stage::Waiting { until } if until <= now => {
                if let Some((slot, is_fair)) = upgrade.choose_canary(&wanted) {
                    upgrade.moves.insert(slot.clone(), Move { is_fair, ..Move::default() });
                    let (shown, from, to) = (self.names.shown_slot(&slot), trusted, upgrade.to.version.clone());
                    upgrade.stage = Stage::Canary { slot };
                    self.notices.push_back(ProgramHappening::CanaryStarted { slot: shown, from, to });
                }
            }
            Stage::Waiting { .. } => {}
            Stage::Canary { slot } => match upgrade.moves.get(&slot) {
                Some(step) if step.has_passed => {
                    upgrade.stage = Stage::Rolling;
                    let (slot, to) = (self.names.shown_slot(&slot), upgrade.to.version.clone());
                    self.notices.push_back(ProgramHappening::CanaryPassed { slot, to });
                }
                Some(_) => {}
                // It is not wanted any more: another one tries.
                None => upgrade.stage = Stage::Waiting { until: now },
            },
            Stage::Rolling if upgrade.is_in_motion(&wanted) => {}
            Stage::Rolling => match wanted.iter().find(|(slot, _)| !upgrade.moves.contains_key(slot)) {
                Some((slot, programs)) => {
                    let is_fair = programs.ready_since.is_some();
                    upgrade.moves.insert((**slot).clone(), Move { is_fair, ..Move::default() });
                }
                None if upgrade.is_well() => self.confirm(),
                None => {}
            },
        }
    }

    fn trusted_version(&self) -> String {
        self.trusted.as_ref().map_or_else(String::new, |trusted| trusted.version.clone())
    }

    fn confirm(&mut self) {
        if let Some(Upgrade { to, .. }) = self.upgrade.take() {
            self.notices.push_back(ProgramHappening::Confirmed { to: to.version.clone() });
            (self.trusted, self.refused) = (Some(to), None);
        }
    }

    fn roll_back(&mut self, slot: &SlotId, reason: &Reason) {
        let Some(Upgrade { to, .. }) = self.upgrade.take() else { return };
        let (slot, from) = (self.names.shown_slot(slot), self.trusted_version());
        let sentence = format!(
            "cloudflared {} was rolled back to {from}, as connector {slot} failed with it: {} (\"adit tunnel restart {}\" tries it again)",
            to.version, reason.sentence, slot.tunnel
        );
        self.refused = Some(Refused { binary: to.clone(), reason: Reason::new("upgrade-rolled-back", sentence) });
        let (to, reason) = (to.version, reason.clone());
        self.notices.push_back(ProgramHappening::RolledBack { slot, from, to, reason });
    }

    /// Where nothing runs as the trusted program and it cannot be started, what stands at the path is all that there is.
    fn give_up_trusted(&mut self, wanted: &[&Programs]) {
        let Some(trusted) = self.trusted.as_ref().map(|trusted| trusted.id) else { return };
        let runs = wanted.iter().any(|(_, programs)| programs.serving.is_some_and(|(_, binary)| binary == Some(trusted)));
        if self.trusted_is_held || runs {
            return;
        }
        if let Some(left) = self.installed.clone() {
            self.notices.push_back(ProgramHappening::InUse { version: left.version.clone() });
            (self.trusted, self.upgrade, self.refused) = (Some(left), None, None);
        }
    }
}

impl Upgrade {
    fn new(to: Binary, preferred: Option<TunnelName>, now: Instant) -> Self {
        let stage = Stage::Waiting { until: now };
        Self { to, stage, moves: BTreeMap::new(), preferred, excused: None }
    }

    /// Takes in how the slots are.
    fn look(&mut self, wanted: &[&Programs], observation: Duration, now: Instant) {
        self.moves.retain(|slot, _| wanted.iter().any(|(other, _)| **other == *slot));
        for (slot, programs) in wanted {
            match programs.serving {
                Some((generation, Some(binary))) if binary == self.to.id => {
                    let inherited = || Move { is_inherited: true, ..Move::default() };
                    let step = self.moves.entry((**slot).clone()).or_insert_with(inherited);
                    step.is_fair |= step.is_inherited && programs.ready_since.is_some();
                    (step.started, step.is_there) = (Some(generation), true);
                    step.has_passed |= programs.ready_since.is_some_and(|since| since + observation <= now);
                }
                Some(_) | None => {
                    if let Some(step) = self.moves.get_mut(slot) {
                        step.is_there = false;
                        step.is_well_without = programs.ready_since.is_some();
                        step.is_fair |= step.is_well_without;
                    }
                }
            }
        }
    }

    /// The slot that is to try it, and whether that can be compared: a ready one, of the operator's tunnel if there is one, and with
    /// as many replicas before it as possible, which go on meanwhile. Where none is ready, one that fails has nothing to lose.
    fn choose_canary(&self, wanted: &[&Programs]) -> Option<(SlotId, bool)> {
        let preference = |slot: &SlotId| (self.preferred.as_ref() == Some(&slot.tunnel), slot.replica);
        let ready = wanted.iter().filter(|(_, programs)| programs.ready_since.is_some() && programs.successor.is_none());
        // The first of equals.
        let best = ready.rev().max_by_key(|(slot, _)| preference(slot)).map(|(slot, _)| ((**slot).clone(), true));
        let failing = || wanted.iter().find(|(_, programs)| programs.failing).map(|(slot, _)| ((**slot).clone(), false));
        let any_ready = wanted.iter().any(|(_, programs)| programs.ready_since.is_some());
        best.or_else(|| if any_ready { None } else { failing() })
    }

    /// Whether a slot is on its way.
    fn is_in_motion(&self, wanted: &[&Programs]) -> bool {
        wanted.iter().any(|(slot, programs)| self.moves.get(slot).is_some_and(|step| !step.is_there) && !programs.failing)
    }

    /// Whether all that could be compared have been well for long enough.
    fn is_well(&self) -> bool {
        self.moves.values().all(|step| step.has_passed || !step.is_fair)
    }
}

#[cfg(test)]
mod tests;
