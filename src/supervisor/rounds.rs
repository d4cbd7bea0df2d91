//! The rounds in which the connectors are asked that have nothing but their next probe to wait for.
//!
//! ```text
//!   grid:   |            |            |            |
//!           ask a, b     hear a       ask c        hear b, which hung for a while, and c
//!                        ask d        hear d
//! ```
//!
//! Whoever is due at a moment of the grid is asked in one go. Nobody is woken by an answer: it is taken in at the next moment, before
//! others are asked. So however many there are, the loop is woken for them as often as the grid has moments, and no more often.

use std::{
    mem,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    grid::STEP,
    task::{Task, now},
};
use crate::{
    connector::{Ask, Generation, Probe, SlotId},
    probe::{Heard, Line, PROBE_TIME_MAX},
};

/// Answers are some 200 bytes long.
const BUFFER: usize = 4 * 1024;
/// With answers taken in at the moments of the grid, this is when the time of one is over that was asked at a moment before.
const PATIENCE: Duration = PROBE_TIME_MAX.saturating_sub(STEP);

/// Who was asked in rounds and has not answered.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    asked: Vec<Asked>,
    hear_at: Option<Instant>,
}

#[derive(Debug)]
struct Asked {
    slot: Arc<SlotId>,
    generation: Generation,
    metrics: SocketAddr,
    ask: Ask,
    give_up_at: Instant,
}

impl Rounds {
    /// When [`Task::hear_round`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.hear_at
    }

    fn add(&mut self, slot: &Arc<SlotId>, generation: Generation, (metrics, ask): (SocketAddr, Ask), next: Instant) {
        self.asked.push(Asked { slot: Arc::clone(slot), generation, metrics, ask, give_up_at: next + PATIENCE });
        self.hear_at.get_or_insert(next);
    }
}

impl Task {
    /// Asks a connector that is well; otherwise, or when there is no line to it, `false`.
    pub(super) fn ask_in_round(&mut self, id: &Arc<SlotId>, generation: Generation, metrics: SocketAddr, ask: Ask) -> bool {
        let Some(entry) = self.slots.get_mut(id).filter(|entry| entry.slot.is_quiet()) else { return false };
        let Some(child) = entry.children.iter_mut().find(|child| child.generation == generation) else { return false };
        let now = now();
        let kept = child.line.take().filter(|line| !line.is_old(now)).and_then(|line| asked(line, ask));
        // cloudflared may have closed the one that was kept.
        child.line = kept.or_else(|| asked(Line::open(metrics, now).ok()?, ask));
        if child.line.is_some() {
            self.rounds.add(id, generation, (metrics, ask), self.grid.after(now));
        }
        child.line.is_some()
    }

    /// Takes in what those say who were asked, at the moment after.
    pub(super) fn hear_round(&mut self) {
        let now = now();
        if self.rounds.hear_at.is_none_or(|at| at > now) {
            return;
        }
        let mut buffer = [0; BUFFER];
        let mut asked = mem::take(&mut self.rounds.asked);
        asked.retain(|asked| !self.is_answered(asked, &mut buffer, now));
        asked.append(&mut self.rounds.asked);
        self.rounds.hear_at = (!asked.is_empty()).then(|| self.grid.after(now));
        self.rounds.asked = asked;
    }

    /// Whether a question needs no more answer.
    fn is_answered(&mut self, asked: &Asked, buffer: &mut [u8], now: Instant) -> bool {
        let Asked { slot, generation, metrics, ask, give_up_at } = asked;
        let Some(entry) = self.slots.get_mut(slot) else { return true };
        let Some(child) = entry.children.iter_mut().find(|child| child.generation == *generation) else { return true };
        // Only who answers keeps it: what comes late must not be taken for the answer to the next question.
        let Some(mut line) = child.line.take() else { return true };
        let probe = match line.hear(buffer) {
            Heard::Nothing if now < *give_up_at => {
                child.line = Some(line);
                return false;
            }
            Heard::Nothing => line.give_up(),
            Heard::Probed(probe @ Probe::Missed(_)) => probe,
            Heard::Probed(probe @ Probe::Answered(_)) => {
                child.line = Some(line);
                probe
            }
            Heard::Broken => {
                self.ask_apart(slot, *generation, *metrics, *ask);
                return true;
            }
        };
        self.take_probe(slot, *generation, probe, None);
        true
    }
}

fn asked(mut line: Line, ask: Ask) -> Option<Line> {
    line.ask(ask).ok().map(|()| line)
}
