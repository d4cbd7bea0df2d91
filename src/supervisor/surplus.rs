//! Replicas that are not wanted any more, of tunnels that are: none goes while nobody else of its tunnel serves.

use std::{sync::Arc, time::Instant};

use super::task::{Task, now};
use crate::connector::{SlotId, Wanted};

impl Task {
    /// Lets a slot go that is in no list: at once with its whole tunnel, or when another replica serves.
    pub(super) fn dismiss(&mut self, id: &Arc<SlotId>, wanted: &Wanted) {
        let tunnel = wanted.tunnels.get(&id.tunnel).filter(|tunnel| tunnel.stop.is_none());
        let is_needed = tunnel.is_some_and(|tunnel| !self.can_do_without(id, tunnel.replicas));
        self.with_slot(id, |slot| if is_needed { slot.handle_surplus(now()) } else { slot.handle_unwanted(now()) });
    }

    /// Lets go whoever was spared and is not needed any more.
    pub(super) fn release_surplus(&mut self) {
        let released: Vec<Arc<SlotId>> = self.surplus.iter().filter(|id| self.can_do_without(id, id.replica)).cloned().collect();
        for id in &released {
            self.with_slot(id, |slot| slot.handle_unwanted(now()));
        }
    }

    /// When [`Task::release_surplus`] has something to do, if nothing else happens.
    pub(super) fn surplus_due(&self) -> Option<Instant> {
        self.surplus.iter().filter_map(|id| self.served_from(id, id.replica)).min()
    }

    fn can_do_without(&self, id: &SlotId, replicas: u8) -> bool {
        self.served_from(id, replicas).is_some_and(|at| at <= now())
    }

    /// From when on one of the first `replicas` connectors of the tunnel of `id` will have been ready for as long as a successor must
    /// be before it takes over. Those that are not wanted any more are the last ones, and none of them counts.
    fn served_from(&self, id: &SlotId, replicas: u8) -> Option<Instant> {
        let first = SlotId::new(id.tunnel.clone(), 0)..SlotId::new(id.tunnel.clone(), replicas);
        let since = self.slots.range(first).filter_map(|(_, entry)| entry.slot.serves_since()).min();
        since.map(|since| since + self.parts.settings.healthy_min)
    }
}
