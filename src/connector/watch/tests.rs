//! A process that answers, misses and is asked again.

use rand::SeedableRng;

use super::*;
use crate::connector::testing::{answer, launch, start_of_time};

struct Watched {
    watch: Watch,
    facts: LaunchFacts,
    settings: Settings,
    rng: SmallRng,
    now: Instant,
}

fn watched() -> Watched {
    let now = start_of_time();
    let (facts, settings) = (launch().facts(), Settings::default());
    Watched { watch: Watch::new(now), facts, settings, rng: SmallRng::seed_from_u64(1), now }
}

impl Watched {
    fn probe(&mut self, probe: Probe) -> Ask {
        self.now = self.watch.due().expect("no probe is out");
        let ask = self.watch.ask(&self.facts, &self.settings, self.now).expect("it is due");
        self.watch.handle_probe(probe, &self.facts, &self.settings, &mut self.rng, self.now);
        ask
    }

    fn health(&self) -> Health {
        self.watch.health(&self.settings)
    }
}

#[test]
fn a_remote_connector_is_ready_only_with_a_configuration() {
    let mut watched = watched();
    watched.probe(answer("a", 4, VersionReading::Missing));
    assert_eq!(watched.health(), Health::Unready);
    assert_eq!(watched.probe(answer("a", 4, VersionReading::Version(0))), Ask::ReadyAndVersion);
    assert_eq!(watched.health(), Health::Ready);
    assert_eq!(watched.probe(answer("a", 4, VersionReading::Unread)), Ask::Ready);
    assert_eq!(watched.health(), Health::Ready);
}

#[test]
fn a_local_connector_needs_no_version() {
    let mut watched = watched();
    watched.facts.needs_version = false;
    assert_eq!(watched.probe(answer("a", 1, VersionReading::Unread)), Ask::Ready);
    assert_eq!(watched.health(), Health::Ready);
}

#[test]
fn misses_count_only_after_the_first_answer_and_in_a_row() {
    let mut watched = watched();
    for _ in 0..9 {
        watched.probe(Probe::Missed("refused".into()));
    }
    assert_eq!(watched.health(), Health::Silent);
    watched.probe(answer("a", 4, VersionReading::Version(1)));
    watched.probe(Probe::Missed("timed out".into()));
    watched.probe(Probe::Missed("timed out".into()));
    watched.probe(answer("a", 4, VersionReading::Version(1)));
    watched.probe(Probe::Missed("timed out".into()));
    watched.probe(Probe::Missed("timed out".into()));
    assert_eq!(watched.health(), Health::Ready);
    watched.probe(Probe::Missed("timed out".into()));
    assert_eq!(watched.health(), Health::Hung);
}

#[test]
fn of_two_that_hang_together_each_is_about_to_hang_before_the_other_has_hung() {
    // When the misses come after the moment in which they stop: at once, and as late as a probe can be.
    let misses_after_last_answer = |seed: u64| {
        let mut watched = watched();
        watched.rng = SmallRng::seed_from_u64(seed);
        watched.probe(answer("a", 4, VersionReading::Version(1)));
        let answered = watched.now;
        let miss = |watched: &mut Watched| {
            watched.probe(Probe::Missed("timed out".into()));
            watched.now.duration_since(answered)
        };
        [(); 3].map(|()| miss(&mut watched))
    };
    for seed in 0..100 {
        let [first, second, third] = misses_after_last_answer(seed);
        // One stops right before its probe, the other right after its answer.
        let soonest = third - first;
        // Each miss comes two seconds after its probe: of three on the one side, of two on the other.
        assert!(second + Duration::from_secs(2) <= soonest, "{second:?} and {soonest:?}");
        assert_eq!(soonest, Duration::from_secs(10));
    }
}

#[test]
fn a_stranger_on_the_port_is_no_answer() {
    let mut watched = watched();
    watched.probe(answer("a", 4, VersionReading::Version(1)));
    for _ in 0..3 {
        watched.probe(answer("b", 4, VersionReading::Version(1)));
    }
    assert_eq!(watched.health(), Health::Hung);
    assert_eq!(watched.watch.last_miss(), "connector b answers in its place");
}

#[test]
fn probes_are_quick_at_first_and_steady_once_it_is_whole() {
    let mut watched = watched();
    let start = watched.now;
    watched.probe(Probe::Missed("refused".into()));
    assert_eq!(watched.now - start, PACE_MIN);
    for _ in 0..100 {
        let before = watched.now;
        watched.probe(answer("a", 4, VersionReading::Version(1)));
        assert!(watched.now - before <= Duration::from_secs(6));
    }
    let before = watched.now;
    watched.probe(answer("a", 4, VersionReading::Version(1)));
    assert!(watched.now - before >= Duration::from_secs(4));
}

#[test]
fn a_version_that_was_read_while_another_one_came_is_read_again() {
    let mut watched = watched();
    watched.probe(answer("a", 4, VersionReading::Version(1)));
    watched.watch.doubt_version(watched.now);
    assert_eq!(watched.watch.ask(&watched.facts, &watched.settings, watched.now), Some(Ask::ReadyAndVersion));
    watched.watch.doubt_version(watched.now);
    let read_before = answer("a", 4, VersionReading::Version(1));
    watched.watch.handle_probe(read_before, &watched.facts, &watched.settings, &mut watched.rng, watched.now);
    assert_eq!(watched.watch.ask(&watched.facts, &watched.settings, watched.now), Some(Ask::ReadyAndVersion));
}

#[test]
fn a_hint_brings_the_next_probe_forward_even_while_one_is_out() {
    let mut watched = watched();
    watched.probe(answer("a", 4, VersionReading::Version(1)));
    watched.watch.doubt_version(watched.now);
    assert_eq!(watched.watch.due(), Some(watched.now));
    assert_eq!(watched.watch.ask(&watched.facts, &watched.settings, watched.now), Some(Ask::ReadyAndVersion));
    watched.watch.hurry(watched.now);
    let later = watched.now + Duration::from_secs(1);
    watched.watch.handle_probe(
        answer("a", 4, VersionReading::Version(2)),
        &watched.facts,
        &watched.settings,
        &mut watched.rng,
        later,
    );
    assert_eq!(watched.watch.due(), Some(later));
}

#[test]
fn lines_of_the_log_ask_for_four_probes_a_second_at_most() {
    let mut watched = watched();
    watched.probe(answer("a", 4, VersionReading::Version(1)));
    let start = watched.now;
    for probes in 1..=20 {
        watched.watch.hurry_a_little(watched.now);
        watched.probe(answer("a", 4, VersionReading::Version(1)));
        assert_eq!(watched.now - start, HINTS_APART * probes);
    }
}

#[test]
fn what_an_earlier_daemon_knew_is_stale_until_it_answers() {
    let mut watched = watched();
    let last_known = LastKnown { connections: 4, version: Some(7) };
    watched.watch = Watch::resumed(Some("a".parse().unwrap()), last_known, &watched.facts, watched.now);
    assert_eq!((watched.health(), watched.watch.vitals.connections), (Health::Stale, 4));
    watched.probe(Probe::Missed("timed out".into()));
    assert_eq!(watched.health(), Health::Stale);
    watched.probe(answer("a", 0, VersionReading::Version(7)));
    assert_eq!(watched.health(), Health::Lost, "it was ready when it was known last");
    watched.watch = Watch::resumed(None, last_known, &watched.facts, watched.now);
    assert_eq!(watched.health(), Health::Silent, "without knowing who answers nothing is known");
}
