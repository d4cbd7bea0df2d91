//! Private networks, virtual networks and hostname routes: made, kept, moved and deleted, whatever happens between.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::harness::{Harness, name, tunnel};
use adit::{
    event::PassResult,
    plan::{Conflict, HoldCode, RouteState},
    sandbox::{
        faults::{Fault, Matching, Times},
        world::Permission,
    },
};

/// A tunnel with a network, a network in a virtual network of its own, and a private hostname.
fn private(name: &str) -> String {
    tunnel(name, &[])
        + "private_networks = [{ network = \"10.0.0.0/8\" }, { network = \"10.20.0.0/16\", virtual_network = \"lab\" }]\n\
           hostname_routes = [\"wiki.internal.example\"]\n"
}

impl Harness {
    /// The stored objects of a kind.
    fn objects(&self, kind: &str) -> Vec<Map<String, Value>> {
        self.world.snapshot().objects.remove(kind).unwrap_or_default().into_values().collect()
    }

    /// The tunnel that each private route leads to, by its network or hostname.
    fn private_routes(&self) -> Vec<(String, String)> {
        let text = |object: &Map<String, Value>, key: &str| object[key].as_str().unwrap().to_owned();
        let networks = self.objects("routes").into_iter().map(|route| (text(&route, "network"), text(&route, "tunnel_id")));
        let hostnames =
            self.objects("hostname_routes").into_iter().map(|route| (text(&route, "hostname"), text(&route, "tunnel_id")));
        let mut all: Vec<_> = networks.chain(hostnames).collect();
        all.sort();
        all
    }

    fn led_to(&self, tunnel: &str) -> Vec<(String, String)> {
        let id = self.live(tunnel)[0].clone();
        ["10.0.0.0/8", "10.20.0.0/16", "wiki.internal.example"].map(|route| (route.to_owned(), id.clone())).to_vec()
    }

    fn private_states(&self, tunnel: &str) -> Vec<RouteState> {
        self.view().tunnels[&name(tunnel)].private_routes.iter().map(|route| route.state).collect()
    }
}

#[tokio::test]
async fn private_networks_and_hostnames_lead_to_their_tunnel_with_our_marker() {
    let harness = Harness::settled(&private("web")).await;
    assert_eq!(harness.private_routes(), harness.led_to("web"));
    let networks = harness.objects("virtual_networks");
    let lab = networks.iter().find(|network| network["name"] == "lab").unwrap();
    assert_eq!(lab["is_default_network"], false);
    for object in harness.objects("routes").iter().chain(&harness.objects("hostname_routes")).chain([lab]) {
        let comment = object["comment"].as_str().unwrap();
        assert!(comment.starts_with("adit:") && comment.ends_with(":web"), "{comment}");
    }

    assert_eq!(harness.pass().await.result, PassResult::Clean);
    assert_eq!(harness.private_states("web"), [RouteState::Pending; 3]);
    harness.connectors_catch_up();
    harness.until("the routes are live", |harness| harness.private_states("web") == [RouteState::Live; 3]).await;
}

#[tokio::test]
async fn an_idle_pass_costs_one_call_for_each_list_that_is_used() {
    let public = tunnel("web", &["app.example.com"]);
    let network = "private_networks = [{ network = \"10.0.0.0/8\" }]\n";
    let hostname = "hostname_routes = [\"wiki.internal.example\"]\n";
    for (text, calls) in [
        (public.clone(), 2),
        (public.clone() + hostname, 3),
        (public.clone() + network, 4),
        (public.clone() + network + hostname, 5),
    ] {
        let harness = Harness::settled(&text).await;
        harness.connectors_catch_up();
        harness.pass().await;
        let before = harness.world.request_count();
        assert_eq!(harness.pass().await.result, PassResult::Clean);
        assert_eq!(harness.world.request_count() - before, calls, "{text}");
    }
}

#[tokio::test]
async fn a_daemon_that_dies_anywhere_leaves_each_private_route_once() {
    for path in ["routes", "virtual_networks", "hostname"] {
        for fault in [Fault::Hang, Fault::AnswerLost, Fault::DropBefore, Fault::ServerError(503)] {
            let mut harness = Harness::new(&private("web")).await;
            harness.world.faults().add(fault.clone(), Matching::resource(path).method(Method::POST), Times::Once);
            harness.start(None);
            harness.until("the fault was met", |harness| harness.world.faults().remaining() == 0).await;
            harness.kill().await;
            harness.start(None);
            harness.pass().await;
            let report = harness.pass().await;
            assert!(report.plan.is_empty() && report.plan.conflicts.is_empty(), "{path} {fault:?}: {}", report.plan);
            assert_eq!(harness.private_routes(), harness.led_to("web"), "{path} {fault:?}");
            assert_eq!(harness.objects("virtual_networks").len(), 2, "{path} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_route_of_somebody_else_is_a_conflict_and_stays_as_it_is() {
    let mut harness = Harness::new(&private("web")).await;
    let dashboard = harness.world.dashboard();
    let theirs = dashboard.create_tunnel(&harness.world.account_id(), "theirs").unwrap();
    dashboard.create_network_route("10.0.0.0/8", "default", &theirs).unwrap();
    dashboard.create_hostname_route("wiki.internal.example", &theirs);
    harness.start(None);
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Held);
    assert_eq!(report.plan.conflicts.len(), 2, "{}", report.plan);
    assert!(
        report
            .plan
            .conflicts
            .iter()
            .all(|conflict| matches!(conflict, Conflict::PrivateRoute { leads_to, .. } if leads_to == "theirs"))
    );
    assert_eq!(harness.private_states("web"), [RouteState::Conflict, RouteState::Pending, RouteState::Conflict]);
    let theirs = harness.private_routes().into_iter().filter(|(_, tunnel)| *tunnel == theirs.to_string()).count();
    assert_eq!(theirs, 2);
    assert_eq!(harness.requests("POST", "zerotrust"), 0, "what the list shows is not tried");
}

#[tokio::test]
async fn a_route_that_comes_in_between_is_a_conflict_in_the_same_pass() {
    let mut harness = Harness::new(&private("web")).await;
    let theirs = harness.world.dashboard().create_tunnel(&harness.world.account_id(), "theirs").unwrap();
    // Between the list and the creation.
    harness.world.faults().add(Fault::EmptyPage, Matching::resource("routes").method(Method::GET), Times::Once);
    harness.world.dashboard().create_network_route("10.0.0.0/8", "default", &theirs).unwrap();
    harness.start(None);
    harness.until("the pass has ended", |harness| !harness.told("pass-finished").is_empty()).await;
    assert_eq!(harness.told("conflict-began").len(), 1);
    assert_eq!(harness.objects("routes").iter().filter(|route| route["network"] == "10.0.0.0/8").count(), 1);
}

#[tokio::test]
async fn what_somebody_deleted_or_led_elsewhere_is_set_right() {
    let harness = Harness::settled(&private("web")).await;
    let dashboard = harness.world.dashboard();
    let theirs = dashboard.create_tunnel(&harness.world.account_id(), "theirs").unwrap();
    dashboard.delete_network_route("10.0.0.0/8").unwrap();
    dashboard.edit_hostname_route("wiki.internal.example", json!({ "tunnel_id": theirs })).unwrap();
    dashboard
        .edit_network_route(
            "10.20.0.0/16",
            json!({ "comment": harness.objects("routes")[0]["comment"].as_str().unwrap().replace(":web", ":old") }),
        )
        .unwrap();
    assert_eq!(harness.pass().await.result, PassResult::Changed);
    assert_eq!(harness.private_routes(), harness.led_to("web"));
    assert!(harness.objects("routes").iter().all(|route| route["comment"].as_str().unwrap().ends_with(":web")));
    assert_eq!(harness.pass().await.result, PassResult::Clean);
}

#[tokio::test]
async fn a_route_moves_to_another_tunnel_by_one_patch() {
    let harness = Harness::settled(&(private("web") + &tunnel("api", &[]))).await;
    harness.connectors_catch_up();
    harness.pass().await;
    let ids = |harness: &Harness| harness.world.snapshot().objects["routes"].keys().cloned().collect::<Vec<_>>();
    let (before, posts) = (ids(&harness), harness.requests("POST", ""));
    harness.want(&(tunnel("web", &[]) + &private("api")));
    harness.pass().await;
    assert_eq!(harness.private_routes(), harness.led_to("api"));
    assert_eq!((ids(&harness), harness.requests("POST", "")), (before, posts));
    assert_eq!(harness.requests("PATCH", ""), 3);
    assert_eq!(harness.pass().await.result, PassResult::Clean);
    assert_eq!(harness.objects("virtual_networks").len(), 2);
}

#[tokio::test]
async fn a_deleted_tunnel_takes_its_routes_and_its_virtual_network_along_in_any_weather() {
    for path in ["nothing", "routes", "virtual_networks", "hostname", "cfd_tunnel"] {
        for fault in [Fault::AnswerLost, Fault::ServerError(503)] {
            let mut harness = Harness::settled(&private("web")).await;
            harness.want("");
            harness.pass().await;
            assert_eq!(harness.private_states("web"), [RouteState::Orphaned; 3]);
            harness.world.faults().add(fault.clone(), Matching::resource(path).method(Method::DELETE), Times::Once);
            harness.reconciler().delete_tunnel(&name("web")).await.unwrap();
            harness.kill().await;
            harness.start(None);
            harness.pass().await;
            assert_eq!(harness.private_routes(), [], "{path} {fault:?}");
            assert_eq!(harness.objects("virtual_networks").len(), 1, "{path} {fault:?}");
            assert!(harness.live("web").is_empty(), "{path} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_tunnel_that_routes_of_others_lead_to_is_deleted_when_they_are_gone() {
    let harness = Harness::settled(&private("web")).await;
    let id = harness.live("web")[0].parse().unwrap();
    harness.world.dashboard().create_network_route("192.168.0.0/16", "default", &id).unwrap();
    harness.want("");
    assert!(!harness.reconciler().delete_tunnel(&name("web")).await.unwrap());
    harness.pass().await;
    let report = harness.pass().await;
    assert!(report.plan.holds.iter().any(|hold| hold.code == HoldCode::RoutesOfOthers), "{}", report.plan);
    assert_eq!(harness.private_routes().len(), 1);
    harness.world.dashboard().delete_network_route("192.168.0.0/16").unwrap();
    assert!(harness.reconciler().delete_tunnel(&name("web")).await.unwrap());
    assert!(harness.live("web").is_empty());
}

#[tokio::test]
async fn lists_that_lie_or_fail_change_no_private_route() {
    for path in ["routes", "virtual_networks", "hostname"] {
        for fault in [
            Fault::Html(200),
            Fault::MalformedJson,
            Fault::TruncatedBody,
            Fault::WrongShape,
            Fault::TruncatedPage(0),
            Fault::EmptyPage,
            Fault::ServerError(503),
        ] {
            let harness = Harness::settled(&private("web")).await;
            let before = harness.world.snapshot().objects;
            harness.world.faults().add(fault.clone(), Matching::resource(path).method(Method::GET), Times::UntilCleared);
            let report = harness.pass().await;
            assert_eq!(harness.world.snapshot().objects, before, "{path} {fault:?}: {}", report.plan);
            harness.world.faults().clear();
            let report = harness.pass().await;
            assert_eq!((report.result, harness.world.snapshot().objects), (PassResult::Clean, before), "{path} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_change_names_the_permission_that_it_needs() {
    let mut harness = Harness::new(&private("web")).await;
    let token = harness.world.api_token();
    let permissions = [Permission::TunnelRead, Permission::ZoneRead, Permission::DnsRead, Permission::ConnectorsWrite];
    harness.world.dashboard().set_token_permissions(&token, &permissions).unwrap();
    harness.start(None);
    let report = harness.pass().await;
    let error = report.error.unwrap();
    assert!(error.contains("Account > Cloudflare Tunnel > Edit (or Cloudflare One Networks > Edit)"), "{error}");
}

#[tokio::test]
async fn an_edit_of_a_virtual_network_or_another_default_leads_nothing_elsewhere() {
    let harness = Harness::settled(&private("web")).await;
    let dashboard = harness.world.dashboard();
    dashboard.edit_virtual_network("lab", json!({ "name": "laboratory", "is_default_network": true })).unwrap();
    dashboard.edit_virtual_network("default", json!({ "is_default_network": false })).unwrap();
    let before = harness.world.snapshot().objects;
    let report = harness.pass().await;
    assert_eq!((report.result, report.plan.notes.len()), (PassResult::Clean, 2), "{}", report.plan);
    assert_eq!(harness.world.snapshot().objects, before);
}

#[tokio::test]
async fn a_virtual_network_of_that_name_is_used_and_stays_with_whoever_made_it() {
    let mut harness = Harness::new(&private("web")).await;
    let lab = harness.world.dashboard().create_virtual_network("lab");
    harness.start(None);
    harness.pass().await;
    assert_eq!(harness.requests("POST", "virtual_networks"), 0);
    harness.want("");
    assert!(harness.reconciler().delete_tunnel(&name("web")).await.unwrap());
    assert!(harness.world.snapshot().objects["virtual_networks"].contains_key(&lab));
}
