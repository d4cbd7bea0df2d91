//! Who is found, among real processes.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::{
    connector::{Generation, LaunchFacts, testing::launch},
    process::{
        identity::ticks,
        testing::{Connector, House, Scratch, is_alive, metrics, slot, until},
    },
};

/// What a census says in short: each process found with its generation, whether it is proved and whether it had a record.
fn found(house: &House) -> Vec<(u32, u64, bool, bool)> {
    let census = Census::take(&house.owner).unwrap();
    let short = |found: &Found| (found.sighting.seen.pid, found.content.generation.0, found.is_proved, found.is_recorded);
    census.found.iter().map(short).collect()
}

#[test]
fn a_recorded_process_is_found_and_one_that_ended_is_not() {
    let house = House::new(None);
    let (first, second) = (house.connector(1), house.connector(2));
    house.record(house.content(1, &first));
    house.record(house.content(2, &second));
    let gone = second.pid();
    drop(second);
    assert_eq!(found(&house), [(first.pid(), 1, true, true)]);
    let census = Census::take(&house.owner).unwrap();
    assert_eq!(census.void, [house.record_path(2)], "process {gone}");
}

#[test]
fn a_process_whose_record_is_lost_is_found_with_all_that_it_was_started_with() {
    let house = House::new(None);
    let connector = house.connector(3);
    fs::remove_dir_all(house.directory.path().join("generations")).unwrap();
    assert_eq!(found(&house), [(connector.pid(), 3, true, false)]);
    let census = Census::take(&house.owner).unwrap();
    let content = &census.found[0].content;
    assert_eq!((content.facts, content.metrics, content.slot()), (launch().facts(), metrics(), Some(slot())));
}

#[test]
fn a_record_that_was_lost_proves_as_much_as_before_once_it_is_written_again() {
    let house = House::new(None);
    let connector = house.connector(3);
    let census = Census::take(&house.owner).unwrap();
    // All that a daemon comes to write on a disk that has room for a moment.
    house.record(census.found[0].content.clone());
    assert_eq!(found(&house), [(connector.pid(), 3, true, true)]);
}

#[test]
fn a_torn_record_is_as_good_as_a_lost_one() {
    let house = House::new(None);
    let connector = house.connector(3);
    fs::write(house.record_path(3), "{\"version\":1,\"tun").unwrap();
    fs::write(house.record_path(4), "").unwrap();
    assert_eq!(found(&house), [(connector.pid(), 3, true, false)]);
    let unreadable: Vec<_> = Census::take(&house.owner).unwrap().unreadable.into_iter().map(|(path, _)| path).collect();
    assert_eq!(unreadable, [house.record_path(4)], "nobody was found for the other");
}

#[test]
fn a_record_under_another_name_is_nobodys() {
    let house = House::new(None);
    let connector = house.connector(1);
    house.record(house.content(1, &connector));
    fs::copy(house.record_path(1), house.record_path(9)).unwrap();
    assert_eq!(found(&house), [(connector.pid(), 1, true, true)]);
    let unreadable: Vec<_> = Census::take(&house.owner).unwrap().unreadable.into_iter().map(|(path, _)| path).collect();
    assert_eq!(unreadable, [house.record_path(9)]);
}

#[test]
fn a_daemon_that_died_around_the_spawn_has_lost_nobody() {
    let house = House::new(None);
    let connector = house.connector(1);
    let mut content = house.content(1, &connector);
    content.process = None;
    house.record(content.clone());
    content.generation = Generation(2);
    content.instance = house.owner.home.instance(&slot(), Generation(2), ticks());
    house.record(content);
    assert_eq!(found(&house), [(connector.pid(), 1, true, true)]);
    assert_eq!(Census::take(&house.owner).unwrap().void, [house.record_path(2)], "it was never started");
}

#[test]
fn another_daemons_connectors_are_nobodys() {
    let (house, other) = (House::new(None), House::new(None));
    let _connector = other.connector(1);
    assert_eq!(found(&house), []);
}

#[test]
fn what_a_connector_started_is_no_connector() {
    let house = House::new(None);
    let begun = ticks();
    let instance = house.owner.home.instance(&slot(), Generation(1), begun);
    let connector = Connector::start("sleep 600 & read x", Some(instance), begun);
    assert_eq!(found(&house), [(connector.pid(), 1, true, false)]);
}

#[test]
fn one_proof_of_three_is_not_enough() {
    let house = House::new(None);
    // A process that was started long after its instance id was made only has it from somebody.
    let late = house.connector_begun(1, 5);
    // A process that its record knows by its birth carries another id.
    let forged = house.connector(2);
    let mut content = house.content(2, &forged);
    content.instance = "another".into();
    house.record(content);
    let mut found = found(&house);
    found.sort_by_key(|(_, generation, ..)| *generation);
    assert_eq!(found, [(late.pid(), 1, false, false), (forged.pid(), 2, false, true)]);
}

#[test]
fn a_recycled_number_belongs_to_a_stranger() {
    let house = House::new(None);
    let (connector, stranger) = (house.connector(1), Connector::start("read x", None, 0));
    let mut content = house.content(1, &connector);
    drop(connector);
    content.process = content.process.map(|process| RecordedProcess { pid: stranger.pid(), ..process });
    house.record(content);
    assert_eq!(found(&house), []);
    assert!(stranger.is_alive());
}

#[test]
fn a_record_of_another_boot_is_void() {
    let house = House::new(None);
    let connector = house.connector(1);
    let mut content = house.content(1, &connector);
    content.boot_id = "another".into();
    house.record(content);
    // The process is of this boot all the same.
    assert_eq!(found(&house), [(connector.pid(), 1, true, false)]);
    assert_eq!(Census::take(&house.owner).unwrap().void, Vec::<PathBuf>::new(), "its record is written again");
}

#[test]
fn a_process_of_unknown_facts_is_found_and_differs_from_every_launch() {
    let house = House::new(None);
    let connector = house.connector_of_unknown_facts(1);
    assert_eq!(found(&house), [(connector.pid(), 1, true, false)]);
    let facts = Census::take(&house.owner).unwrap().found[0].content.facts;
    assert_eq!(facts, LaunchFacts::unknown(Duration::from_secs(30)));
    assert_ne!(facts.fingerprint, launch().facts().fingerprint);
    assert_ne!(facts.token, launch().facts().token);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happens to the bytes of a record, its process is found in its own slot or not at all, and nobody else is.
    #[test]
    fn a_damaged_record_never_names_another(place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let house = House::new(None);
        let (connector, _stranger) = (house.connector(1), Connector::start("read x", None, 0));
        house.record(house.content(1, &connector));
        let mut bytes = fs::read(house.record_path(1)).unwrap();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if cut {
            bytes.truncate(place);
        }
        fs::write(house.record_path(1), bytes).unwrap();
        let census = Census::take(&house.owner).unwrap();
        let found: Vec<_> = census.found.iter().map(|found| (found.sighting.seen.pid, &found.slot, found.content.generation)).collect();
        prop_assert_eq!(found, [(connector.pid(), &slot(), Generation(1))]);
    }
}

/// In a leaf a process needs no environment, and in its environment it needs no leaf.
#[test]
fn a_leaf_is_a_proof() {
    let Some(scratch) = Scratch::new() else {
        assert!(found(&House::new(None)).is_empty(), "there are no leaves to look into");
        return;
    };
    let house = House::new(Some(scratch.subtree()));
    let silent = |generation| {
        let connector = Connector::start("read x", None, ticks());
        let leaf = house.leaf(generation);
        leaf.add(rustix::process::Pid::from_raw(connector.pid().cast_signed()).unwrap()).unwrap();
        (connector, leaf)
    };
    let (recorded, leaf) = silent(1);
    let carrier = house.connector(1);
    let mut content = house.content(1, &carrier);
    content.leaf = Some(leaf.path().to_owned());
    content.begun = Some(recorded.begun);
    content.process = None;
    house.record(content);
    drop(carrier);
    let (unrecorded, _leaf) = silent(2);
    let mut found = found(&house);
    found.sort_by_key(|(_, generation, ..)| *generation);
    assert_eq!(found, [(recorded.pid(), 1, true, true), (unrecorded.pid(), 2, false, false)]);
}

#[test]
fn a_leaf_whose_connector_is_gone_is_deserted_and_no_other_is() {
    let Some(scratch) = Scratch::new() else {
        assert!(Census::take(&House::new(None).owner).unwrap().deserted.is_empty(), "there are no leaves to look into");
        return;
    };
    let house = House::new(Some(scratch.subtree()));
    let move_in = |pid: u32, leaf: &crate::process::cgroup::Leaf| {
        leaf.add(rustix::process::Pid::from_raw(pid.cast_signed()).unwrap()).unwrap();
    };
    drop(house.leaf(1)); // it was never used
    let begun = ticks();
    let instance = house.owner.home.instance(&slot(), Generation(2), begun);
    // Its child is in the same session and outlives it; it holds nothing of the test open.
    let mut parent = Connector::start("read x; sleep 600 & read x", Some(instance), begun);
    let left_over = house.leaf(2);
    move_in(parent.pid(), &left_over);
    parent.go_on();
    until("only its child is left", || left_over.processes().unwrap().first().is_some_and(|pid| *pid != parent.pid()));
    let child = left_over.processes().unwrap()[0];
    let serving = house.connector(3);
    move_in(serving.pid(), &house.leaf(3));

    let census = Census::take(&house.owner).unwrap();
    let mut deserted: Vec<_> = census.deserted.iter().map(|leaf| leaf.generation().0).collect();
    deserted.sort_unstable();
    assert_eq!(deserted, [1, 2]);
    let found = &census.found[0];
    assert_eq!(
        (found.sighting.seen.pid, found.leaf.as_ref().map(|leaf| leaf.generation())),
        (serving.pid(), Some(Generation(3)))
    );
    assert!(is_alive(child), "looking ends nobody");
}
