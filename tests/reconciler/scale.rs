//! How many calls it takes. `tests/bench/run` prints what the daemon takes, with times.

use std::fs;

use adit::{event::PassResult, plan::plan};

use super::harness::{Harness, tunnel};
use crate::settled::settled;

/// Calls that a first provisioning takes whatever there is to make: zones, tunnels, records, what stands at the one name of a single
/// record, and the batch that makes them.
const CONSTANT: u64 = 5;

/// How many calls it took.
#[derive(Debug)]
struct Figures {
    first: u64,
    idle: u64,
    added: u64,
    teardown: u64,
}

fn many(count: usize) -> String {
    (0..count).map(|index| tunnel(&format!("t{index}"), &[&format!("h{index}.example.com")])).collect()
}

/// Provisions so many tunnels with a hostname each, looks at them, adds a hostname to one, and deletes all.
async fn measure(count: usize) -> Figures {
    let wanted = many(count);
    let mut harness = Harness::new(&wanted).await;
    let mut calls = 0;
    harness.start(None);
    harness.until("the first pass ended", |harness| !harness.told("pass-finished").is_empty()).await;
    let first = since(&harness, &mut calls);
    harness.connectors_catch_up();

    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Clean, "{}", report.plan);
    let idle = since(&harness, &mut calls);

    let more = wanted.replacen(
        "hostname = \"h0.example.com\"",
        "hostname = \"more.example.com\", service = \"http://localhost:1\" }, { hostname = \"h0.example.com\"",
        1,
    );
    harness.want(&more);
    let passes = |harness: &Harness| harness.told("pass-finished").len();
    let before = passes(&harness);
    harness.until("the pass for the change ended", |harness| passes(harness) > before).await;
    let added = since(&harness, &mut calls);
    assert!(harness.target("more.example.com").is_some());

    // An operator asked for the deletion of all of them: a pass that waits, a plan, its confirmation.
    harness.kill().await;
    let _ = since(&harness, &mut calls);
    harness.want("");
    for index in 0..count {
        let path = harness.directory.path().join(format!("records/t{index}.toml"));
        let record = fs::read_to_string(&path).unwrap().replace("fate = \"keep\"", "fate = \"delete\"");
        fs::write(&path, record).unwrap();
    }
    harness.start(None);
    harness.connectors_catch_up();
    harness.pass().await;
    let hash = harness.reconciler().plan(None).await.unwrap().hash();
    harness.reconciler().apply(Some(hash)).await.unwrap();
    let teardown = since(&harness, &mut calls);
    let left = harness.world.snapshot().tunnels.values().filter(|tunnel| !tunnel.deleted).count();
    assert_eq!((left, harness.world.snapshot().records.len()), (0, 0), "nothing is left");
    Figures { first, idle, added, teardown }
}

/// Calls since it was asked last.
fn since(harness: &Harness, calls: &mut u64) -> u64 {
    let before = std::mem::replace(calls, harness.world.request_count());
    *calls - before
}

#[tokio::test]
async fn a_first_provisioning_takes_two_calls_a_tunnel_and_an_idle_pass_two_in_all() {
    for count in [1, 100] {
        let figures = measure(count).await;
        assert!(figures.first <= 2 * count as u64 + CONSTANT, "{count}: {figures:?}");
        assert_eq!(figures.idle, 2, "{count}: {figures:?}");
        assert!(figures.added <= 6, "two lists, the name, the configuration read and written, the record; {count}: {figures:?}");
        // Four looks at the account, and a batch.
        assert!(figures.teardown <= 2 * count as u64 + 4 * 2 + 1, "{count}: {figures:?}");
    }
}

#[test]
fn an_account_of_a_thousand_tunnels_and_ten_thousand_records_that_is_as_wanted_needs_no_step() {
    settled(1_000, 10).with_input(|input| {
        let plan = plan(input);
        assert_eq!((plan.steps.len(), plan.waiting.len()), (0, 0));
    });
}
