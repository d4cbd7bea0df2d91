//! Another secret for a tunnel, while it serves.

use std::{fs, net::Ipv4Addr};

use adit::{
    control::api::Tunnel,
    id::{ConnectorId, TunnelId},
    sandbox::{
        faults::{Fault, Matching, Times},
        switchboard::Switches,
        world::EdgeConnection,
    },
    secret::Secret,
};

use hyper::Method;

use crate::{
    host::{Host, brisk, serves},
    visitor::visit,
};

const ONE_TUNNEL: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]
"#;

#[tokio::test]
async fn a_rotation_drops_no_request_and_leaves_the_new_secret_alone_valid() {
    let host = Host::serving(ONE_TUNNEL).await;
    let (former, load) = (secret(&host), host.load("app.example.com"));
    let before = host.tunnel("web").await;
    let shown = host.adit(&["tunnel", "rotate", "web", "--yes", "--wait"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let after = host.tunnel("web").await;
    assert!(!is_valid(&host, &former), "Cloudflare takes the former secret no more");
    assert!(is_valid(&host, &secret(&host)), "and takes the one on record");
    assert_eq!(after.id, before.id, "it is the same tunnel");
    assert!(after.connectors.iter().all(|connector| connector.generation == 2), "{after:?}");
    assert!(since(&after) > since(&before));
    load.end().await.assert_nothing_lost();
    for word in ["rotation-begun", "rotation-placed", "rotation-finished"] {
        assert!(host.client.events(&[]).await.unwrap().iter().any(|event| event.kind == word), "{word}");
    }
    let shown = host.adit(&["tunnel", "show", "web"]).await;
    assert!(shown.stdout.contains("secret"), "{shown:?}");
    let told = [host.log(), format!("{:?}", host.client.events(&[]).await.unwrap()), shown.stdout, host.metrics().await];
    for canary in [&former, &secret(&host)] {
        assert!(told.iter().all(|told| !told.contains(canary.expose())), "no secret is told");
    }
    assert!(fs::read_to_string(host.path("state/audit.jsonl")).unwrap().contains("rotate"));
}

#[tokio::test]
async fn the_end_of_a_drained_connector_takes_nothing_of_the_new_secret_with_it() {
    let host = Host::serving(&ONE_TUNNEL.replace("replicas = 2", "replicas = 1")).await;
    let (asked, front) = (host.origin.requests(), host.stage.front());
    let long = tokio::spawn(visit(front, "app.example.com", "/?ms=3000"));
    host.until("a long request is under way", async |host| host.origin.requests() > asked).await;
    let pids = host.connector_pids();
    host.client.rotate_tunnel("web", false).await.unwrap();
    host.until("the former drains beside the new one", async |host| {
        host.connectors().len() == 2 && host.connector("web").await.generation == 2
    })
    .await;
    let rotation = host.tunnel("web").await.secret.unwrap().rotation;
    assert!(rotation.is_some(), "the former secret is not forgotten while somebody holds it");

    assert!(long.await.unwrap().unwrap().reached("here"), "the request that it carried is finished");
    host.until_gone(pids[0]).await;
    until_rotated(&host).await;
    assert!(is_valid(&host, &secret(&host)));
    // The new one is whole: it is found again by another daemon, and one that dies is started again with the new secret.
    host.kill();
    host.start().await;
    host.until_all_serve().await;
    crate::processes::signal(host.connector_pids()[0], nix::sys::signal::Signal::SIGKILL);
    host.until("it was started again", async |host| host.connector("web").await.generation == 3).await;
    host.until_all_serve().await;
}

#[tokio::test]
async fn an_emergency_cuts_off_every_other_holder_and_none_of_ours() {
    let host = Host::serving(ONE_TUNNEL).await;
    a_thief_alone_is_cut_off(&host, "web").await;
}

#[tokio::test]
async fn an_emergency_of_a_renamed_tunnel_cuts_off_none_of_ours_either() {
    let host = Host::serving(ONE_TUNNEL).await;
    host.configure(&ONE_TUNNEL.replace("[tunnels.web]", "[tunnels.shop]\nrenamed_from = \"web\""));
    host.client.reload_configuration().await.unwrap();
    let is_renamed = async |host: &Host| host.client.tunnel("shop").await.is_ok_and(|shop| serves(&shop.tunnel));
    host.until("it serves under its other name", is_renamed).await;
    a_thief_alone_is_cut_off(&host, "shop").await;
}

/// In an emergency of a tunnel, whoever else has a connection of it loses it, and nobody notices.
async fn a_thief_alone_is_cut_off(host: &Host, tunnel: &str) {
    let id: TunnelId = host.tunnel(tunnel).await.id.unwrap().parse().unwrap();
    let thief: ConnectorId = "99999999-8888-7777-6666-555555555555".parse().unwrap();
    host.stage.world.connection_opened(
        &id,
        EdgeConnection {
            connector: thief.clone(),
            index: 0,
            version: "2026.8.2".to_owned(),
            arch: "linux_amd64".to_owned(),
            colo: "fra08".to_owned(),
            origin_ip: Ipv4Addr::new(198, 51, 100, 7).into(),
        },
    );
    let load = host.load("app.example.com");
    let shown = host.adit(&["tunnel", "rotate", tunnel, "--emergency", "--yes", "--wait"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(!host.stage.world.has_connection(&id, &thief, 0), "the other holder is cut off");
    load.end().await.assert_nothing_lost();
    let told = host.client.events(&[]).await.unwrap();
    let cut = told.iter().find(|event| event.kind == "rotation-cut-off").expect("it is told who was cut off");
    assert!(cut.sentence.contains(thief.as_str()), "{cut:?}");
    let own = host.tunnel(tunnel).await.connectors;
    assert!(own.iter().all(|connector| !cut.sentence.contains(connector.connector_id.as_deref().unwrap())), "{cut:?}");
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_the_token_that_cloudflare_gives_out() {
    for fault in [Fault::AnswerLost, Fault::ServerError(502), Fault::DropBefore] {
        let host = Host::serving(ONE_TUNNEL).await;
        let former = secret(&host);
        host.stage.world.faults().add(fault.clone(), Matching::resource("cfd_tunnel").method(Method::PATCH), Times::Times(8));
        let load = host.load("app.example.com");
        // It may be told that Cloudflare did not answer; what was begun goes on.
        let _ = host.client.rotate_tunnel("web", false).await;
        host.stage.world.faults().clear();
        let _ = host.client.rotate_tunnel("web", false).await;
        until_rotated(&host).await;
        assert!(is_valid(&host, &secret(&host)) && !is_valid(&host, &former), "{fault:?}");
        load.end().await.assert_nothing_lost();
    }
}

#[tokio::test]
async fn connectors_that_do_not_take_the_new_secret_leave_the_former_ones_serving() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pids = host.connector_pids();
    host.stage.switchboard.set(None, Switches { never_ready: true, ..brisk() });
    let load = host.load("app.example.com");
    host.client.rotate_tunnel("web", false).await.unwrap();
    host.until("a successor is there", async |host| host.connectors().len() > 2).await;
    assert!(pids.iter().all(|pid| host.connector_pids().contains(pid)), "the former ones serve");
    let shown = host.adit(&["tunnel", "show", "web"]).await;
    assert!(shown.stdout.contains("is being replaced (placed)"), "{shown:?}");
    host.stage.switchboard.set(None, brisk());
    host.client.restart_tunnel("web").await.unwrap();
    until_rotated(&host).await;
    load.end().await.assert_nothing_lost();
    assert!(is_valid(&host, &secret(&host)));
}

#[tokio::test]
async fn what_cannot_be_rotated_says_why() {
    let host = Host::serving(ONE_TUNNEL).await;
    let unknown = host.adit(&["tunnel", "rotate", "nope", "--yes"]).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("nope"), "{unknown:?}");
    let unasked = host.adit(&["tunnel", "rotate", "web"]).await;
    assert!(unasked.code == Some(2) && unasked.stderr.contains("--yes"), "{unasked:?}");
    assert!(is_valid(&host, &secret(&host)));
}

async fn until_rotated(host: &Host) {
    host.until("no rotation goes on", async |host| {
        host.tunnel("web").await.secret.is_some_and(|secret| secret.rotation.is_none())
    })
    .await;
}

fn since(tunnel: &Tunnel) -> jiff::Timestamp {
    tunnel.secret.as_ref().unwrap().since.unwrap()
}

fn record(host: &Host) -> toml::Table {
    fs::read_to_string(host.path("state/records/web.toml")).unwrap().parse().unwrap()
}

fn secret(host: &Host) -> Secret {
    Secret::new(record(host)["secret"].as_str().unwrap())
}

fn id(host: &Host) -> TunnelId {
    record(host)["id"].as_str().unwrap().parse().unwrap()
}

fn is_valid(host: &Host, secret: &Secret) -> bool {
    let world = &host.stage.world;
    world.tunnel_for_registration(&world.account_id(), &id(host), secret.expose()).is_ok()
}
