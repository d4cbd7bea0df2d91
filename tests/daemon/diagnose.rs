//! The way from a hostname to its origin: each link is broken for real, and named.

use std::fs;

use adit::{
    control::api::{Diagnosis, Link, LinkState},
    sandbox::world::TokenStatus,
};
use serde_json::json;

use crate::{closed_port::ClosedPort, host::Host};

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

#[tokio::test]
async fn every_link_of_a_hostname_that_is_served_is_in_order() {
    let host = Host::serving(ONE_TUNNEL).await;
    let diagnosis = look(&host, &["app.example.com", "--fresh"], 0).await;

    assert_eq!((diagnosis.tunnel.as_deref(), diagnosis.verdict.state), (Some("web"), LinkState::Ok), "{diagnosis:#?}");
    let not_ok: Vec<Link> = diagnosis.links.iter().filter(|link| link.state != LinkState::Ok).map(|link| link.link).collect();
    assert_eq!(not_ok, [Link::Access, Link::PublicRequest], "nobody asked for them");
    assert!(diagnosis.links.iter().find(|link| link.link == Link::Origin).unwrap().sentence.contains("with 200"));
    let shown = host.adit(&["diagnose", "https://app.example.com/some/path"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("should be served") && shown.stdout.contains("HEAD /some/path"), "{shown:?}");
}

#[tokio::test]
async fn a_fresh_look_takes_three_calls_and_what_is_known_takes_none() {
    let host = quiet(ONE_TUNNEL).await;
    let before = host.stage.world.request_count();
    look(&host, &["app.example.com"], 0).await;
    assert_eq!(host.stage.world.request_count(), before);
    look(&host, &["app.example.com", "--fresh"], 0).await;
    assert_eq!(host.stage.world.request_count(), before + 3);
}

#[tokio::test]
async fn a_hostname_that_nobody_has_is_told_with_the_nearest_one() {
    let host = Host::serving(ONE_TUNNEL).await;
    let diagnosis = broken_at(&host, &["ap.example.com"], Link::Configuration).await;
    assert!(diagnosis.verdict.action.unwrap().contains("did you mean app.example.com?"));
    assert_eq!(diagnosis.links.len(), 1);

    let paths = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", path = \"^/api\", service = \"ORIGIN\" }]\n";
    host.configure(paths);
    host.client.reload_configuration().await.unwrap();
    let diagnosis = broken_at(&host, &["app.example.com", "--path", "/other"], Link::Configuration).await;
    assert!(diagnosis.verdict.sentence.contains("none takes the path \"/other\""), "{diagnosis:?}");

    for (typed, words) in [("*.example.com", "wildcard"), ("ssh://app.example.com", "http or https"), ("app", "needs a dot")] {
        let refused = host.adit(&["diagnose", typed]).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(words), "{refused:?}");
    }
}

#[tokio::test]
async fn a_record_that_was_deleted_or_taken_is_the_first_broken_link() {
    let host = quiet(ONE_TUNNEL).await;
    host.stage.world.dashboard().edit_record("app.example.com", json!({ "proxied": false })).unwrap();
    let diagnosis = broken_at(&host, &["app.example.com", "--fresh"], Link::Dns).await;
    assert!(diagnosis.verdict.sentence.contains("not proxied"), "{diagnosis:?}");

    host.stage.world.dashboard().edit_record("app.example.com", json!({ "content": "elsewhere.example.org" })).unwrap();
    let diagnosis = broken_at(&host, &["app.example.com", "--fresh"], Link::Dns).await;
    assert!(diagnosis.verdict.sentence.contains("leads elsewhere: CNAME elsewhere.example.org"), "{diagnosis:?}");
    assert!(diagnosis.verdict.action.unwrap().contains("adit route adopt app.example.com"));

    host.stage.world.dashboard().delete_record("app.example.com").unwrap();
    let diagnosis = broken_at(&host, &["app.example.com", "--fresh"], Link::Dns).await;
    assert!(diagnosis.verdict.sentence.contains("Cloudflare has no record of app.example.com"), "{diagnosis:?}");
    // Without a fresh look it goes by the last pass, and says from when that is.
    let known = look(&host, &["app.example.com"], 0).await;
    let dns = known.links.into_iter().find(|link| link.link == Link::Dns).unwrap();
    assert!(dns.seen_at.is_some_and(|at| at < known.at), "{dns:?}");
}

#[tokio::test]
async fn a_hostname_that_is_held_by_somebody_or_has_no_zone_breaks_at_dns() {
    let host = Host::prepare().await;
    host.stage.world.dashboard().create_record("app.example.com", adit::sandbox::world::RecordKind::A, "192.0.2.1").unwrap();
    host.configure(&format!(
        "{ONE_TUNNEL}[tunnels.far]\ningress = [{{ hostname = \"app.example.org\", service = \"ORIGIN\" }}]\n"
    ));
    host.start().await;
    host.until_synced(2).await;
    let diagnosis = broken_at(&host, &["app.example.com"], Link::Dns).await;
    assert!(diagnosis.verdict.sentence.contains("192.0.2.1"), "{diagnosis:?}");
    let diagnosis = broken_at(&host, &["app.example.org"], Link::Dns).await;
    assert!(diagnosis.verdict.action.unwrap().contains("add the zone"), "{:?}", diagnosis.links);
}

#[tokio::test]
async fn a_stop_and_a_tunnel_that_was_deleted_break_at_the_tunnel() {
    let host = quiet(ONE_TUNNEL).await;
    host.client.stop_tunnel("web").await.unwrap();
    let diagnosis = broken_at(&host, &["app.example.com"], Link::Tunnel).await;
    assert_eq!(diagnosis.verdict.action.as_deref(), Some("`adit tunnel start web`"));
    host.client.start_tunnel("web").await.unwrap();
    host.until_all_serve().await;

    let id = host.tunnel("web").await.id.unwrap().parse().unwrap();
    host.stage.world.dashboard().delete_tunnel(&id).unwrap();
    let diagnosis = broken_at(&host, &["app.example.com", "--fresh"], Link::Tunnel).await;
    assert!(diagnosis.verdict.sentence.contains("somebody deleted it"), "{diagnosis:?}");
}

#[tokio::test]
async fn a_token_that_is_refused_before_the_tunnel_is_made_breaks_at_the_tunnel() {
    let host = Host::prepare().await;
    host.stage.world.dashboard().set_token_status(&host.stage.world.api_token(), TokenStatus::Disabled).unwrap();
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until("it is refused", async |host| !host.status().await.overview.accounts[0].holds.is_empty()).await;
    let diagnosis = broken_at(&host, &["app.example.com"], Link::Tunnel).await;
    assert!(diagnosis.verdict.action.unwrap().contains("adit credential check"), "{:?}", diagnosis.links);
}

#[tokio::test]
async fn somebody_elses_configuration_breaks_at_the_version() {
    let host = Host::serving(&format!("{ONE_TUNNEL}on_drift = \"report\"\n")).await;
    let id = host.tunnel("web").await.id.unwrap().parse().unwrap();
    host.stage.world.dashboard().put_configuration(&id, json!({ "ingress": [{ "service": "http_status:404" }] })).unwrap();
    host.until("the edit is seen", async |host| host.tunnel("web").await.drift.is_some()).await;

    let diagnosis = broken_at(&host, &["app.example.com"], Link::ConfigurationVersion).await;
    assert!(diagnosis.verdict.sentence.contains("somebody else's configuration"), "{diagnosis:?}");
    let diagnosis = broken_at(&host, &["app.example.com", "--fresh"], Link::ConfigurationVersion).await;
    assert!(diagnosis.verdict.sentence.contains("has no rule for app.example.com"), "{diagnosis:?}");
}

#[tokio::test]
async fn a_cloudflared_that_is_missing_breaks_at_the_connectors() {
    let host = Host::prepare().await;
    fs::remove_file(host.path("cloudflared")).unwrap();
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until_synced(2).await;
    host.until("it is said", async |host| host.tunnel("web").await.reason.is_some()).await;
    let diagnosis = broken_at(&host, &["app.example.com"], Link::Connectors).await;
    assert!(diagnosis.verdict.sentence.contains("cannot find the cloudflared binary"), "{diagnosis:?}");
    assert!(diagnosis.verdict.action.unwrap().contains("install cloudflared"));
}

#[tokio::test]
async fn an_edge_that_is_down_breaks_at_the_connections() {
    let host = Host::serving(ONE_TUNNEL).await;
    host.stage.edge.switch(|edge| edge.down = true);
    host.until("the connections are lost", async |host| host.connector("web").await.connections == 0).await;
    broken_at(&host, &["app.example.com"], Link::EdgeConnections).await;
}

#[tokio::test]
async fn an_origin_that_takes_no_connection_or_fails_by_itself_breaks_at_the_origin() {
    let host = Host::serving(ONE_TUNNEL).await;
    host.origin.set_up(false);
    broken_at(&host, &["app.example.com"], Link::Origin).await;
    host.origin.set_up(true);
    look(&host, &["app.example.com"], 0).await;

    let closed = ClosedPort::take();
    let socket = host.path("no.sock");
    host.configure(&format!(
        "[tunnels.web]\ningress = [{{ hostname = \"app.example.com\", path = \"^/unix\", service = \"unix:{}\" }}, \
         {{ hostname = \"app.example.com\", path = \"^/tls\", service = \"{}\" }}, \
         {{ hostname = \"app.example.com\", path = \"^/none\", service = \"http_status:503\" }}, \
         {{ hostname = \"app.example.com\", service = \"tcp://{}\" }}]\n",
        socket.display(),
        host.origin.url().replace("http://", "https://"),
        closed.address(),
    ));
    host.client.reload_configuration().await.unwrap();
    host.until("the connector has the new rules", async |host| host.connector("web").await.config_version == Some(2)).await;
    for (path, words) in [("/unix/a", "takes no connection"), ("/", "refused"), ("/tls", "and then it fails")] {
        let diagnosis = broken_at(&host, &["app.example.com", "--path", path], Link::Origin).await;
        assert!(diagnosis.verdict.sentence.contains(words), "{path}: {diagnosis:?}");
    }
    let itself = look(&host, &["app.example.com/none"], 0).await;
    assert!(itself.links.iter().any(|link| link.sentence.contains("answers with status 503")), "{itself:?}");
}

/// A host that serves and looks at Cloudflare only when it is told to.
async fn quiet(tunnels: &str) -> Host {
    let host = Host::prepare().await;
    let text = host.configuration(tunnels);
    assert!(text.contains("sync_interval = \"1s\""), "{text}");
    host.write_configuration(&text.replace("sync_interval = \"1s\"", "sync_interval = \"1h\""));
    host.start().await;
    host.until_all_serve().await;
    host
}

/// What `adit diagnose` says as JSON, when it ends with this code.
async fn look(host: &Host, arguments: &[&str], code: i32) -> Diagnosis {
    let ended = host.adit(&[&["diagnose", "-o", "json"], arguments].concat()).await;
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The same, when the first broken link is this one.
async fn broken_at(host: &Host, arguments: &[&str], link: Link) -> Diagnosis {
    let diagnosis = look(host, arguments, 1).await;
    assert_eq!((diagnosis.verdict.state, diagnosis.verdict.link), (LinkState::Broken, Some(link)), "{diagnosis:#?}");
    assert!(diagnosis.verdict.action.is_some(), "{diagnosis:#?}");
    diagnosis
}
