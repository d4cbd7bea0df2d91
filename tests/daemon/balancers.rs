//! Load balancers and Access applications, as an operator and a visitor see them.

use adit::{
    control::api::{RouteKind, RouteState},
    sandbox::world::Permission,
};
use serde_json::{Value, json};

use crate::host::Host;

const BALANCED: &str = r#"
[tunnels.web]
ingress = [{ hostname = "www.example.com", service = "ORIGIN" }]
load_balancer = { hostname = "www.example.com" }
"#;

fn count(host: &Host, kind: &str) -> usize {
    host.snapshot().objects.get(kind).map_or(0, |objects| objects.len())
}

#[tokio::test]
async fn a_balancer_is_planned_made_shown_and_taken_down() {
    let host = Host::prepare().await;
    host.configure("");
    host.start().await;
    host.configure(BALANCED);
    let plan = host.adit(&["plan"]).await;
    assert_eq!(plan.code, Some(2), "{plan:?}");
    assert!(plan.stdout.contains("+ load balancer www.example.com -> web"), "{plan:?}");
    assert!(plan.stdout.contains("billed by Cloudflare"), "what costs money says so: {plan:?}");

    let reloaded = host.adit(&["config", "reload"]).await;
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    host.until("the balancer is live", async |host| {
        let routes = host.client.routes().await.unwrap_or_default();
        routes.iter().any(|route| route.route.kind == RouteKind::LoadBalancer && route.route.state == RouteState::Live)
    })
    .await;
    assert!(host.visit("www.example.com").await.reached("here"));
    assert_eq!(host.snapshot().records.len(), 0, "a balancer needs no record");
    let shown = host.adit(&["route", "list"]).await;
    let lines: Vec<&str> = shown.stdout.lines().filter(|line| line.contains("balancer")).collect();
    assert!(matches!(lines[..], [line] if line.contains("pool web-adit-") && line.contains("live")), "{shown:?}");
    let shown: Value = serde_json::from_str(&host.adit(&["route", "list", "-o", "json"]).await.stdout).unwrap();
    assert_eq!(shown[1]["kind"], json!("load_balancer"), "{shown}");

    host.configure(&BALANCED.replace("load_balancer", "# load_balancer"));
    host.adit(&["config", "reload"]).await;
    host.until("the record leads there and nothing of the balancer is left", async |host| {
        let left = ["monitors", "pools", "load_balancers"].map(|kind| count(host, kind));
        left == [0, 0, 0] && host.snapshot().records_named("www.example.com").len() == 1
    })
    .await;
    assert!(host.visit("www.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_tunnel_goes_with_its_balancer_when_it_is_deleted() {
    let host = Host::prepare().await;
    host.configure(BALANCED);
    host.start().await;
    host.until("the balancer is made", async |host| count(host, "load_balancers") == 1).await;
    host.configure("");
    host.adit(&["config", "reload"]).await;
    let deleted = host.adit(&["tunnel", "delete", "web", "--yes"]).await;
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    host.until("nothing of it is left", async |host| {
        let snapshot = host.snapshot();
        let left = ["monitors", "pools", "load_balancers"].map(|kind| count(host, kind));
        left == [0, 0, 0] && snapshot.tunnels.values().all(|tunnel| tunnel.deleted)
    })
    .await;
}

#[tokio::test]
async fn the_credential_check_names_what_load_balancing_and_access_need() {
    let host = Host::prepare().await;
    host.configure(&(BALANCED.to_owned() + "access = \"required\"\n"));
    host.start().await;
    let checked = host.adit(&["credential", "check"]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let world = &host.stage.world;
    let without = |permission: &Permission| {
        use Permission::{AccessRead, AccessWrite, LoadBalancersWrite, PoolsWrite};
        ![AccessRead, AccessWrite, LoadBalancersWrite, PoolsWrite].contains(permission)
    };
    let permissions: Vec<Permission> = Permission::ALL.iter().copied().filter(without).collect();
    world.dashboard().set_token_permissions(&world.api_token(), &permissions).unwrap();
    let checked = host.adit(&["credential", "check"]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    for permission in [
        "Account > Load Balancing: Monitors and Pools > Edit",
        "Zone > Load Balancers > Edit",
        "Account > Access: Apps and Policies > Read",
    ] {
        assert!(checked.stdout.contains(permission), "{permission}: {checked:?}");
    }
}

#[tokio::test]
async fn a_hostname_waits_for_its_access_application() {
    let host = Host::prepare().await;
    host.configure(
        "[tunnels.web]\ningress = [\n\
         { hostname = \"open.example.com\", service = \"ORIGIN\" },\n\
         { hostname = \"app.example.com\", service = \"ORIGIN\", access = \"required\" },\n]\n",
    );
    host.start().await;
    host.until("the other hostname is public", async |host| !host.snapshot().records_named("open.example.com").is_empty()).await;
    host.pass().await;
    assert!(host.snapshot().records_named("app.example.com").is_empty());
    let status = host.adit(&["status"]).await;
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.stdout.contains("no Access application covers app.example.com"), "{status:?}");
    let plan = host.adit(&["plan"]).await;
    assert!(plan.stdout.contains("(access-missing)"), "{plan:?}");

    host.stage.world.dashboard().create_access_app("app.example.com");
    host.until_all_serve().await;
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_it_bites() {
    let host = Host::prepare().await;
    host.configure(&BALANCED.replace("load_balancer = {", "load_balancer = { monitor = { type = \"tcp\" },"));
    let path = host.path("adit.toml");
    let checked = host.adit(&["config", "check", "--config", path.to_str().unwrap()]).await;
    assert_ne!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stdout.contains("TCP monitors do not reach a tunnel"), "{checked:?}");
}
