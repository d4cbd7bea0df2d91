//! What is ended and what is left, among real processes.

use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::process::testing::{Connector, House, Scratch};

const LONG: Duration = Duration::from_secs(20);

#[test]
fn every_connector_that_is_proved_is_ended_and_its_record_removed() {
    let house = House::new(None);
    let (recorded, lost) = (house.connector(1), house.connector(2));
    house.record(house.content(1, &recorded));
    fs::write(house.record_path(1).with_extension("config"), "").unwrap();

    let leftovers = end(&house.owner, LONG).unwrap();
    assert_eq!((leftovers.ended.len(), leftovers.left.len()), (2, 0), "{leftovers:?}");
    assert_eq!(leftovers.ended[0], format!("generation 1 of connector web/0 (process {})", recorded.pid()));
    assert!(!recorded.is_alive() && !lost.is_alive());
    assert_eq!(fs::read_dir(house.record_path(1).parent().unwrap()).unwrap().count(), 0);
    assert_eq!(end(&house.owner, LONG).unwrap(), Leftovers::default(), "there is nothing left to do");
}

#[test]
fn what_cannot_be_proved_is_left_and_told() {
    let house = House::new(None);
    let (stranger, unproved) = (Connector::start("read x", None, 0), house.connector(1));
    let mut content = house.content(1, &unproved);
    content.instance = "another".into();
    house.record(content);

    let leftovers = end(&house.owner, LONG).unwrap();
    assert!(leftovers.ended.is_empty() && leftovers.left[0].contains("cannot be proved"), "{leftovers:?}");
    assert!(stranger.is_alive() && unproved.is_alive());
    assert!(house.record_path(1).exists());
}

#[test]
fn no_folder_at_all_is_nothing_to_do() {
    let house = House::new(None);
    fs::remove_dir_all(house.directory.path()).unwrap();
    assert_eq!(end(&house.owner, LONG).unwrap(), Leftovers::default());
}

#[test]
fn no_file_is_removed_elsewhere() {
    let house = House::new(None);
    let elsewhere = tempfile::tempdir().unwrap();
    let record = elsewhere.path().join("web.0.1.json");
    let connector = house.connector(1);
    fs::write(&record, serde_json::to_vec(&house.content(1, &connector)).unwrap()).unwrap();
    drop(connector);
    let folder = house.directory.path().join(FOLDER);
    fs::remove_dir(&folder).unwrap();
    symlink(elsewhere.path(), &folder).unwrap();
    end(&house.owner, LONG).unwrap();
    assert!(record.exists());
}

#[test]
fn leaves_go_with_all_that_is_in_them() {
    let Some(scratch) = Scratch::new() else {
        assert_eq!(end(&House::new(None).owner, LONG).unwrap(), Leftovers::default());
        return;
    };
    let house = House::new(Some(scratch.subtree()));
    let connector = house.connector(1);
    house.leaf(1).add(rustix::process::Pid::from_raw(connector.pid().cast_signed()).unwrap()).unwrap();
    drop(house.leaf(2));
    let leftovers = end(&house.owner, LONG).unwrap();
    assert_eq!((leftovers.ended.len(), leftovers.left.len()), (1, 0), "{leftovers:?}");
    assert!(!connector.is_alive());
    assert!(house.owner.subtree.as_ref().unwrap().leaves().unwrap().is_empty());
}
