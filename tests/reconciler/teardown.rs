//! Tunnels end: in order, from wherever it stopped, and only when it is proved.

use std::{net::Ipv4Addr, sync::Arc};

use axum::http::Method;
use serde_json::json;

use super::harness::{Harness, name, tunnel};
use adit::{
    event::ProvisioningEvent,
    id::TunnelId,
    plan::HoldCode,
    sandbox::{
        faults::{Fault, Matching, Times},
        world::{EdgeConnection, World},
    },
};

/// Two tunnels of which `web` has left the configuration.
pub(super) async fn orphaned() -> Harness {
    let harness = Harness::settled(&(tunnel("web", &["app.example.com"]) + &tunnel("api", &[]))).await;
    harness.want(&tunnel("api", &[]));
    harness.pass().await;
    harness
}

/// A connector on another host connects.
pub(super) fn connect(world: &World, id: &TunnelId) {
    let connection = EdgeConnection {
        connector: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        index: 0,
        version: "2026.8.2".to_owned(),
        arch: "linux_amd64".to_owned(),
        colo: "fra01".to_owned(),
        origin_ip: Ipv4Addr::new(192, 0, 2, 44).into(),
    };
    world.connection_opened(id, connection);
}

/// nport #16: Cloudflare refuses with 1022 to delete a tunnel that has active connections.
#[tokio::test]
async fn a_tunnel_with_active_connections_is_deleted_all_the_same() {
    let harness = orphaned().await;
    connect(&harness.world, &harness.live("web")[0].parse().unwrap());

    assert!(harness.reconciler().delete_tunnel(&name("web")).await.unwrap());

    assert_eq!(harness.live("web"), [""; 0]);
    let cut = harness.told("connections-cut");
    let [ProvisioningEvent::ConnectionsCut { connectors: 1, from, .. }] = &cut[..] else { panic!("{cut:?}") };
    assert_eq!(from, &["192.0.2.44"]);
}

/// The same, when the connection comes in the moment before the deletion: nobody could have planned for it.
#[tokio::test]
async fn a_connection_that_comes_right_before_the_deletion_is_cut() {
    let harness = orphaned().await;
    let (world, id): (World, TunnelId) = (harness.world.clone(), harness.live("web")[0].parse().unwrap());
    let connecting = world.clone();
    world.on_exchange(Arc::new(move |exchange| {
        if exchange.method == Method::POST && exchange.path.ends_with("/batch")
            || exchange.method == Method::DELETE && exchange.path.contains("dns_records")
        {
            connect(&connecting, &id);
        }
    }));

    assert!(harness.reconciler().delete_tunnel(&name("web")).await.unwrap());

    assert_eq!(harness.told("connections-cut").len(), 1);
    assert_eq!(harness.requests("DELETE", "/cfd_tunnel/"), 3, "refused, cut off, deleted");
}

#[tokio::test]
async fn connectors_that_come_back_each_time_hold_the_tunnel_until_they_stop() {
    let harness = orphaned().await;
    let (world, id): (World, TunnelId) = (harness.world.clone(), harness.live("web")[0].parse().unwrap());
    connect(&world, &id);
    let reconnecting = world.clone();
    world.on_exchange(Arc::new(move |exchange| {
        if exchange.method == Method::DELETE && exchange.path.ends_with("/connections") {
            connect(&reconnecting, &id);
        }
    }));

    assert!(!harness.reconciler().delete_tunnel(&name("web")).await.unwrap());
    let hold = harness.view().holds[0].clone();
    assert_eq!((hold.code, hold.tunnel()), (HoldCode::StillConnected, Some(&name("web"))));
    assert_eq!(harness.target("app.example.com"), None, "what leads to it is gone by then");

    world.on_exchange(Arc::new(|_| {}));
    harness.pass().await;
    assert_eq!(harness.live("web"), [""; 0]);
    assert!(harness.view().holds.is_empty());
}

#[tokio::test]
async fn requests_of_its_own_connectors_end_before_a_tunnel_does() {
    let harness = orphaned().await;
    harness.reported.send_replace(Arc::new([(name("web"), 1)].into()));

    assert!(!harness.reconciler().delete_tunnel(&name("web")).await.unwrap());
    assert_eq!(harness.view().holds[0].code, HoldCode::Draining);
    assert_eq!(harness.target("app.example.com"), None);
    assert_eq!(harness.live("web").len(), 1);

    // No pass is asked for: that they are gone is reason enough.
    harness.reported.send_replace(Arc::default());
    harness.until("the tunnel is deleted", |harness| harness.live("web").is_empty()).await;
}

/// pulumi #1440: a deletion was reported as done, and the name was still taken.
#[tokio::test]
async fn a_deletion_that_is_reported_and_not_done_is_asked_for_again() {
    let harness = orphaned().await;
    let deletion = Matching::resource("cfd_tunnel").method(Method::DELETE);
    harness.world.faults().add(Fault::Unheeded, deletion, Times::Once);

    assert!(!harness.reconciler().delete_tunnel(&name("web")).await.unwrap());
    assert_eq!(harness.view().holds[0].code, HoldCode::NotDeleted);
    assert!(harness.directory.path().join("records/web.toml").exists(), "it is not forgotten");

    harness.until("the deletion is repeated", |harness| harness.live("web").is_empty()).await;
    harness.until("it is forgotten", |harness| !harness.directory.path().join("records/web.toml").exists()).await;
}

/// Error 1023: Cloudflare refuses to delete a tunnel that private routes lead to.
#[tokio::test]
async fn a_private_route_that_nobody_here_made_holds_the_tunnel_until_it_is_gone() {
    let harness = orphaned().await;
    let id = harness.live("web")[0].clone();
    let route = harness.call(Method::POST, "teamnet/routes", json!({ "network": "10.20.0.0/16", "tunnel_id": id })).await;

    assert!(!harness.reconciler().delete_tunnel(&name("web")).await.unwrap());
    let hold = harness.view().holds[0].clone();
    assert_eq!((hold.code, hold.tunnel()), (HoldCode::RoutesLeft, Some(&name("web"))));
    assert_eq!(harness.live("web").len(), 1);

    harness.call(Method::DELETE, &format!("teamnet/routes/{}", route["id"].as_str().unwrap()), json!(null)).await;
    harness.pass().await;
    assert_eq!(harness.live("web"), [""; 0]);
}

#[tokio::test]
async fn a_tunnel_that_somebody_deleted_meanwhile_is_forgotten() {
    let harness = orphaned().await;
    harness.world.dashboard().delete_tunnel(&harness.live("web")[0].parse().unwrap()).unwrap();
    assert!(harness.reconciler().delete_tunnel(&name("web")).await.unwrap());
    assert_eq!(harness.target("app.example.com"), None);
    assert!(!harness.directory.path().join("records/web.toml").exists());
}
