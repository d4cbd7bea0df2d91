//! Configurations: written over nobody's edit unseen, in force only when connectors run them, replaced with their tunnel, and kept
//! for hostnames that leave.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use super::harness::{Harness, name, pass_time, tunnel};
use adit::{
    event::{PassResult, ProvisioningEvent},
    plan::{DRAIN_MAX, GRACE, HoldCode},
    sandbox::faults::{Fault, Matching, Times},
};

fn local(name: &str, hostnames: &[&str]) -> String {
    tunnel(name, hostnames).replace("ingress", "configuration = \"local\"\ningress")
}

#[tokio::test]
async fn an_edit_between_our_reading_and_our_writing_is_said_to_be_overwritten() {
    let harness = Harness::settled(&tunnel("web", &["a.example.com"])).await;
    let id = harness.live("web")[0].parse().unwrap();
    let reading = Matching::resource("configurations").method(Method::GET);
    harness.world.faults().add(Fault::Slow(Duration::from_millis(300)), reading, Times::Once);
    harness.want(&tunnel("web", &["a.example.com", "b.example.com"]));
    let edit = async {
        harness.until("it was read", |harness| harness.requests("GET", "/configurations") == 1).await;
        let document = json!({ "ingress": [{ "service": "http_status:418" }] });
        harness.world.dashboard().put_configuration(&id, document).unwrap();
    };
    tokio::join!(harness.pass(), edit);
    let told = harness.told("edit-overwritten");
    let [ProvisioningEvent::EditOverwritten { read, written, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((*read, *written), (1, 3));
    assert_eq!(harness.rules("web"), ["a.example.com", "b.example.com"]);
}

#[tokio::test]
async fn an_edit_that_was_read_is_kept_before_it_is_written_over() {
    let harness = Harness::settled(&tunnel("web", &["a.example.com"])).await;
    harness.edit_configuration("web", json!({ "ingress": [{ "service": "http_status:418" }] }));
    harness.want(&tunnel("web", &["a.example.com", "b.example.com"]));
    harness.pass().await;
    let told = harness.told("edit-found");
    let [ProvisioningEvent::EditFound { kept, version: 2, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert!(std::fs::read_to_string(kept).unwrap().contains("418"));
    assert_eq!(harness.told("edit-overwritten").len(), 0);
}

#[tokio::test]
async fn an_idle_pass_finds_an_edit_with_exactly_one_more_read() {
    let harness = Harness::settled(&tunnel("web", &["a.example.com"]).replace("ingress", "on_drift = \"report\"\ningress")).await;
    harness.connectors_catch_up();
    harness.pass().await;
    let before = harness.world.requests().len();
    harness.pass().await;
    assert_eq!(harness.world.requests().len() - before, 2, "an idle pass");
    harness.edit_configuration("web", json!({ "ingress": [{ "service": "http_status:418" }] }));
    let before = harness.world.requests().len();
    harness.connectors_catch_up();
    harness.until("the edit is held", |harness| harness.told("hold-began").len() == 1).await;
    assert_eq!(harness.world.requests().len() - before, 3);
    // The next round, to which nobody asked for a fresh look, knows what was read.
    pass_time(4_000).await;
    harness.until("another round is over", |harness| harness.world.requests().len() - before >= 5).await;
    assert_eq!((harness.requests("GET", "/configurations"), harness.told("hold-began").len()), (1, 1));
}

#[tokio::test]
async fn nothing_is_stored_of_a_local_configuration() {
    let harness = Harness::settled(&local("web", &["a.example.com"])).await;
    harness.want(&local("web", &["a.example.com", "b.example.com"]));
    harness.pass().await;
    assert_eq!(harness.requests("PUT", "/configurations") + harness.requests("GET", "/configurations"), 0);
    assert!(harness.target("b.example.com").is_some());
}

#[tokio::test]
async fn a_configuration_that_does_not_arrive_is_held_as_not_applied_until_connectors_report_it() {
    let harness = Harness::settled(&tunnel("web", &["a.example.com"])).await;
    harness.connectors_catch_up();
    harness.want(&tunnel("web", &["a.example.com", "b.example.com"]));
    harness.pass().await;
    assert_eq!(harness.told("hold-began").len(), 0);
    pass_time(61).await;
    harness.until("it is held", |harness| harness.told("hold-began").len() == 1).await;
    let told = harness.told("hold-began");
    let [ProvisioningEvent::HoldBegan { hold, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(hold.code, HoldCode::NotApplied);
    harness.connectors_catch_up();
    harness.until("it has ended", |harness| harness.told("hold-ended").len() == 1).await;
}

#[tokio::test]
async fn a_rule_stays_for_a_minute_after_its_hostname_left_and_nobody_has_to_ask() {
    let mut harness = Harness::settled(&(tunnel("old", &["a.example.com", "b.example.com"]) + &tunnel("new", &[]))).await;
    harness.connectors_catch_up();
    harness.want(&(tunnel("old", &["b.example.com"]) + &tunnel("new", &["a.example.com"])));
    harness.pass().await;
    harness.connectors_catch_up();
    let target = Some(format!("{}.cfargotunnel.com", harness.live("new")[0]));
    harness.until("the record has moved", |harness| harness.target("a.example.com") == target).await;
    let report = harness.pass().await;
    assert_eq!((report.result, report.plan.holds[0].code), (PassResult::Held, HoldCode::GracePeriod));
    // A restart changes nothing about it.
    harness.kill().await;
    harness.start(None);
    harness.pass().await;
    assert_eq!(harness.rules("old"), ["a.example.com", "b.example.com"]);
    pass_time(GRACE.as_secs()).await;
    harness.until("the rule is gone", |harness| harness.rules("old") == ["b.example.com"]).await;
    assert_eq!(harness.pass().await.result, PassResult::Clean);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_make_the_minute_longer() {
    let mut harness = Harness::settled(&(tunnel("old", &["a.example.com", "b.example.com"]) + &tunnel("new", &[]))).await;
    harness.connectors_catch_up();
    harness.want(&(tunnel("old", &["b.example.com"]) + &tunnel("new", &["a.example.com"])));
    harness.pass().await;
    harness.connectors_catch_up();
    let target = Some(format!("{}.cfargotunnel.com", harness.live("new")[0]));
    harness.until("the record has moved", |harness| harness.target("a.example.com") == target).await;
    harness.pass().await;
    harness.kill().await;
    let path = harness.directory.path().join("records/old.toml");
    let mut record: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    record["parting"]["a.example.com"] = "2999-01-01T00:00:00Z".into();
    std::fs::write(&path, record.to_string()).unwrap();
    harness.start(None);
    harness.pass().await;
    pass_time(GRACE.as_secs() + 1).await;
    harness.until("the rule is gone", |harness| harness.rules("old") == ["b.example.com"]).await;
}

#[tokio::test]
async fn a_switch_that_is_killed_at_every_call_ends_with_one_tunnel_of_the_wanted_kind() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for fault in [Fault::AnswerLost, Fault::DropBefore] {
            for (first, second) in [
                (tunnel("web", &["a.example.com"]), local("web", &["a.example.com"])),
                (local("web", &["a.example.com"]), tunnel("web", &["a.example.com"])),
            ] {
                let mut harness = Harness::settled(&first).await;
                harness.connectors_catch_up();
                harness.world.faults().add(fault.clone(), Matching::everything().method(method.clone()), Times::Once);
                harness.want(&second);
                for _ in 0..3 {
                    harness.pass().await;
                    harness.kill().await;
                    harness.start(None);
                    harness.connectors_catch_up();
                }
                harness
                    .until("it is over", |harness| {
                        harness.connectors_catch_up();
                        let id = harness
                            .reconciler()
                            .wanted()
                            .borrow()
                            .tunnels
                            .get(&name("web"))
                            .map(|tunnel| tunnel.launch.tunnel_id.clone());
                        id.is_some_and(|id| harness.target("a.example.com") == Some(id.dns_target()))
                    })
                    .await;
                for seconds in [GRACE.as_secs() + 1, DRAIN_MAX.as_secs() + 1] {
                    harness.pass().await;
                    pass_time(seconds).await;
                    harness.pass().await;
                    harness.connectors_catch_up();
                }
                harness.world.faults().clear();
                let last = harness.pass().await;
                assert!(last.plan.is_empty(), "{method} {fault:?}: {}", last.plan);
                let tunnels = harness.world.snapshot().tunnels;
                let live: Vec<_> = tunnels.values().filter(|tunnel| !tunnel.deleted).collect();
                let source = if second.contains("configuration = ") { "local" } else { "cloudflare" };
                assert_eq!(
                    live.iter().map(|tunnel| tunnel.config_src.as_str()).collect::<Vec<_>>(),
                    [source],
                    "{method} {fault:?}"
                );
                let records = std::fs::read_dir(harness.directory.path().join("records")).unwrap().count();
                assert_eq!(records, 1, "{method} {fault:?}");
            }
        }
    }
}
