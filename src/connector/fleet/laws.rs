//! What holds after every step of every history.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rand::{SeedableRng, rngs::SmallRng};

use super::*;
use crate::connector::testing::start_of_time;

/// Something that may happen. Indices pick a slot.
#[derive(Debug, Clone)]
enum Step {
    Pass(Duration),
    See(usize, Seen),
    Gone(usize),
    /// The answer to the question that is out, if one is.
    EdgeAnswers(bool),
    ClockStepped,
    Ask {
        slot: usize,
        failures: u32,
    },
}

#[derive(Debug, Clone, Copy)]
enum Seen {
    Aside,
    Starting,
    Unconnected,
    Connected,
    Lost,
    Hung,
    Waiting(bool),
}

/// What a history did.
#[derive(Debug, Default)]
struct Account {
    /// Restarts of each slot since the last outage began.
    revived: BTreeMap<SlotId, usize>,
    /// When crash-looping slots were let through a hold.
    canaries: Vec<Instant>,
    holding: bool,
}

/// A fleet in a world that obeys it at once. `hears` says whether the edge's answers ever arrive.
struct World {
    fleet: Fleet,
    now: Instant,
    hears: bool,
    tunnels: &'static [&'static str],
    asked: bool,
    account: Account,
}

const SLOTS: usize = 6;

const TUNNELS: &[&str] = &["api", "web", "shop"];

impl World {
    fn new(seed: u64, hears: bool) -> Self {
        let now = start_of_time();
        let mut fleet = Fleet::new(now, SmallRng::seed_from_u64(seed));
        fleet.resize(SLOTS, now);
        Self { fleet, now, hears, tunnels: TUNNELS, asked: false, account: Account::default() }
    }

    fn slot(&self, number: usize) -> SlotId {
        let (tunnel, replica) = (number % self.tunnels.len(), number / self.tunnels.len());
        SlotId::new(self.tunnels[tunnel].parse().unwrap(), u8::try_from(replica).unwrap())
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Pass(duration) => self.pass(*duration),
            Step::See(number, seen) => {
                let standing = match seen {
                    Seen::Aside => Standing::Aside,
                    Seen::Starting => Standing::Starting,
                    Seen::Unconnected => Standing::Unconnected { since: self.now },
                    Seen::Connected => Standing::Connected,
                    Seen::Lost => Standing::Lost,
                    Seen::Hung => Standing::Hung,
                    Seen::Waiting(environment) => Standing::Waiting { environment: *environment },
                };
                let slot = self.slot(*number);
                self.fleet.see(&slot, Some(standing), self.now);
            }
            Step::Gone(number) => {
                let slot = self.slot(*number);
                self.fleet.see(&slot, None, self.now);
            }
            Step::EdgeAnswers(answers) => {
                if self.hears && std::mem::take(&mut self.asked) {
                    let answer = if *answers { EdgeAnswer::Answers } else { EdgeAnswer::Silent("refused".into()) };
                    self.fleet.handle_edge(answer, self.now);
                }
            }
            Step::ClockStepped => self.fleet.handle_clock_step(self.now),
            Step::Ask { slot: number, failures } => self.ask(&self.slot(*number), *failures),
        }
        self.obey_and_check();
    }

    fn ask(&mut self, id: &SlotId, failures: u32) {
        let hold_before = self.fleet.hold.as_ref().map(|hold| hold.canary().cloned());
        let admitted = self.fleet.gate(id).admit(failures, self.now).is_ok();
        let hold_after = self.fleet.hold.as_ref().map(|hold| hold.canary().cloned());
        if failures < budget::LOOPING {
            assert_eq!(hold_before, hold_after, "an exit after a good run has nothing to do with the hold");
        } else if hold_before != hold_after {
            self.account.canaries.push(self.now);
        } else if admitted && hold_before.is_some() {
            assert_eq!(hold_after.flatten().as_ref(), Some(id), "only the canary passes a hold");
        }
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut wakes_at_once = 0;
        while let Some(at) = self.fleet.poll_timeout().filter(|at| *at <= end) {
            wakes_at_once = if at > self.now { 0 } else { wakes_at_once + 1 };
            assert!(wakes_at_once < 5, "it is woken again and again without any time passing");
            self.now = at.max(self.now);
            self.fleet.handle_timeout(self.now);
            self.obey_and_check();
        }
        self.now = end;
    }

    fn obey_and_check(&mut self) {
        while let Some(notice) = self.fleet.next_notice() {
            match notice {
                FleetNotice::UplinkLost { .. } => {
                    assert!(!std::mem::replace(&mut self.account.holding, true), "lost twice");
                    self.account.canaries.clear();
                }
                FleetNotice::UplinkBack { .. } => self.account.holding = false,
                FleetNotice::ClockStepped { .. } | FleetNotice::BrakeOn { .. } | FleetNotice::BrakeOff(_) => {}
            }
        }
        while let Some(command) = self.fleet.next_command() {
            match command {
                FleetCommand::ProbeEdge => assert!(!std::mem::replace(&mut self.asked, true), "two questions at once"),
                FleetCommand::Revive(slot) => {
                    let member = self.fleet.members.get(&slot).unwrap();
                    assert!(!member.is_connected(), "{slot} is connected and is to start anew");
                    *self.account.revived.entry(slot).or_default() += 1;
                }
                FleetCommand::LookAround | FleetCommand::Release(_) | FleetCommand::Restrain { .. } => {}
            }
        }
        self.check();
    }

    fn check(&self) {
        let fleet = &self.fleet;
        let sums = fleet.members.sums();
        fleet.members.check();
        assert_eq!(fleet.hold.is_some(), self.account.holding, "what is told is what is");
        assert!(fleet.hold.is_none() || fleet.outage.is_some(), "a hold without an outage");
        assert!(fleet.hold.is_none() || sums.is_dark(), "a hold although somebody is connected, or nobody needs to be");
        let waits_for_the_edge = fleet.edge.due().is_some() || self.asked;
        assert!(fleet.hold.is_none() || waits_for_the_edge, "nothing looks for the end of the hold");
        assert!(sums.lacking > 0 || fleet.edge.due().is_none(), "the edge is asked although all is well");
        let gaps = self.account.canaries.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.clone().all(|gap| gap >= Duration::from_secs(30)), "two canaries at once: {:?}", gaps.collect::<Vec<_>>());
    }
}

fn any_seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        1 => Just(Seen::Aside),
        1 => Just(Seen::Starting),
        2 => Just(Seen::Unconnected),
        3 => Just(Seen::Connected),
        4 => Just(Seen::Lost),
        1 => Just(Seen::Hung),
        3 => any::<bool>().prop_map(Seen::Waiting),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u64..10_000).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        1 => (0u64..400).prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
        12 => (0..SLOTS, any_seen()).prop_map(|(slot, seen)| Step::See(slot, seen)),
        1 => (0..SLOTS).prop_map(Step::Gone),
        6 => prop::bool::weighted(0.3).prop_map(Step::EdgeAnswers),
        1 => Just(Step::ClockStepped),
        6 => (0..SLOTS, 1u32..6).prop_map(|(slot, failures)| Step::Ask { slot, failures }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_the_laws_of_a_fleet(seed: u64, steps in prop::collection::vec(any_step(), 1..200)) {
        let mut world = World::new(seed, true);
        for step in &steps {
            world.take(step);
        }
        // Whatever has happened, an edge that answers ends the hold.
        for _ in 0..10 {
            world.take(&Step::Pass(Duration::from_secs(2)));
            world.take(&Step::EdgeAnswers(true));
        }
        assert!(world.fleet.hold.is_none());
    }

    #[test]
    fn an_answer_of_the_edge_or_its_silence_never_makes_a_hold(seed: u64, steps in prop::collection::vec(any_step(), 1..200)) {
        let (mut hears, mut deaf) = (World::new(seed, true), World::new(seed, false));
        for step in &steps {
            hears.take(step);
            deaf.take(step);
            assert!(hears.fleet.hold.is_none() || deaf.fleet.hold.is_some(), "held for what the edge said");
        }
    }

    #[test]
    fn an_outage_restarts_each_connector_once_at_most(seed: u64, steps in prop::collection::vec(any_step(), 1..200)) {
        // One tunnel has no brake, whose canaries are started anew for another reason.
        let mut world = World { tunnels: &TUNNELS[..1], ..World::new(seed, true) };
        for slot in 0..SLOTS {
            world.take(&Step::See(slot, Seen::Connected));
        }
        for step in steps.iter().filter(|step| !matches!(step, Step::ClockStepped)) {
            let outages = world.fleet.outage.is_some();
            world.take(step);
            if world.fleet.outage.is_some() && !outages {
                world.account.revived.clear();
            }
            for (slot, times) in &world.account.revived {
                assert_eq!(*times, 1, "{slot} started anew {times} times");
            }
        }
    }

    #[test]
    fn the_brake_never_delays_a_start(seed: u64, steps in prop::collection::vec(any_step(), 1..100)) {
        // Every slot but one stumbles, so that the brake is on as often as can be; the other one exits.
        let mut world = World::new(seed, true);
        for slot in 0..SLOTS {
            world.take(&Step::See(slot, Seen::Connected));
        }
        for slot in 1..SLOTS {
            world.take(&Step::See(slot, Seen::Hung));
        }
        assert!(world.fleet.brake.due().is_some());
        for step in steps.iter().filter(|step| matches!(step, Step::Pass(_) | Step::EdgeAnswers(_) | Step::ClockStepped)) {
            world.take(step);
            world.take(&Step::Pass(Duration::from_secs(1)));
            let slot = world.slot(0);
            assert!(world.fleet.gate(&slot).admit(1, world.now).is_ok());
        }
    }
}
