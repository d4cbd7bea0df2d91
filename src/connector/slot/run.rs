//! One generation, as its slot holds it.

use std::{net::SocketAddr, time::Instant};

use super::{signs::Signs, told::Doubted};
use crate::{
    connector::{Ask, Command, Fingerprint, Generation, LaunchFacts, Settings, watch::Watch},
    id::ConnectorId,
};

/// A generation that is wanted.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) generation: Generation,
    pub(super) facts: LaunchFacts,
    /// It was started by an earlier daemon, and may have been serving all along.
    pub(super) adopted: bool,
    pub(super) phase: Phase,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// The spawner was asked, and answers.
    Spawning,
    /// There is a process.
    Alive(Box<Alive>),
}

/// A process.
#[derive(Debug)]
pub(super) struct Alive {
    pub(super) pid: u32,
    pub(super) metrics: SocketAddr,
    pub(super) since: Instant,
    pub(super) watch: Watch,
    pub(super) signs: Signs,
    /// Since when it is this daemon's, if an earlier one may have told it to finish its requests.
    pub(super) doubted_since: Option<Instant>,
}

/// A generation that is on its way out.
#[derive(Debug)]
pub(super) struct Leaver {
    pub(super) generation: Generation,
    /// The token that it was started with.
    pub(super) token: Fingerprint,
    /// Its id at Cloudflare, if it has said it.
    pub(super) connector_id: Option<ConnectorId>,
    /// Since when its process runs, if it does.
    pub(super) since: Option<Instant>,
    pub(super) exit: LeaverPhase,
    /// It may not have been told yet.
    pub(super) doubted: Option<Doubted>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaverPhase {
    /// The spawner has not answered yet; what it starts is killed at once.
    Unspawned,
    /// It was told to finish its requests.
    Draining { kill_at: Instant },
    /// It was killed, and is again if it is still there then: a process in an uninterruptible wait takes its time.
    Killed { again_at: Instant },
}

impl Run {
    pub(super) fn spawning(generation: Generation, facts: LaunchFacts) -> Self {
        Self { generation, facts, adopted: false, phase: Phase::Spawning }
    }

    pub(super) fn alive(&self) -> Option<&Alive> {
        match &self.phase {
            Phase::Spawning => None,
            Phase::Alive(alive) => Some(alive),
        }
    }

    pub(super) fn alive_mut(&mut self) -> Option<&mut Alive> {
        match &mut self.phase {
            Phase::Spawning => None,
            Phase::Alive(alive) => Some(alive),
        }
    }

    pub(super) fn process(&self) -> Option<(u32, SocketAddr)> {
        self.alive().map(|alive| (alive.pid, alive.metrics))
    }

    /// Whether requests may depend on it, so that it must not go before a successor is ready.
    pub(super) fn serves(&self) -> bool {
        self.alive().is_some_and(|alive| self.adopted || alive.watch.was_ready())
    }

    /// The probe that is due, if one is.
    pub(super) fn probe(&mut self, settings: &Settings, now: Instant) -> Option<Command> {
        let (generation, facts) = (self.generation, self.facts);
        self.alive_mut()?.probe(generation, &facts, settings, now)
    }
}

impl Alive {
    pub(super) fn probe(
        &mut self,
        generation: Generation,
        facts: &LaunchFacts,
        settings: &Settings,
        now: Instant,
    ) -> Option<Command> {
        let ask: Ask = self.watch.ask(facts, settings, now)?;
        Some(Command::Probe { generation, metrics: self.metrics, ask })
    }
}

impl Leaver {
    /// When something is to be done about it; `None` while the spawner owes an answer.
    pub(super) fn due(&self) -> Option<Instant> {
        let exit = match self.exit {
            LeaverPhase::Unspawned => None,
            LeaverPhase::Draining { kill_at } => Some(kill_at),
            LeaverPhase::Killed { again_at } => Some(again_at),
        };
        let probe = self.doubted.as_ref().and_then(|doubted| doubted.alive.watch.due());
        [exit, probe].into_iter().flatten().min()
    }
}
