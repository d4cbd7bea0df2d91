//! Processes of an earlier daemon of which it is not certain whether they were told to finish their requests (SIGTERM).
//!
//! A second SIGTERM kills cloudflared with its requests, and one that was never told serves on until it is killed. A record says that
//! it was told right before the signal is sent, so that of a daemon that dies between the two it says too much; a record that was lost
//! says nothing. A connection to the edge proves that a process was not told: with SIGTERM cloudflared gives up all of them within
//! 10 ms, and its start-up loop, which may make others, ends within 3 s.
//!
//! | the record says | until there is the proof | with it |
//! | --- | --- | --- |
//! | told | it drains, and is killed when its time is over | it is told, and its time begins anew |
//! | nothing, as it was lost | it stands for its slot; when it has to go it drains as above | it is as any other |
//!
//! One that is never seen with a connection serves nobody new, so it is told nothing: it ends by itself, or with its time.

use std::time::{Duration, Instant};

use rand::rngs::SmallRng;

use super::{Alive, LeaverPhase, Slot};
use crate::connector::{Command, Generation, Happening, LaunchFacts, Probe, Settings};

/// So long after the end of the daemon that may have told it, a process that was told has no connection left: its start-up loop takes
/// 3 s at most, and a busy host some time.
const TOLD_SHOWS: Duration = Duration::from_secs(5);

/// A process that leaves and may not have been told to.
#[derive(Debug)]
pub(super) struct Doubted {
    pub(super) alive: Box<Alive>,
    pub(super) facts: LaunchFacts,
}

impl Doubted {
    /// It is asked as soon as its answer can prove anything.
    pub(super) fn new(mut alive: Box<Alive>, facts: LaunchFacts, now: Instant) -> Self {
        if let Some(adopted) = alive.doubted_since {
            alive.watch.ask_at(adopted + TOLD_SHOWS, now);
        }
        Self { alive, facts }
    }
}

impl Alive {
    /// A probe came back.
    pub(super) fn handle_probe(
        &mut self,
        probe: Probe,
        facts: &LaunchFacts,
        settings: &Settings,
        rng: &mut SmallRng,
        now: Instant,
    ) {
        self.watch.handle_probe(probe, facts, settings, rng, now);
        self.doubted_since = self.doubted_since.filter(|adopted| !self.watch.has_connected_since(*adopted + TOLD_SHOWS));
    }
}

impl Slot {
    /// A probe of a process that leaves came back. Says whether it was one.
    pub(super) fn probe_leaver(&mut self, generation: Generation, probe: &Probe, now: Instant) -> bool {
        let Some(leaver) = self.leaving.iter_mut().find(|leaver| leaver.generation == generation) else { return false };
        let Some(Doubted { alive, facts }) = &mut leaver.doubted else { return true };
        alive.handle_probe(probe.clone(), facts, &self.settings, &mut self.rng, now);
        if alive.doubted_since.is_some() {
            return true;
        }
        let limit = facts.grace_period + self.settings.stop_margin;
        leaver.doubted = None;
        leaver.exit = LeaverPhase::Draining { kill_at: now + limit };
        self.commands.push_back(Command::Terminate { generation });
        self.tell(Happening::Draining { generation, limit });
        true
    }

    /// Asks those that leave and may not have been told to.
    pub(super) fn ask_doubted(&mut self, now: Instant) {
        for leaver in &mut self.leaving {
            let Some(Doubted { alive, facts }) = &mut leaver.doubted else { continue };
            self.commands.extend(alive.probe(leaver.generation, facts, &self.settings, now));
        }
    }
}
