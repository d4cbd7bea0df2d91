//! Connections that end at Cloudflare: forced off by the API, or with their tunnel.

use std::sync::Arc;

use adit::{
    sandbox::{Api, edge::Edge, start_api, world::World},
    secret::Secret,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::harness::{Launch, SECRET, stand_in, wait_until};

async fn delete(api: &Api, world: &World, path: &str) {
    // Whichever test comes first installs it; the others find it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("{}/accounts/{}/{path}", api.base, world.account_id());
    let request = reqwest::Client::new().delete(url).bearer_auth(world.api_token().expose());
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_closes_connections_that_the_api_forced_off_and_all_of_a_deleted_tunnel() {
    let world = World::new();
    let api = start_api(world.clone()).await.unwrap();
    let edge = Edge::start(Arc::new(world.clone())).unwrap();
    let account = world.account_id();
    let tunnel = world.dashboard().create_tunnel(&account, "web").unwrap();
    world.dashboard().rotate_secret(&tunnel, &Secret::new(SECRET.to_owned())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let token = STANDARD.encode(json!({"a": account, "t": tunnel, "s": SECRET}).to_string());
    let launch = Launch::new(&stand_in(folder.path())).variable("TUNNEL_EDGE", &edge.tunnel_edge());
    let connector = launch.variable("TUNNEL_TOKEN", &token).variable("ADIT_SANDBOX_TIME_SCALE", "0.02").start().await;
    connector.ready(4).await;

    delete(&api, &world, &format!("cfd_tunnel/{tunnel}/connections")).await;
    wait_until("each connection was made a second time", async || connector.events("Registered tunnel connection").len() == 8)
        .await;
    connector.ready(4).await;

    delete(&api, &world, &format!("cfd_tunnel/{tunnel}?cascade=true")).await;
    connector.ready(0).await;
    wait_until("the refusal is counted", async || connector.page("/metrics").await.contains("tunnel_register_fail{")).await;
    assert_eq!(edge.connections(&tunnel), []);
    assert!(!connector.log().contains("Unauthorized"), "over QUIC nobody says why");
}
