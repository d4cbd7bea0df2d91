//! Whose turn it is to replace a connector.

use std::collections::BTreeSet;

use crate::connector::{RestartReason, SlotId};

/// The first of those who ask that may begin while `replacing` goes on.
///
/// What Adit replaces by itself goes one connector at a time over the whole host, so that a change that does not work stops at
/// the first. One that lost the edge is replaced only while others of the host have it. What an operator asks for goes beside that, one connector of a tunnel at a time.
pub(super) fn next_turn<'a>(
    asking: impl IntoIterator<Item = (&'a SlotId, RestartReason)>,
    replacing: &BTreeSet<SlotId>,
    is_edge_reachable: bool,
) -> Option<&'a SlotId> {
    let free = |slot: &SlotId| !replacing.iter().any(|other| other.tunnel == slot.tunnel);
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
            | RestartReason::Signal => replacing.is_empty(),
            // Where nobody gets through, another process does not either.
            RestartReason::NotReady => is_edge_reachable && replacing.is_empty(),
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

    #[test]
    fn changes_go_one_connector_at_a_time() {
        let (first, second) = (slot("a", 0), slot("b", 0));
        let asking = [(&first, RestartReason::Config), (&second, RestartReason::Rotate)];
        assert_eq!(next_turn(asking, &BTreeSet::new(), true), Some(&first));
        assert_eq!(next_turn([asking[1]], &BTreeSet::from([first.clone()]), true), None);
    }

    #[test]
    fn an_operator_waits_only_for_the_tunnel_itself() {
        let (replica, other) = (slot("a", 1), slot("b", 0));
        let replacing = BTreeSet::from([slot("a", 0)]);
        assert_eq!(next_turn([(&replica, RestartReason::Operator)], &replacing, true), None);
        assert_eq!(
            next_turn([(&replica, RestartReason::Config), (&other, RestartReason::Operator)], &replacing, true),
            Some(&other)
        );
    }

    #[test]
    fn one_without_a_connection_is_replaced_while_others_have_one() {
        let lost = slot("a", 0);
        assert_eq!(next_turn([(&lost, RestartReason::NotReady)], &BTreeSet::new(), false), None);
        assert_eq!(next_turn([(&lost, RestartReason::NotReady)], &BTreeSet::new(), true), Some(&lost));
    }
}
