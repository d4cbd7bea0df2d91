//! A tunnel whose configuration others edit too.

use adit::{control::api::RouteState, id::TunnelId};
use serde_json::{Value, json};

use crate::host::Host;

const SHARED: &str = r#"
[tunnels.web]
ownership = "shared"
ingress = [
    { hostname = "app.example.com", service = "ORIGIN" },
    { hostname = "a.dev.example.com", service = "ORIGIN" },
]
"#;

fn theirs() -> Vec<Value> {
    vec![
        json!({ "hostname": "theirs.example.com", "service": "http://localhost:1", "originRequest": { "noTLSVerify": true } }),
        json!({ "hostname": "*.dev.example.com", "service": "http://localhost:2" }),
        json!({ "service": "http_status:503" }),
    ]
}

fn rules(host: &Host, id: &TunnelId) -> Vec<Value> {
    let (_, document) = host.snapshot().tunnels[id].configuration.clone().unwrap();
    document["ingress"].as_array().unwrap().clone()
}

/// The rules that do not lead to this host's service.
fn foreign(host: &Host, id: &TunnelId) -> Vec<Value> {
    rules(host, id).into_iter().filter(|rule| rule["service"] != json!(host.origin.url())).collect()
}

async fn adopted() -> (Host, TunnelId) {
    let host = Host::prepare().await;
    let dashboard = host.stage.world.dashboard();
    let id = dashboard.create_tunnel(&host.stage.world.account_id(), "everybodys").unwrap();
    dashboard.put_configuration(&id, json!({ "ingress": theirs(), "originRequest": { "connectTimeout": 7 } })).unwrap();
    host.configure(SHARED);
    host.start().await;
    host.until("it waits to be adopted", async |host| {
        host.client.tunnel("web").await.is_ok_and(|web| web.tunnel.holds.iter().any(|hold| hold.code == "not-adopted"))
    })
    .await;
    assert_eq!(host.snapshot().tunnels.len(), 1, "a shared tunnel is never made");
    let adopted = host.adit(&["tunnel", "adopt", "web", "--cloudflare-name", "everybodys", "--yes", "--wait"]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert!(adopted.stderr.contains("+ app.example.com"), "{adopted:?}");
    (host, id)
}

#[tokio::test]
async fn our_rules_come_and_go_among_those_of_others() {
    let (host, id) = adopted().await;
    assert!(host.visit("app.example.com").await.reached("here"));
    assert!(host.visit("a.dev.example.com").await.reached("here"), "it stands before their wildcard");
    assert_eq!(foreign(&host, &id), theirs());
    let (_, document) = host.snapshot().tunnels[&id].configuration.clone().unwrap();
    assert_eq!(document["originRequest"], json!({ "connectTimeout": 7 }));

    // Others go on editing; ours follow.
    let mut edited = rules(&host, &id);
    edited.insert(0, json!({ "hostname": "more.example.com", "service": "http://localhost:3" }));
    host.stage.world.dashboard().put_configuration(&id, json!({ "ingress": edited })).unwrap();
    host.configure(&SHARED.replace("    { hostname = \"a.dev.example.com\", service = \"ORIGIN\" },\n", ""));
    host.client.reload_configuration().await.unwrap();
    host.until_all_serve().await;
    host.until("our rule is gone", async |host| rules(host, &id).len() == 5).await;
    let mut expected = theirs();
    expected.insert(0, json!({ "hostname": "more.example.com", "service": "http://localhost:3" }));
    assert_eq!(foreign(&host, &id), expected);

    let settled = host.snapshot();
    host.pass().await;
    assert_eq!(host.snapshot(), settled);
}

#[tokio::test]
async fn a_rule_of_others_for_our_hostname_is_a_conflict_until_it_goes() {
    let host = Host::prepare().await;
    let dashboard = host.stage.world.dashboard();
    let id = dashboard.create_tunnel(&host.stage.world.account_id(), "everybodys").unwrap();
    let mut rules_there = theirs();
    rules_there.insert(0, json!({ "hostname": "app.example.com", "service": "http://localhost:9" }));
    dashboard.put_configuration(&id, json!({ "ingress": rules_there })).unwrap();
    host.configure(SHARED);
    host.start().await;
    let adopted = host.adit(&["tunnel", "adopt", "web", "--cloudflare-name", "everybodys", "--yes"]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert!(adopted.stderr.contains("! app.example.com: somebody else wrote a rule"), "{adopted:?}");
    host.until("the conflict is told, and the other route serves", async |host| {
        let routes = host.tunnel("web").await.routes;
        routes.iter().map(|route| route.state).collect::<Vec<_>>() == [RouteState::Conflict, RouteState::Live]
    })
    .await;
    host.pass().await;
    assert_eq!(foreign(&host, &id), rules_there);
    assert!(host.adit(&["plan"]).await.stdout.contains("somebody else wrote a rule for the same requests"));

    let without: Vec<Value> = rules(&host, &id).into_iter().filter(|rule| rule["service"] != "http://localhost:9").collect();
    host.stage.world.dashboard().put_configuration(&id, json!({ "ingress": without })).unwrap();
    host.until_all_serve().await;
    assert_eq!(foreign(&host, &id), theirs());
}

#[tokio::test]
async fn what_leaves_a_shared_tunnel_leaves_the_rest_and_the_tunnel() {
    let (host, id) = adopted().await;
    host.configure("");
    host.client.reload_configuration().await.unwrap();
    host.until("its connector has stopped", async |host| host.connectors().is_empty()).await;
    let deleted = host.adit(&["tunnel", "delete", "web", "--yes", "--wait"]).await;
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    assert_eq!(rules(&host, &id), theirs());
    let after = host.snapshot();
    assert!(!after.tunnels[&id].deleted && after.records.is_empty());
}

#[tokio::test]
async fn what_a_shared_tunnel_cannot_have_is_refused_with_its_place() {
    let host = Host::prepare().await;
    for (keys, says) in [
        ("configuration = \"local\"\ningress = []", "a shared tunnel has a remote configuration"),
        ("originRequest = { noTLSVerify = true }\ningress = []", "it would change the rules of others"),
        ("ingress = [{ service = \"http_status:404\" }]", "is that of the others"),
        ("ownership = \"theirs\"", "owned"),
    ] {
        let ownership = if keys.contains("ownership") { "" } else { "ownership = \"shared\"\n" };
        host.configure(&format!("[tunnels.web]\n{ownership}{keys}\n"));
        let path = host.path("adit.toml");
        let checked = host.adit(&["config", "check", "--config", path.to_str().unwrap()]).await;
        assert_eq!(checked.code, Some(1), "{checked:?}");
        let all = format!("{}{}", checked.stdout, checked.stderr);
        assert!(all.contains(says) && all.contains("adit.toml:"), "{all}");
    }
}
