//! Real leaves, where the host lets the tests make cgroups.

use std::{fs, time::Duration};

use rustix::fs::XattrFlags;

use super::*;
use crate::process::testing::{Connector, Scratch, is_alive, own_cgroup, slot, until};

/// Long enough for the kernel to let go of what was killed, on any machine.
const LONG: Duration = Duration::from_secs(20);

/// A piece of the tree; where there is none, what is done without.
fn scratch() -> Option<Scratch> {
    let scratch = Scratch::new();
    if scratch.is_none() {
        let subtree = own_cgroup().map(|directory| Subtree::at(&directory).unwrap());
        assert!(subtree.is_none_or(|subtree| subtree.make_leaf(&slot(), Generation(1)).is_err()), "a leaf needs a cgroup");
    }
    scratch
}

/// A connector in its leaf, with a process that it started and that left its session.
fn family(leaf: &Leaf) -> Connector {
    let mut connector = Connector::start("read x; setsid sleep 600 & exec sleep 600", None, 0);
    leaf.add(rustix::process::Pid::from_raw(connector.pid().cast_signed()).unwrap()).unwrap();
    connector.go_on();
    until("there are two", || leaf.processes().unwrap().len() == 2);
    connector
}

#[test]
fn all_that_a_connector_started_is_in_its_leaf_and_killed_with_it() {
    let Some(scratch) = scratch() else { return };
    let ways: [fn(&Leaf) -> io::Result<()>; 2] = [Leaf::kill, Leaf::kill_frozen];
    for (generation, kill) in (1..).zip(ways) {
        let leaf = scratch.subtree().make_leaf(&slot(), Generation(generation)).unwrap();
        let connector = family(&leaf);
        let inside = leaf.processes().unwrap();
        assert!(inside.contains(&connector.pid()));
        kill(&leaf).unwrap();
        leaf.remove(LONG).unwrap();
        assert!(inside.iter().all(|pid| !is_alive(*pid)), "{inside:?}");
        assert!(scratch.subtree().leaves().unwrap().is_empty());
    }
}

#[test]
fn a_leaf_with_a_process_is_not_removed() {
    let Some(scratch) = scratch() else { return };
    let leaf = scratch.subtree().make_leaf(&slot(), Generation(1)).unwrap();
    let connector = family(&leaf);
    assert_eq!(leaf.remove(Duration::ZERO).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    assert!(connector.is_alive());
    leaf.kill().unwrap();
    leaf.remove(LONG).unwrap();
    leaf.remove(LONG).unwrap(); // it may be done twice
}

#[test]
fn only_leaves_are_found_and_each_says_whose_it_is() {
    let Some(scratch) = scratch() else { return };
    let subtree = scratch.subtree();
    for other in ["daemon", ".control", "c-web"] {
        fs::create_dir(scratch.directory.join(other)).unwrap();
    }
    let made = subtree.make_leaf(&slot(), Generation(7)).unwrap();
    let again = subtree.make_leaf(&slot(), Generation(7)).unwrap();
    let leaves = subtree.leaves().unwrap();
    let found: Vec<_> = leaves.iter().map(|leaf| (leaf.slot(), leaf.generation(), leaf.path())).collect();
    assert_eq!(found, [(&slot(), Generation(7), made.path())]);
    assert_eq!(again.path(), made.path());
    assert!(made.path().ends_with("/c-web.0.7"), "{made:?}");
}

#[test]
fn only_a_cgroup_with_the_mark_is_ours() {
    let Some(scratch) = scratch() else { return };
    assert!(!place::is_delegated(&scratch.directory));
    for (value, ours) in [("0", false), ("1", true)] {
        rustix::fs::setxattr(&scratch.directory, "user.delegate", value.as_bytes(), XattrFlags::empty()).unwrap();
        assert_eq!(place::is_delegated(&scratch.directory), ours, "{value}");
    }
}

#[test]
fn a_subtree_has_one_daemon() {
    let Some(scratch) = scratch() else { return };
    let lock = |folder: &Path| {
        let descriptor = fs::File::open(folder).unwrap();
        rustix::fs::flock(&descriptor, FlockOperation::NonBlockingLockExclusive).unwrap();
        descriptor
    };
    fs::create_dir(scratch.directory.join(DAEMON)).unwrap();
    let _other = lock(&scratch.directory.join(DAEMON));
    assert_eq!(scratch.subtree().settle().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let inside = fs::read_to_string(scratch.directory.join(DAEMON).join("cgroup.procs")).unwrap();
    assert_eq!(inside, "", "it stays where it is");
}
