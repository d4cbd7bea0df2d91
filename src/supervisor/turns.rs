//! Whose turn it is to replace a connector.

use std::{collections::BTreeSet, sync::Arc};

use crate::connector::{RestartReason, SlotId};

/// What a turn depends on.
pub(super) struct Ground<'a> {
    /// Who is at it.
    pub(super) replacing: &'a BTreeSet<Arc<SlotId>>,
    /// Of these, the one that tries another program.
    pub(super) on_trial: Option<&'a SlotId>,
    /// Whether any connector of the host has a connection.
    pub(super) is_edge_reachable: bool,
}

/// The first of those who ask that may begin.
///
/// What Adit replaces by itself goes one connector at a time over the whole host, so that a change that does not work stops at
/// the first. One that lost the edge is replaced only while others of the host have it. What an operator asks for goes beside that,
/// one connector of a tunnel at a time. A connector that tries another program is watched for long, so nothing waits for it but its
/// own tunnel.
pub(super) fn next_turn<'a>(
    asking: impl IntoIterator<Item = (&'a SlotId, RestartReason)>,
    ground: &Ground<'_>,
) -> Option<&'a SlotId> {
    let is_busy = ground.replacing.iter().any(|other| Some(&**other) != ground.on_trial);
    let free = |slot: &SlotId| !ground.replacing.iter().any(|other| other.tunnel == slot.tunnel);
    asking.into_iter().find_map(|(slot, reason)| {
        let may = match reason {
            RestartReason::Operator | RestartReason::Hung => free(slot),
            RestartReason::Config
            | RestartReason::Rotate
            | RestartReason::Upgrade
            | RestartReason::Transport
            | RestartReason::Exit
            | RestartReason::Uplink
            | RestartReason::Oom
            | RestartReason::Flapping
            | RestartReason::Signal => !is_busy && free(slot),
            // Where nobody gets through, another process does not either.
            RestartReason::NotReady => ground.is_edge_reachable && !is_busy && free(slot),
        };
        may.then_some(slot)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(tunnel: &str, replica: u8) -> SlotId {
        SlotId::new(tunnel.parse().unwrap(), replica)
    }

    fn on(replacing: &BTreeSet<Arc<SlotId>>) -> Ground<'_> {
        Ground { replacing, on_trial: None, is_edge_reachable: true }
    }

    #[test]
    fn changes_go_one_connector_at_a_time() {
        let (first, second) = (slot("a", 0), slot("b", 0));
        let asking = [(&first, RestartReason::Config), (&second, RestartReason::Rotate)];
        assert_eq!(next_turn(asking, &on(&BTreeSet::new())), Some(&first));
        assert_eq!(next_turn([asking[1]], &on(&BTreeSet::from([Arc::new(first.clone())]))), None);
    }

    #[test]
    fn an_operator_waits_only_for_the_tunnel_itself() {
        let (replica, other) = (slot("a", 1), slot("b", 0));
        let replacing = BTreeSet::from([Arc::new(slot("a", 0))]);
        assert_eq!(next_turn([(&replica, RestartReason::Operator)], &on(&replacing)), None);
        let asking = [(&replica, RestartReason::Config), (&other, RestartReason::Operator)];
        assert_eq!(next_turn(asking, &on(&replacing)), Some(&other));
    }

    #[test]
    fn one_without_a_connection_is_replaced_while_others_have_one() {
        let (lost, nobody) = (slot("a", 0), BTreeSet::new());
        let ground = |is_edge_reachable| Ground { is_edge_reachable, ..on(&nobody) };
        assert_eq!(next_turn([(&lost, RestartReason::NotReady)], &ground(false)), None);
        assert_eq!(next_turn([(&lost, RestartReason::NotReady)], &ground(true)), Some(&lost));
    }

    #[test]
    fn a_trial_holds_up_its_own_tunnel_only() {
        let (canary, replica, other) = (slot("a", 1), slot("a", 0), slot("b", 0));
        let asking = [(&replica, RestartReason::Config), (&other, RestartReason::Config)];
        let replacing = BTreeSet::from([Arc::new(canary.clone())]);
        assert_eq!(next_turn(asking, &Ground { on_trial: Some(&canary), ..on(&replacing) }), Some(&other));
        let both = BTreeSet::from([Arc::new(canary.clone()), Arc::new(other.clone())]);
        assert_eq!(next_turn(asking, &Ground { on_trial: Some(&canary), ..on(&both) }), None);
    }
}
