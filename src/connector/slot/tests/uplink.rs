//! The slot and the uplink that it shares.

use super::*;
use crate::connector::{BinaryId, BinaryWish, LaunchFacts, Standing, Transport};

fn connections(count: u8) -> Probe {
    answer("a", count, VersionReading::Version(1))
}

/// A slot whose first generation was ready and has no connection any more.
fn lost() -> Bench {
    let mut bench = ready();
    bench.answers_with(1, connections(0));
    bench.run_until("lost", |bench| bench.slot.standing() == Standing::Lost);
    bench
}

/// A slot whose first generation hangs, while nothing may be replaced for that.
fn hung_under_restraint() -> Bench {
    let mut bench = ready();
    bench.slot.handle_restraint(true, bench.now);
    bench.answers_with(1, Probe::Missed("timed out".into()));
    bench.run_until("hung", |bench| bench.said(|happening| matches!(happening, Happening::Hung { .. })) == 1);
    assert_eq!(bench.slot.standing(), Standing::Hung);
    bench
}

#[test]
fn who_is_about_to_hang_is_known_before_it_is_replaced() {
    let mut bench = ready();
    bench.answers_with(1, Probe::Missed("timed out".into()));
    bench.run_until("about to hang", |bench| bench.slot.standing() == Standing::Hung);
    assert_eq!((bench.spawned.len(), bench.slot.state()), (1, State::Ready));
    bench.answers_with(1, connections(4));
    bench.run_for(Duration::from_secs(9));
    assert_eq!(bench.slot.standing(), Standing::Connected);
}

#[test]
fn it_stands_as_its_process_does() {
    let mut bench = bench();
    assert_eq!(bench.slot.standing(), Standing::Aside);
    bench.want(launch());
    assert_eq!(bench.slot.standing(), Standing::Starting);
    bench.answers_with(1, connections(0));
    bench.run_for(Duration::from_secs(1));
    assert_eq!(bench.slot.standing(), Standing::Unconnected { since: bench.start });
    bench.answers_with(1, answer("a", 1, VersionReading::Missing));
    bench.run_for(Duration::from_secs(10));
    assert_eq!(bench.slot.standing(), Standing::Connected, "the uplink is there, if not the configuration");
    bench.exit(1, &exited(1, "edge discovery: error looking up Cloudflare edge IPs"));
    assert_eq!(bench.slot.standing(), Standing::Waiting { environment: true });
    bench.run_for(Duration::from_secs(1));
    bench.exit(2, &exited(3, "something else"));
    assert_eq!(bench.slot.standing(), Standing::Waiting { environment: false });
    bench.stop();
    assert_eq!(bench.slot.standing(), Standing::Aside);
}

#[test]
fn a_connector_without_connections_starts_anew_in_place() {
    let mut bench = lost();
    let failures = bench.slot.backoff.failures();
    bench.slot.handle_revive(bench.now);
    bench.run_for(Duration::ZERO);
    assert_eq!((bench.terminated.clone(), bench.spawned.len()), (vec![Generation(1)], 2));
    let starting = Happening::Starting { generation: Generation(2), restart: Some(RestartReason::Uplink) };
    assert!(bench.told.contains(&starting));
    assert_eq!(bench.slot.backoff.failures(), failures, "it did not fail");
}

#[test]
fn one_that_has_got_a_connection_meanwhile_is_left_alone() {
    let mut bench = lost();
    bench.answers_with(1, connections(1));
    bench.slot.handle_revive(bench.now);
    bench.run_for(Duration::from_secs(600));
    bench.answers_with(1, connections(0));
    bench.run_for(Duration::from_secs(60));
    assert_eq!((bench.terminated.len(), bench.spawned.len()), (0, 1), "what was asked for is over");
}

#[test]
fn a_probe_that_was_on_its_way_before_proves_nothing() {
    let mut bench = lost();
    bench.now = bench.slot.poll_timeout().unwrap();
    let id = bench.slot.id().clone();
    bench.slot.handle_timeout(bench.now, &mut bench.fleet.gate(&id));
    bench.slot.handle_revive(bench.now);
    bench.slot.handle_probe(Generation(1), connections(0), bench.now);
    bench.answers_with(1, connections(2));
    bench.obey();
    bench.run_for(Duration::from_secs(60));
    assert_eq!((bench.terminated.len(), bench.spawned.len()), (0, 1));
}

#[test]
fn a_missed_probe_puts_the_restart_off() {
    let mut bench = lost();
    bench.answers_with(1, Probe::Missed("timed out".into()));
    bench.slot.handle_revive(bench.now);
    bench.run_for(Duration::ZERO);
    assert_eq!(bench.spawned.len(), 1);
    bench.answers_with(1, connections(0));
    bench.run_for(Duration::from_secs(10));
    assert_eq!(bench.spawned.len(), 2);
}

#[test]
fn the_trouble_of_another_has_a_connected_one_asked_at_once() {
    let mut bench = ready();
    bench.answers_with(1, connections(0));
    bench.slot.handle_doubt(bench.now);
    bench.run_for(Duration::ZERO);
    assert_eq!(bench.slot.standing(), Standing::Lost);
    let next = bench.slot.poll_timeout();
    bench.slot.handle_doubt(bench.now);
    assert_eq!(bench.slot.poll_timeout(), next, "one that has lost everything is asked often enough");
}

#[test]
fn a_slot_that_waits_starts_at_once() {
    let mut bench = ready();
    bench.exit(1, &exited(1, "no free edge addresses"));
    assert_eq!(bench.spawned.len(), 1);
    bench.slot.handle_revive(bench.now);
    bench.obey();
    assert_eq!(bench.spawned.len(), 2);
}

#[test]
fn a_successor_of_the_same_kind_takes_over_at_once_from_one_that_has_no_connection() {
    let mut bench = lost();
    bench.slot.handle_restart(bench.now).unwrap();
    bench.answers_with(2, answer("b", 4, VersionReading::Version(1)));
    bench.turn();
    bench.run_for(Duration::from_millis(500));
    assert!(bench.slot.is_replacing());
    bench.slot.handle_revive(bench.now);
    bench.run_for(Duration::ZERO);
    assert_eq!((bench.terminated.clone(), bench.spawned.len()), (vec![Generation(1)], 2), "the successor is connected");
    bench.run_for(Duration::from_secs(60));
    assert_eq!(bench.slot.state(), State::Ready);
}

#[test]
fn a_young_successor_is_not_started_a_second_time() {
    let mut bench = lost();
    bench.slot.handle_restart(bench.now).unwrap();
    bench.answers_with(2, answer("b", 0, VersionReading::Missing));
    bench.turn();
    bench.run_for(Duration::from_secs(1));
    bench.slot.handle_revive(bench.now);
    bench.run_for(Duration::from_secs(1));
    assert_eq!((bench.terminated.clone(), bench.spawned.len()), (vec![Generation(1)], 2));
}

/// A slot that has lost everything, with a successor of another launch that has no connection either.
fn lost_amid_a_change() -> Bench {
    let mut bench = lost();
    bench.want(Launch { protocol: "http2".into(), ..launch() });
    bench.answers_with(2, answer("b", 0, VersionReading::Missing));
    bench.turn();
    bench.run_for(Duration::from_secs(20));
    assert!(bench.slot.is_replacing());
    bench
}

#[test]
fn the_end_of_an_outage_amid_a_change_puts_nothing_untried_in_the_place_of_what_worked() {
    let mut bench = lost_amid_a_change();
    bench.slot.handle_revive(bench.now);
    bench.answers_with(3, answer("c", 0, VersionReading::Missing));
    bench.run_for(Duration::ZERO);
    assert_eq!((bench.terminated.clone(), bench.spawned.len()), (vec![Generation(2)], 3), "a fresh one tries at once");
    bench.run_for(Duration::from_secs(170));
    bench.answers_with(1, connections(4));
    bench.run_for(Duration::from_secs(60));
    assert_eq!(bench.terminated, [Generation(2), Generation(3)], "the change does not work, so what worked stays");
    assert_eq!(bench.slot.state(), State::Ready);
}

#[test]
fn the_end_of_an_outage_amid_a_change_that_works_brings_the_change() {
    let mut bench = lost_amid_a_change();
    bench.slot.handle_revive(bench.now);
    bench.answers_with(3, answer("c", 4, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(10));
    assert_eq!(bench.terminated, [Generation(2), Generation(1)]);
    assert_eq!(bench.slot.state(), State::Ready);
}

#[test]
fn the_end_of_an_outage_brings_a_change_that_failed_before_only_beside_what_worked() {
    let mut bench = lost_amid_a_change();
    bench.run_for(Duration::from_secs(180));
    assert!(!bench.slot.is_replacing(), "it waits to be tried again");
    bench.slot.handle_revive(bench.now);
    bench.run_for(Duration::ZERO);
    assert_eq!((bench.terminated.clone(), bench.spawned.len()), (vec![Generation(2)], 3));
    assert!(bench.slot.is_replacing());
}

#[test]
fn nothing_ends_a_process_of_an_earlier_daemon_before_it_is_known_what_is_wanted() {
    let unanswered = Survivor { connector_id: None, last_known: LastKnown::default(), ..survivor(5) };
    let over_http2 = LaunchFacts { transport: Transport::Http2, ..launch().facts() };
    let unready = Survivor { facts: over_http2, last_known: LastKnown::default(), ..survivor(5) };
    for (survivor, answer) in
        [(survivor(5), connections(0)), (unready, connections(0)), (unanswered, Probe::Missed("refused".into()))]
    {
        let mut bench = bench();
        bench.answers_with(5, answer);
        bench.slot.handle_survivors(vec![survivor.clone()], bench.now);
        bench.run_for(Duration::from_secs(10));
        bench.slot.handle_revive(bench.now);
        bench.run_for(Duration::from_secs(600));
        assert_eq!((bench.spawned.len(), bench.terminated.len(), bench.killed.len()), (0, 0, 0), "{survivor:?}");
    }
}

#[test]
fn a_crash_loop_waits_for_the_uplink_and_says_so_once() {
    let mut bench = bench();
    // Two others that have lost the edge, and one that tries again already.
    let other = |number| SlotId::new("other".parse().unwrap(), number);
    bench.fleet.see(&other(0), Some(Standing::Waiting { environment: true }), bench.now);
    bench.now += Duration::from_secs(6);
    bench.fleet.handle_timeout(bench.now);
    bench.fleet.gate(&other(0)).admit(9, bench.now).unwrap();
    bench.want(launch());
    for generation in 1..=2 {
        bench.run_until("started", |bench| bench.spawned.len() as u64 == generation);
        bench.exit(generation, &exited(1, "edge discovery: it failed"));
    }
    bench.run_for(Duration::from_secs(20));
    assert_eq!((bench.slot.state(), bench.slot.reason().code.as_ref()), (State::BackingOff, "no-uplink"));
    assert_eq!(bench.spawned.len(), 2);
    assert_eq!(bench.said(|happening| matches!(happening, Happening::Held { .. })), 1);
    bench.fleet.see(&other(0), Some(Standing::Connected), bench.now);
    bench.slot.handle_release(bench.now);
    bench.run_for(Duration::from_secs(2));
    assert_eq!(bench.spawned.len(), 3);
}

#[test]
fn an_operator_does_not_wait_for_the_uplink() {
    let mut bench = bench();
    let other = SlotId::new("other".parse().unwrap(), 0);
    bench.fleet.see(&other, Some(Standing::Waiting { environment: true }), bench.now);
    bench.fleet.handle_timeout(bench.now + Duration::from_secs(6));
    bench.want(launch());
    bench.exit(1, &exited(1, "edge discovery: it failed"));
    bench.slot.handle_restart(bench.now).unwrap();
    bench.obey();
    assert_eq!(bench.spawned.len(), 2);
}

#[test]
fn what_hangs_is_not_replaced_under_restraint_and_says_why() {
    let mut bench = hung_under_restraint();
    bench.run_for(Duration::from_secs(600));
    assert_eq!(bench.spawned.len(), 1);
    assert!(bench.slot.reason().sentence.contains("most connectors of this host have trouble"), "{:?}", bench.slot.reason());
    bench.slot.handle_restraint(false, bench.now);
    bench.obey();
    assert_eq!(bench.spawned.len(), 2);
}

#[test]
fn an_exit_under_restraint_is_followed_by_a_start() {
    let mut bench = hung_under_restraint();
    bench.exit(1, &killed());
    bench.run_for(Duration::from_secs(1));
    assert_eq!(bench.spawned.len(), 2);
}

/// A slot with a successor on trial for ten minutes, which was ready for five and then answers like this.
fn on_trial_until(probe: Probe) -> Bench {
    let mut bench = ready();
    let id = |inode| BinaryId { device: 1, inode, size: 1, modified_seconds: 0, modified_nanos: 0 };
    bench.slot.handle_program(Generation(1), id(1));
    bench.answers_with(2, answer("b", 4, VersionReading::Version(1)));
    let healthy_min = Some(Duration::from_secs(600));
    bench.slot.handle_binary(BinaryWish { id: Some(id(2)), healthy_min }, bench.now);
    bench.turn();
    bench.run_for(Duration::from_secs(300));
    assert!(bench.slot.is_replacing());
    bench.answers_with(2, probe);
    bench
}

#[test]
fn an_outage_ends_no_long_trial_at_once() {
    let mut bench = on_trial_until(answer("b", 0, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(60));
    assert!(bench.slot.is_replacing(), "{:?}", bench.told.last());
    bench.answers_with(2, answer("b", 4, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(620));
    assert_eq!((bench.terminated.clone(), bench.slot.state()), (vec![Generation(1)], State::Ready));
}

#[test]
fn a_trial_that_loses_its_connections_for_good_ends() {
    let mut bench = on_trial_until(answer("b", 0, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(200));
    assert_eq!((bench.terminated.clone(), bench.slot.is_replacing()), (vec![Generation(2)], false));
}

#[test]
fn a_successor_that_hangs_with_most_others_is_left_as_it_is() {
    let mut bench = on_trial_until(Probe::Missed("timed out".into()));
    bench.slot.handle_restraint(true, bench.now);
    bench.run_for(Duration::from_secs(120));
    assert!(bench.slot.is_replacing());
    bench.slot.handle_restraint(false, bench.now);
    bench.run_for(Duration::from_secs(6));
    assert_eq!((bench.terminated.clone(), bench.slot.is_replacing()), (vec![Generation(2)], false));
}
