//! What a slot tells of itself.

use std::time::{Duration, Instant};

use super::{Slot, Stage, Wait};
use crate::{
    connector::{Exit, Generation, Happening, Notice, Reason, Vitals, watch::Health},
    name::TunnelName,
};

impl Slot {
    pub(super) fn tell(&mut self, happening: Happening) {
        let serving = match &self.stage {
            Stage::Serving { run, .. } => run.generation,
            Stage::Quarantined { generation, .. } => *generation,
            Stage::Resting | Stage::Waiting { .. } => self.generation,
        };
        let document = match &self.stage {
            Stage::Serving { run, .. } => run.facts.document,
            Stage::Quarantined { facts, .. } => facts.document,
            Stage::Resting | Stage::Waiting { .. } => None,
        };
        let (state, reason, failures) = (self.state(), self.reason(), self.backoff.failures());
        self.notices.push_back(Notice { state, reason, serving, failures, document, happening });
    }

    /// Its tunnel was called `from` until now.
    pub fn handle_renamed(&mut self, from: TunnelName) {
        self.tell(Happening::Renamed { from });
    }

    pub(super) fn tell_waiting(&mut self, delay: Duration) {
        let Stage::Waiting { wait, reason, .. } = &self.stage else { return };
        let reason = reason.clone();
        match wait {
            Wait::BackOff | Wait::Room if delay.is_zero() => {} // the start follows at once and tells of itself
            Wait::BackOff | Wait::Room => self.tell(Happening::BackingOff { delay, reason }),
            Wait::Blocked => self.tell(Happening::Blocked { delay, reason }),
        }
    }

    pub(super) fn tell_exit(&mut self, generation: Generation, exit: &Exit, lived: Duration, asked: bool, reason: Reason) {
        self.tell(Happening::Exited { generation, how: exit.how().into_owned(), lived, asked, reason });
    }

    pub(super) fn tell_vitals(&mut self, before: Before, now: Instant) {
        let Stage::Serving { run, .. } = &self.stage else { return };
        let (generation, wanted) = (run.generation, run.facts.connections);
        let Some(alive) = run.alive() else { return };
        let (health, vitals) = (alive.watch.health(&self.settings), alive.watch.vitals.clone());
        let whole = |vitals: &Vitals| vitals.connections >= wanted;
        let happening = match (before.health, health) {
            (Health::Silent | Health::Stale | Health::Unready, Health::Ready) => {
                let after = now.saturating_duration_since(alive.since);
                Happening::Ready { generation, vitals, after }
            }
            (Health::Lost | Health::Hung, Health::Ready) => Happening::Recovered { generation, vitals },
            (Health::Stale | Health::Ready, Health::Lost) => Happening::LostConnections { generation, vitals },
            (Health::Silent | Health::Stale | Health::Unready | Health::Ready | Health::Lost, Health::Hung) => {
                Happening::Hung { generation, why: alive.watch.last_miss().to_owned() }
            }
            (Health::Ready, Health::Ready) if whole(&before.vitals) && !whole(&vitals) => {
                Happening::Degraded { generation, vitals }
            }
            (Health::Ready, Health::Ready) if before.whole && !whole(&before.vitals) && whole(&vitals) => {
                Happening::Recovered { generation, vitals }
            }
            (same, now) if same == now && before.vitals == vitals && before.failures == self.backoff.failures() => return,
            (_, _) => Happening::Read { generation, vitals },
        };
        self.tell(happening);
    }

    /// Why the serving generation is as it is has changed, and not what it reports.
    pub(super) fn tell_reading(&mut self) {
        let Stage::Serving { run, .. } = &self.stage else { return };
        let Some(alive) = run.alive() else { return };
        let (generation, vitals) = (run.generation, alive.watch.vitals.clone());
        self.tell(Happening::Read { generation, vitals });
    }

    /// It is known over what the serving generation talks, which belongs to how it is.
    pub(super) fn tell_protocol(&mut self, generation: Generation) {
        let Stage::Serving { run, .. } = &self.stage else { return };
        let Some(alive) = run.alive().filter(|_| run.generation == generation) else { return };
        let vitals = alive.watch.vitals.clone();
        self.tell(Happening::Read { generation, vitals });
    }
}

/// How the serving generation was before a probe came back.
pub(super) struct Before {
    pub(super) health: Health,
    pub(super) vitals: Vitals,
    /// It had had all of its connections at some time.
    pub(super) whole: bool,
    pub(super) failures: u32,
}
