//! Load balancers and Access applications, against an API that fails and people who edit.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::harness::{Harness, name, tunnel};
use adit::{
    event::PassResult,
    plan::{HoldCode, RouteKind, RouteState},
    sandbox::{
        faults::{Fault, Matching, Times},
        world::{Permission, RecordKind},
    },
};

const WWW: &str = "www.example.com";

/// A tunnel that is a part of the load balancer of www.example.com.
fn balanced(name: &str, more: &str) -> String {
    tunnel(name, &[WWW]) + &format!("load_balancer = {{ hostname = \"{WWW}\"{more} }}\n")
}

/// The objects of a kind: `pools`, `monitors`, `load_balancers`, `access_apps`.
fn objects(harness: &Harness, kind: &str) -> Vec<Map<String, Value>> {
    harness.world.snapshot().objects.get(kind).map(|objects| objects.values().cloned().collect()).unwrap_or_default()
}

fn counts(harness: &Harness) -> [usize; 3] {
    ["monitors", "pools", "load_balancers"].map(|kind| objects(harness, kind).len())
}

#[tokio::test]
async fn a_load_balancer_is_made_once_and_an_idle_pass_costs_three_calls_more() {
    let harness = Harness::settled(&balanced("web", "")).await;
    assert_eq!(counts(&harness), [1, 1, 1]);
    assert_eq!(harness.target(WWW), None, "the balancer would win over a record");
    let pool = &objects(&harness, "pools")[0];
    assert_eq!(pool["origins"][0]["address"], json!(format!("{}.cfargotunnel.com", harness.live("web")[0])));
    assert_eq!(pool["origins"][0]["header"], json!({ "Host": [WWW] }));
    let before = harness.world.requests().len();
    assert_eq!(harness.pass().await.result, PassResult::Clean);
    // Tunnels, monitors, pools, and the balancers of one zone.
    assert_eq!(harness.world.requests().len() - before, 4);
    harness.connectors_catch_up();
    harness
        .until("the balancer is live", |harness| {
            let routes = &harness.view().tunnels[&name("web")].routes;
            routes.iter().any(|route| route.kind == RouteKind::LoadBalancer && route.state == RouteState::Live)
        })
        .await;
    assert!(harness.world.resolve(WWW).is_some());
}

#[tokio::test]
async fn a_daemon_that_dies_anywhere_leaves_one_monitor_one_pool_and_one_balancer() {
    for path in ["monitors", "pools", "load_balancers"] {
        for fault in [Fault::AnswerLost, Fault::Hang, Fault::DropBefore, Fault::ServerError(503)] {
            let mut harness = Harness::new(&balanced("web", "")).await;
            let matching = match path {
                "load_balancers" => Matching::path_prefix("/zones"),
                path => Matching::resource(path),
            };
            harness.world.faults().add(fault.clone(), matching.method(Method::POST), Times::Once);
            harness.start(None);
            harness.until("the fault was met", |harness| harness.world.faults().remaining() == 0).await;
            harness.kill().await;
            harness.start(None);
            harness.pass().await;
            let report = harness.pass().await;
            assert!(report.plan.is_empty(), "{path} {fault:?}: {}", report.plan);
            assert_eq!(counts(&harness), [1, 1, 1], "{path} {fault:?}");
        }
    }
}

#[tokio::test]
async fn an_edit_is_left_as_it_is_also_when_the_answer_to_the_creation_was_lost() {
    for (kind, edit) in [("monitors", json!({ "path": "/other" })), ("load_balancers", json!({ "steering_policy": "geo" }))] {
        let mut harness = Harness::new(&(balanced("web", "") + "on_drift = \"report\"\n")).await;
        let matching = match kind {
            "load_balancers" => Matching::path_prefix("/zones"),
            kind => Matching::resource(kind),
        };
        harness.world.faults().add(Fault::AnswerLost, matching.method(Method::POST), Times::Once);
        harness.start(None);
        harness.pass().await;
        harness.pass().await;
        assert_eq!((counts(&harness), harness.world.faults().remaining()), ([1, 1, 1], 0), "{kind}");
        let id = harness.world.snapshot().objects[kind].keys().next().unwrap().clone();
        harness.world.dashboard().edit_object(kind, &id, edit).unwrap();
        let edited = harness.world.snapshot().objects;
        let report = harness.pass().await;
        assert_eq!(report.plan.holds.iter().map(|hold| hold.code).collect::<Vec<_>>(), [HoldCode::Edited], "{}", report.plan);
        assert_eq!(harness.world.snapshot().objects, edited, "{kind}");
    }
}

#[tokio::test]
async fn a_teardown_goes_on_from_wherever_it_was_interrupted() {
    for path in ["monitors", "pools", "load_balancers"] {
        for fault in [Fault::AnswerLost, Fault::DropBefore, Fault::ServerError(503)] {
            let mut harness = Harness::settled(&balanced("web", "")).await;
            harness.want(&tunnel("web", &[]));
            let matching = match path {
                "load_balancers" => Matching::path_prefix("/zones"),
                path => Matching::resource(path),
            };
            harness.world.faults().add(fault.clone(), matching.method(Method::DELETE), Times::Once);
            harness.pass().await;
            harness.kill().await;
            harness.start(None);
            harness.pass().await;
            let report = harness.pass().await;
            assert!(report.plan.is_empty(), "{path} {fault:?}: {}", report.plan);
            assert_eq!(counts(&harness), [0, 0, 0], "{path} {fault:?}");
        }
    }
}

#[tokio::test]
async fn lists_that_fail_or_lie_make_nothing_twice_and_delete_nothing() {
    for fault in [Fault::EmptyPage, Fault::TruncatedPage(0), Fault::MalformedJson, Fault::ServerError(500), Fault::WrongShape] {
        let harness = Harness::settled(&balanced("web", "")).await;
        let before = harness.world.snapshot();
        let lists = ["monitors", "pools", "load_balancers"];
        for list in lists {
            harness.world.faults().add(fault.clone(), Matching::resource(list).method(Method::GET), Times::UntilCleared);
        }
        let report = harness.pass().await;
        assert!(!report.plan.holds.is_empty(), "{fault:?}: {}", report.plan);
        harness.want(&tunnel("web", &[]));
        harness.pass().await;
        assert_eq!(before.objects, harness.world.snapshot().objects, "{fault:?}");
        harness.want(&balanced("web", ""));
        harness.world.faults().clear();
        assert_eq!(harness.pass().await.result, PassResult::Clean, "{fault:?}");
        assert_eq!(before.objects, harness.world.snapshot().objects, "{fault:?}");
    }
}

#[tokio::test]
async fn two_hosts_share_one_balancer_and_leave_what_is_not_theirs() {
    let mut one = Harness::settled(&balanced("web", "")).await;
    let id = one.world.snapshot().objects["load_balancers"].keys().next().unwrap().clone();
    // Another installation, on the same account.
    let world = one.world.clone();
    let other = Harness::beside(&one, &balanced("web", "")).await;
    let report = other.pass().await;
    assert!(report.plan.to_string().contains(&format!("load_balancer.join = \"{id}\"")), "{}", report.plan);
    assert_eq!(objects(&other, "pools").len(), 1, "nothing is made that could not be used");
    other.want(&balanced("web", &format!(", join = \"{id}\"")));
    other.pass().await;
    let balancer = |world: &adit::sandbox::world::World| world.snapshot().objects["load_balancers"][&id].clone();
    assert_eq!(balancer(&world)["default_pools"].as_array().unwrap().len(), 2);
    // Neither of them undoes what the other did.
    for harness in [&one, &other] {
        assert_eq!(harness.pass().await.result, PassResult::Clean);
    }
    one.want(&tunnel("web", &[]));
    one.pass().await;
    one.pass().await;
    assert_eq!(balancer(&world)["default_pools"].as_array().unwrap().len(), 1);
    assert_eq!(balancer(&world)["default_pools"][0], balancer(&world)["fallback_pool"]);
    assert_eq!(objects(&one, "pools").len(), 1);
    one.kill().await;
}

#[tokio::test]
async fn a_token_without_the_permission_holds_up_load_balancing_and_nothing_else() {
    for (missing, named) in [
        (Permission::PoolsRead, "Account > Load Balancing: Monitors and Pools > Read"),
        (Permission::LoadBalancersWrite, "Zone > Load Balancers > Edit"),
    ] {
        let mut harness = Harness::new(&(balanced("web", "") + &tunnel("api", &["api.example.com"]))).await;
        let lacking = |permission: &Permission| {
            let writes_pools = missing == Permission::PoolsRead && *permission == Permission::PoolsWrite;
            *permission == missing || writes_pools
        };
        let permissions: Vec<Permission> = Permission::ALL.iter().copied().filter(|permission| !lacking(permission)).collect();
        harness.world.dashboard().set_token_permissions(&harness.world.api_token(), &permissions).unwrap();
        harness.start(None);
        let report = harness.pass().await;
        assert!(harness.target("api.example.com").is_some(), "{missing:?}");
        assert_eq!(harness.live("web").len(), 1, "{missing:?}");
        let said = format!("{} {:?} {:?}", report.plan, report.left, report.error);
        assert!(said.contains(named), "{missing:?}: {said}");
        assert_eq!(objects(&harness, "load_balancers").len(), 0);
    }
}

#[tokio::test]
async fn people_may_switch_things_off_and_edit_theirs() {
    let harness = Harness::settled(&balanced("web", "")).await;
    harness.connectors_catch_up();
    let dashboard = harness.world.dashboard();
    let pool = harness.world.snapshot().objects["pools"].keys().next().unwrap().clone();
    dashboard.edit_object("pools", &pool, json!({ "enabled": false })).unwrap();
    let balancer = harness.world.snapshot().objects["load_balancers"].keys().next().unwrap().clone();
    dashboard.edit_object("load_balancers", &balancer, json!({ "session_affinity_ttl": 1800 })).unwrap();
    let before = harness.world.snapshot();
    assert_eq!(harness.pass().await.result, PassResult::Clean);
    assert_eq!(before.objects, harness.world.snapshot().objects);
    let routes = harness.view().tunnels[&name("web")].routes.clone();
    let reason = routes.iter().find(|route| route.kind == RouteKind::LoadBalancer).unwrap().reason.clone();
    assert_eq!(reason.as_deref(), Some("somebody disabled its pool, which is left so"));
}

#[tokio::test]
async fn a_hostname_is_public_only_behind_its_access_application() {
    let wanted = tunnel("web", &["app.example.com"]) + "access = \"required\"\n";
    let harness = Harness::settled(&wanted).await;
    assert_eq!(harness.target("app.example.com"), None);
    let code = |plan: &adit::plan::Plan| plan.holds.iter().map(|hold| hold.code).collect::<Vec<_>>();
    assert_eq!(code(&harness.pass().await.plan), [HoldCode::AccessMissing]);
    let dashboard = harness.world.dashboard();
    let app = dashboard.create_access_app("app.example.com");
    harness.pass().await;
    assert!(harness.target("app.example.com").is_some());

    // It cannot be read: what is public stays so, and nothing is withdrawn on the strength of an empty list either.
    for fault in [Fault::ServerError(500), Fault::EmptyPage] {
        harness.world.faults().add(fault, Matching::resource("apps").method(Method::GET), Times::UntilCleared);
        harness.pass().await;
        assert!(harness.target("app.example.com").is_some());
        harness.world.faults().clear();
    }

    dashboard.delete_object("access_apps", &app).unwrap();
    let report = harness.pass().await;
    assert_eq!(harness.target("app.example.com"), None, "{}", report.plan);
    assert!(!harness.told("hold-began").is_empty());
    assert_eq!(harness.pass().await.result, PassResult::Held);
    dashboard.create_access_app("*.example.com");
    harness.pass().await;
    assert!(harness.target("app.example.com").is_some());
}

#[tokio::test]
async fn a_record_of_somebody_else_is_not_taken_over_by_a_balancer() {
    let mut harness = Harness::new(&balanced("web", "")).await;
    harness.world.dashboard().create_record(WWW, RecordKind::A, "192.0.2.7").unwrap();
    harness.start(None);
    let report = harness.pass().await;
    assert!(report.plan.to_string().contains("a load balancer would take its requests"), "{}", report.plan);
    assert_eq!(counts(&harness), [0, 0, 0]);
}
