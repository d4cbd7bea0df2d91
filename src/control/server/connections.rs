//! How many connections there may be, and whose.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::control::api::{Error, ErrorKind};

/// Connections that one user may have: enough for a few terminals that follow events, too few to crowd out others.
const PER_USER_MAX: usize = 16;

/// Connections that root may have: half of all, because on many hosts root is everybody who asks, and one of its scripts that runs
/// away must leave others theirs.
const PER_ROOT_MAX: usize = TOTAL_MAX / 2;

/// Connections in all: each holds two descriptors and some memory of the daemon.
const TOTAL_MAX: usize = 200;

/// Of all connections, those that only root gets: an administrator reaches the daemon whatever the others do.
const FOR_ROOT: usize = 8;

/// Connections beyond those that are asked what they want before they are told so; of more, only those that asked already are told.
const REFUSED_MAX: usize = 64;

/// The user for whom connections are kept.
const ROOT: u32 = 0;

/// Counts the connections that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Counts>>);

/// What becomes of a connection. It counts as open until this is dropped.
#[derive(Debug)]
pub(super) enum Admission {
    /// It is served.
    Served(#[expect(dead_code, reason = "counts while it lives")] Place),
    /// It is answered that there are too many.
    Refused(#[expect(dead_code, reason = "counts while it lives")] Place),
}

/// One counted connection.
#[derive(Debug)]
pub(super) struct Place {
    connections: Connections,
    /// Whose it is; `None`: one that is refused.
    uid: Option<u32>,
}

#[derive(Debug, Default)]
struct Counts {
    by_user: BTreeMap<u32, usize>,
    total: usize,
    refused: usize,
}

impl Connections {
    /// Counts one more connection of the user `uid`. `None`: there is not even room for a refusal.
    pub(super) fn admit(&self, uid: u32) -> Option<Admission> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (own_max, total_max) = if uid == ROOT { (PER_ROOT_MAX, TOTAL_MAX) } else { (PER_USER_MAX, TOTAL_MAX - FOR_ROOT) };
        let own = counts.by_user.get(&uid).copied().unwrap_or(0);
        if own < own_max && counts.total < total_max {
            counts.by_user.insert(uid, own + 1);
            counts.total += 1;
            return Some(Admission::Served(Place { connections: self.clone(), uid: Some(uid) }));
        }
        if counts.refused < REFUSED_MAX {
            counts.refused += 1;
            return Some(Admission::Refused(Place { connections: self.clone(), uid: None }));
        }
        None
    }
}

/// The answer to a connection beyond the bounds.
pub(super) fn too_many() -> Error {
    let bounds = format!("a user may have {PER_USER_MAX}, root {PER_ROOT_MAX}, all together {TOTAL_MAX}");
    Error::new(ErrorKind::Busy, "cannot serve this connection: there are too many")
        .with_hint(format!("close some of those that you have: {bounds}"))
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        match self.uid {
            Some(uid) => {
                counts.total -= 1;
                let own = counts.by_user.get_mut(&uid).expect("a place is counted for its user");
                *own -= 1;
                if *own == 0 {
                    counts.by_user.remove(&uid);
                }
            }
            None => counts.refused -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(connections: &Connections, uid: u32) -> Option<Admission> {
        connections.admit(uid).filter(|admission| matches!(admission, Admission::Served(_)))
    }

    #[test]
    fn a_user_has_sixteen_connections_and_gets_a_place_back_by_closing_one() {
        let connections = Connections::default();
        let mut places: Vec<_> = (0..16).map(|_| served(&connections, 1000).unwrap()).collect();
        assert!(matches!(connections.admit(1000), Some(Admission::Refused(_))));
        assert!(served(&connections, 1001).is_some(), "another user is not concerned");
        places.pop();
        assert!(served(&connections, 1000).is_some());
    }

    #[test]
    fn the_last_eight_of_two_hundred_are_for_root() {
        let connections = Connections::default();
        let _places: Vec<_> = (0..192).map(|index| served(&connections, 1 + index / 16).unwrap()).collect();
        assert!(served(&connections, 5000).is_none());
        let roots: Vec<_> = (0..8).map(|_| served(&connections, ROOT).unwrap()).collect();
        assert!(served(&connections, ROOT).is_none());
        drop(roots);
    }

    #[test]
    fn root_has_half_of_all_and_leaves_the_others_theirs() {
        let connections = Connections::default();
        let _roots: Vec<_> = (0..100).map(|_| served(&connections, ROOT).unwrap()).collect();
        assert!(served(&connections, ROOT).is_none());
        let _others: Vec<_> = (0..92).map(|index| served(&connections, 1 + index / 16).unwrap()).collect();
        assert!(served(&connections, 5000).is_none());
    }

    #[test]
    fn refusals_have_a_bound_too() {
        let connections = Connections::default();
        let places: Vec<_> = (0..16 + 64).map(|_| connections.admit(1).unwrap()).collect();
        assert!(connections.admit(1).is_none());
        drop(places);
        assert!(served(&connections, 1).is_some());
    }
}
