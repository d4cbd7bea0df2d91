//! Causes between a connector and the edge: what is told, what is done, and what is not.

use super::*;
use crate::connector::{Finding, LaunchFacts, Protocol, Said, Transport};

const ONLY_HTTP2: Said = Said::Prechecked { suggested: Some(Protocol::Http2) };
const OVER_QUIC: Said = Said::Registered { protocol: Some(Protocol::Quic) };

impl Bench {
    fn says(&mut self, generation: u64, said: &Said) {
        self.slot.handle_said(Generation(generation), said, self.now);
        self.obey();
    }

    fn findings(&mut self) -> Vec<Finding> {
        std::iter::from_fn(|| self.slot.next_finding()).collect()
    }

    fn transports(&self) -> Vec<Transport> {
        self.spawned.iter().map(|(_, launch)| launch.transport).collect()
    }

    fn code(&self) -> String {
        self.slot.reason().code.into_owned()
    }

    fn host_begins_with(&mut self, transport: Transport) {
        self.slot.handle_host_transport(transport, self.now);
        self.obey();
    }
}

fn connected(connector: &str) -> Probe {
    answer(connector, 4, VersionReading::Version(1))
}

fn unconnected(connector: &str) -> Probe {
    answer(connector, 0, VersionReading::Missing)
}

/// A slot whose first generation answers and has no connection yet.
fn unready(launch: Launch) -> Bench {
    let mut bench = bench();
    bench.answers_with(1, unconnected("a"));
    bench.want(launch);
    bench.run_for(Duration::from_secs(10));
    bench
}

/// A slot that serves over HTTP/2, as its host has found out that QUIC does not get through.
fn fallen_back() -> Bench {
    let mut bench = bench();
    bench.host_begins_with(Transport::Http2);
    bench.answers_with(1, connected("a"));
    bench.want(launch());
    bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
    bench
}

/// A slot whose generation was ready for a while and lost its last connection.
fn lost() -> Bench {
    let mut bench = ready();
    bench.says(1, &OVER_QUIC);
    bench.run_for(Duration::from_secs(60));
    bench.answers_with(1, answer("a", 0, VersionReading::Version(1)));
    bench.run_until("lost", |bench| bench.code() == "lost-connections");
    bench
}

#[test]
fn what_only_gets_through_over_http2_is_started_over_it_at_once() {
    let mut bench = unready(launch());
    bench.says(1, &ONLY_HTTP2);
    assert_eq!(bench.transports(), [Transport::AsConfigured, Transport::Http2]);
    assert_eq!((bench.findings(), bench.terminated.as_slice()), (vec![Finding::QuicBlocked], [Generation(1)].as_slice()));
    assert_eq!(bench.said(|happening| matches!(happening, Happening::FellBack { .. })), 1);
    bench.answers_with(2, connected("b"));
    bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
    assert_eq!(bench.code(), "transport-fallback");
}

#[test]
fn nothing_is_done_where_the_operator_fixed_the_protocol_or_nothing_gets_through() {
    let fixed = Launch { protocol: "quic".into(), ..launch() };
    for (launch, said) in [(fixed, ONLY_HTTP2), (launch(), Said::Prechecked { suggested: None })] {
        let mut bench = unready(launch);
        bench.says(1, &said);
        (0..9).for_each(|_| bench.says(1, &Said::QuicDialFailed));
        assert_eq!((bench.spawned.len(), bench.findings().len()), (1, 0), "{said:?}");
    }
}

#[test]
fn a_connector_that_has_used_quic_does_not_believe_that_it_is_blocked() {
    let mut bench = unready(launch());
    bench.says(1, &OVER_QUIC);
    bench.says(1, &ONLY_HTTP2);
    assert_eq!(bench.spawned.len(), 1);
}

#[test]
fn dials_that_fail_again_and_again_are_as_good_as_a_check() {
    let mut bench = unready(launch());
    bench.says(1, &Said::QuicDialFailed);
    bench.says(1, &Said::QuicDialFailed);
    assert_eq!(bench.spawned.len(), 1);
    bench.says(1, &Said::QuicDialFailed);
    assert_eq!(bench.transports(), [Transport::AsConfigured, Transport::Http2]);
}

#[test]
fn who_has_answered_is_not_refused_whatever_its_end_looks_like() {
    let mut silent = bench();
    silent.want(launch());
    silent.exit(1, &exited(255, "requires the ID or name of the tunnel"));
    assert_eq!((silent.slot.state(), silent.code().as_str()), (State::Blocked, "refused"));
    let mut waiting = unready(launch());
    waiting.exit(1, &exited(255, "what nobody knows"));
    waiting.run_until("started again", |bench| bench.spawned.len() == 2);
    assert!(waiting.now - waiting.start < Duration::from_secs(30), "the slot was blocked");
}

#[test]
fn what_one_found_out_moves_those_who_have_no_connection_and_nobody_else() {
    let mut waiting = unready(launch());
    waiting.host_begins_with(Transport::Http2);
    assert_eq!(waiting.transports(), [Transport::AsConfigured, Transport::Http2]);
    assert!(waiting.findings().is_empty());
    let mut serving = ready();
    serving.host_begins_with(Transport::Http2);
    assert_eq!((serving.spawned.len(), serving.slot.wants_turn()), (1, None));
}

#[test]
fn http2_that_does_not_help_either_is_given_up_for_a_while() {
    let mut bench = unready(launch());
    bench.says(1, &ONLY_HTTP2);
    bench.exit(1, &exited(0, ""));
    bench.answers_with(2, unconnected("b"));
    bench.answers_with(3, unconnected("c"));
    bench.run_until("started as configured", |bench| bench.spawned.len() == 3);
    assert_eq!(bench.transports()[2], Transport::AsConfigured);
    bench.exit(2, &exited(0, ""));
    bench.says(3, &ONLY_HTTP2);
    assert_eq!(bench.spawned.len(), 3, "it has just been tried");
    bench.run_for(Duration::from_secs(600));
    bench.says(3, &ONLY_HTTP2);
    assert_eq!(bench.transports()[3], Transport::Http2);
}

#[test]
fn a_trial_of_quic_takes_over_when_it_is_ready() {
    let mut bench = fallen_back();
    assert_eq!(bench.transports(), [Transport::Http2]);
    assert!(bench.slot.handle_trial(bench.now));
    bench.obey();
    assert_eq!(bench.transports(), [Transport::Http2, Transport::Quic]);
    assert!(bench.terminated.is_empty(), "the one that serves goes on");
    bench.answers_with(2, connected("b"));
    bench.run_until("replaced", |bench| bench.terminated == [Generation(1)]);
    assert_eq!((bench.findings(), bench.code()), (vec![Finding::QuicWorks], "ready".to_owned()));
}

#[test]
fn a_trial_of_quic_that_fails_leaves_the_one_that_serves_alone() {
    let mut bench = fallen_back();
    assert!(bench.slot.handle_trial(bench.now));
    bench.obey();
    bench.answers_with(2, unconnected("b"));
    bench.run_until("given up", |bench| !bench.terminated.is_empty());
    assert_eq!((bench.findings(), bench.terminated.as_slice()), (vec![Finding::TrialFailed], [Generation(2)].as_slice()));
    bench.exit(2, &exited(0, ""));
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.spawned.len(), bench.code().as_str()), (2, "transport-fallback"), "the host says when it is tried again");
}

#[test]
fn a_trial_whose_serving_generation_dies_is_not_left_without_a_way_out() {
    let mut bench = fallen_back();
    assert!(bench.slot.handle_trial(bench.now));
    bench.obey();
    bench.answers_with(2, unconnected("b"));
    bench.answers_with(3, connected("c"));
    bench.exit(1, &killed());
    bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
    assert_eq!(bench.transports(), [Transport::Http2, Transport::Quic, Transport::Http2]);
    assert_eq!(bench.findings(), [Finding::TrialFailed]);
}

#[test]
fn once_quic_works_again_those_over_http2_wait_for_their_turns() {
    let mut bench = fallen_back();
    bench.host_begins_with(Transport::AsConfigured);
    assert_eq!(bench.slot.wants_turn(), Some(RestartReason::Transport));
    bench.slot.handle_trial_failed();
    assert_eq!(bench.slot.wants_turn(), None, "another found that it does not work after all");
    bench.host_begins_with(Transport::AsConfigured);
    bench.turn();
    assert_eq!(bench.transports(), [Transport::Http2, Transport::Quic]);
}

#[test]
fn quic_that_is_blocked_later_is_left_for_http2_beside_it() {
    let mut bench = lost();
    (0..3).for_each(|_| bench.says(1, &Said::QuicDialFailed));
    assert_eq!(bench.slot.wants_turn(), Some(RestartReason::Transport));
    bench.turn();
    assert_eq!((bench.transports()[1], bench.terminated.len()), (Transport::Http2, 0));
    bench.answers_with(2, connected("b"));
    bench.run_until("replaced", |bench| bench.terminated == [Generation(1)]);
    assert_eq!(bench.findings(), [Finding::QuicBlocked]);
}

#[test]
fn a_connector_that_falls_back_by_itself_tells_the_others() {
    let mut bench = unready(launch());
    bench.says(1, &Said::FellBack);
    assert_eq!((bench.findings(), bench.spawned.len()), (vec![Finding::QuicBlocked], 1));
    assert!(bench.slot.has_fallen_back());
}

#[test]
fn an_adopted_connector_of_which_nothing_is_known_is_not_taken_for_one_without_connections() {
    let mut bench = bench();
    bench.slot.handle_survivors(vec![Survivor { connector_id: None, ..survivor(5) }], bench.now);
    bench.want(launch());
    bench.says(5, &ONLY_HTTP2);
    bench.host_begins_with(Transport::Http2);
    assert_eq!((bench.spawned.len(), bench.terminated.len()), (0, 0));
}

#[test]
fn the_errors_of_a_clean_stop_are_no_news() {
    let mut bench = ready();
    bench.stop();
    let told = bench.told.len();
    for said in [Said::Lost, Said::RegistrationFailed, Said::QuicDialFailed, ONLY_HTTP2, OVER_QUIC] {
        (0..30).for_each(|_| bench.says(1, &said));
    }
    assert_eq!((bench.told.len(), bench.findings().len(), bench.spawned.len()), (told, 0, 1));
}

#[test]
fn an_adopted_connector_over_http2_is_what_is_wanted() {
    let mut bench = bench();
    bench.answers_with(5, connected("a"));
    let mut survivor = survivor(5);
    survivor.facts.transport = Transport::Http2;
    bench.slot.handle_survivors(vec![survivor], bench.now);
    bench.want(launch());
    bench.run_for(Duration::from_secs(60));
    assert_eq!((bench.spawned.len(), bench.slot.wants_turn(), bench.code().as_str()), (0, None, "transport-fallback"));
}

#[test]
fn a_refused_connector_stays_and_says_why() {
    let mut bench = unready(launch());
    bench.says(1, &Said::Refused { why: "Unauthorized: Tunnel not found".into() });
    bench.says(1, &Said::Refused { why: "Unauthorized: Tunnel not found".into() });
    let reason = bench.slot.reason();
    assert!(reason.code == "registration-refused" && reason.sentence.contains("Tunnel not found"), "{reason:?}");
    assert_eq!(bench.said(|happening| matches!(happening, Happening::RegistrationRefused { .. })), 1);
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.spawned.len(), bench.slot.wants_turn()), (1, None), "starting it again cannot help");
    bench.answers_with(1, connected("a"));
    bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
    assert_eq!(bench.code(), "ready");
}

#[test]
fn a_refusal_over_quic_has_no_words_and_is_told_all_the_same() {
    let mut bench = lost();
    (0..3).for_each(|_| bench.says(1, &Said::RegistrationFailed));
    assert_eq!((bench.slot.state(), bench.code().as_str()), (State::Degraded, "registration-refused"));
    assert_eq!(bench.said(|happening| matches!(happening, Happening::RegistrationRefused { why: None, .. })), 1);
}

#[test]
fn a_refused_connector_is_replaced_in_place_by_the_launch_of_a_new_tunnel() {
    let mut bench = lost();
    bench.says(1, &Said::Refused { why: "Unauthorized".into() });
    bench.want(Launch { token: crate::secret::Secret::new("another"), ..launch() });
    assert_eq!((bench.terminated.as_slice(), bench.spawned.len()), ([Generation(1)].as_slice(), 2));
}

#[test]
fn a_connector_that_lost_the_edge_alone_gets_a_successor_when_its_turn_comes() {
    let mut bench = lost();
    bench.run_for(Duration::from_secs(44));
    assert_eq!(bench.slot.wants_turn(), None, "cloudflared may find a way back by itself");
    bench.run_for(Duration::from_secs(2));
    assert_eq!(bench.slot.wants_turn(), Some(RestartReason::NotReady));
    bench.turn();
    assert_eq!((bench.spawned.len(), bench.terminated.len()), (2, 0));
    bench.answers_with(2, connected("b"));
    bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
    assert_eq!(bench.terminated, [Generation(1)]);
}

#[test]
fn a_connector_that_comes_back_by_itself_needs_nobody() {
    let mut bench = lost();
    bench.run_for(Duration::from_secs(46));
    assert!(bench.slot.wants_turn().is_some());
    bench.answers_with(1, connected("a"));
    bench.run_for(Duration::from_secs(10));
    assert_eq!((bench.slot.wants_turn(), bench.slot.state()), (None, State::Ready));
}

#[test]
fn each_attempt_for_want_of_connections_waits_longer() {
    let mut bench = unready(launch());
    let mut waits = Vec::new();
    for generation in 2..6 {
        let before = bench.now;
        bench.answers_with(generation, unconnected("b"));
        bench.run_until("asking", |bench| bench.slot.wants_turn().is_some());
        waits.push((bench.now - before).as_secs() / 60);
        bench.turn();
        bench.exit(generation - 1, &exited(0, ""));
        assert_eq!(bench.spawned.len() as u64, generation, "in its place, as it serves nobody");
    }
    assert_eq!(waits, [3, 8, 16, 32]);
}

#[test]
fn flapping_is_shown_while_it_lasts_and_is_no_reason_to_restart() {
    let mut bench = ready();
    (0..30).for_each(|_| bench.says(1, &OVER_QUIC));
    bench.run_for(Duration::from_secs(6));
    assert_eq!((bench.slot.state(), bench.code().as_str()), (State::Degraded, "flapping"));
    bench.run_for(Duration::from_secs(300));
    assert_eq!((bench.slot.state(), bench.spawned.len()), (State::Ready, 1));
    let told = |bench: &Bench| {
        bench
            .told
            .iter()
            .filter(|happening| matches!(happening, Happening::Flapping { .. } | Happening::Recovered { .. }))
            .count()
    };
    assert_eq!(told(&bench), 2);
}

#[test]
fn who_burns_a_processor_over_it_is_replaced_once_and_then_seldom() {
    let mut bench = unready(launch());
    let (mut used, mut asked) = (Duration::ZERO, Vec::new());
    for second in 0..1200 {
        bench.run_for(Duration::from_secs(1));
        used += Duration::from_millis(900);
        bench.slot.handle_processor_time(bench.slot.generation(), used, bench.now);
        if bench.slot.wants_turn() == Some(RestartReason::Flapping) {
            asked.push(second);
            let before = bench.slot.generation();
            bench.answers_with(before.0 + 1, unconnected("b"));
            bench.turn();
            bench.exit(before.0, &exited(0, ""));
            used = Duration::ZERO;
        }
    }
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0] >= 30 && asked[1] >= asked[0] + 600, "{asked:?}");
}

#[test]
fn a_stale_successor_is_not_promoted_before_it_has_answered() {
    let mut bench = bench();
    bench.answers_with(5, connected("a"));
    let successor = Survivor { connector_id: Some("b".parse().unwrap()), ..survivor(6) };
    bench.slot.handle_survivors(vec![survivor(5), successor], bench.now);
    bench.want(launch());
    bench.run_for(Duration::from_secs(10));
    assert!(bench.terminated.is_empty(), "what an earlier daemon knew of it proves nothing");
}

#[test]
fn an_adopted_connector_counts_as_one_that_uses_quic_until_it_says_otherwise() {
    let over_http2 = LaunchFacts { transport: Transport::Http2, ..launch().facts() };
    let fixed = Launch { protocol: "http2".into(), ..launch() };
    for (facts, wanted, uses) in
        [(launch().facts(), launch(), true), (over_http2, launch(), false), (fixed.facts(), fixed, false)]
    {
        let mut bench = bench();
        bench.answers_with(5, connected("a"));
        bench.slot.handle_survivors(vec![Survivor { facts, ..survivor(5) }], bench.now);
        bench.want(wanted);
        bench.run_until("ready", |bench| bench.slot.state() == State::Ready);
        assert_eq!(bench.slot.uses_quic(), uses, "{facts:?}");
        bench.says(5, &Said::Registered { protocol: Some(Protocol::Http2) });
        assert!(!bench.slot.uses_quic(), "{facts:?}");
    }
}
