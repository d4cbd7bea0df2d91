//! Adopted processes that an earlier daemon may have told to finish.

use super::*;

fn adopted(told: Told, connections: u8) -> Bench {
    let mut bench = bench();
    bench.answers_with(5, answer("a", connections, VersionReading::Version(1)));
    bench.slot.handle_survivors(vec![Survivor { told, ..survivor(5) }], bench.now);
    bench.obey();
    bench
}

#[test]
fn one_on_record_as_told_that_has_connections_was_not_and_is_told_once() {
    let mut bench = adopted(Told::Recorded, 4);
    bench.run_for(Duration::from_secs(4));
    assert!(bench.terminated.is_empty(), "it may have been told a moment ago");
    bench.run_for(Duration::from_secs(1));
    assert_eq!(bench.terminated, [Generation(5)]);
    assert_eq!(bench.said(|happening| matches!(happening, Happening::Draining { .. })), 1);
    bench.run_for(Duration::from_secs(34));
    assert!(bench.killed.is_empty(), "its time begins when it is told");
    bench.run_for(Duration::from_secs(2));
    assert_eq!((bench.terminated.len(), bench.killed.as_slice()), (1, [Generation(5)].as_slice()));
}

#[test]
fn one_on_record_as_told_without_connections_is_told_when_it_shows_one() {
    let mut bench = adopted(Told::Recorded, 0);
    bench.run_for(Duration::from_secs(20));
    assert!(bench.terminated.is_empty());
    bench.answers_with(5, answer("somebody", 4, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(6));
    assert!(bench.terminated.is_empty(), "somebody else's connections prove nothing");
    bench.answers_with(5, answer("a", 1, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(9));
    assert_eq!(bench.terminated, [Generation(5)]);
}

#[test]
fn one_that_was_told_is_left_to_end_by_itself() {
    for probe in [answer("a", 0, VersionReading::Version(1)), Probe::Missed("refused".into())] {
        let mut bench = adopted(Told::Recorded, 0);
        bench.answers_with(5, probe);
        bench.run_for(Duration::from_secs(34));
        assert!(bench.terminated.is_empty() && bench.killed.is_empty());
        bench.run_for(Duration::from_secs(2));
        assert_eq!((bench.terminated.len(), bench.killed.as_slice()), (0, [Generation(5)].as_slice()));
    }
}

#[test]
fn one_whose_record_was_lost_serves_on_and_is_told_only_with_the_proof() {
    let mut soon = adopted(Told::Unknown, 4);
    soon.want(launch());
    soon.run_for(Duration::from_secs(1));
    assert_eq!(soon.slot.state(), State::Ready);
    soon.stop();
    assert!(soon.terminated.is_empty(), "what it answered may be from before it was told");
    soon.run_for(Duration::from_secs(4));
    assert_eq!(soon.terminated, [Generation(5)]);

    let mut late = adopted(Told::Unknown, 4);
    late.want(launch());
    late.run_for(Duration::from_secs(20));
    late.stop();
    assert_eq!(late.terminated, [Generation(5)], "it has proved it long ago");

    let mut draining = adopted(Told::Unknown, 0);
    draining.want(launch());
    draining.run_for(Duration::from_secs(20));
    draining.stop();
    draining.run_for(Duration::from_secs(36));
    assert_eq!((draining.terminated.len(), draining.killed.as_slice()), (0, [Generation(5)].as_slice()));
}

#[test]
fn an_abort_ends_the_doubt() {
    let mut bench = adopted(Told::Recorded, 4);
    bench.slot.handle_abort(bench.now);
    bench.obey();
    bench.run_for(Duration::from_secs(6));
    assert_eq!((bench.terminated.len(), bench.killed.as_slice()), (0, [Generation(5)].as_slice()));
}
