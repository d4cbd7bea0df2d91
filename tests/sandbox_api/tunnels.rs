//! Tunnels over the API: names, secrets, status, configurations, deletion.

use adit::sandbox::world::{EdgeConnection, Refusal};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::Sandbox;

const CONNECTOR: &str = "11111111-2222-4333-8444-555555555555";

#[tokio::test]
async fn creating_answers_with_a_token_that_is_made_of_the_given_secret() {
    let sandbox = Sandbox::start().await;
    let secret = BASE64_STANDARD.encode([7; 32]);
    let body = json!({ "name": "web", "config_src": "cloudflare", "tunnel_secret": secret });
    let created = sandbox.post(&sandbox.in_account("cfd_tunnel"), body).await;
    let tunnel = created.result();
    let token = BASE64_STANDARD.decode(tunnel["token"].as_str().unwrap()).unwrap();
    let token: Value = serde_json::from_slice(&token).unwrap();
    assert_eq!(token, json!({ "a": sandbox.account, "t": tunnel["id"], "s": secret }));
    assert_eq!(tunnel["credentials_file"]["TunnelSecret"], secret);
    assert_eq!((&tunnel["status"], &tunnel["config_src"]), (&json!("inactive"), &json!("cloudflare")));

    let again = sandbox.get(&sandbox.in_account(&format!("cfd_tunnel/{}/token", created.id()))).await;
    assert_eq!(again.result(), &tunnel["token"]);
    let plain = sandbox.post(&sandbox.in_account("cfd_tunnel"), json!({ "name": "plain" })).await;
    assert_eq!(plain.result()["config_src"], "local");
}

#[tokio::test]
async fn a_name_is_free_only_when_no_live_tunnel_has_it() {
    let sandbox = Sandbox::start().await;
    let tunnels = sandbox.in_account("cfd_tunnel");
    let first = sandbox.tunnel("web").await;
    let second = sandbox.tunnel("shop").await;
    assert_eq!(sandbox.post(&tunnels, json!({ "name": "web" })).await.refusal(), (409, 1013));
    assert_eq!(sandbox.patch(&format!("{tunnels}/{second}"), json!({ "name": "web" })).await.refusal(), (409, 1013));
    sandbox.patch(&format!("{tunnels}/{first}"), json!({ "name": "web" })).await.result();
    sandbox.delete(&format!("{tunnels}/{first}")).await.result();
    sandbox.tunnel("web").await;

    for name in ["", "11111111-2222-4333-8444-555555555555"] {
        assert_eq!(sandbox.post(&tunnels, json!({ "name": name })).await.refusal(), (400, 1004));
    }
    let short = json!({ "name": "x", "tunnel_secret": BASE64_STANDARD.encode([7; 31]) });
    assert_eq!(sandbox.post(&tunnels, short).await.refusal(), (400, 1004));
    assert_eq!(sandbox.post(&tunnels, json!({ "name": "x", "config_src": "file" })).await.refusal(), (400, 1004));
}

#[tokio::test]
async fn a_deleted_tunnel_is_still_read_by_id_and_listed_unless_it_is_filtered_out() {
    let sandbox = Sandbox::start().await;
    let tunnels = sandbox.in_account("cfd_tunnel");
    let tunnel = sandbox.tunnel("web").await;
    let path = format!("{tunnels}/{tunnel}");
    sandbox.delete(&path).await.result();

    assert!(sandbox.get(&path).await.result()["deleted_at"].is_string());
    assert_eq!(sandbox.get(&tunnels).await.each("name"), ["web"]);
    assert_eq!(sandbox.get(&format!("{tunnels}?is_deleted=true")).await.each("name"), ["web"]);
    assert_eq!(sandbox.get(&format!("{tunnels}?is_deleted=false")).await.each("name"), Vec::<String>::new());
    for path in [format!("{path}/token"), format!("{path}/configurations"), format!("{path}/connections")] {
        assert_eq!(sandbox.get(&path).await.refusal(), (404, 1003), "{path}");
    }
    assert_eq!(sandbox.delete(&path).await.refusal(), (404, 1003));
    assert_eq!(sandbox.patch(&path, json!({ "name": "x" })).await.refusal(), (404, 1003));
}

#[tokio::test]
async fn deleting_needs_cascade_while_there_are_connections_or_routes() {
    let sandbox = Sandbox::start().await;
    let tunnel = sandbox.tunnel("web").await;
    let path = sandbox.in_account(&format!("cfd_tunnel/{tunnel}"));
    let route = json!({ "network": "10.0.0.0/8", "tunnel_id": tunnel });
    let routes = sandbox.in_account("teamnet/routes");
    sandbox.post(&routes, route.clone()).await.result();
    assert_eq!(sandbox.post(&routes, route).await.refusal(), (409, 1014));
    sandbox.world.connection_opened(&tunnel, connection(0));
    assert_eq!(sandbox.delete(&path).await.refusal(), (400, 1022));
    sandbox.delete(&format!("{path}/connections")).await.result();
    assert_eq!(sandbox.delete(&path).await.refusal(), (400, 1023));

    sandbox.world.connection_opened(&tunnel, connection(0));
    sandbox.delete(&format!("{path}?cascade=true")).await.result();
    assert!(!sandbox.world.has_connection(&tunnel, &CONNECTOR.parse().unwrap(), 0));
    assert_eq!(sandbox.get(&format!("{routes}?is_deleted=false")).await.each("network"), Vec::<String>::new());
}

#[tokio::test]
async fn the_status_follows_the_connections() {
    let sandbox = Sandbox::start().await;
    let tunnel = sandbox.tunnel("web").await;
    let path = sandbox.in_account(&format!("cfd_tunnel/{tunnel}"));
    let status = async || sandbox.get(&path).await.result()["status"].clone();
    assert_eq!(status().await, "inactive");
    sandbox.world.connection_opened(&tunnel, connection(0));
    assert_eq!(status().await, "degraded");
    for index in 1..4 {
        sandbox.world.connection_opened(&tunnel, connection(index));
    }
    assert_eq!(status().await, "healthy");

    let connector = CONNECTOR.parse().unwrap();
    sandbox.world.config_version_reported(&tunnel, &connector, 3);
    let connectors = sandbox.get(&format!("{path}/connections")).await;
    assert_eq!(connectors.result()[0]["config_version"], 3);
    assert_eq!(connectors.result()[0]["conns"].as_array().unwrap().len(), 4);
    for index in 0..4 {
        sandbox.world.connection_closed(&tunnel, &connector, index);
    }
    assert_eq!(status().await, "down");
    assert!(sandbox.get(&path).await.result()["conns_inactive_at"].is_string());
    assert_eq!(sandbox.get(&format!("{path}/connectors/{CONNECTOR}")).await.refusal(), (404, 1003));
}

#[tokio::test]
async fn a_configuration_counts_its_versions_and_reaches_only_tunnels_that_take_it() {
    let sandbox = Sandbox::start().await;
    let remote = sandbox.tunnel("remote").await;
    let path = sandbox.in_account(&format!("cfd_tunnel/{remote}/configurations"));
    let before = sandbox.get(&path).await;
    assert_eq!((&before.result()["version"], &before.result()["config"]), (&json!(0), &Value::Null));
    assert_eq!(sandbox.world.configuration(&remote), None);

    let body = json!({ "config": { "ingress": [{ "service": "http_status:404" }] } });
    for version in 1..=3 {
        let put = sandbox.put(&path, body.clone()).await;
        assert_eq!(put.result()["version"], version);
        assert_eq!(put.result()["config"]["ingress"], body["config"]["ingress"]);
    }
    let (version, document) = sandbox.world.configuration(&remote).unwrap();
    assert_eq!((version, &document["ingress"]), (3, &body["config"]["ingress"]));

    let no_catch_all = json!({ "config": { "ingress": [{ "hostname": "a.example.com", "service": "http://localhost:1" }] } });
    let refused = sandbox.put(&path, no_catch_all).await;
    assert_eq!(refused.refusal(), (400, 1056));
    assert!(refused.body.to_string().contains("The last ingress rule must match all URLs"), "{refused:?}");
    assert_eq!(sandbox.get(&path).await.result()["version"], 3);

    let local = sandbox.post(&sandbox.in_account("cfd_tunnel"), json!({ "name": "local" })).await.id();
    sandbox.put(&sandbox.in_account(&format!("cfd_tunnel/{local}/configurations")), body.clone()).await.result();
    let local = local.parse().unwrap();
    assert_eq!(sandbox.world.configuration(&local), None, "what is stored for a local tunnel is not sent to it");
    sandbox.world.dashboard().put_configuration(&local, body["config"].clone()).unwrap();
    assert_eq!(sandbox.world.configuration(&local).unwrap().0, 2);
}

#[tokio::test]
async fn a_new_secret_keeps_the_old_one_from_registering() {
    let sandbox = Sandbox::start().await;
    let tunnel = sandbox.tunnel("web").await;
    let path = sandbox.in_account(&format!("cfd_tunnel/{tunnel}"));
    let (old, new) = (BASE64_STANDARD.encode([1; 32]), BASE64_STANDARD.encode([2; 40]));
    let register = |secret: &str| sandbox.world.tunnel_for_registration(&sandbox.account, &tunnel, secret);
    sandbox.patch(&path, json!({ "tunnel_secret": old })).await.result();
    assert_eq!(register(&old), Ok(()));
    sandbox.world.connection_opened(&tunnel, connection(0));
    sandbox.patch(&path, json!({ "tunnel_secret": new })).await.result();
    assert_eq!((register(&old), register(&new)), (Err(Refusal::InvalidSecret), Ok(())));
    assert!(sandbox.world.has_connection(&tunnel, &CONNECTOR.parse().unwrap(), 0));

    sandbox.delete(&format!("{path}?cascade=true")).await.result();
    assert_eq!(register(&new).unwrap_err().to_string(), "Unauthorized: Tunnel not found");
    assert_eq!(Refusal::InvalidSecret.to_string(), "Unauthorized: Invalid tunnel secret");
}

fn connection(index: u8) -> EdgeConnection {
    EdgeConnection {
        connector: CONNECTOR.parse().unwrap(),
        index,
        version: "2026.8.2".to_owned(),
        arch: "linux_amd64".to_owned(),
        colo: "fra01".to_owned(),
        origin_ip: [127, 0, 0, 1].into(),
    }
}
