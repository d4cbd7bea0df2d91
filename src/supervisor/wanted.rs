//! What is wanted: slots are made for it and told of it, and those that nobody wants are let go.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    names::Renamed,
    task::{Task, now},
};
use crate::connector::{SlotId, Wanted};

impl Task {
    /// Something else is wanted, or nothing else ever will be.
    pub(super) fn take_wanted_change(&mut self, is_open: bool) {
        self.is_wanted_open = is_open;
        if is_open {
            self.is_wanted_known = true;
            let wanted = Arc::clone(&self.parts.wanted.borrow_and_update());
            self.take_wanted(&wanted);
        }
    }

    pub(super) fn take_wanted(&mut self, wanted: &Wanted) {
        self.take_names(wanted);
        let wanted = &self.names.translate(wanted);
        self.follow_program(wanted);
        let mut listed = BTreeSet::new();
        for (tunnel, wanted) in &wanted.tunnels {
            for replica in 0..wanted.replicas {
                let id = Arc::new(SlotId::new(tunnel.clone(), replica));
                self.ensure_slot(&id);
                self.remind(&id);
                self.wish_program(&id);
                self.with_slot(&id, |slot| slot.handle_wanted(&wanted.launch, wanted.stop.as_ref(), now()));
                listed.insert(id);
            }
        }
        if !self.is_wanted_known {
            return;
        }
        let is_unlisted = |id: &&Arc<SlotId>| !listed.contains(*id) && !wanted.held.contains(&id.tunnel);
        let unlisted: Vec<Arc<SlotId>> = self.slots.keys().filter(is_unlisted).cloned().collect();
        for id in &unlisted {
            self.dismiss(id, wanted);
        }
        let slots = &self.slots;
        self.memories.retain(|id| slots.contains_key(id) || wanted.held.contains(&id.tunnel));
        self.uplink.take_wanted(wanted, self.slots.len());
        self.parts.output.retain(self.slots.keys().map(|id| id.tunnel.clone()).collect());
    }

    /// Tunnels may have other names than before; their slots and processes stay as they are.
    fn take_names(&mut self, wanted: &Wanted) {
        let running = self.slots.keys().map(|id| id.tunnel.clone()).collect();
        let renamed = self.names.take(wanted, &running);
        self.parts.shared_names.send_if_modified(|shared| {
            let changed = **shared != self.names;
            if changed {
                *shared = Arc::new(self.names.clone());
            }
            changed
        });
        self.memories.keep_names(self.names.memory());
        self.programs.set_names(self.names.clone());
        for Renamed { slots, from } in renamed {
            let ids: Vec<Arc<SlotId>> = self.slots.keys().filter(|id| id.tunnel == slots).cloned().collect();
            for id in &ids {
                self.with_slot(id, |slot| slot.handle_renamed(from.clone()));
            }
        }
    }
}
