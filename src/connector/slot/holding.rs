//! Which of a slot's processes hold which secret.

use super::{Alive, Phase, Replacement, Run, Slot, Stage};
use crate::connector::{Fingerprint, Holder, HolderRole, watch::Health};

impl Slot {
    /// Every process of the slot, with the secret that it was started with.
    pub fn holders(&self) -> Vec<Holder> {
        let mut holders = Vec::new();
        match &self.stage {
            Stage::Resting | Stage::Waiting { .. } => {}
            Stage::Serving { run, replacement } => {
                holders.push(self.holder(run));
                if let Replacement::Running { successor, .. } = replacement {
                    holders.push(Holder { role: HolderRole::Coming, ..self.holder(successor) });
                }
            }
            Stage::Quarantined { facts, alive, .. } => holders.push(self.alive_holder(facts.token, alive)),
        }
        holders.extend(self.leaving.iter().map(|leaver| Holder {
            token: leaver.token,
            connector_id: leaver.connector_id.clone(),
            role: HolderRole::Leaving,
        }));
        holders
    }

    fn holder(&self, run: &Run) -> Holder {
        match &run.phase {
            Phase::Spawning => Holder { token: run.facts.token, connector_id: None, role: HolderRole::Coming },
            Phase::Alive(alive) => self.alive_holder(run.facts.token, alive),
        }
    }

    fn alive_holder(&self, token: Fingerprint, alive: &Alive) -> Holder {
        let role = match alive.watch.health(&self.settings) {
            Health::Ready => HolderRole::Ready,
            Health::Silent | Health::Unready | Health::Stale | Health::Lost | Health::Hung => HolderRole::Coming,
        };
        Holder { token, connector_id: alive.watch.vitals.connector_id.clone(), role }
    }
}
