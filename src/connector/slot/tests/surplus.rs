//! A replica that is not wanted any more while no other of its tunnel serves.

use super::*;

fn spared() -> Bench {
    let mut bench = ready();
    bench.surplus();
    bench
}

impl Bench {
    fn surplus(&mut self) {
        self.slot.handle_surplus(self.now);
        self.obey();
    }

    fn unwanted(&mut self) {
        self.slot.handle_unwanted(self.now);
        self.obey();
    }
}

#[test]
fn it_goes_on_until_another_one_serves_and_says_why() {
    let mut bench = spared();
    bench.surplus();
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.terminated.len(), bench.slot.state()), (0, State::Ready));
    assert_eq!(bench.slot.reason().code, "last-to-serve");
    assert_eq!(
        bench.slot.reason().sentence,
        "4 of 4 connections; not wanted any more; it goes on until another replica of its tunnel serves"
    );
    assert_eq!(bench.said(|happening| matches!(happening, Happening::Spared { .. })), 1);
    assert_eq!(bench.slot.serves_since(), None, "it is no reason for others to go");
    bench.unwanted();
    assert_eq!(bench.terminated, [Generation(1)]);
    bench.exit(1, &exited(0, ""));
    assert!(bench.slot.is_forgotten());
}

#[test]
fn it_is_not_started_again_when_it_ends() {
    let mut bench = spared();
    bench.exit(1, &killed());
    assert!(bench.slot.is_forgotten());
    assert_eq!((bench.spawned.len(), bench.slot.poll_timeout()), (1, None));
    assert_eq!(bench.said(|happening| matches!(happening, Happening::Forgotten)), 1);
}

#[test]
fn one_that_serves_nobody_goes_at_once() {
    let mut starting = bench();
    starting.want(launch());
    starting.surplus();
    assert_eq!(starting.terminated, [Generation(1)]);
    let mut failing = bench();
    failing.want(launch());
    failing.exit(1, &exited(1, "something"));
    failing.surplus();
    assert!(failing.slot.is_forgotten());
    let mut stopped = ready();
    stopped.stop();
    stopped.surplus();
    stopped.exit(1, &exited(0, ""));
    assert!(stopped.slot.is_forgotten());
}

#[test]
fn it_gets_no_successor_whatever_happens_to_it() {
    let mut bench = ready();
    bench.slot.handle_restart(bench.now).unwrap();
    bench.turn();
    bench.surplus();
    assert_eq!(bench.terminated, [Generation(2)], "the one that was on its way");
    bench.exit(2, &exited(0, ""));
    bench.answers_with(1, answer("a", 0, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(3600));
    assert_eq!(bench.slot.wants_turn(), None);
    bench.answers_with(1, Probe::Missed("timed out".into()));
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.spawned.len(), bench.terminated.len()), (2, 1));
    assert_eq!(bench.slot.reason().code, "hung");
}

#[test]
fn wanted_again_it_goes_on_as_before() {
    let mut bench = spared();
    bench.want(launch());
    assert_eq!(bench.slot.reason().sentence, "4 of 4 connections");
    assert_eq!((bench.spawned.len(), bench.terminated.len(), bench.slot.wants_turn()), (1, 0, None));
    assert!(bench.slot.serves_since().is_some());
    bench.surplus();
    let mut changed = launch();
    changed.protocol = "http2".into();
    bench.want(changed);
    assert_eq!(bench.slot.wants_turn(), Some(RestartReason::Config));
}

#[test]
fn a_stop_and_a_shutdown_end_it_at_once_and_a_revival_leaves_it_as_it_is() {
    let mut stopped = spared();
    stopped.stop();
    assert_eq!(stopped.terminated, [Generation(1)]);
    let mut shut_down = spared();
    shut_down.slot.handle_shutdown(shut_down.now);
    shut_down.obey();
    assert_eq!(shut_down.terminated, [Generation(1)]);
    let mut revived = spared();
    revived.answers_with(1, answer("a", 0, VersionReading::Version(1)));
    revived.slot.handle_revive(revived.now);
    revived.run_for(Duration::from_secs(1));
    // cloudflared may reconnect by itself, and those that are wanted are revived as well.
    assert_eq!((revived.terminated.as_slice(), revived.spawned.len()), ([].as_slice(), 1));
    revived.exit(1, &exited(0, ""));
    assert!(revived.slot.is_forgotten());
}
