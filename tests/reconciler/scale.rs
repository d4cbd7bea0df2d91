//! How many calls it takes.

use super::harness::{Harness, tunnel};
use adit::event::PassResult;

fn many(count: usize) -> String {
    (0..count).map(|index| tunnel(&format!("t{index}"), &[&format!("h{index}.example.com")])).collect()
}

#[tokio::test]
async fn a_first_provisioning_takes_two_calls_a_tunnel_and_an_idle_pass_two_in_all() {
    const COUNT: usize = 200;
    let mut harness = Harness::new(&many(COUNT)).await;
    harness.start(None);
    harness.until("the first pass ended", |harness| !harness.told("pass-finished").is_empty()).await;
    let first = harness.world.request_count();
    assert!(first <= 2 * COUNT as u64 + 5, "{first} calls");
    harness.connectors_catch_up();

    let before = harness.world.request_count();
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Clean, "{}", report.plan);
    assert_eq!(harness.world.request_count() - before, 2);
}
