//! What is wanted comes about, stays, moves and goes.

use std::sync::Arc;

use serde_json::json;

use super::harness::{Harness, config, name, tunnel};
use adit::{
    config::Config,
    event::PassResult,
    plan::{HoldCode, PlanHash, RouteState},
    reconciler::RequestError,
    sandbox::world::RecordKind,
};

#[tokio::test]
async fn a_wanted_tunnel_is_made_configured_and_routed() {
    let harness = Harness::settled(&tunnel("web", &["app.example.com", "www.example.net"])).await;
    let ids = harness.live("web");
    assert_eq!(ids.len(), 1);
    let target = Some(format!("{}.cfargotunnel.com", ids[0]));
    assert_eq!(harness.target("app.example.com"), target);
    assert_eq!(harness.target("www.example.net"), target);
    assert_eq!(harness.rules("web"), ["app.example.com", "www.example.net"]);
    let wanted = harness.reconciler().wanted().borrow().clone();
    assert_eq!(wanted.tunnels[&name("web")].launch.tunnel_id.as_str(), ids[0]);
    assert_eq!(harness.requests("GET", "/token"), 0);

    assert_eq!(harness.pass().await.result, PassResult::Clean);
    assert_eq!(harness.route_states("web"), [RouteState::Pending; 2]);
    harness.connectors_catch_up();
    harness.until("the routes are live", |harness| harness.route_states("web") == [RouteState::Live; 2]).await;
}

#[tokio::test]
async fn a_route_comes_and_goes() {
    let mut harness =
        Harness::settled(&tunnel("web", &["a.example.com", "b.example.com", "c.example.com", "d.example.com"])).await;
    harness.want(&tunnel("web", &["a.example.com", "b.example.com", "c.example.com", "e.example.com"]));
    harness.pass().await;
    assert_eq!(harness.target("d.example.com"), None);
    assert!(harness.target("e.example.com").is_some());
    assert_eq!(harness.rules("web"), ["a.example.com", "b.example.com", "c.example.com", "e.example.com"]);
    assert_eq!(harness.live("web").len(), 1);
    harness.kill().await;
}

#[tokio::test]
async fn a_record_that_somebody_deleted_comes_back() {
    let harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    harness.world.dashboard().delete_record("app.example.com").unwrap();
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Changed);
    assert!(harness.target("app.example.com").is_some());
}

#[tokio::test]
async fn a_record_that_somebody_bent_is_set_right() {
    let harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    let target = harness.target("app.example.com");
    let bent = json!({ "content": "elsewhere.example.org", "proxied": false });
    harness.world.dashboard().edit_record("app.example.com", bent).unwrap();
    harness.pass().await;
    assert_eq!(harness.target("app.example.com"), target);
    let snapshot = harness.world.snapshot();
    assert!(snapshot.records_named("app.example.com")[0].proxied);
}

#[tokio::test]
async fn a_record_that_is_not_ours_is_a_conflict_and_stays_as_it_is() {
    let harness = Harness::new(&tunnel("web", &["app.example.com", "www.example.com"])).await;
    harness.world.dashboard().create_record("app.example.com", RecordKind::A, "192.0.2.7").unwrap();
    let before = harness.foreign();
    let mut harness = harness;
    harness.start(None);
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Held);
    assert_eq!(report.plan.conflicts.len(), 1);
    assert_eq!(harness.foreign(), before);
    assert!(harness.target("www.example.com").unwrap().ends_with(".cfargotunnel.com"));
    assert_eq!(harness.route_states("web"), [RouteState::Conflict, RouteState::Pending]);
    assert_eq!(harness.told("conflict-began").len(), 1);

    harness.world.dashboard().delete_record("app.example.com").unwrap();
    harness.pass().await;
    assert!(harness.target("app.example.com").unwrap().ends_with(".cfargotunnel.com"));
    assert_eq!(harness.told("conflict-ended").len(), 1);
}

#[tokio::test]
async fn somebody_elses_configuration_is_kept_and_written_over() {
    let harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    harness.connectors_catch_up();
    harness.edit_configuration("web", json!({ "ingress": [{ "service": "http_status:418" }] }));
    harness.connectors_catch_up();
    harness.pass().await;
    assert_eq!(harness.rules("web"), ["app.example.com"]);
    assert_eq!(harness.told("edit-found").len(), 1);
    let kept = std::fs::read_to_string(harness.directory.path().join("replaced/web.2.json")).unwrap();
    assert!(kept.contains("418"), "{kept}");
}

#[tokio::test]
async fn with_on_drift_report_somebody_elses_configuration_stays() {
    let text = tunnel("web", &["app.example.com"]) + "on_drift = \"report\"\n";
    let harness = Harness::settled(&text).await;
    harness.edit_configuration("web", json!({ "ingress": [{ "service": "http_status:418" }] }));
    harness.connectors_catch_up();
    let report = harness.pass().await;
    assert_eq!(report.plan.holds[0].code, HoldCode::Edited);
    assert_eq!(harness.rules("web"), [""; 0]);
    // Nor is it written over by a change that does not know of it.
    harness.reported.send_replace(Arc::default());
    harness.want(&(tunnel("web", &["app.example.com", "www.example.com"]) + "on_drift = \"report\"\n"));
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Failed);
    assert_eq!(harness.rules("web"), [""; 0]);
}

#[tokio::test]
async fn a_tunnel_that_was_deleted_at_cloudflare_is_made_again_with_another_secret() {
    let harness = Harness::settled(&(tunnel("web", &["app.example.com"]) + &tunnel("api", &[]))).await;
    let before = harness.reconciler().wanted().borrow().tunnels[&name("web")].launch.clone();
    harness.world.dashboard().delete_tunnel(&before.tunnel_id).unwrap();
    harness.pass().await;
    let ids = harness.live("web");
    assert_eq!(ids.len(), 1);
    assert_eq!(harness.target("app.example.com"), Some(format!("{}.cfargotunnel.com", ids[0])));
    let after = harness.reconciler().wanted().borrow().tunnels[&name("web")].launch.clone();
    assert_ne!(before.token, after.token);
    assert_eq!(harness.told("tunnel-gone").len(), 1);
}

#[tokio::test]
async fn a_hostname_moves_to_another_tunnel_in_one_change() {
    let harness = Harness::settled(&(tunnel("old", &["a.example.com", "b.example.com"]) + &tunnel("new", &[]))).await;
    harness.connectors_catch_up();
    let record = harness.world.snapshot().records_named("a.example.com")[0].id.clone();
    harness.want(&(tunnel("old", &["b.example.com"]) + &tunnel("new", &["a.example.com"])));
    let report = harness.pass().await;
    assert_eq!(report.plan.holds[0].code, HoldCode::NotReady);
    assert_eq!(harness.rules("old"), ["a.example.com", "b.example.com"]);
    assert_eq!(harness.rules("new"), ["a.example.com"]);

    harness.connectors_catch_up();
    let target = Some(format!("{}.cfargotunnel.com", harness.live("new")[0]));
    harness.until("the record has moved", |harness| harness.target("a.example.com") == target).await;
    harness.pass().await;
    assert_eq!(harness.world.snapshot().records_named("a.example.com")[0].id, record);
    assert_eq!(harness.rules("old"), ["a.example.com", "b.example.com"], "for who still comes by it");
}

#[tokio::test]
async fn a_tunnel_that_left_the_configuration_stops_and_keeps_what_it_has() {
    let harness = Harness::settled(&(tunnel("web", &["app.example.com"]) + &tunnel("api", &[]))).await;
    harness.want(&tunnel("api", &[]));
    harness.pass().await;
    assert!(!harness.reconciler().wanted().borrow().tunnels.contains_key(&name("web")));
    assert_eq!(harness.live("web").len(), 1);
    assert!(harness.target("app.example.com").is_some());
    assert_eq!(harness.route_states("web"), [RouteState::Orphaned]);

    assert!(harness.reconciler().delete_tunnel(&name("web")).await.unwrap());
    assert_eq!(harness.live("web").len(), 0);
    assert_eq!(harness.target("app.example.com"), None);
    assert!(!harness.view().tunnels.contains_key(&name("web")));
    assert!(!harness.directory.path().join("records/web.toml").exists());
}

#[tokio::test]
async fn a_tunnel_in_the_configuration_is_not_deleted() {
    let harness = Harness::settled(&tunnel("web", &[])).await;
    let error = harness.reconciler().delete_tunnel(&name("web")).await.unwrap_err();
    assert!(matches!(error, RequestError::StillWanted(_)));
    assert_eq!(error.to_string(), "cannot delete tunnel \"web\": the configuration still has it");
    assert_eq!(harness.live("web").len(), 1);
}

fn asking(text: &str) -> Arc<Config> {
    config(&format!("{text}[daemon]\napply = \"ask\"\n"))
}

#[tokio::test]
async fn with_ask_a_configuration_waits_and_repairs_go_on() {
    let first = asking(&tunnel("web", &["a.example.com"]));
    let mut harness = Harness::new("").await;
    harness.want_config(first.clone());
    harness.start(Some(first));
    harness.pass().await;
    assert_eq!(harness.live("web").len(), 1);

    harness.want_config(asking(&(tunnel("web", &["a.example.com", "b.example.com"]) + &tunnel("api", &[]))));
    harness.world.dashboard().delete_record("a.example.com").unwrap();
    let report = harness.pass().await;
    assert!(report.plan.holds.iter().any(|hold| hold.code == HoldCode::WaitsForApply));
    assert!(harness.target("a.example.com").is_some());
    assert_eq!(harness.target("b.example.com"), None);
    let waiting = harness.view().waiting.clone().unwrap();

    let stale = harness.reconciler().apply(Some(PlanHash::new("0123456789abcdef"))).await.unwrap_err();
    assert!(matches!(stale, RequestError::Changed { .. }), "{stale}");
    assert_eq!(harness.live("api").len(), 0);
    let plans = harness.reconciler().plan(None).await.unwrap();
    assert_eq!(plans.0.values().next().unwrap().hash(), waiting.hash);
    harness.reconciler().apply(Some(plans.hash())).await.unwrap();
    assert!(harness.target("b.example.com").is_some());
    assert_eq!(harness.live("api").len(), 1);
    assert_eq!(harness.view().waiting, None);
}

#[tokio::test]
async fn deleting_in_masses_waits_for_exactly_that_plan() {
    let harness = Harness::settled(&tunnel("web", &["a.example.com", "b.example.com", "c.example.com"])).await;
    harness.want(&tunnel("web", &[]));
    harness.pass().await;
    assert!(harness.target("a.example.com").is_some());
    harness.reconciler().apply(None).await.unwrap();
    assert!(harness.target("a.example.com").is_some());
    let hash = harness.reconciler().plan(None).await.unwrap().hash();
    harness.reconciler().apply(Some(hash)).await.unwrap();
    assert_eq!(harness.target("a.example.com"), None);
}

#[tokio::test]
async fn stopping_most_tunnels_waits_and_they_run_on() {
    let harness = Harness::settled(&(tunnel("a", &[]) + &tunnel("b", &[]) + &tunnel("c", &[]))).await;
    harness.want(&tunnel("a", &[]));
    harness.pass().await;
    assert_eq!(harness.reconciler().wanted().borrow().tunnels.len(), 3);
    harness.reconciler().apply(None).await.unwrap();
    assert_eq!(harness.reconciler().wanted().borrow().tunnels.len(), 1);
}

#[tokio::test]
async fn a_plan_says_what_would_be_done_and_does_nothing() {
    let mut harness = Harness::new(&tunnel("web", &["app.example.com"])).await;
    harness.world.dashboard().create_record("app.example.com", RecordKind::A, "192.0.2.7").unwrap();
    harness.want(&tunnel("web", &[]));
    harness.start(None);
    harness.pass().await;
    let before = harness.world.snapshot();
    let other = config(&tunnel("web", &["app.example.com", "www.example.com"]));
    let plans = harness.reconciler().plan(Some(other)).await.unwrap();
    let text = plans.to_string();
    assert!(text.contains("+ record www.example.com -> web"), "{text}");
    assert!(text.contains("! app.example.com of web: a record A \"192.0.2.7\""), "{text}");
    assert_eq!(format!("{before:?}"), format!("{:?}", harness.world.snapshot()));
    assert!(harness.plan().await.contains("nothing to change"));
}

#[tokio::test]
async fn a_tunnel_whose_connector_is_refused_is_looked_at_at_once() {
    let harness = Harness::settled(&(tunnel("web", &["app.example.com"]) + &tunnel("api", &[]))).await;
    let before = harness.live("web");
    harness.world.dashboard().delete_tunnel(&before[0].parse().unwrap()).unwrap();

    harness.refusals.send_replace(Arc::new([(name("web"), 1)].into()));

    // No pass is asked for, and the next by itself is an hour away.
    harness.until("the tunnel is made again", |harness| harness.live("web").iter().any(|id| !before.contains(id))).await;
}
