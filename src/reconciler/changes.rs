//! What other wishes would do to the connectors that are wanted. Pure.

use std::collections::BTreeMap;

use crate::{
    connector::{RestartReason, SlotId, Wanted, WantedTunnel},
    name::TunnelName,
};

/// What becomes of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorChange {
    /// It is started beside those that are there.
    Started,
    /// Another takes its place.
    Replaced(RestartReason),
    /// It is not wanted any more.
    Stopped,
}

/// What becomes of the connectors that are wanted with `current` when `next` is wanted; those to which nothing happens are left out.
/// A tunnel that only gets another name keeps its connectors.
pub(super) fn changes(current: &Wanted, next: &Wanted) -> BTreeMap<SlotId, ConnectorChange> {
    let (current_slots, next_slots) = (by_slots(current), by_slots(next));
    let mut changes = BTreeMap::new();
    let running = current.tunnels.iter().filter(|(name, tunnel)| tunnel.stop.is_none() && !next.held.contains(*name));
    for (name, tunnel) in running {
        let kept = next_slots.get(&tunnel.slots).filter(|next| next.stop.is_none());
        let replaced = kept.and_then(|next| replacement(tunnel, next));
        for replica in 0..tunnel.replicas {
            let change = match kept {
                Some(next) if replica < next.replicas => replaced.map(ConnectorChange::Replaced),
                Some(_) | None => Some(ConnectorChange::Stopped),
            };
            changes.extend(change.map(|change| (SlotId::new(name.clone(), replica), change)));
        }
    }
    let starting = next.tunnels.iter().filter(|(name, tunnel)| tunnel.stop.is_none() && !next.held.contains(*name));
    for (name, tunnel) in starting {
        let running = current_slots.get(&tunnel.slots).filter(|current| current.stop.is_none());
        let running = running.map_or(0, |current| current.replicas);
        let started = (running..tunnel.replicas).map(|replica| (SlotId::new(name.clone(), replica), ConnectorChange::Started));
        changes.extend(started);
    }
    changes
}

fn by_slots(wanted: &Wanted) -> BTreeMap<&TunnelName, &WantedTunnel> {
    wanted.tunnels.values().map(|tunnel| (&tunnel.slots, tunnel)).collect()
}

fn replacement(current: &WantedTunnel, next: &WantedTunnel) -> Option<RestartReason> {
    let (current, next) = (current.launch.facts(), next.launch.facts());
    if current.fingerprint == next.fingerprint {
        None
    } else if current.token != next.token {
        Some(RestartReason::Rotate)
    } else {
        Some(RestartReason::Config)
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use super::*;
    use crate::connector::testing::launch;

    fn wanted(tunnels: &[(&str, u8, &str)]) -> Wanted {
        let tunnels = tunnels.iter().map(|(name, replicas, protocol)| {
            let mut launch = launch();
            launch.protocol = (*protocol).to_owned();
            (
                name.parse().unwrap(),
                WantedTunnel { replicas: *replicas, launch: Arc::new(launch), stop: None, slots: name.parse().unwrap() },
            )
        });
        Wanted { tunnels: tunnels.collect(), ..Wanted::default() }
    }

    #[test]
    fn only_connectors_that_change_are_named() {
        use ConnectorChange::{Replaced, Started, Stopped};
        let current = wanted(&[("api", 1, "auto"), ("shop", 2, "auto"), ("web", 2, "auto")]);
        let next = wanted(&[("api", 1, "http2"), ("new", 1, "auto"), ("web", 1, "auto")]);
        let changes: Vec<(String, ConnectorChange)> =
            changes(&current, &next).into_iter().map(|(slot, change)| (slot.to_string(), change)).collect();
        let expected = [
            ("api/0", Replaced(RestartReason::Config)),
            ("new/0", Started),
            ("shop/0", Stopped),
            ("shop/1", Stopped),
            ("web/1", Stopped),
        ];
        assert_eq!(changes, expected.map(|(slot, change)| (slot.to_owned(), change)));
    }

    #[test]
    fn a_tunnel_that_gets_another_name_keeps_its_connectors() {
        let current = wanted(&[("web", 2, "auto")]);
        let renamed = |replicas| {
            let mut next = wanted(&[("shop", replicas, "auto")]);
            next.tunnels.values_mut().for_each(|tunnel| tunnel.slots = "web".parse().unwrap());
            changes(&current, &next).into_keys().map(|slot| slot.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(renamed(2), [""; 0]);
        assert_eq!(renamed(3), ["shop/2"]);
        assert_eq!(renamed(1), ["web/1"]);
    }

    #[test]
    fn another_path_to_the_program_changes_nothing_by_itself_and_what_is_held_stays() {
        let current = wanted(&[("web", 1, "auto")]);
        let mut moved = launch();
        moved.binary = Path::new("/opt/cloudflared").into();
        let mut next = current.clone();
        next.tunnels.values_mut().for_each(|tunnel| tunnel.launch = Arc::new(moved.clone()));
        assert!(changes(&current, &next).is_empty());
        let held = Wanted { held: ["web".parse().unwrap()].into(), ..Wanted::default() };
        assert!(changes(&current, &held).is_empty());
    }
}
