//! Successors beside the generation that serves: what they are started for, and what becomes of both.

use super::*;

#[test]
fn a_hung_connector_is_replaced_before_it_is_taken_away() {
    let mut bench = ready();
    bench.answers_with(1, Probe::Missed("timed out".into()));
    bench.run_until("replacing", |bench| bench.slot.is_replacing());
    assert!(bench.terminated.is_empty());
    assert_eq!((bench.slot.state(), bench.slot.reason().code.as_ref()), (State::Degraded, "hung"));
    bench.answers_with(2, answer("b", 4, VersionReading::Version(1)));
    bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
    assert_eq!(bench.terminated, [Generation(1)]);
    bench.run_for(Duration::from_secs(6));
    assert_eq!(bench.killed, [Generation(1)]);
}

#[test]
fn a_hung_connector_whose_successor_fails_is_tried_again() {
    let mut bench = ready();
    bench.answers_with(1, Probe::Missed("timed out".into()));
    bench.run_until("replacing", |bench| bench.slot.is_replacing());
    bench.exit(2, &exited(1, "connection with edge closed"));
    assert!(!bench.slot.is_replacing());
    assert_eq!(bench.slot.reason().code, "replacement-failed");
    bench.run_until("replacing again", |bench| bench.slot.is_replacing());
    assert!(bench.terminated.is_empty());
}

#[test]
fn a_hung_connector_is_replaced_at_once_whatever_retry_waits() {
    let mut bench = ready();
    let mut changed = launch();
    changed.protocol = "http2".into();
    bench.want(changed);
    bench.turn();
    bench.exit(2, &killed());
    assert_eq!(bench.slot.reason().code, "replacement-failed");
    bench.answers_with(1, Probe::Missed("timed out".into()));
    let begun = bench.now;
    bench.run_until("replacing", |bench| bench.slot.is_replacing());
    assert!(bench.now - begun < Duration::from_secs(20), "a retry after 5 min is for a connector that serves");
    assert_eq!(bench.spawned[2].1.protocol, "http2", "the successor is as wanted");
}

#[test]
fn a_connector_that_hangs_while_its_successor_fails_is_tried_again_at_the_pace_of_hangs() {
    let mut bench = ready();
    let mut changed = launch();
    changed.protocol = "http2".into();
    bench.want(changed);
    bench.turn();
    bench.answers_with(2, answer("b", 0, VersionReading::Missing));
    bench.answers_with(1, Probe::Missed("timed out".into()));
    bench.run_for(Duration::from_secs(30));
    for generation in 2..=9 {
        bench.exit(generation, &killed());
        assert!(!bench.slot.is_replacing(), "a successor that dies again and again is waited for");
        let failed = bench.now;
        bench.run_until("replacing again", |bench| bench.slot.is_replacing());
        assert!(bench.now - failed <= Duration::from_secs(60), "{:?}", bench.now - failed);
    }
    assert!(bench.terminated.is_empty());
}

#[test]
fn a_change_outlives_the_hang_that_its_successor_was_to_end() {
    let mut bench = ready();
    let mut changed = launch();
    changed.protocol = "http2".into();
    bench.want(changed);
    bench.answers_with(1, Probe::Missed("timed out".into()));
    bench.run_until("replacing", |bench| bench.slot.is_replacing());
    bench.exit(2, &killed());
    bench.answers_with(1, answer("a", 4, VersionReading::Version(1)));
    bench.run_until("asked again", |bench| bench.slot.wants_turn().is_some());
    assert_eq!(bench.slot.wants_turn(), Some(RestartReason::Config));
}

#[test]
fn a_changed_launch_waits_for_its_turn_and_then_breaks_after_it_made() {
    let mut bench = ready();
    let mut changed = launch();
    changed.protocol = "http2".into();
    bench.want(changed);
    assert_eq!(bench.slot.wants_turn(), Some(RestartReason::Config));
    assert_eq!(bench.spawned.len(), 1);
    bench.turn();
    bench.answers_with(2, answer("b", 1, VersionReading::Version(1)));
    let begun = bench.now;
    bench.run_until("replaced", |bench| !bench.terminated.is_empty());
    assert!(bench.now - begun >= Duration::from_secs(2), "a successor must be ready for the minimum healthy time");
    assert_eq!((bench.terminated.as_slice(), bench.slot.state()), ([Generation(1)].as_slice(), State::Degraded));
    assert_eq!(bench.spawned[1].1.protocol, "http2");
    bench.run_for(Duration::from_secs(34));
    assert!(bench.killed.is_empty(), "it has its grace period and the margin");
    bench.run_for(Duration::from_secs(2));
    assert_eq!(bench.killed, [Generation(1)]);
}

#[test]
fn a_successor_that_does_not_get_ready_goes_and_the_old_one_stays() {
    let mut bench = ready();
    let mut changed = launch();
    changed.protocol = "http2".into();
    bench.want(changed);
    bench.turn();
    bench.answers_with(2, answer("b", 0, VersionReading::Missing));
    bench.run_until("given up", |bench| !bench.terminated.is_empty());
    assert_eq!(bench.terminated, [Generation(2)]);
    assert_eq!(bench.slot.state(), State::Ready);
    assert_eq!(bench.slot.reason().sentence, "4 of 4 connections; its replacement failed: it was not ready within 3 min");
    bench.run_until("asked again", |bench| bench.slot.wants_turn().is_some());
}

#[test]
fn a_successor_must_stay_ready_to_take_over() {
    let mut bench = ready();
    bench.slot.handle_restart(bench.now).unwrap();
    bench.turn();
    bench.answers_with(2, answer("b", 4, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(1));
    bench.exit(2, &killed());
    bench.run_for(Duration::from_secs(600));
    assert_eq!((bench.terminated.len(), bench.slot.state()), (0, State::Ready));
    assert_eq!(bench.said(|happening| matches!(happening, Happening::ReplacementFailed { retry: None, .. })), 1);
}

#[test]
fn a_change_that_is_taken_back_ends_the_replacement() {
    let mut bench = ready();
    let mut changed = launch();
    changed.protocol = "http2".into();
    bench.want(changed);
    bench.turn();
    bench.want(launch());
    assert_eq!(bench.terminated, [Generation(2)]);
    assert!(!bench.slot.is_replacing());
    assert_eq!(bench.slot.wants_turn(), None);
}

#[test]
fn the_successor_stands_in_when_the_serving_generation_dies() {
    let mut bench = ready();
    bench.slot.handle_restart(bench.now).unwrap();
    bench.turn();
    bench.exit(1, &killed());
    assert_eq!(bench.spawned.len(), 2);
    bench.answers_with(2, answer("b", 4, VersionReading::Version(1)));
    bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
    assert_eq!(bench.spawned.len(), 2);
}

#[test]
fn a_launch_that_changes_before_anything_was_ready_starts_afresh() {
    let mut bench = bench();
    bench.want(launch());
    let mut changed = launch();
    changed.protocol = "http2".into();
    bench.want(changed);
    assert_eq!((bench.terminated.as_slice(), bench.spawned.len()), ([Generation(1)].as_slice(), 2));
    assert_eq!(bench.slot.wants_turn(), None);
}
