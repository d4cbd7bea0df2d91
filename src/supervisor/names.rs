//! What tunnels are called, and under what name their slots run.
//!
//! A slot's name is in the cgroup, the environment and the record of its process, and nothing changes it while that runs. A tunnel
//! gets another name without another process: its slots keep theirs, and everything that is told outside speaks of the tunnel.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    connector::{SlotId, Wanted},
    name::TunnelName,
};

/// The tunnels whose slots run under another name than their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// By the slots' name.
    shown: BTreeMap<TunnelName, TunnelName>,
}

/// The slots of one tunnel are shown under another name from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Renamed {
    /// The slots' own name.
    pub(super) slots: TunnelName,
    /// What they were shown as.
    pub(super) from: TunnelName,
}

impl Names {
    /// As an earlier daemon kept them: the shown name by the slots' name.
    pub(super) fn resume(shown: BTreeMap<TunnelName, TunnelName>) -> Self {
        Self { shown }
    }

    /// For the next daemon.
    pub(super) fn memory(&self) -> &BTreeMap<TunnelName, TunnelName> {
        &self.shown
    }

    /// The name of the tunnel whose slots have this name.
    pub(super) fn shown<'a>(&'a self, slots: &'a TunnelName) -> &'a TunnelName {
        self.shown.get(slots).unwrap_or(slots)
    }

    /// A slot as everybody outside calls it.
    pub(super) fn shown_slot(&self, slot: &SlotId) -> SlotId {
        SlotId::new(self.shown(&slot.tunnel).clone(), slot.replica)
    }

    /// The name of the slots of a tunnel.
    pub(super) fn slots<'a>(&'a self, tunnel: &'a TunnelName) -> &'a TunnelName {
        self.shown.iter().find(|(_, shown)| *shown == tunnel).map_or(tunnel, |(slots, _)| slots)
    }

    /// What is wanted by the names of the slots. Two tunnels never have slots of one name: of those the first counts.
    pub(super) fn translate(&self, wanted: &Wanted) -> Wanted {
        let mut tunnels = BTreeMap::new();
        for tunnel in wanted.tunnels.values() {
            tunnels.entry(tunnel.slots.clone()).or_insert_with(|| tunnel.clone());
        }
        Wanted { tunnels, held: wanted.held.iter().map(|tunnel| self.slots(tunnel).clone()).collect() }
    }

    /// Takes over what is wanted. `running` are the names of the slots that there are: what is known of others is forgotten. Gives
    /// the tunnels whose slots are shown under another name than before, each after the one whose name it gets.
    pub(super) fn take(&mut self, wanted: &Wanted, running: &BTreeSet<TunnelName>) -> Vec<Renamed> {
        let before = self.clone();
        for (tunnel, wanted) in &wanted.tunnels {
            self.shown.insert(wanted.slots.clone(), tunnel.clone());
        }
        self.give_way(wanted, running, &before);
        self.shown.retain(|slots, shown| slots != shown && (running.contains(slots) || wanted.tunnels.contains_key(shown)));
        let changed = running.iter().filter(|slots| before.shown(slots) != self.shown(slots));
        let mut pending: Vec<Renamed> =
            changed.map(|slots| Renamed { slots: slots.clone(), from: before.shown(slots).clone() }).collect();
        let mut ordered = Vec::new();
        while !pending.is_empty() {
            // Whoever gets a name that nobody has to give up first; in a circle, which no configuration can ask for, anybody.
            let is_free = |renamed: &Renamed| pending.iter().all(|other| other.from != *self.shown(&renamed.slots));
            let next = pending.iter().position(is_free).unwrap_or(0);
            ordered.push(pending.remove(next));
        }
        ordered
    }

    /// Slots that are not wanted any more, and finish their requests, leave their name to those of the tunnel that has it now.
    fn give_way(&mut self, wanted: &Wanted, running: &BTreeSet<TunnelName>, before: &Self) {
        let wanted_slots: BTreeSet<&TunnelName> = wanted.tunnels.values().map(|tunnel| &tunnel.slots).collect();
        for slots in running.iter().filter(|slots| !wanted_slots.contains(slots)) {
            let shown = self.shown(slots).clone();
            if wanted.tunnels.contains_key(&shown) {
                let has = |names: &Self, name: &TunnelName| running.iter().any(|slots| names.shown(slots) == name);
                let free = shown.derive(|name| wanted.tunnels.contains_key(name) || has(before, name) || has(self, name));
                self.shown.insert(slots.clone(), free);
            }
        }
    }
}

/// Names that are shared with those who ask from outside.
pub(super) type SharedNames = tokio::sync::watch::Receiver<Arc<Names>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::{WantedTunnel, testing::launch};

    fn name(text: &str) -> TunnelName {
        text.to_owned().try_into().unwrap()
    }

    fn running(slots: &[&str]) -> BTreeSet<TunnelName> {
        slots.iter().map(|slots| name(slots)).collect()
    }

    fn wanted(tunnels: &[(&str, &str)]) -> Wanted {
        let tunnels = tunnels.iter().map(|(tunnel, slots)| {
            let wanted = WantedTunnel { replicas: 1, launch: Arc::new(launch()), stop: None, slots: name(slots) };
            (name(tunnel), wanted)
        });
        Wanted { tunnels: tunnels.collect(), ..Wanted::default() }
    }

    #[test]
    fn a_tunnel_that_is_renamed_keeps_the_name_of_its_slots() {
        let mut names = Names::default();
        let running = running(&["old"]);
        assert_eq!(names.take(&wanted(&[("old", "old")]), &running), []);
        let renamed = names.take(&wanted(&[("new", "old")]), &running);
        assert_eq!(renamed, [Renamed { slots: name("old"), from: name("old") }]);
        assert_eq!((names.shown(&name("old")), names.slots(&name("new"))), (&name("new"), &name("old")));
        assert_eq!(names.take(&wanted(&[("new", "old")]), &running), []);
    }

    #[test]
    fn a_name_is_given_up_before_another_gets_it() {
        let mut names = Names::default();
        let running = running(&["web", "web~1"]);
        names.take(&wanted(&[("web", "web~1"), ("web~1", "web")]), &running);
        // Back again: the first one is wanted under its name, and the other one leaves.
        let renamed = names.take(&wanted(&[("web", "web"), ("web~2", "web~1")]), &running);
        let slots: Vec<&str> = renamed.iter().map(|renamed| renamed.slots.as_str()).collect();
        assert_eq!(slots, ["web~1", "web"]);
    }

    #[test]
    fn slots_that_only_finish_their_requests_leave_their_name_to_others() {
        let mut names = Names::default();
        let running = running(&["web", "web~1"]);
        names.take(&wanted(&[("web", "web~1"), ("web~1", "web")]), &running);
        let renamed = names.take(&wanted(&[("web", "web")]), &running);
        let slots: Vec<&str> = renamed.iter().map(|renamed| renamed.slots.as_str()).collect();
        assert_eq!(slots, ["web~1", "web"]);
        assert_eq!((names.shown(&name("web")), names.shown(&name("web~1"))), (&name("web"), &name("web~2")));
    }

    #[test]
    fn what_cannot_be_told_is_held_under_the_name_that_was_known_last() {
        let mut names = Names::default();
        let running = running(&["old"]);
        names.take(&wanted(&[("new", "old")]), &running);
        let held = Wanted { held: [name("new")].into(), ..Wanted::default() };
        names.take(&held, &running);
        assert_eq!(names.translate(&held).held, [name("old")].into());
        names.take(&Wanted::default(), &BTreeSet::new());
        assert_eq!(names, Names::default());
    }
}
