//! The machine of one slot: which generation runs, which follows it, and when.
//!
//! Nothing here spawns, signals, sleeps or reads a clock: the supervisor does, and reports back. What it must do is said by
//! [`Slot::next_command`], what happened by [`Slot::next_notice`], and when to come back without any report by
//! [`Slot::poll_timeout`].
//!
//! ```text
//!                 wanted                    exit, never answered
//!   Resting ───────────────▶ Serving ─────────────────────────────▶ Waiting (back-off, blocked)
//!      ▲                     │  ▲  ▲                                   │
//!      │ stop, not wanted    │  │  └───────────────────────────────────┘ its time has come, or a change
//!      └─────────────────────┘  │
//!                               └── the successor has been ready for a while: it serves, and the former leaves
//!
//!   leaving: Unspawned ─▶ Killed ◀─ Draining      beside every stage, at most LEAVING_MAX while anything is started
//! ```
//!
//! A slot has at most one serving generation, one successor beside it, and [`LEAVING_MAX`] that leave when another is started.

mod adopting;
mod causes;
mod choice;
mod flapping;
mod holding;
mod leaving;
mod programs;
mod refusal;
mod remembering;
mod replacing;
mod reports;
mod run;
mod signs;
mod surplus;
mod telling;
mod told;
mod transport;
mod uplink;
mod view;
mod wishes;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::rngs::SmallRng;

pub use self::transport::Finding;
use self::{
    causes::Causes,
    run::{Alive, Leaver, LeaverPhase, Phase, Run},
    uplink::FleetOrders,
};
use super::{
    BinaryId, Command, Fingerprint, Gate, Generation, Happening, Launch, LaunchFacts, Notice, Reason, RestartReason, Settings,
    SlotId, State, Stop, watch::Health,
};
use crate::backoff::Backoff;

/// How many generations may still be leaving when another is started. An operator who stops and starts again and again, or a
/// process that cannot be killed, must not fill the host.
pub const LEAVING_MAX: usize = 2;

/// One slot.
#[derive(Debug)]
pub struct Slot {
    id: SlotId,
    settings: Settings,
    rng: SmallRng,
    /// The last generation that was used.
    generation: Generation,
    goal: Goal,
    /// The program file that its processes are to be.
    wish: BinaryWish,
    /// The launch that an earlier daemon wanted last, until this one says what it wants.
    resumed: Option<Fingerprint>,
    stage: Stage,
    leaving: Vec<Leaver>,
    backoff: Backoff,
    causes: Causes,
    findings: VecDeque<Finding>,
    orders: FleetOrders,
    commands: VecDeque<Command>,
    notices: VecDeque<Notice>,
}

/// Which program file a slot's processes are to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BinaryWish {
    /// The file; `None` while any will do.
    pub id: Option<BinaryId>,
    /// How long a successor that is this file must be ready before it takes over, when that is longer than
    /// [`Settings::healthy_min`]: the file is on trial.
    pub healthy_min: Option<Duration>,
}

/// What the processes of a slot are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotPrograms {
    /// Whether it is to run, and its processes are ours.
    pub wanted: bool,
    /// The generation that serves or comes up, and its program file as far as it is known.
    pub serving: Option<(Generation, Option<BinaryId>)>,
    /// Since when it has been ready without a break.
    pub ready_since: Option<Instant>,
    /// The generation that is to take over.
    pub successor: Option<Generation>,
    /// It failed and waits to be started again.
    pub failing: bool,
}

/// What is wanted of a slot.
#[derive(Debug)]
enum Goal {
    /// Nobody has said yet. What was adopted goes on.
    Unknown,
    Run {
        launch: Arc<Launch>,
        facts: LaunchFacts,
    },
    /// An operator stopped it.
    Stopped(Stop),
    /// This replica of the tunnel is not wanted any more, but none of the others serves: what runs goes on.
    Surplus,
    /// The tunnel, or this replica of it, is not wanted any more.
    Gone,
    /// The daemon stops. There is no way back.
    Shutdown,
}

#[derive(Debug)]
enum Stage {
    Resting,
    Waiting {
        until: Instant,
        wait: Wait,
        restart: Option<RestartReason>,
        reason: Reason,
    },
    Serving {
        run: Box<Run>,
        replacement: Replacement,
    },
    /// Never signalled. It keeps the slot while it answers as the connector that was recorded.
    Quarantined {
        generation: Generation,
        facts: LaunchFacts,
        alive: Box<Alive>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    BackOff,
    Blocked,
    /// For those that leave to be gone.
    Room,
}

#[derive(Debug)]
enum Replacement {
    None,
    /// Wanted; it waits for its turn among all slots.
    Asked {
        restart: RestartReason,
    },
    /// The last one failed.
    Retry {
        at: Instant,
        restart: RestartReason,
        why: Reason,
    },
    Running {
        successor: Box<Run>,
        restart: RestartReason,
        deadline: Instant,
    },
}

/// Why an operator's restart was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestartRefused {
    /// There is nothing to restart.
    #[error("it is stopped; start it instead")]
    Stopped,
    /// Restarting would need a signal to a process that cannot be proved ours.
    #[error("its process cannot be proved ours, so it is never signalled; abandon it to start another")]
    Quarantined,
    /// Only a quarantined process can be abandoned.
    #[error("its process is ours, so it need not be abandoned; restart it instead")]
    NotQuarantined,
}

impl Slot {
    /// A slot in which nothing runs and of which nothing is known. Generations go on from `last`.
    pub fn new(id: SlotId, settings: Settings, last: Generation, rng: SmallRng) -> Self {
        Self {
            id,
            settings,
            rng,
            generation: last,
            goal: Goal::Unknown,
            wish: BinaryWish::default(),
            resumed: None,
            stage: Stage::Resting,
            leaving: Vec::new(),
            backoff: Backoff::new(),
            causes: Causes::default(),
            findings: VecDeque::new(),
            orders: FleetOrders::default(),
            commands: VecDeque::new(),
            notices: VecDeque::new(),
        }
    }

    /// Which slot this is.
    pub fn id(&self) -> &SlotId {
        &self.id
    }

    /// The last generation that was used.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What to do next.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// What happened next.
    pub fn next_notice(&mut self) -> Option<Notice> {
        let notice = self.notices.pop_front();
        if notice.is_none() {
            // They are large and come seldom: no room is kept for the next.
            self.notices.shrink_to_fit();
        }
        notice
    }

    /// Whether it is at rest and not wanted any more, so that it can be dropped.
    pub fn is_forgotten(&self) -> bool {
        matches!(self.goal, Goal::Gone) && self.is_at_rest()
    }

    /// Whether the process of `generation`, which the spawner has not started yet, is still wanted.
    pub fn awaits_spawn(&self, generation: Generation) -> bool {
        let awaits = |run: &Run| run.generation == generation && matches!(run.phase, Phase::Spawning);
        match &self.stage {
            Stage::Serving { replacement: Replacement::Running { successor, .. }, .. } if awaits(successor) => true,
            Stage::Serving { run, .. } => awaits(run),
            Stage::Resting | Stage::Waiting { .. } | Stage::Quarantined { .. } => false,
        }
    }

    /// Whether nothing runs, nothing leaves and nothing is due.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.stage, Stage::Resting) && self.leaving.is_empty()
    }

    /// Whether it has nothing but the next probe of a connector to wait for that has answered to be ready, which may be a little late.
    pub fn is_quiet(&self) -> bool {
        let Stage::Serving { run, .. } = &self.stage else { return false };
        let has_answered = run.alive().is_some_and(|alive| alive.watch.ready_since().is_some());
        has_answered && self.state() == State::Ready && !self.is_replacing() && self.leaving.is_empty()
    }

    /// When [`Slot::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let leaving = self.leaving.iter().filter_map(Leaver::due).min();
        let stage = match &self.stage {
            Stage::Resting => None,
            Stage::Waiting { until, .. } => Some(*until),
            Stage::Serving { run, replacement } => {
                let cause = self.cause_due(run, replacement);
                let run = run.alive().and_then(|alive| self.due(alive));
                let replacement = match replacement {
                    Replacement::None | Replacement::Asked { .. } => None,
                    Replacement::Retry { at, .. } => Some(*at),
                    Replacement::Running { successor, deadline, .. } => {
                        let promotion = self.promotion_at(successor);
                        let due = successor.alive().and_then(|alive| self.due(alive));
                        // A successor that is ready may finish its healthy time, even beyond the deadline.
                        [promotion.or_else(|| self.successor_given_up_at(successor, *deadline)), due].into_iter().flatten().min()
                    }
                };
                [run, replacement, cause].into_iter().flatten().min()
            }
            Stage::Quarantined { alive, .. } => alive.watch.due(),
        };
        [leaving, stage].into_iter().flatten().min()
    }

    /// The time has come that [`Slot::poll_timeout`] named. Starts after a failure have to pass `gate`.
    pub fn handle_timeout(&mut self, now: Instant, gate: &mut Gate<'_>) {
        self.handle_leaving_timeout(now);
        match &mut self.stage {
            Stage::Resting => {}
            Stage::Waiting { until, restart, .. } if *until <= now => match gate.admit(self.backoff.failures(), now) {
                Ok(()) => {
                    let restart = *restart;
                    self.start(restart, now);
                }
                Err(refusal) => {
                    *until = refusal.until();
                    self.take_refusal(refusal, now);
                }
            },
            Stage::Waiting { .. } => {}
            Stage::Serving { run, .. } => {
                let is_known = matches!(self.goal, Goal::Run { .. });
                if is_known && run.alive().is_some_and(|alive| never_answered(alive, &self.settings, now)) {
                    return self.give_up_start(now);
                }
                self.commands.extend(run.probe(&self.settings, now));
                self.handle_replacement_timeout(now);
                self.handle_cause_timeout(now);
            }
            Stage::Quarantined { generation, facts, alive } => {
                self.commands.extend(alive.probe(*generation, facts, &self.settings, now));
            }
        }
    }

    /// Starts the next generation, if one is wanted and there is room.
    fn start(&mut self, restart: Option<RestartReason>, now: Instant) {
        self.orders.forget_waiting();
        if self.end_surplus() {
            return self.tell_if_at_rest();
        }
        let Goal::Run { launch, facts } = &self.goal else {
            self.stage = Stage::Resting;
            return;
        };
        if self.leaving.len() >= LEAVING_MAX {
            let reason = Reason::new("draining-first", format!("it waits for {} earlier processes to end", self.leaving.len()));
            let until = self.leaving.iter().filter_map(Leaver::due).min().unwrap_or(now + self.settings.stop_margin);
            self.stage = Stage::Waiting { until: until.max(now), wait: Wait::Room, restart, reason };
            return;
        }
        let generation = self.generation.next();
        self.generation = generation;
        let (launch, facts) = Self::launch_over(launch, facts, self.transport_to_start(now));
        self.commands.push_back(Command::Spawn { generation, launch });
        self.stage = Stage::Serving { run: Box::new(Run::spawning(generation, facts)), replacement: Replacement::None };
        self.tell(Happening::Starting { generation, restart });
    }

    fn run_mut(&mut self, generation: Generation) -> Option<&mut Run> {
        let Stage::Serving { run, replacement } = &mut self.stage else { return None };
        if run.generation == generation {
            return Some(run);
        }
        match replacement {
            Replacement::Running { successor, .. } if successor.generation == generation => Some(successor),
            Replacement::Running { .. } | Replacement::None | Replacement::Asked { .. } | Replacement::Retry { .. } => None,
        }
    }

    fn due(&self, alive: &Alive) -> Option<Instant> {
        let deadline = match alive.watch.health(&self.settings) {
            // Before it is known what is wanted nothing would follow the process that is given up.
            Health::Silent if matches!(self.goal, Goal::Unknown) => None,
            Health::Silent => Some(alive.since + self.settings.start_deadline),
            Health::Stale | Health::Unready | Health::Ready | Health::Lost | Health::Hung => None,
        };
        [deadline, alive.watch.due()].into_iter().flatten().min()
    }
}

/// How a generation is made to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// With the time that its launch gives it for requests.
    Gracefully,
    /// It serves nobody: only as long as an orderly exit takes.
    Soon,
}

fn never_answered(alive: &Alive, settings: &Settings, now: Instant) -> bool {
    alive.watch.health(settings) == Health::Silent && now >= alive.since + settings.start_deadline
}
