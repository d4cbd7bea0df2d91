//! A replica that is not wanted any more, while no other of its tunnel serves.
//!
//! Taking it away at once would leave the tunnel without anybody. It goes on until whoever knows all replicas says with
//! [`Slot::handle_unwanted`] that another one serves, or that the whole tunnel goes; nothing is started in its place. When its process
//! ends before, the slot is forgotten.

use std::time::Instant;

use super::{Goal, Leave, Replacement, Slot, Stage};
use crate::connector::{Happening, Reason, watch::Health};

impl Slot {
    /// This replica is not wanted any more, and none of the wanted ones serves: it goes only if it serves nobody either.
    pub fn handle_surplus(&mut self, now: Instant) {
        match self.goal {
            Goal::Unknown | Goal::Run { .. } => {}
            Goal::Stopped(_) => return self.handle_unwanted(now),
            Goal::Surplus | Goal::Gone | Goal::Shutdown => return, // known already
        }
        let Stage::Serving { run, replacement } = &mut self.stage else { return self.handle_unwanted(now) };
        if !run.serves() {
            return self.handle_unwanted(now);
        }
        let generation = run.generation;
        self.goal = Goal::Surplus;
        if let Replacement::Running { successor, .. } = std::mem::replace(replacement, Replacement::None) {
            let generation = successor.generation;
            self.leave(*successor, Leave::Gracefully, now);
            let reason = Reason::new("superseded", "this replica is not wanted any more");
            self.tell(Happening::ReplacementFailed { generation, reason, retry: None });
        }
        self.tell(Happening::Spared { generation });
    }

    /// Whether it is not wanted any more and goes on until another replica serves.
    pub fn is_surplus(&self) -> bool {
        matches!(self.goal, Goal::Surplus)
    }

    /// Since when a generation that is wanted carries requests without a break, as far as this daemon has asked.
    pub fn serves_since(&self) -> Option<Instant> {
        let (Goal::Run { .. }, Stage::Serving { run, .. }) = (&self.goal, &self.stage) else { return None };
        let alive = run.alive().filter(|alive| alive.watch.health(&self.settings) == Health::Ready)?;
        alive.watch.ready_since()
    }

    /// What is not wanted any more has nothing left that serves: it is not started again. Says whether that was so.
    pub(super) fn end_surplus(&mut self) -> bool {
        let over = self.is_surplus();
        if over {
            (self.goal, self.stage) = (Goal::Gone, Stage::Resting);
        }
        over
    }
}
