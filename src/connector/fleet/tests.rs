//! One behaviour each, in time that the test counts.

use std::time::{Duration, Instant};

use rand::{SeedableRng, rngs::SmallRng};

use super::{edge::AWAITED_MAX, gate::Refusal, hold::HOLD_AFTER, *};
use crate::connector::testing::start_of_time;

const SECOND: Duration = Duration::from_secs(1);

/// A fleet, an edge that answers as it is told, and a clock.
struct Host {
    fleet: Fleet,
    now: Instant,
    edge: EdgeAnswer,
    questions: usize,
    looks: usize,
    revived: Vec<String>,
    released: Vec<String>,
    restrained: Vec<(String, bool)>,
    told: Vec<FleetNotice>,
}

fn silent() -> EdgeAnswer {
    EdgeAnswer::Silent("refused".to_owned())
}

fn host(edge: EdgeAnswer) -> Host {
    let now = start_of_time();
    Host {
        fleet: Fleet::new(now, SmallRng::seed_from_u64(3)),
        now,
        edge,
        questions: 0,
        looks: 0,
        revived: Vec::new(),
        released: Vec::new(),
        restrained: Vec::new(),
        told: Vec::new(),
    }
}

/// A host with these slots, all of which are connected.
fn connected(edge: EdgeAnswer, slots: &[&str]) -> Host {
    let mut host = host(edge);
    host.fleet.resize(slots.len(), host.now);
    host.all(slots, Standing::Connected);
    host
}

/// `web/1` as a slot.
fn slot(name: &str) -> SlotId {
    let (tunnel, replica) = name.split_once('/').unwrap();
    SlotId::new(tunnel.parse().unwrap(), replica.parse().unwrap())
}

impl Host {
    fn see(&mut self, name: &str, standing: Standing) {
        self.fleet.see(&slot(name), Some(standing), self.now);
        self.obey();
    }

    fn all(&mut self, names: &[&str], standing: Standing) {
        for name in names {
            self.see(name, standing);
        }
    }

    /// Lets time pass; the edge answers each question at once.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.fleet.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.fleet.handle_timeout(self.now);
            self.obey();
        }
        self.now = end;
    }

    fn obey(&mut self) {
        while let Some(command) = self.fleet.next_command() {
            match command {
                FleetCommand::ProbeEdge => {
                    self.questions += 1;
                    self.fleet.handle_edge(self.edge.clone(), self.now);
                }
                FleetCommand::LookAround => self.looks += 1,
                FleetCommand::Revive(slot) => self.revived.push(slot.to_string()),
                FleetCommand::Release(slot) => self.released.push(slot.to_string()),
                FleetCommand::Restrain { slot, restrained } => self.restrained.push((slot.to_string(), restrained)),
            }
        }
        while let Some(notice) = self.fleet.next_notice() {
            self.told.push(notice);
        }
    }

    fn admit(&mut self, name: &str, failures: u32) -> Result<(), Refusal> {
        self.fleet.gate(&slot(name)).admit(failures, self.now)
    }

    fn is_holding(&self) -> bool {
        self.fleet.hold.is_some()
    }

    fn unconnected(&mut self, names: &[&str]) {
        self.all(names, Standing::Unconnected { since: self.now });
    }
}

const TWO: [&str; 2] = ["api/0", "web/0"];
const FOUR: [&str; 4] = ["api/0", "api/1", "web/0", "web/1"];
const LOST: Standing = Standing::Lost;
const BROKEN: Standing = Standing::Waiting { environment: true };

#[test]
fn while_all_is_well_the_edge_is_never_asked() {
    let mut host = connected(silent(), &FOUR);
    host.pass(3_600 * SECOND);
    assert_eq!(host.questions, 0);
    assert_eq!(host.fleet.poll_timeout(), None);
    assert!(host.told.is_empty());
}

#[test]
fn a_start_on_a_good_network_asks_nothing() {
    let mut host = host(EdgeAnswer::Answers);
    host.unconnected(&TWO);
    host.pass(SECOND / 3);
    host.all(&TWO, Standing::Connected);
    host.pass(60 * SECOND);
    assert_eq!(host.questions, 0);
}

#[test]
fn one_connector_without_a_connection_while_others_have_some_is_its_own_affair() {
    let mut host = connected(EdgeAnswer::Answers, &TWO);
    host.see("web/0", LOST);
    host.pass(600 * SECOND);
    assert!(!host.is_holding() && host.told.is_empty() && host.revived.is_empty());
    assert!(host.questions > 0);
}

#[test]
fn no_connection_and_a_silent_edge_is_a_hold_after_five_seconds() {
    let mut host = connected(silent(), &TWO);
    host.all(&TWO, LOST);
    host.pass(HOLD_AFTER - SECOND / 10);
    assert!(!host.is_holding());
    host.pass(SECOND / 10);
    assert!(host.is_holding());
    let silence = Some("refused".to_owned());
    assert_eq!(host.told, [FleetNotice::UplinkLost { connectors: 2, silence }]);
    host.pass(3_600 * SECOND);
    assert!(host.revived.is_empty(), "no restart for lack of readiness");
}

#[test]
fn an_edge_that_answers_prevents_the_hold_and_connectors_that_never_connect_are_their_own_affair() {
    let mut host = host(EdgeAnswer::Answers);
    host.unconnected(&TWO);
    host.pass(3_600 * SECOND);
    assert!(host.told.is_empty() && host.revived.is_empty());
    assert!((50..200).contains(&host.questions), "about once a minute: {}", host.questions);
}

#[test]
fn when_the_edge_answers_again_each_connector_without_a_connection_starts_anew_once() {
    let mut host = connected(silent(), &FOUR);
    host.all(&FOUR, LOST);
    host.pass(600 * SECOND);
    host.edge = EdgeAnswer::Answers;
    host.pass(2 * SECOND);
    assert_eq!(host.revived, FOUR);
    assert!(matches!(host.told[..], [.., FleetNotice::UplinkBack { how: UplinkEnd::EdgeAnswers, restarting: 4, .. }]));
    host.pass(3_600 * SECOND);
    assert_eq!(host.revived.len(), 4, "once");
}

#[test]
fn thirty_connectors_start_anew_within_three_seconds_of_the_edges_return() {
    let names: Vec<String> = (0..30).map(|number| format!("t{number}/0")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut host = connected(silent(), &names);
    host.all(&names, LOST);
    host.pass(1_800 * SECOND);
    host.edge = EdgeAnswer::Answers;
    host.pass(AWAITED_MAX + SECOND);
    assert_eq!(host.revived.len(), 30);
}

#[test]
fn an_outage_is_noticed_also_while_the_edge_is_seldom_asked_for_another_reason() {
    let mut host = connected(EdgeAnswer::Answers, &FOUR);
    host.see("web/1", LOST);
    host.pass(600 * SECOND);
    host.edge = silent();
    host.all(&FOUR[..3], LOST);
    host.pass(20 * SECOND);
    assert!(host.is_holding());
    host.edge = EdgeAnswer::Answers;
    host.pass(2 * SECOND);
    assert_eq!(host.revived, FOUR);
}

#[test]
fn everything_lost_under_an_edge_that_answers_is_an_outage_that_is_over() {
    let mut host = connected(EdgeAnswer::Answers, &["web/0"]);
    host.see("web/0", LOST);
    host.pass(2 * SECOND);
    assert_eq!(host.revived, ["web/0"]);
    assert!(!host.is_holding());
}

#[test]
fn whoever_finds_back_alone_shows_that_the_outage_is_over() {
    let mut host = connected(silent(), &FOUR);
    host.all(&FOUR, LOST);
    host.pass(60 * SECOND);
    host.see("web/1", Standing::Connected);
    host.pass(SECOND);
    assert_eq!(host.revived, ["api/0", "api/1", "web/0"]);
    assert!(!host.is_holding());
    let how = UplinkEnd::Connected(slot("web/1"));
    assert!(matches!(&host.told[..], [.., FleetNotice::UplinkBack { how: told, .. }] if *told == how), "{:?}", host.told);
}

#[test]
fn a_connector_that_was_started_a_moment_ago_is_given_three_seconds() {
    let mut host = host(silent());
    host.unconnected(&["api/0"]);
    host.pass(30 * SECOND);
    host.unconnected(&["web/0"]);
    host.edge = EdgeAnswer::Answers;
    host.pass(2 * SECOND);
    assert_eq!(host.revived, ["api/0"]);
    host.see("web/0", Standing::Connected);
    host.pass(60 * SECOND);
    assert_eq!(host.revived, ["api/0"]);
}

#[test]
fn a_network_that_passes_only_udp_is_not_held() {
    let mut host = host(silent());
    host.all(&TWO, Standing::Starting);
    host.unconnected(&TWO);
    host.pass(2 * SECOND);
    host.all(&TWO, Standing::Connected);
    host.pass(600 * SECOND);
    assert!(host.told.is_empty() && host.revived.is_empty());
    assert_eq!(host.admit("web/0", 9), Ok(()));
}

#[test]
fn under_a_hold_exits_after_a_good_run_pass_and_crash_loops_wait_all_but_one() {
    let mut host = connected(silent(), &FOUR);
    host.all(&FOUR, BROKEN);
    host.pass(10 * SECOND);
    assert!(host.is_holding());
    assert_eq!(host.admit("web/0", 1), Ok(()));
    host.pass(SECOND);
    assert_eq!(host.admit("api/0", 5), Ok(()), "the canary");
    for name in ["api/1", "web/0", "web/1"] {
        let refusal = host.admit(name, 5).unwrap_err();
        assert!(matches!(refusal, Refusal::NoUplink(until) if until >= host.now + 30 * SECOND), "{refusal:?}");
    }
}

#[test]
fn another_canary_starts_when_the_first_has_had_its_time() {
    let mut host = connected(silent(), &TWO);
    host.all(&TWO, BROKEN);
    host.pass(10 * SECOND);
    assert_eq!(host.admit("api/0", 5), Ok(()));
    host.see("api/0", Standing::Starting);
    let until = host.admit("web/0", 5).unwrap_err().until();
    host.see("api/0", BROKEN);
    assert!(host.admit("api/0", 6).is_err(), "not the same at once");
    host.now = until;
    assert_eq!(host.admit("web/0", 5), Ok(()));
    assert_eq!(host.fleet.hold.as_ref().and_then(|hold| hold.canary()), Some(&slot("web/0")));
}

#[test]
fn a_canary_that_connects_ends_the_hold_for_all() {
    let mut host = connected(silent(), &TWO);
    host.all(&TWO, BROKEN);
    host.pass(10 * SECOND);
    assert_eq!(host.admit("api/0", 5), Ok(()));
    assert!(host.admit("web/0", 5).is_err());
    host.see("api/0", Standing::Starting);
    host.see("api/0", Standing::Connected);
    host.pass(SECOND);
    assert!(!host.is_holding());
    assert_eq!(host.released, ["web/0"]);
    assert_eq!(host.revived, ["web/0"]);
    assert_eq!(host.admit("web/0", 5), Ok(()));
}

#[test]
fn a_hold_ends_when_nobody_needs_the_uplink() {
    let mut host = connected(silent(), &TWO);
    host.all(&TWO, LOST);
    host.pass(10 * SECOND);
    host.all(&TWO, Standing::Aside);
    assert!(!host.is_holding());
    assert!(matches!(host.told[..], [_, FleetNotice::UplinkBack { how: UplinkEnd::NotNeeded, restarting: 0, .. }]));
    assert_eq!(host.fleet.poll_timeout(), None);
}

#[test]
fn a_hold_that_was_released_in_vain_comes_again_when_the_answer_is_old() {
    let mut host = connected(EdgeAnswer::Answers, &TWO);
    host.all(&TWO, BROKEN);
    host.pass(10 * SECOND);
    assert!(!host.is_holding());
    host.edge = silent();
    host.pass(200 * SECOND);
    assert!(host.is_holding());
}

#[test]
fn who_loses_everything_has_the_others_looked_at() {
    let mut host = connected(silent(), &FOUR);
    host.all(&FOUR[..2], LOST);
    assert_eq!(host.looks, 1, "once for all who lose it at the same time");
    host.pass(5 * SECOND);
    host.see("web/0", LOST);
    assert_eq!(host.looks, 2);
    host.pass(5 * SECOND);
    host.see("web/1", LOST);
    assert_eq!(host.looks, 2, "nobody is left to be looked at");
}

#[test]
fn a_stepped_clock_starts_anew_whoever_has_no_connection_once_a_minute_at_most() {
    let mut host = connected(EdgeAnswer::Answers, &FOUR);
    host.see("web/0", LOST);
    host.pass(20 * SECOND);
    assert!(host.revived.is_empty());
    for _ in 0..3 {
        host.fleet.handle_clock_step(host.now);
        host.obey();
    }
    assert_eq!(host.revived, ["web/0"]);
    assert_eq!(host.told, [FleetNotice::ClockStepped { restarting: 1 }]);
}

#[test]
fn a_host_that_wakes_up_before_its_network_does_not_wait_for_the_next_outage() {
    let mut host = connected(silent(), &["web/0"]);
    host.see("web/0", LOST);
    host.fleet.handle_clock_step(host.now);
    host.pass(6 * SECOND);
    assert_eq!(host.revived.len(), 1, "for the clock");
    host.edge = EdgeAnswer::Answers;
    host.pass(2 * SECOND);
    assert_eq!(host.revived.len(), 2, "for the network");
}

#[test]
fn an_outage_right_after_another_is_followed_by_restarts_too() {
    let mut host = connected(silent(), &TWO);
    for round in 1..=3 {
        host.edge = silent();
        host.all(&TWO, LOST);
        host.pass(30 * SECOND);
        host.edge = EdgeAnswer::Answers;
        host.pass(2 * SECOND);
        assert_eq!(host.revived.len(), 2 * round);
        host.all(&TWO, Standing::Starting);
        host.all(&TWO, Standing::Connected);
    }
}

#[test]
fn restarts_that_bring_no_connection_become_rare() {
    let mut host = connected(silent(), &["web/0"]);
    host.see("web/0", LOST);
    for _ in 0..120 {
        host.edge = silent();
        host.pass(20 * SECOND);
        host.edge = EdgeAnswer::Answers;
        host.pass(10 * SECOND);
    }
    assert!((4..=9).contains(&host.revived.len()), "in an hour: {}", host.revived.len());
}

#[test]
fn a_crash_looping_tunnel_leaves_room_for_others() {
    let mut host = connected(EdgeAnswer::Answers, &FOUR);
    let mut waited = Duration::ZERO;
    while host.admit("web/0", 7).is_ok() {}
    while let Err(refusal) = host.admit("web/1", 7) {
        waited += refusal.until() - host.now;
        assert_eq!(host.admit("api/0", 1), Ok(()), "the first failure of another tunnel");
        host.now = refusal.until();
        assert!(waited < 5 * SECOND);
    }
}

#[test]
fn a_few_starts_are_under_way_at_once_and_slow_ones_make_room() {
    let mut host = host(EdgeAnswer::Answers);
    let mut started = 0;
    while host.fleet.has_room_to_start(host.now) {
        host.fleet.handle_start(&SlotId::new("web".parse().unwrap(), started), Generation(1), host.now);
        started += 1;
    }
    assert_eq!(started, 5);
    host.see("web/3", Standing::Unconnected { since: host.now });
    assert!(host.fleet.has_room_to_start(host.now));
    host.fleet.handle_start(&slot("web/5"), Generation(1), host.now);
    let at = host.fleet.room_to_start_at().expect("there is no room");
    assert!(at <= host.now + SECOND / 4);
    assert!(host.fleet.has_room_to_start(at));
}

#[test]
fn most_connectors_in_trouble_at_once_brake_what_is_replaced_for_hanging() {
    let mut host = connected(EdgeAnswer::Answers, &FOUR);
    host.all(&["api/0", "api/1"], Standing::Hung);
    assert!(host.told.is_empty(), "half is not most");
    host.see("web/0", LOST);
    assert_eq!(host.told, [FleetNotice::BrakeOn { stumbled: 3, of: 4 }]);
    assert_eq!(host.restrained.len(), 4);
}

#[test]
fn exits_are_no_stumbling() {
    let mut host = connected(EdgeAnswer::Answers, &FOUR);
    host.all(&FOUR[..3], Standing::Waiting { environment: false });
    host.all(&FOUR[..3], Standing::Starting);
    assert!(host.told.is_empty());
}

#[test]
fn a_few_connectors_or_those_of_one_tunnel_prove_no_common_cause() {
    for names in [&["a/0", "b/0", "c/0"][..], &["a/0", "a/1", "a/2", "a/3", "a/4"]] {
        let mut host = connected(EdgeAnswer::Answers, names);
        host.all(names, Standing::Hung);
        host.pass(60 * SECOND);
        assert!(host.told.is_empty(), "{:?}", host.told);
    }
}

#[test]
fn trouble_that_is_spread_over_minutes_has_no_common_cause() {
    let mut host = connected(EdgeAnswer::Answers, &FOUR);
    for name in FOUR {
        host.see(name, Standing::Hung);
        host.pass(31 * SECOND);
    }
    assert!(host.told.is_empty());
}

#[test]
fn the_brake_ends_by_recovery_and_lets_go_of_those_that_still_hang_one_after_another() {
    let mut host = connected(EdgeAnswer::Answers, &FOUR);
    host.all(&FOUR[..3], Standing::Hung);
    host.restrained.clear();
    host.see("api/0", Standing::Connected);
    assert_eq!(host.told.last(), Some(&FleetNotice::BrakeOff(BrakeEnd::Recovered)));
    assert_eq!(host.restrained, [("api/0".to_owned(), false), ("web/1".to_owned(), false)]);
    // Each is asked once more before.
    host.pass(7 * SECOND);
    assert_eq!(host.restrained.len(), 2);
    host.pass(11 * SECOND);
    assert_eq!(host.restrained.len(), 4);
}

#[test]
fn one_canary_is_tried_and_when_it_gets_through_the_others_follow() {
    let mut host = connected(EdgeAnswer::Answers, &FOUR);
    host.all(&FOUR[..2], Standing::Hung);
    host.see("web/0", LOST);
    host.restrained.clear();
    host.pass(31 * SECOND);
    assert_eq!(host.restrained, [("api/0".to_owned(), false)]);
    host.see("api/0", Standing::Connected);
    assert_eq!(host.told.last(), Some(&FleetNotice::BrakeOff(BrakeEnd::CanaryReady)));
    host.pass(18 * SECOND);
    assert_eq!(host.revived, ["web/0"]);
    assert!(host.restrained.contains(&("api/1".to_owned(), false)));
}

#[test]
fn the_brake_ends_by_time() {
    let mut host = connected(EdgeAnswer::Answers, &FOUR);
    host.all(&FOUR, Standing::Hung);
    host.pass(299 * SECOND);
    assert_eq!(host.told.len(), 1);
    host.pass(20 * SECOND);
    assert_eq!(host.told.last(), Some(&FleetNotice::BrakeOff(BrakeEnd::TimeOver)));
    let let_go = host.restrained.iter().filter(|(_, restrained)| !restrained).count();
    assert!(let_go >= 4);
    host.pass(3_600 * SECOND);
    assert_eq!(host.told.len(), 2, "it does not come again for the same trouble");
}
