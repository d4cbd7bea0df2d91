//! Processes that an earlier daemon left running.

use super::*;

#[test]
fn an_adopted_connector_goes_on_and_nothing_is_started_beside_it() {
    let mut bench = bench();
    bench.answers_with(5, answer("a", 4, VersionReading::Version(1)));
    bench.slot.handle_survivors(vec![survivor(5)], bench.now);
    bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
    bench.want(launch());
    bench.run_for(Duration::from_secs(60));
    assert_eq!((bench.spawned.len(), bench.terminated.len()), (0, 0));
    bench.exit(5, &killed());
    bench.run_for(Duration::ZERO);
    assert_eq!(bench.spawned[0].0, Generation(6));
}

#[test]
fn an_adopted_connector_is_told_with_its_slot_as_it_is_then() {
    let mut bench = bench();
    bench.slot.handle_survivors(vec![survivor(5)], bench.now);
    let notice = bench.slot.next_notice().unwrap();
    assert_eq!((notice.state, notice.serving), (State::Ready, Generation(5)));
    assert_eq!(notice.reason.sentence, "4 of 4 connections when an earlier daemon asked last; it has not answered this one yet");
}

#[test]
fn an_adopted_connector_with_another_launch_is_replaced_and_not_cut() {
    let mut bench = bench();
    bench.slot.handle_survivors(vec![survivor(5)], bench.now);
    let mut changed = launch();
    changed.protocol = "http2".into();
    bench.want(changed);
    assert_eq!(bench.terminated.len(), 0);
    assert_eq!(bench.slot.wants_turn(), Some(RestartReason::Config));
}

#[test]
fn an_adopted_connector_that_was_draining_goes_on_draining() {
    let mut bench = bench();
    let draining = Survivor { told: Told::Recorded, ..survivor(4) };
    bench.slot.handle_survivors(vec![survivor(5), draining], bench.now);
    bench.obey();
    assert!(bench.terminated.is_empty(), "a second SIGTERM would kill it");
    bench.run_for(Duration::from_secs(36));
    assert_eq!(bench.killed, [Generation(4)]);
}

#[test]
fn an_unfinished_replacement_is_finished_after_adoption() {
    let mut bench = bench();
    bench.answers_with(5, answer("a", 4, VersionReading::Version(1)));
    bench.answers_with(6, answer("b", 4, VersionReading::Version(1)));
    let successor = Survivor { connector_id: Some("b".parse().unwrap()), ..survivor(6) };
    bench.slot.handle_survivors(vec![survivor(5), successor], bench.now);
    bench.want(launch());
    bench.run_until("replaced", |bench| bench.terminated == [Generation(5)]);
}

#[test]
fn a_process_that_cannot_be_proved_ours_is_never_signalled() {
    let mut bench = bench();
    bench.answers_with(5, answer("a", 4, VersionReading::Version(1)));
    bench.slot.handle_survivors(vec![Survivor { proved: false, ..survivor(5) }], bench.now);
    bench.want(launch());
    bench.run_for(Duration::from_secs(60));
    assert_eq!((bench.slot.state(), bench.spawned.len()), (State::Quarantined, 0));
    assert_eq!(bench.slot.handle_restart(bench.now), Err(RestartRefused::Quarantined));
    bench.answers_with(5, answer("somebody", 4, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(20));
    assert_eq!(bench.spawned.len(), 1, "it answers as somebody else, so the slot is free");
    bench.slot.handle_shutdown(bench.now);
    bench.run_for(Duration::from_secs(60));
    assert!(!bench.killed.is_empty());
    let ours = |generation: &Generation| *generation == Generation(6);
    assert!(bench.terminated.iter().chain(&bench.killed).all(ours), "only what was started here");
}

#[test]
fn a_quarantined_process_that_ends_is_followed_at_once() {
    let mut bench = bench();
    bench.answers_with(5, answer("a", 4, VersionReading::Version(1)));
    bench.slot.handle_survivors(vec![Survivor { proved: false, ..survivor(5) }], bench.now);
    bench.want(launch());
    bench.exit(4, &killed());
    assert_eq!(bench.slot.state(), State::Quarantined, "that was an earlier one");
    bench.exit(5, &killed());
    assert_eq!((bench.spawned.len(), bench.slot.state()), (1, State::Starting));
}

#[test]
fn an_operator_can_abandon_a_quarantined_process() {
    let mut bench = bench();
    bench.slot.handle_survivors(vec![Survivor { proved: false, ..survivor(5) }], bench.now);
    bench.want(launch());
    bench.slot.handle_abandon(bench.now).unwrap();
    bench.obey();
    assert_eq!((bench.spawned.len(), bench.slot.state()), (1, State::Starting));
}
