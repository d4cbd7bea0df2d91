//! Names that somebody else holds: they are left alone, byte for byte.

use adit::{control::api::RouteState, sandbox::world::RecordKind};
use serde_json::Value;

use crate::host::{Host, serves};

const TWO_ROUTES: &str = r#"
[tunnels.web]
ingress = [
    { hostname = "app.example.com", service = "ORIGIN" },
    { hostname = "api.example.com", service = "ORIGIN" },
]
"#;

#[tokio::test]
async fn a_foreign_record_stays_as_it_is_until_its_owner_removes_it() {
    tokio::join!(left_alone(RecordKind::A, "192.0.2.7"), left_alone(RecordKind::Cname, "elsewhere.example.org"));
}

async fn left_alone(kind: RecordKind, content: &str) {
    let host = Host::prepare().await;
    let foreign = host.stage.world.dashboard().create_record("app.example.com", kind, content).unwrap();
    let before = host.snapshot().records[&foreign].clone();
    host.configure(TWO_ROUTES);
    host.start().await;

    host.until("the other route is live and the conflict is told", async |host| {
        let tunnel = host.client.tunnel("web").await.map(|detail| detail.tunnel.routes).unwrap_or_default();
        let states: Vec<RouteState> = tunnel.iter().map(|route| route.state).collect();
        states == [RouteState::Conflict, RouteState::Live]
    })
    .await;
    let reason = host.route("app.example.com").await.reason.expect("a conflict has a reason");
    assert!(reason.contains(content), "what stands there is named: {reason:?}");
    assert!(host.visit("api.example.com").await.reached("here"));
    host.pass().await;
    assert_eq!(host.snapshot().records[&foreign], before);
    assert_eq!(host.snapshot().records_named("app.example.com").len(), 1);
    let shown = host.adit(&["status"]).await;
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stdout.contains(content), "{shown:?}");
    let planned = host.adit(&["plan", "-o", "json"]).await;
    assert_eq!(planned.code, Some(5), "{planned:?}");
    let hash = serde_json::from_str::<Value>(&planned.stdout).unwrap()["hash"].as_str().unwrap().to_owned();
    for apply in [&["apply", "--yes"][..], &["apply", "--plan", &hash]] {
        let applied = host.adit(apply).await;
        assert_eq!(applied.code, Some(5), "{applied:?}");
    }

    host.stage.world.dashboard().delete_record("app.example.com").unwrap();
    // Whoever removed it has Adit look again; without that it does so a few minutes later.
    let planned = host.adit(&["plan"]).await;
    assert_eq!(planned.code, Some(2), "{planned:?}");
    host.until_all_serve().await;
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_foreign_tunnel_with_the_name_of_ours_is_left_alone() {
    let host = Host::serving("[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]").await;
    let name = host.snapshot().tunnels.into_values().next().unwrap().name.replace("web.", "api.");
    let account = host.stage.world.account_id();
    let foreign = host.stage.world.dashboard().create_tunnel(&account, &name).unwrap();
    let before = host.snapshot();

    host.configure(
        "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n\
         [tunnels.api]\ningress = [{ hostname = \"api.example.com\", service = \"ORIGIN\" }]",
    );
    host.client.reload_configuration().await.unwrap();
    host.until("the conflict is told", async |host| {
        let routes = host.tunnel("api").await.routes;
        routes.iter().any(|route| route.state == RouteState::Conflict && route.reason.is_some())
    })
    .await;
    host.pass().await;
    assert_eq!(host.snapshot(), before);
    assert!(serves(&host.tunnel("web").await));

    host.stage.world.dashboard().delete_tunnel(&foreign).unwrap();
    host.until_all_serve().await;
    assert!(host.visit("api.example.com").await.reached("here"));
    assert_eq!(host.snapshot().tunnels.values().filter(|tunnel| !tunnel.deleted).count(), 2);
}

#[tokio::test]
async fn a_hostname_without_a_zone_is_reported_and_the_rest_works() {
    let host = Host::prepare().await;
    host.configure(&TWO_ROUTES.replace("api.example.com", "api.example.org"));
    host.start().await;

    host.until("the route says what is missing", async |host| {
        let routes = host.client.tunnel("web").await.map(|detail| detail.tunnel.routes).unwrap_or_default();
        routes.get(1).is_some_and(|route| route.reason.as_ref().is_some_and(|reason| reason.contains("zone")))
    })
    .await;
    host.until("the other route is live", async |host| host.route("app.example.com").await.state == RouteState::Live).await;
    assert!(host.visit("app.example.com").await.reached("here"));
    assert_eq!(host.route("api.example.org").await.state, RouteState::Pending);
    assert_eq!(host.snapshot().records.len(), 1);
    let shown = host.adit(&["status"]).await;
    assert_eq!(shown.code, Some(1));
    assert!(shown.stdout.contains("zone"), "{shown:?}");

    let account = host.stage.world.account_id();
    host.stage.world.add_zone(&account, "example.org", adit::sandbox::world::Plan::Free);
    let planned = host.adit(&["plan"]).await;
    assert_eq!(planned.code, Some(2), "{planned:?}");
    host.until_all_serve().await;
    assert!(host.visit("api.example.org").await.reached("here"));
}
