//! Roll-outs over a small fleet that does what it is told, in time that the test counts.

use proptest::prelude::*;

use super::*;
use crate::connector::testing::start_of_time;

/// How a program behaves in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Good,
    /// It ends before it is ready.
    Crashes,
    /// It is taken away when it has not got ready in time.
    NeverReady,
    /// It ends this long after it got ready.
    Dies(Duration),
    /// Somebody ends it, once, before it is ready.
    Killed,
}

struct Fleet {
    rollout: Rollout,
    slots: BTreeMap<SlotId, Sim>,
    /// How the other program behaves; all others are good.
    behaviour: BTreeMap<SlotId, Behaviour>,
    now: Instant,
    told: Vec<ProgramHappening>,
}

struct Sim {
    generation: u64,
    serving: (u64, BinaryId),
    ready_since: Option<Instant>,
    successor: Option<Successor>,
    retry_at: Option<Instant>,
    wanted: bool,
    failing: bool,
}

struct Successor {
    generation: u64,
    binary: BinaryId,
    ready_at: Option<Instant>,
    gone_at: Option<Instant>,
    given_up_at: Instant,
}

const HEALTHY_MIN: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(180);
const RETRY: Duration = Duration::from_secs(300);
const TICK: Duration = Duration::from_secs(1);

fn binary(number: u64) -> Binary {
    let id = BinaryId { device: 1, inode: number, size: 1, modified_seconds: 0, modified_nanos: 0 };
    Binary { id, version: format!("2026.{number}.0") }
}

fn slot(tunnel: &str, replica: u8) -> SlotId {
    SlotId::new(tunnel.parse().unwrap(), replica)
}

/// A fleet of these replicas that serves as program 1.
fn fleet(tunnels: &[(&str, u8)]) -> Fleet {
    let now = start_of_time();
    let mut rollout = Rollout::resume(RolloutMemory::default(), [], RETRY);
    rollout.set_trusted_held(true);
    rollout.handle_installed(Ok(binary(1)), now);
    let slots = tunnels.iter().flat_map(|(tunnel, replicas)| (0..*replicas).map(|replica| slot(tunnel, replica)));
    let sim = || Sim {
        generation: 1,
        serving: (1, binary(1).id),
        ready_since: Some(now),
        successor: None,
        retry_at: None,
        wanted: true,
        failing: false,
    };
    let slots = slots.map(|slot| (slot, sim())).collect();
    Fleet { rollout, slots, behaviour: BTreeMap::new(), now, told: Vec::new() }
}

impl Fleet {
    fn install(&mut self, number: u64) {
        self.rollout.handle_installed(Ok(binary(number)), self.now);
    }

    fn programs(&self) -> Vec<Programs> {
        let programs = |sim: &Sim| SlotPrograms {
            wanted: sim.wanted,
            serving: Some((Generation(sim.serving.0), Some(sim.serving.1))),
            ready_since: sim.ready_since,
            successor: sim.successor.as_ref().map(|successor| Generation(successor.generation)),
            failing: sim.failing,
        };
        self.slots.iter().map(|(slot, sim)| (Arc::new(slot.clone()), programs(sim))).collect()
    }

    /// One second passes.
    fn tick(&mut self) {
        self.now += TICK;
        let ids: Vec<SlotId> = self.slots.keys().cloned().collect();
        for slot in &ids {
            self.let_successor_live(slot);
            self.let_serving_die(slot);
        }
        self.rollout.step(&self.programs(), self.now);
        // What is wanted differs: one of the host begins.
        let is_replacing = self.slots.values().any(|sim| sim.successor.is_some());
        for slot in ids {
            let wish = self.rollout.wish(&slot);
            let sim = self.slots.get_mut(&slot).unwrap();
            if let Some(successor) = &sim.successor
                && wish.id.is_some_and(|id| id != successor.binary)
            {
                let (generation, reason) = (Generation(successor.generation), Reason::new("superseded", ""));
                sim.successor = None;
                self.rollout.hear(&slot, &Happening::ReplacementFailed { generation, reason, retry: None }, self.now);
                continue;
            }
            let differs = wish.id.is_some_and(|id| id != sim.serving.1);
            if !differs {
                sim.retry_at = None;
            } else if sim.wanted && !is_replacing && sim.successor.is_none() && sim.retry_at.is_none_or(|at| at <= self.now) {
                self.begin(&slot, wish);
                break;
            }
        }
        while let Some(happening) = self.rollout.next_notice() {
            self.told.push(happening);
        }
        self.check();
    }

    fn begin(&mut self, slot: &SlotId, wish: BinaryWish) {
        let behaviour = self.behaviour_of(slot, wish.id.unwrap());
        let sim = self.slots.get_mut(slot).unwrap();
        sim.generation += 1;
        let (ready_at, gone_at) = match behaviour {
            Behaviour::Good => (Some(self.now), None),
            Behaviour::Crashes | Behaviour::Killed => (None, Some(self.now + TICK)),
            Behaviour::NeverReady => (None, None),
            Behaviour::Dies(after) => (Some(self.now), Some(self.now + after)),
        };
        let binary = wish.id.unwrap();
        let given_up_at = self.now + DEADLINE;
        sim.successor = Some(Successor { generation: sim.generation, binary, ready_at, gone_at, given_up_at });
        let (generation, successor) = (Generation(sim.serving.0), Generation(sim.generation));
        let restart = crate::connector::RestartReason::Upgrade;
        self.rollout.hear(slot, &Happening::Replacing { generation, successor, restart }, self.now);
    }

    fn let_successor_live(&mut self, slot: &SlotId) {
        let healthy_min = self.rollout.wish(slot).healthy_min.unwrap_or(HEALTHY_MIN).max(HEALTHY_MIN);
        let sim = self.slots.get_mut(slot).unwrap();
        let Some(successor) = &sim.successor else { return };
        let generation = Generation(successor.generation);
        if successor.gone_at.is_some_and(|at| at <= self.now) {
            let reason = Reason::new("exit", "it failed");
            if self.behaviour.get(slot) == Some(&Behaviour::Killed) {
                self.rollout.excuse(slot, generation);
                self.behaviour.insert(slot.clone(), Behaviour::Good);
            }
            let (sim, retry) = (self.slots.get_mut(slot).unwrap(), Some(RETRY));
            (sim.successor, sim.retry_at) = (None, Some(self.now + RETRY));
            let exited =
                Happening::Exited { generation, how: "exit code 3".into(), lived: TICK, asked: false, reason: reason.clone() };
            self.rollout.hear(slot, &exited, self.now);
            self.rollout.hear(slot, &Happening::ReplacementFailed { generation, reason, retry }, self.now);
        } else if let Some(at) = successor.ready_at {
            if at + healthy_min <= self.now {
                sim.serving = (successor.generation, successor.binary);
                sim.ready_since = Some(at);
                sim.successor = None;
            }
        } else if successor.given_up_at <= self.now {
            (sim.successor, sim.retry_at) = (None, Some(self.now + RETRY));
            let reason = Reason::new("not-ready", "it was not ready in time");
            self.rollout.hear(slot, &Happening::ReplacementFailed { generation, reason, retry: Some(RETRY) }, self.now);
        }
    }

    /// The process that serves ends, and another is started in its place.
    fn let_serving_die(&mut self, slot: &SlotId) {
        let behaviour = self.behaviour_of(slot, self.slots[slot].serving.1);
        let sim = self.slots.get_mut(slot).unwrap();
        let (Behaviour::Dies(after), Some(since)) = (behaviour, sim.ready_since) else { return };
        if since + after > self.now {
            return;
        }
        let exited = Happening::Exited {
            generation: Generation(sim.serving.0),
            how: "signal 11".into(),
            lived: after,
            asked: false,
            reason: Reason::new("exit", "it failed"),
        };
        self.rollout.hear(slot, &exited, self.now);
        let binary = self.rollout.wish(slot).id.unwrap_or(sim.serving.1);
        sim.generation += 1;
        sim.serving = (sim.generation, binary);
        sim.ready_since = Some(self.now);
        let starting = Happening::Starting { generation: Generation(sim.generation), restart: None };
        self.rollout.hear(slot, &starting, self.now);
    }

    fn behaviour_of(&self, slot: &SlotId, binary_id: BinaryId) -> Behaviour {
        if binary_id == binary(1).id { Behaviour::Good } else { self.behaviour.get(slot).copied().unwrap_or(Behaviour::Good) }
    }

    fn check(&self) {
        let Some(upgrade) = &self.rollout.upgrade else { return };
        if let Stage::Canary { .. } | Stage::Waiting { .. } = upgrade.stage {
            let is_inherited = |slot: &SlotId| upgrade.moves.get(slot).is_some_and(|step| step.is_inherited);
            let begun = upgrade.moves.values().filter(|step| !step.is_inherited).count();
            assert!(begun <= 1, "two canaries: {:?}", upgrade.moves);
            let is_other = |sim: &Sim| sim.wanted && sim.serving.1 == upgrade.to.id;
            let others = self.slots.iter().filter(|(slot, sim)| is_other(sim) && !is_inherited(slot)).count();
            assert!(others <= 1, "{others} connectors are the other program before the first has passed");
        }
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.tick();
        }
    }

    fn all_are(&self, number: u64) -> bool {
        self.slots.values().all(|sim| sim.serving.1 == binary(number).id && sim.successor.is_none())
    }

    fn said(&self, which: impl Fn(&ProgramHappening) -> bool) -> usize {
        self.told.iter().filter(|happening| which(happening)).count()
    }

    fn canary(&self) -> Option<String> {
        self.told.iter().rev().find_map(|happening| {
            let ProgramHappening::CanaryStarted { slot, .. } = happening else { return None };
            Some(slot.to_string())
        })
    }
}

fn is_roll_back(happening: &ProgramHappening) -> bool {
    matches!(happening, ProgramHappening::RolledBack { .. })
}

#[test]
fn the_first_program_is_used_without_a_trial() {
    let mut fleet = fleet(&[("web", 2)]);
    fleet.run(Duration::from_secs(5));
    assert_eq!(fleet.told, [ProgramHappening::InUse { version: "2026.1.0".to_owned() }]);
    assert!(fleet.rollout.is_quiet() && fleet.all_are(1));
}

#[test]
fn one_connector_of_a_tunnel_with_others_tries_first_for_the_whole_time_and_the_rest_follow() {
    let mut fleet = fleet(&[("api", 1), ("web", 3), ("zoo", 2)]);
    fleet.install(2);
    fleet.run(OBSERVATION - TICK);
    assert_eq!((fleet.canary().as_deref(), fleet.rollout.shown().0), (Some("web/2"), RolloutState::Canary));
    fleet.run(Duration::from_secs(90));
    assert!(fleet.all_are(2) && fleet.rollout.is_quiet(), "{:?}", fleet.told);
    assert_eq!(fleet.said(|happening| matches!(happening, ProgramHappening::Confirmed { .. })), 1);
}

#[test]
fn a_failure_of_the_first_or_of_a_later_one_takes_all_back_and_is_not_tried_again() {
    let late = Behaviour::Dies(Duration::from_secs(10));
    for (who, how) in [("web", Behaviour::Crashes), ("web", Behaviour::NeverReady), ("api", Behaviour::Crashes), ("api", late)] {
        let mut fleet = fleet(&[("api", 1), ("web", 2), ("zoo", 1)]);
        fleet.behaviour.insert(slot(who, if who == "web" { 1 } else { 0 }), how);
        fleet.install(2);
        fleet.run(Duration::from_secs(600));
        assert_eq!(fleet.said(is_roll_back), 1, "{who} {how:?}: {:?}", fleet.told);
        assert!(fleet.all_are(1) && fleet.rollout.is_quiet(), "{who} {how:?}");
        assert_eq!(fleet.rollout.shown().0, RolloutState::RolledBack);

        fleet.rollout.handle_installed(Ok(binary(2)), fleet.now);
        fleet.run(Duration::from_secs(60));
        assert!(fleet.all_are(1), "the same file is not tried again");
        fleet.behaviour.clear();
        fleet.install(3);
        fleet.run(Duration::from_secs(200));
        assert!(fleet.all_are(3) && fleet.rollout.shown().0 == RolloutState::Settled);
    }
}

#[test]
fn an_operator_has_it_tried_again_where_he_restarts() {
    let mut fleet = fleet(&[("api", 1), ("web", 2)]);
    fleet.behaviour.insert(slot("web", 1), Behaviour::Crashes);
    fleet.install(2);
    fleet.run(Duration::from_secs(60));
    assert_eq!(fleet.said(is_roll_back), 1);
    fleet.behaviour.clear();
    fleet.rollout.handle_operator(&"api".parse().unwrap(), fleet.now);
    fleet.run(Duration::from_secs(120));
    assert_eq!(fleet.canary().as_deref(), Some("api/0"));
    assert!(fleet.all_are(2));
}

#[test]
fn what_says_nothing_about_the_program_only_postpones() {
    let mut fleet = fleet(&[("web", 2)]);
    fleet.behaviour.insert(slot("web", 1), Behaviour::Killed);
    fleet.install(2);
    fleet.run(Duration::from_secs(10));
    assert_eq!((fleet.said(is_roll_back), fleet.rollout.shown().0), (0, RolloutState::Waiting));
    fleet.run(RETRY + Duration::from_secs(120));
    assert!(fleet.all_are(2), "{:?}", fleet.told);
}

#[test]
fn one_that_does_not_get_ready_where_nobody_is_proves_nothing() {
    let mut fleet = fleet(&[("web", 1)]);
    fleet.behaviour.insert(slot("web", 0), Behaviour::NeverReady);
    fleet.install(2);
    fleet.tick();
    // The uplink goes away with the trial under way.
    fleet.slots.values_mut().for_each(|sim| sim.ready_since = None);
    fleet.run(DEADLINE + Duration::from_secs(10));
    assert_eq!((fleet.said(is_roll_back), fleet.rollout.shown().0), (0, RolloutState::Waiting));
    // It waits for one that is fit.
    fleet.run(RETRY * 2);
    assert_eq!(fleet.said(|happening| matches!(happening, ProgramHappening::CanaryStarted { .. })), 1);
    fleet.behaviour.clear();
    fleet.slots.values_mut().for_each(|sim| sim.ready_since = Some(fleet.now));
    fleet.run(Duration::from_secs(120));
    assert!(fleet.all_are(2));
}

#[test]
fn one_that_does_not_get_ready_where_its_former_program_is_not_either_proves_nothing() {
    let mut fleet = fleet(&[("api", 1), ("web", 1)]);
    let canary = slot("api", 0);
    fleet.behaviour.insert(canary.clone(), Behaviour::NeverReady);
    fleet.install(2);
    fleet.tick();
    assert_eq!(fleet.canary(), Some(canary.to_string()));
    // Only this tunnel's part of the edge goes away.
    fleet.slots.get_mut(&canary).unwrap().ready_since = None;
    fleet.run(DEADLINE + Duration::from_secs(10));
    assert_eq!(fleet.said(is_roll_back), 0, "{:?}", fleet.told);
}

#[test]
fn what_the_edge_does_not_register_is_no_fault_of_the_program() {
    let mut fleet = fleet(&[("api", 1), ("web", 1)]);
    fleet.install(2);
    fleet.tick();
    let canary = slot("api", 0);
    let successor = fleet.slots[&canary].successor.as_ref().map(|successor| Generation(successor.generation));
    let reason = Reason::new("registration-refused", "its tunnel may be deleted");
    let refused = Happening::ReplacementFailed { generation: successor.unwrap(), reason, retry: None };
    fleet.rollout.hear(&canary, &refused, fleet.now);
    assert_eq!((fleet.rollout.shown().0, fleet.said(is_roll_back)), (RolloutState::Waiting, 0));
}

#[test]
fn where_all_fail_one_that_fails_tries_it_and_nothing_is_held_against_it() {
    let mut fleet = fleet(&[("web", 2)]);
    fleet.slots.values_mut().for_each(|sim| (sim.ready_since, sim.failing) = (None, true));
    fleet.install(2);
    fleet.tick();
    assert_eq!(fleet.canary().as_deref(), Some("web/0"));
    let generation = Generation(9);
    fleet.rollout.hear(&slot("web", 0), &Happening::Starting { generation, restart: None }, fleet.now);
    let reason = Reason::new("exit", "it fails as before");
    let exited = Happening::Exited { generation, how: "exit code 1".into(), lived: TICK, asked: false, reason };
    fleet.rollout.hear(&slot("web", 0), &exited, fleet.now);
    assert_eq!(fleet.rollout.shown().0, RolloutState::Waiting);
}

#[test]
fn without_any_connector_there_is_nothing_to_be_careful_with() {
    let mut fleet = fleet(&[("web", 1)]);
    fleet.slots.values_mut().for_each(|sim| sim.wanted = false);
    fleet.install(2);
    fleet.tick();
    assert_eq!(fleet.rollout.trusted(), Some(&binary(2)));
}

#[test]
fn the_former_file_back_in_its_place_ends_a_roll_out() {
    let mut fleet = fleet(&[("web", 2), ("api", 1)]);
    fleet.install(2);
    fleet.run(OBSERVATION + Duration::from_secs(5));
    fleet.install(1);
    fleet.run(Duration::from_secs(60));
    assert!(fleet.all_are(1) && fleet.rollout.is_quiet());
}

#[test]
fn a_broken_file_changes_nothing_and_a_roll_out_under_way_goes_on() {
    let mut fleet = fleet(&[("web", 2)]);
    fleet.rollout.handle_installed(Err(Reason::new("binary-too-old", "it is too old")), fleet.now);
    fleet.run(Duration::from_secs(60));
    assert!(fleet.all_are(1) && fleet.rollout.shown().2.is_some());
    fleet.install(2);
    fleet.run(Duration::from_secs(5));
    fleet.rollout.handle_installed(Err(Reason::new("binary-missing", "it is gone")), fleet.now);
    fleet.run(Duration::from_secs(120));
    assert!(fleet.all_are(2));
}

#[test]
fn the_next_daemon_knows_what_was_refused_and_goes_on_with_a_roll_out() {
    let now = start_of_time();
    let refused = Refused { binary: binary(2), reason: Reason::new("upgrade-rolled-back", "it failed") };
    let memory = RolloutMemory { trusted: Some(binary(1)), refused: Some(refused) };
    let mut rollout = Rollout::resume(memory.clone(), [binary(1).id], RETRY);
    rollout.set_trusted_held(true);
    rollout.handle_installed(Ok(binary(2)), now);
    assert_eq!((rollout.shown().0, rollout.memory()), (RolloutState::RolledBack, memory.clone()));
    assert_eq!(rollout.wish(&slot("web", 0)).id, Some(binary(1).id));

    // Where nothing runs as the trusted one and it cannot be started, the refused one is all that there is.
    let mut rollout = Rollout::resume(memory, [], RETRY);
    rollout.handle_installed(Ok(binary(2)), now);
    assert_eq!(rollout.wish(&slot("web", 0)), BinaryWish::default());
    rollout.step(&[(Arc::new(slot("web", 0)), SlotPrograms { wanted: true, ..SlotPrograms::default() })], now);
    assert_eq!((rollout.trusted(), rollout.shown().0), (Some(&binary(2)), RolloutState::Settled));

    // A memory that is lost: what most of them are is trusted.
    let mut rollout = Rollout::resume(RolloutMemory::default(), [1, 1, 2].map(|number| binary(number).id), RETRY);
    rollout.set_trusted_held(true);
    rollout.handle_installed(Ok(binary(2)), now);
    assert_eq!((rollout.trusted().map(|trusted| trusted.id), rollout.shown().0), (Some(binary(1).id), RolloutState::Waiting));
}

#[test]
fn what_was_trusted_and_is_gone_with_its_last_process_is_not_waited_for() {
    let now = start_of_time();
    let memory = RolloutMemory { trusted: Some(binary(1)), refused: None };
    let mut rollout = Rollout::resume(memory, [], RETRY);
    rollout.handle_installed(Ok(binary(2)), now);
    rollout.step(&[(Arc::new(slot("web", 0)), SlotPrograms { wanted: true, ..SlotPrograms::default() })], now);
    assert_eq!((rollout.trusted(), rollout.shown().0), (Some(&binary(2)), RolloutState::Settled));
}

fn any_behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        4 => Just(Behaviour::Good),
        1 => Just(Behaviour::Crashes),
        1 => Just(Behaviour::NeverReady),
        1 => Just(Behaviour::Killed),
        1 => (1u64..60).prop_map(|seconds| Behaviour::Dies(Duration::from_secs(seconds))),
    ]
}

/// Something that happens meanwhile.
#[derive(Debug, Clone)]
enum Interruption {
    Operator(usize),
    Unwanted(usize),
    LosesConnections(usize),
    IsReadyAgain(usize),
    Broken,
}

fn any_interruption() -> impl Strategy<Value = Interruption> {
    prop_oneof![
        (0usize..6).prop_map(Interruption::Operator),
        (0usize..6).prop_map(Interruption::Unwanted),
        (0usize..6).prop_map(Interruption::LosesConnections),
        (0usize..6).prop_map(Interruption::IsReadyAgain),
        Just(Interruption::Broken),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_roll_out_ends_and_a_refused_program_keeps_no_connector(
        behaviours in prop::collection::vec(any_behaviour(), 6),
        interruptions in prop::collection::vec((1u64..200, any_interruption()), 0..8),
    ) {
        let mut fleet = fleet(&[("api", 1), ("web", 3), ("zoo", 2)]);
        let ids: Vec<SlotId> = fleet.slots.keys().cloned().collect();
        fleet.behaviour = ids.iter().cloned().zip(behaviours).collect();
        fleet.install(2);
        for (seconds, interruption) in interruptions {
            fleet.run(Duration::from_secs(seconds));
            let now = fleet.now;
            match interruption {
                Interruption::Operator(which) => fleet.rollout.handle_operator(&ids[which].tunnel, now),
                Interruption::Unwanted(which) => {
                    let sim = fleet.slots.get_mut(&ids[which]).unwrap();
                    (sim.wanted, sim.successor) = (false, None);
                }
                Interruption::LosesConnections(which) => fleet.slots.get_mut(&ids[which]).unwrap().ready_since = None,
                Interruption::IsReadyAgain(which) => fleet.slots.get_mut(&ids[which]).unwrap().ready_since = Some(now),
                Interruption::Broken => fleet.rollout.handle_installed(Err(Reason::new("binary-silent", "")), now),
            }
        }
        // Everything is well from here on; what is bad stays bad.
        let now = fleet.now;
        fleet.slots.values_mut().for_each(|sim| sim.ready_since = Some(now));
        fleet.run(Duration::from_secs(3 * 3600));

        prop_assert!(fleet.rollout.is_quiet(), "{:?} {:?}", fleet.rollout, fleet.told);
        let expected = fleet.rollout.trusted().unwrap().id;
        for (slot, sim) in fleet.slots.iter().filter(|(_, sim)| sim.wanted) {
            prop_assert!(sim.serving.1 == expected, "{slot} is not what is trusted: {:?}", fleet.told);
        }
        prop_assert_eq!(fleet.rollout.shown().0 == RolloutState::RolledBack, expected == binary(1).id);
    }
}

#[test]
fn the_connectors_of_a_renamed_tunnel_are_told_of_by_its_name() {
    let mut fleet = fleet(&[("web", 1)]);
    fleet.rollout.set_names(Names::resume(BTreeMap::from([("web".parse().unwrap(), "shop".parse().unwrap())])));
    fleet.behaviour.insert(slot("web", 0), Behaviour::Crashes);
    fleet.install(2);
    for _ in 0..10 {
        fleet.tick();
    }
    let started =
        |told: &ProgramHappening| matches!(told, ProgramHappening::CanaryStarted { slot: of, .. } if *of == slot("shop", 0));
    let failed =
        |told: &ProgramHappening| matches!(told, ProgramHappening::RolledBack { slot: of, .. } if *of == slot("shop", 0));
    assert!(fleet.told.iter().any(started) && fleet.told.iter().any(failed), "{:?}", fleet.told);
    let (_, _, reason) = fleet.rollout.shown();
    assert!(reason.unwrap().sentence.contains("adit tunnel restart shop"), "{reason:?}");
}
