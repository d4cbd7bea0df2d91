//! One behaviour each, in time that the test counts.

mod adopting;
mod causes;
mod remembering;
mod replacing;
mod surplus;
mod told;
mod uplink;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::SmallRng};

use crate::connector::{
    Command, Exit, Fleet, Generation, Happening, LastKnown, Launch, Probe, Reason, RestartReason, RestartRefused, Settings, Slot,
    SlotId, SpawnFailure, State, Stop, Survivor, Told, VersionReading,
    testing::{answer, exited, killed, launch, start_of_time},
};

/// A slot with everything around it: it obeys commands at once, and answers probes as it is told.
struct Bench {
    slot: Slot,
    fleet: Fleet,
    now: Instant,
    start: Instant,
    /// What the process of each generation answers.
    answers: Vec<(Generation, Probe)>,
    spawned: Vec<(Generation, Arc<Launch>)>,
    terminated: Vec<Generation>,
    killed: Vec<Generation>,
    told: Vec<Happening>,
}

const METRICS: &str = "127.0.0.1:4000";

fn bench() -> Bench {
    let start = start_of_time();
    let id = SlotId::new("web".parse().unwrap(), 0);
    Bench {
        slot: Slot::new(id, Settings::default(), Generation(0), SmallRng::seed_from_u64(7)),
        fleet: Fleet::new(start, SmallRng::seed_from_u64(7)),
        now: start,
        start,
        answers: Vec::new(),
        spawned: Vec::new(),
        terminated: Vec::new(),
        killed: Vec::new(),
        told: Vec::new(),
    }
}

/// A slot whose first generation is ready with all of its connections.
fn ready() -> Bench {
    let mut bench = bench();
    bench.answers_with(1, answer("a", 4, VersionReading::Version(1)));
    bench.want(launch());
    bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
    bench
}

impl Bench {
    fn want(&mut self, launch: Launch) {
        self.slot.handle_wanted(&Arc::new(launch), None, self.now);
        self.obey();
    }

    fn stop(&mut self) {
        let stop = Stop { by: "ada".into(), at: jiff::Timestamp::UNIX_EPOCH };
        self.slot.handle_wanted(&Arc::new(launch()), Some(&stop), self.now);
        self.obey();
    }

    fn answers_with(&mut self, generation: u64, probe: Probe) {
        self.answers.retain(|(known, _)| *known != Generation(generation));
        self.answers.push((Generation(generation), probe));
    }

    fn exit(&mut self, generation: u64, exit: &Exit) {
        self.slot.handle_exit(Generation(generation), exit, self.now);
        self.obey();
    }

    fn turn(&mut self) {
        self.slot.handle_turn(self.now);
        self.obey();
    }

    fn obey(&mut self) {
        while let Some(command) = self.slot.next_command() {
            match command {
                Command::Spawn { generation, launch } => {
                    self.spawned.push((generation, launch));
                    self.slot.handle_spawned(generation, 100, METRICS.parse().unwrap(), self.now);
                }
                Command::Terminate { generation } => self.terminated.push(generation),
                Command::Kill { generation } => self.killed.push(generation),
                Command::Probe { generation, .. } => {
                    let found = self.answers.iter().find(|(known, _)| *known == generation);
                    let probe = found.map_or(Probe::Missed("refused".into()), |(_, probe)| probe.clone());
                    self.slot.handle_probe(generation, probe, self.now);
                }
            }
        }
        while let Some(notice) = self.slot.next_notice() {
            self.told.push(notice.happening);
        }
    }

    /// Lets time pass, from deadline to deadline.
    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.slot.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            let id = self.slot.id().clone();
            self.slot.handle_timeout(self.now, &mut self.fleet.gate(&id));
            self.obey();
        }
        self.now = end;
    }

    fn run_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        for _ in 0..10_000 {
            if condition(self) {
                return;
            }
            self.now = self.slot.poll_timeout().unwrap_or_else(|| panic!("nothing is due before it is {what}")).max(self.now);
            let id = self.slot.id().clone();
            self.slot.handle_timeout(self.now, &mut self.fleet.gate(&id));
            self.obey();
        }
        panic!("it never is {what}; it is {}: {}", self.slot.state(), self.slot.reason().sentence);
    }

    fn said(&self, which: impl Fn(&Happening) -> bool) -> usize {
        self.told.iter().filter(|happening| which(happening)).count()
    }
}

#[test]
fn starts_what_is_wanted_and_is_ready_when_it_answers() {
    let bench = ready();
    assert_eq!(bench.spawned.len(), 1);
    assert_eq!(bench.slot.reason().sentence, "4 of 4 connections");
    assert_eq!(bench.said(|happening| matches!(happening, Happening::Ready { .. })), 1);
    assert!(bench.now - bench.start < Duration::from_millis(200));
}

#[test]
fn an_equal_launch_changes_nothing() {
    let mut bench = ready();
    bench.want(launch());
    assert_eq!(bench.slot.wants_turn(), None);
    assert_eq!(bench.spawned.len(), 1);
}

#[test]
fn fewer_connections_are_degraded_and_no_reason_to_restart() {
    let mut bench = ready();
    bench.answers_with(1, answer("a", 2, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(600));
    assert_eq!((bench.slot.state(), bench.slot.reason().sentence.as_ref()), (State::Degraded, "2 of 4 connections"));
    bench.answers_with(1, answer("a", 0, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.slot.state(), bench.slot.reason().code.as_ref()), (State::Degraded, "lost-connections"));
    bench.answers_with(1, answer("a", 4, VersionReading::Version(1)));
    bench.run_for(Duration::from_secs(10));
    assert_eq!(bench.slot.state(), State::Ready);
    assert_eq!((bench.spawned.len(), bench.terminated.len()), (1, 0));
}

#[test]
fn restarts_at_once_after_a_stable_run() {
    let mut bench = ready();
    bench.run_for(Duration::from_secs(60));
    bench.exit(1, &killed());
    assert_eq!(bench.slot.poll_timeout(), Some(bench.now));
    bench.run_for(Duration::ZERO);
    assert_eq!(bench.spawned.len(), 2);
    assert_eq!(bench.said(|happening| matches!(happening, Happening::BackingOff { .. })), 0);
    assert_eq!(bench.said(|happening| matches!(happening, Happening::Starting { restart: Some(RestartReason::Signal), .. })), 1);
}

#[test]
fn backs_off_from_a_connector_that_keeps_exiting() {
    let mut bench = bench();
    bench.want(launch());
    for generation in 1..=12 {
        bench.exit(generation, &exited(1, "something"));
        assert_eq!(bench.slot.state(), State::BackingOff);
        bench.run_until("started again", |bench| bench.spawned.len() as u64 == generation + 1);
    }
    let waited = bench.now - bench.start;
    assert!(waited > Duration::from_secs(180) && waited < Duration::from_secs(400), "{waited:?}");
}

#[test]
fn a_refused_token_blocks_and_a_change_frees_it() {
    let mut bench = bench();
    let refused = exited(255, "Provided Tunnel token is not valid.");
    bench.want(launch());
    bench.exit(1, &refused);
    assert_eq!(bench.slot.state(), State::BackingOff, "it may be another token by now");
    bench.run_until("started again", |bench| bench.spawned.len() == 2);
    bench.exit(2, &refused);
    assert_eq!((bench.slot.state(), bench.slot.reason().code.as_ref()), (State::Blocked, "token-refused"));
    bench.run_for(Duration::from_secs(299));
    assert_eq!(bench.spawned.len(), 2);
    let mut changed = launch();
    changed.token = crate::secret::Secret::new("a better one");
    bench.want(changed);
    assert_eq!((bench.spawned.len(), bench.slot.state()), (3, State::Starting));
    bench.exit(3, &refused);
    bench.run_until("started again", |bench| bench.spawned.len() == 4);
    bench.exit(4, &refused);
    bench.run_for(Duration::from_secs(301));
    assert_eq!(bench.spawned.len(), 5);
}

#[test]
fn an_exit_0_that_nobody_asked_for_is_a_failure() {
    let mut bench = ready();
    bench.exit(1, &exited(0, ""));
    bench.run_for(Duration::from_secs(1));
    assert_eq!(bench.spawned.len(), 2);
}

#[test]
fn a_taken_port_is_tried_again_at_once_but_only_once() {
    let mut bench = bench();
    bench.want(launch());
    bench.exit(1, &exited(1, "bind: address already in use"));
    bench.run_for(Duration::ZERO);
    assert_eq!(bench.spawned.len(), 2);
    bench.exit(2, &exited(1, "bind: address already in use"));
    bench.run_for(Duration::ZERO);
    assert_eq!((bench.spawned.len(), bench.slot.state()), (2, State::BackingOff));
}

#[test]
fn a_binary_that_cannot_be_started_is_tried_seldom() {
    let mut bench = bench();
    bench.slot.handle_wanted(&Arc::new(launch()), None, bench.now);
    assert!(matches!(bench.slot.next_command(), Some(Command::Spawn { .. })));
    let reason = Reason::new("binary-missing", "cannot find \"cloudflared\"");
    bench.slot.handle_spawn_failed(Generation(1), SpawnFailure { reason: reason.clone(), lasting: true }, bench.now);
    assert_eq!((bench.slot.state(), bench.slot.reason()), (State::Blocked, reason));
    let wait = bench.slot.poll_timeout().unwrap() - bench.now;
    assert!(wait >= Duration::from_secs(30) && wait <= Duration::from_secs(60), "{wait:?}");
}

#[test]
fn a_process_that_never_answers_is_given_up_after_the_start_deadline() {
    let mut bench = bench();
    bench.want(launch());
    bench.run_for(Duration::from_secs(59));
    assert_eq!((bench.slot.state(), bench.terminated.len()), (State::Starting, 0));
    bench.run_for(Duration::from_secs(2));
    assert_eq!(bench.terminated, [Generation(1)]);
    bench.run_for(Duration::from_secs(6));
    assert_eq!(bench.killed, [Generation(1)]);
    assert_eq!(bench.spawned.len(), 2);
}

#[test]
fn a_connector_without_any_connection_is_left_to_try() {
    let mut bench = bench();
    bench.answers_with(1, answer("a", 0, VersionReading::Missing));
    bench.want(launch());
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.slot.state(), bench.slot.reason().code.as_ref()), (State::Starting, "not-connected"));
    assert_eq!((bench.spawned.len(), bench.terminated.len()), (1, 0));
}

#[test]
fn a_stop_drains_kills_and_ends() {
    let mut bench = ready();
    bench.stop();
    assert_eq!((bench.terminated.as_slice(), bench.slot.state()), ([Generation(1)].as_slice(), State::Draining));
    bench.stop();
    assert_eq!(bench.terminated.len(), 1, "a second SIGTERM would kill it");
    bench.run_for(Duration::from_secs(36));
    assert_eq!(bench.killed, [Generation(1)]);
    bench.exit(1, &killed());
    assert_eq!((bench.slot.state(), bench.slot.poll_timeout()), (State::Stopped, None));
    assert_eq!(bench.slot.reason().sentence, "stopped by ada at 1970-01-01 00:00:00 UTC");
}

#[test]
fn what_comes_up_after_a_stop_is_killed() {
    let mut bench = bench();
    bench.slot.handle_wanted(&Arc::new(launch()), None, bench.now);
    assert!(matches!(bench.slot.next_command(), Some(Command::Spawn { .. })));
    bench.stop();
    assert_eq!(bench.slot.state(), State::Draining);
    bench.slot.handle_spawned(Generation(1), 100, METRICS.parse().unwrap(), bench.now);
    bench.obey();
    assert_eq!(bench.killed, [Generation(1)]);
    bench.exit(1, &killed());
    assert_eq!(bench.slot.state(), State::Stopped);
}

#[test]
fn a_start_while_the_old_one_drains_does_not_wait_for_it() {
    let mut bench = ready();
    bench.stop();
    bench.want(launch());
    assert_eq!((bench.spawned.len(), bench.slot.state()), (2, State::Starting));
    bench.stop();
    bench.want(launch());
    assert_eq!((bench.spawned.len(), bench.slot.reason().code.as_ref()), (2, "draining-first"));
    bench.exit(1, &killed());
    bench.run_for(Duration::ZERO);
    assert_eq!(bench.spawned.len(), 3);
}

#[test]
fn an_unwanted_slot_is_forgotten_when_its_last_process_is_gone() {
    let mut bench = ready();
    bench.slot.handle_unwanted(bench.now);
    bench.obey();
    assert!(!bench.slot.is_forgotten());
    bench.exit(1, &exited(0, ""));
    assert!(bench.slot.is_forgotten());
    assert_eq!(bench.said(|happening| matches!(happening, Happening::Forgotten)), 1);
}

#[test]
fn what_is_wanted_again_while_it_drains_starts_again() {
    let mut bench = ready();
    bench.slot.handle_unwanted(bench.now);
    bench.obey();
    bench.want(launch());
    bench.exit(1, &exited(0, ""));
    assert_eq!((bench.spawned.len(), bench.slot.state(), bench.slot.is_forgotten()), (2, State::Starting, false));
}

#[test]
fn a_restart_of_what_is_stopped_is_refused() {
    let mut bench = ready();
    bench.stop();
    assert_eq!(bench.slot.handle_restart(bench.now), Err(RestartRefused::Stopped));
    assert_eq!(bench.slot.handle_abandon(bench.now), Err(RestartRefused::NotQuarantined));
}

#[test]
fn a_restart_ends_a_wait() {
    let mut bench = bench();
    bench.want(launch());
    bench.exit(1, &exited(255, ""));
    assert_eq!(bench.slot.state(), State::Blocked);
    bench.slot.handle_restart(bench.now).unwrap();
    bench.obey();
    assert_eq!(bench.spawned.len(), 2);
}

#[test]
fn an_abort_kills_what_drains() {
    let mut bench = ready();
    bench.slot.handle_shutdown(bench.now);
    bench.obey();
    assert_eq!((bench.terminated.len(), bench.killed.len()), (1, 0));
    bench.slot.handle_abort(bench.now);
    bench.obey();
    assert_eq!(bench.killed, [Generation(1)]);
    bench.want(launch());
    bench.exit(1, &killed());
    assert!(bench.slot.is_at_rest());
}

fn survivor(generation: u64) -> Survivor {
    Survivor {
        generation: Generation(generation),
        facts: launch().facts(),
        pid: 77,
        metrics: METRICS.parse().unwrap(),
        connector_id: Some("a".parse().unwrap()),
        last_known: LastKnown { connections: 4, version: Some(1) },
        told: Told::No,
        proved: true,
    }
}
