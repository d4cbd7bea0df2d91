//! Random wishes in random weather: what is not ours is byte-equal after every pass, and in the end all is as it is wanted.

use std::time::Duration;

use adit::{
    plan::Plan,
    sandbox::{
        faults::{Fault, Matching, Times},
        world::{RecordKind, Snapshot},
    },
};
use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::harness::{Harness, tunnel};

/// Worlds, all at the same time: most of what they do is wait between two tries of a call.
const WORLDS: u64 = 24;

/// A world that is not settled by then never is.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is tried again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Changes of the wishes and of the weather in each.
const ROUNDS: usize = 6;

#[tokio::test]
async fn what_is_not_ours_is_byte_equal_in_any_weather() {
    join_all((0..WORLDS).map(live)).await;
}

async fn live(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut harness = Harness::new("").await;
    let (dashboard, account) = (harness.world.dashboard(), harness.world.account_id());
    let other = dashboard.create_tunnel(&account, "web.adit-zzzzzzzz").unwrap();
    dashboard.create_tunnel(&account, "by-hand").unwrap();
    dashboard.create_record("theirs.example.com", RecordKind::Cname, &other.dns_target()).unwrap();
    dashboard.edit_record("theirs.example.com", json!({ "comment": "adit:zzzzzzzz:web" })).unwrap();
    // In the way of what is wanted.
    dashboard.create_record("h0.example.com", RecordKind::A, "192.0.2.7").unwrap();
    dashboard.create_record("h1.example.com", RecordKind::Cname, &other.dns_target()).unwrap();
    let before = harness.world.snapshot();
    harness.start(None);
    for round in 0..ROUNDS {
        harness.want(&wish(&mut rng));
        harness.world.faults().add(fault(&mut rng), place(&mut rng), Times::Times(rng.random_range(1..4)));
        if rng.random_bool(0.2) {
            harness.kill().await;
            harness.start(None);
        }
        harness.pass().await;
        harness.connectors_catch_up();
        assert_same(&before, &harness.world.snapshot(), &format!("seed {seed}, round {round}"));
    }

    harness.world.faults().clear();
    harness.want(&tunnel("web", &["h2.example.com", "h3.example.com"]));
    let settling = async { while !is_settled(&mut harness).await {} };
    assert!(timeout(PATIENCE, settling).await.is_ok(), "seed {seed}: nothing settles");
    assert_same(&before, &harness.world.snapshot(), &format!("seed {seed}, in the end"));
    let report = harness.pass().await;
    let settled = report.plan.is_empty() && report.plan.holds.iter().all(|hold| hold.code.ends_by_itself());
    assert!(settled && report.error.is_none(), "seed {seed}: {:?} {}", report.error, report.plan);
    assert_eq!(harness.live("web").len(), 2, "seed {seed}: ours, and that of the other installation");
}

/// Applies what there is to do, and says whether anything was left. A rate limit is waited out by whoever asks again.
async fn is_settled(harness: &mut Harness) -> bool {
    let hash = harness.reconciler().plan(None).await.unwrap().hash();
    let reports = harness.reconciler().apply(Some(hash)).await;
    harness.connectors_catch_up();
    let is_settled = |plan: &Plan| plan.is_empty() && plan.holds.iter().all(|hold| hold.code.ends_by_itself());
    let is_done = reports.is_ok_and(|reports| reports.values().all(|report| report.error.is_none() && is_settled(&report.plan)));
    if !is_done {
        sleep(LOOK_EVERY).await;
    }
    is_done
}

/// Up to three tunnels that share four hostnames.
fn wish(rng: &mut StdRng) -> String {
    let names: Vec<&str> = ["web", "api", "shop"].into_iter().filter(|_| rng.random_bool(0.7)).collect();
    let mut hostnames: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    for index in 0..4 {
        if let Some(owner) = (0..names.len()).collect::<Vec<_>>().choose(rng) {
            hostnames[*owner].push(format!("h{index}.example.com"));
        }
    }
    let tunnels = names.iter().zip(&hostnames);
    tunnels.map(|(name, hostnames)| tunnel(name, &hostnames.iter().map(String::as_str).collect::<Vec<_>>())).collect()
}

fn fault(rng: &mut StdRng) -> Fault {
    let faults = [
        Fault::TooManyRequests(Some(Duration::from_secs(1))),
        Fault::ServerError(503),
        Fault::Html(200),
        Fault::DropBefore,
        Fault::AnswerLost,
        Fault::TruncatedPage(0),
        Fault::TruncatedPage(1),
        Fault::EmptyPage,
        Fault::MalformedJson,
        Fault::TruncatedBody,
        Fault::WrongShape,
    ];
    faults.choose(rng).unwrap().clone()
}

fn place(rng: &mut StdRng) -> Matching {
    match rng.random_range(0..4) {
        0 => Matching::everything(),
        1 => Matching::resource("cfd_tunnel"),
        2 => Matching::resource("configurations"),
        _ => Matching::resource("dns_records"),
    }
}

/// Everything that was there before is there as it was.
fn assert_same(before: &Snapshot, now: &Snapshot, when: &str) {
    for (id, tunnel) in &before.tunnels {
        assert_eq!(now.tunnels.get(id), Some(tunnel), "{when}");
    }
    for (id, record) in &before.records {
        assert_eq!(now.records.get(id), Some(record), "{when}");
    }
    assert_eq!(now.objects, before.objects, "{when}");
}
