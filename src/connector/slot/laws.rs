//! What holds after every step of every history, stale reports included.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rand::{SeedableRng, rngs::SmallRng};

use crate::connector::{
    BinaryId, BinaryWish, Command, Exit, Fleet, Generation, LEAVING_MAX, LastKnown, Launch, Past, Probe, Protocol, Reason, Said,
    Settings, Slot, SlotId, SpawnFailure, State, Stop, Survivor, Told, Transport, VersionReading,
    testing::{answer, exited, killed, launch, start_of_time},
};

/// Something that may happen. Indices pick one of what there is, and nothing where there is none.
#[derive(Debug, Clone)]
enum Step {
    Pass(Duration),
    PassUntilDue,
    Want(usize),
    Binary(Option<u64>),
    Resume,
    Stop,
    Surplus,
    Restart,
    Revive,
    Release,
    Doubt,
    Restrain(bool),
    Turn,
    SpawnerAnswers { ok: bool },
    ProbeReturns { which: usize, probe: Probe },
    Dies { which: usize, exit: Exit },
    ExitsAsTold,
    Notify { generation: u64 },
    Said { generation: u64, said: Said },
    ProcessorTime { generation: u64, used: Duration },
    HostTransport(Transport),
    Trial,
    TrialFailed,
    StaleExit { generation: u64 },
    StaleProbe { generation: u64 },
    StaleSpawned { generation: u64 },
}

/// The world around a slot, which knows what really runs.
struct World {
    slot: Slot,
    fleet: Fleet,
    now: Instant,
    launches: Vec<Arc<Launch>>,
    asked: Vec<Generation>,
    alive: BTreeSet<Generation>,
    terminated: BTreeSet<Generation>,
    killed: BTreeSet<Generation>,
    probes: BTreeMap<Generation, usize>,
    last_spawned: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let now = start_of_time();
        let mut other = launch();
        other.protocol = "http2".into();
        let mut rotated = launch();
        rotated.token = crate::secret::Secret::new("another");
        Self {
            slot: Slot::new(
                SlotId::new("web".parse().unwrap(), 0),
                Settings::default(),
                Generation(0),
                SmallRng::seed_from_u64(seed),
            ),
            fleet: Fleet::new(now, SmallRng::seed_from_u64(seed)),
            now,
            launches: vec![Arc::new(launch()), Arc::new(other), Arc::new(rotated)],
            asked: Vec::new(),
            alive: BTreeSet::new(),
            terminated: BTreeSet::new(),
            killed: BTreeSet::new(),
            probes: BTreeMap::new(),
            last_spawned: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Pass(duration) => self.pass(*duration),
            Step::PassUntilDue => {
                if let Some(at) = self.slot.poll_timeout() {
                    self.pass(at.saturating_duration_since(self.now));
                }
            }
            Step::Want(which) => self.slot.handle_wanted(&self.launches[which % self.launches.len()], None, self.now),
            Step::Binary(which) => {
                let id = which.map(|inode| BinaryId { device: 1, inode, size: 1, modified_seconds: 0, modified_nanos: 0 });
                self.slot.handle_binary(BinaryWish { id, healthy_min: id.map(|_| Duration::from_secs(30)) }, self.now);
            }
            Step::Resume => self.die_and_come_back(),
            Step::Stop => {
                let stop = Stop { by: "ada".into(), at: jiff::Timestamp::UNIX_EPOCH };
                self.slot.handle_wanted(&self.launches[0], Some(&stop), self.now);
            }
            Step::Surplus => self.slot.handle_surplus(self.now),
            Step::Restart => drop(self.slot.handle_restart(self.now)),
            Step::Revive => self.slot.handle_revive(self.now),
            Step::Release => self.slot.handle_release(self.now),
            Step::Doubt => self.slot.handle_doubt(self.now),
            Step::Restrain(restrained) => self.slot.handle_restraint(*restrained, self.now),
            Step::Turn => self.slot.handle_turn(self.now),
            Step::SpawnerAnswers { ok } => self.answer_spawn(*ok),
            Step::ProbeReturns { which, probe } => {
                if let Some(generation) = nth(self.probes.keys(), *which) {
                    self.probes.remove(&generation);
                    let mut probe = probe.clone();
                    // Who was told has no connection any more.
                    if let Probe::Answered(answer) = &mut probe
                        && self.terminated.contains(&generation)
                    {
                        answer.connections = 0;
                    }
                    self.slot.handle_probe(generation, probe, self.now);
                }
            }
            Step::Dies { which, exit } => {
                if let Some(generation) = nth(self.alive.iter(), *which) {
                    self.alive.remove(&generation);
                    self.slot.handle_exit(generation, exit, self.now);
                }
            }
            Step::ExitsAsTold => {
                if let Some(generation) = self.alive.iter().copied().find(|generation| self.terminated.contains(generation)) {
                    self.alive.remove(&generation);
                    self.slot.handle_exit(generation, &exited(0, ""), self.now);
                }
            }
            Step::Notify { generation } => self.slot.handle_notify_ready(Generation(*generation), self.now),
            Step::Said { generation, said } => self.slot.handle_said(Generation(*generation), said, self.now),
            Step::ProcessorTime { generation, used } => {
                self.slot.handle_processor_time(Generation(*generation), *used, self.now);
            }
            Step::HostTransport(begin_with) => self.slot.handle_host_transport(*begin_with, self.now),
            Step::Trial => drop(self.slot.handle_trial(self.now)),
            Step::TrialFailed => self.slot.handle_trial_failed(),
            Step::StaleExit { generation } => {
                if !self.alive.contains(&Generation(*generation)) {
                    self.slot.handle_exit(Generation(*generation), &killed(), self.now);
                }
            }
            Step::StaleProbe { generation } => {
                if !self.probes.contains_key(&Generation(*generation)) {
                    self.slot.handle_probe(Generation(*generation), Probe::Missed("stale".into()), self.now);
                }
            }
            Step::StaleSpawned { generation } => {
                if !self.asked.contains(&Generation(*generation)) {
                    self.slot.handle_spawned(Generation(*generation), 1, "127.0.0.1:1".parse().unwrap(), self.now);
                }
            }
        }
        self.obey_and_check();
    }

    /// The daemon is killed, and the next one goes on with what it remembers and finds. What was asked for was never started.
    fn die_and_come_back(&mut self) {
        let memory = self.slot.memory();
        let settings = Settings::default();
        if let Some(waiting) = &memory.waiting {
            assert!(waiting.until <= self.now + settings.blocked_retry + settings.stop_margin, "a wait without an end");
        }
        let draining = |generation: &Generation| self.terminated.contains(generation) || self.killed.contains(generation);
        // Now and then the records are lost.
        let lost = self.last_spawned.is_multiple_of(3);
        let told = |generation: &Generation| match draining(generation) {
            _ if lost => Told::Unknown,
            true => Told::Recorded,
            false => Told::No,
        };
        let survivors = self.alive.iter().map(|generation| survivor(generation.0, told(generation))).collect();
        self.asked.clear();
        self.probes.clear();
        let rng = SmallRng::seed_from_u64(self.last_spawned);
        self.slot = Slot::new(self.slot.id().clone(), settings, Generation(self.last_spawned), rng);
        self.slot.handle_survivors(survivors, self.now);
        self.slot.resume(memory, Past::default(), self.now);
        self.obey_and_check();
        self.slot.handle_wanted(&self.launches[0], None, self.now);
    }

    fn answer_spawn(&mut self, ok: bool) {
        let Some(generation) = self.asked.first().copied() else { return };
        self.asked.remove(0);
        if ok {
            self.alive.insert(generation);
            self.slot.handle_spawned(generation, 1, "127.0.0.1:1".parse().unwrap(), self.now);
        } else {
            let failure = SpawnFailure { reason: Reason::new("no-memory", "cannot fork"), lasting: false };
            self.slot.handle_spawn_failed(generation, failure, self.now);
        }
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut wakes_at_once = 0;
        while let Some(at) = self.slot.poll_timeout().filter(|at| *at <= end) {
            wakes_at_once = if at > self.now { 0 } else { wakes_at_once + 1 };
            assert!(wakes_at_once < 5, "it is woken again and again without any time passing");
            self.now = at.max(self.now);
            let id = self.slot.id().clone();
            self.slot.handle_timeout(self.now, &mut self.fleet.gate(&id));
            self.obey_and_check();
        }
        self.now = end;
    }

    fn obey_and_check(&mut self) {
        while let Some(command) = self.slot.next_command() {
            match command {
                Command::Spawn { generation, launch } => {
                    let chosen = launch.transport != Transport::AsConfigured;
                    assert!(!chosen || launch.protocol == "auto", "a fixed protocol was overridden: {launch:?}");
                    assert!(generation.0 > self.last_spawned, "generations rise");
                    self.last_spawned = generation.0;
                    self.asked.push(generation);
                }
                Command::Terminate { generation } => {
                    assert!(self.alive.contains(&generation), "a signal to {generation}, which is not alive");
                    assert!(self.terminated.insert(generation), "a second SIGTERM to {generation}");
                }
                Command::Kill { generation } => {
                    assert!(self.alive.contains(&generation), "a signal to {generation}, which is not alive");
                    self.killed.insert(generation);
                }
                Command::Probe { generation, .. } => {
                    assert!(self.alive.contains(&generation), "a probe of {generation}, which is not alive");
                    let out = self.probes.entry(generation).or_default();
                    *out += 1;
                    assert_eq!(*out, 1, "two probes of {generation} at once");
                }
            }
        }
        while self.slot.next_notice().is_some() {}
        while self.slot.next_finding().is_some() {}
        self.check();
    }

    fn check(&self) {
        let leaves = |generation: &Generation| self.slot.leaving.iter().any(|leaver| leaver.generation == *generation);
        let signalled = |generation: &Generation| self.terminated.contains(generation) || self.killed.contains(generation);
        let leaving = |generation: &&Generation| signalled(generation) || leaves(generation);
        let staying = self.alive.iter().filter(|generation| !leaving(generation)).count();
        assert!(staying <= 2, "more than one generation and its successor: {:?}", self.alive);
        assert!(staying < 2 || self.slot.is_replacing(), "two generations without a declared overlap: {:?}", self.alive);
        assert!(self.alive.len() <= LEAVING_MAX + 1, "too many processes: {:?}", self.alive);
        let moves = self.slot.poll_timeout().is_some() || !self.asked.is_empty() || !self.probes.is_empty();
        assert!(moves || self.slot.is_at_rest(), "{} has no way out", self.slot.state());
        assert!(!self.slot.is_surplus() || !self.slot.is_at_rest(), "nothing is left that goes on");
        if self.slot.state() == State::Stopped {
            assert!(self.alive.is_empty() && self.asked.is_empty(), "it says that it is stopped, and {:?} runs", self.alive);
        }
    }

    /// What an earlier daemon left.
    fn survive(&mut self, survivors: Vec<Survivor>) {
        for survivor in &survivors {
            self.alive.insert(survivor.generation);
            // What is on record is true of every other one.
            if survivor.told != Told::No && survivor.generation.0.is_multiple_of(2) {
                self.terminated.insert(survivor.generation);
            }
            self.last_spawned = self.last_spawned.max(survivor.generation.0);
        }
        self.slot.handle_survivors(survivors, self.now);
        self.obey_and_check();
    }

    /// Ends everything as the kernel would: what is killed dies, what is asked for comes up, what drains takes its time.
    fn shut_down(&mut self, unwanted: bool) {
        if unwanted {
            self.slot.handle_unwanted(self.now);
        } else {
            self.slot.handle_shutdown(self.now);
        }
        self.obey_and_check();
        while !self.asked.is_empty() {
            self.answer_spawn(true);
            self.obey_and_check();
        }
        let settings = Settings::default();
        self.pass(launch().grace_period + settings.stop_margin);
        let dead: Vec<Generation> = self.alive.intersection(&self.killed).copied().collect();
        for generation in dead {
            self.alive.remove(&generation);
            self.slot.handle_exit(generation, &killed(), self.now);
            self.obey_and_check();
        }
        assert!(self.alive.is_empty(), "{:?} outlives a stop", self.alive);
        assert_eq!((self.slot.state(), self.slot.is_at_rest()), (State::Stopped, true));
    }
}

fn nth<'a>(mut from: impl ExactSizeIterator<Item = &'a Generation>, which: usize) -> Option<Generation> {
    let count = from.len();
    if count == 0 { None } else { from.nth(which % count).copied() }
}

fn any_probe() -> impl Strategy<Value = Probe> {
    prop_oneof![
        4 => Just(answer("a", 4, VersionReading::Version(1))),
        1 => Just(answer("a", 2, VersionReading::Version(2))),
        1 => Just(answer("a", 0, VersionReading::Unread)),
        1 => Just(answer("a", 4, VersionReading::Missing)),
        1 => Just(answer("b", 4, VersionReading::Version(1))),
        3 => Just(Probe::Missed("timed out".into())),
    ]
}

fn any_exit() -> impl Strategy<Value = Exit> {
    prop_oneof![
        Just(killed()),
        Just(exited(0, "")),
        Just(exited(1, "edge discovery: it failed")),
        Just(exited(1, "bind: address already in use")),
        Just(exited(2, "panic")),
        Just(exited(255, "Provided Tunnel token is not valid.")),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let generation = 0u64..12;
    prop_oneof![
        4 => (0u64..20_000).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        1 => (0u64..400).prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
        6 => Just(Step::PassUntilDue),
        3 => (0usize..3).prop_map(Step::Want),
        2 => prop::option::of(1u64..4).prop_map(Step::Binary),
        1 => Just(Step::Resume),
        1 => Just(Step::Stop),
        1 => Just(Step::Surplus),
        1 => Just(Step::Restart),
        2 => Just(Step::Revive),
        1 => Just(Step::Release),
        1 => Just(Step::Doubt),
        1 => any::<bool>().prop_map(Step::Restrain),
        3 => Just(Step::Turn),
        6 => prop::bool::weighted(0.85).prop_map(|ok| Step::SpawnerAnswers { ok }),
        12 => (0usize..4, any_probe()).prop_map(|(which, probe)| Step::ProbeReturns { which, probe }),
        2 => (0usize..4, any_exit()).prop_map(|(which, exit)| Step::Dies { which, exit }),
        2 => Just(Step::ExitsAsTold),
        1 => generation.clone().prop_map(|generation| Step::Notify { generation }),
        8 => (generation.clone(), any_said()).prop_map(|(generation, said)| Step::Said { generation, said }),
        2 => (generation.clone(), 0u64..100).prop_map(|(generation, seconds)| {
            Step::ProcessorTime { generation, used: Duration::from_secs(seconds) }
        }),
        1 => prop_oneof![Just(Transport::AsConfigured), Just(Transport::Http2)].prop_map(Step::HostTransport),
        1 => Just(Step::Trial),
        1 => Just(Step::TrialFailed),
        1 => generation.clone().prop_map(|generation| Step::StaleExit { generation }),
        1 => generation.clone().prop_map(|generation| Step::StaleProbe { generation }),
        1 => generation.prop_map(|generation| Step::StaleSpawned { generation }),
    ]
}

fn any_said() -> impl Strategy<Value = Said> {
    prop_oneof![
        Just(Said::Configured),
        Just(Said::ConfigurationRefused { version: Some(2), why: "no".into() }),
        Just(Said::Registered { protocol: Some(Protocol::Quic) }),
        Just(Said::Registered { protocol: Some(Protocol::Http2) }),
        Just(Said::Registered { protocol: None }),
        Just(Said::Lost),
        Just(Said::Prechecked { suggested: Some(Protocol::Http2) }),
        Just(Said::Prechecked { suggested: None }),
        Just(Said::QuicDialFailed),
        Just(Said::FellBack),
        Just(Said::Refused { why: "Unauthorized".into() }),
        Just(Said::RegistrationFailed),
    ]
}

fn survivor(generation: u64, told: Told) -> Survivor {
    Survivor {
        generation: Generation(generation),
        facts: launch().facts(),
        pid: 1,
        metrics: "127.0.0.1:1".parse().unwrap(),
        connector_id: Some("a".parse().unwrap()),
        last_known: LastKnown::default(),
        told,
        proved: true,
    }
}

/// At most what a slot can hold: one that drains, one that serves and its successor.
fn any_survivors() -> impl Strategy<Value = Vec<Survivor>> {
    let recorded = prop_oneof![Just(Told::Recorded), Just(Told::Unknown)];
    (0u64..3, 0u64..3, recorded).prop_filter_map("too many", move |(draining, running, recorded)| {
        let told = |index| if index < draining { recorded } else { Told::No };
        let runs = (0..draining + running).map(|index| survivor(index + 1, told(index))).collect();
        (draining + running <= 3).then_some(runs)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_the_laws_of_a_slot(
        seed: u64,
        survivors in any_survivors(),
        steps in prop::collection::vec(any_step(), 1..150),
        unwanted: bool,
    ) {
        let mut world = World::new(seed);
        world.survive(survivors);
        world.take(&Step::Want(0));
        for step in &steps {
            world.take(step);
        }
        world.shut_down(unwanted);
    }
}
