//! A kill at every step of every operation, and the next run ends in the same place with one tunnel.
//!
//! Each scenario of `kill/scenarios.rs` is carried out once without a kill. Then again and again, each time with the reconciler
//! killed somewhere else: before each call to Cloudflare, after each call and before its answer, before and after each rename of a
//! state file, and after each removal of one. What the disk holds at that moment is what the next reconciler starts with; whatever was
//! not answered is asked for again, as a person would. The account and the records then have to be the same as without a kill, ids
//! apart, with not one tunnel more made on the way, and what is not ours as it was.
//!
//! Others lost a tunnel when they crashed between its creation and the saving of its secret (adyanth), so every trial also checks that
//! each secret on record opens its tunnel.
//!
//! To add a scenario: one entry in `kill/scenarios.rs`. Nothing else: the points are counted, not listed.

#[path = "kill/place.rs"]
mod place;
#[path = "kill/scenarios.rs"]
mod scenarios;
#[path = "kill/trial.rs"]
mod trial;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use scenarios::{Scenario, scenarios};
use trial::{Kill, Trial};

/// Runs differ by a pass that begins a moment sooner or later, so that some have a few more calls than the one that was counted.
const CALLS_MORE: u32 = 4;

#[test]
#[expect(clippy::print_stdout, reason = "how many kill points were tried is a figure that people ask for")]
fn a_kill_at_every_step_of_every_operation_ends_in_the_same_place_with_one_tunnel() {
    let mut total = 0;
    for scenario in scenarios() {
        let whole = trial::run(&scenario, None);
        let kills = kills(&whole);
        let tried = try_all(&scenario, &whole, &kills);
        println!("{tried:4} kill points: {}", scenario.name);
        assert!(tried > 4, "{}: {tried} kill points are too few to be all", scenario.name);
        total += tried;
    }
    println!("{total} kill points in all");
}

fn kills(whole: &Trial) -> Vec<Kill> {
    let calls = (1..=whole.calls + CALLS_MORE).flat_map(|nth| [Kill::BeforeCall(nth), Kill::AfterCall(nth)]);
    calls.chain((1..=whole.writes).map(Kill::AtWrite)).collect()
}

/// Tries every kill, on all processors, and gives how many were reached.
fn try_all(scenario: &Scenario, whole: &Trial, kills: &[Kill]) -> usize {
    let (next, reached, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(4, usize::from) {
            scope.spawn(|| {
                while let Some(kill) = kills.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let trial = trial::run(scenario, Some(*kill));
                    reached.fetch_add(usize::from(trial.killed), Ordering::Relaxed);
                    if trial.place != whole.place {
                        wrong.lock().unwrap().push(format!("{kill:?}:\n{}", whole.place.difference(&trial.place)));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}: {} kills end elsewhere\n{}", scenario.name, wrong.len(), wrong.join("\n"));
    reached.into_inner()
}
