//! Edits behind Adit's back.

use adit::sandbox::world::RecordKind;
use serde_json::json;

use crate::host::Host;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

#[tokio::test]
async fn a_record_that_was_deleted_is_made_again() {
    let host = Host::serving(ONE_TUNNEL).await;
    let before = host.snapshot().records_named("app.example.com")[0].clone();

    host.stage.world.dashboard().delete_record("app.example.com").unwrap();

    host.until("the record is there", async |host| !host.snapshot().records.is_empty()).await;
    host.until_all_serve().await;
    let there = host.snapshot();
    let again = there.records_named("app.example.com")[0];
    assert_eq!((&again.content, &again.comment, again.proxied), (&before.content, &before.comment, before.proxied));
    assert_ne!(again.id, before.id);
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_record_that_is_no_longer_proxied_is_set_right() {
    let host = Host::serving(ONE_TUNNEL).await;
    let before = host.snapshot();

    host.stage.world.dashboard().edit_record("app.example.com", json!({ "proxied": false })).unwrap();

    host.until("the record is as it was", async |host| host.snapshot() == before).await;
}

#[tokio::test]
async fn a_record_that_somebody_took_is_theirs_from_then_on() {
    let host = Host::serving(ONE_TUNNEL).await;
    let theirs = json!({ "content": "elsewhere.example.org", "comment": "mine now" });
    host.stage.world.dashboard().edit_record("app.example.com", theirs).unwrap();
    let taken = host.snapshot();

    host.until("the conflict is told", async |host| {
        host.route("app.example.com").await.reason.is_some_and(|reason| reason.contains("elsewhere.example.org"))
    })
    .await;
    host.pass().await;
    assert_eq!(host.snapshot(), taken);
}

#[tokio::test]
async fn a_tunnel_that_was_deleted_is_made_again_and_serves() {
    let host = Host::serving(&format!(
        "{ONE_TUNNEL}[tunnels.api]\ningress = [{{ hostname = \"api.example.com\", service = \"ORIGIN\" }}]"
    ))
    .await;
    let web = host.snapshot().tunnels.into_values().find(|tunnel| tunnel.name.starts_with("web.")).unwrap().id;

    host.stage.world.dashboard().delete_tunnel(&web).unwrap();

    host.until("another tunnel is in its place", async |host| host.tunnel("web").await.id.is_some_and(|id| id != web.as_str()))
        .await;
    host.until("visitors get through", async |host| host.visit("app.example.com").await.reached("here")).await;
    assert!(host.visit("api.example.com").await.reached("here"));
    host.until("one connector each is left", async |host| host.connectors().len() == 2).await;
    host.until_all_serve().await;
    let there = host.snapshot();
    assert_eq!(there.tunnels.values().filter(|tunnel| !tunnel.deleted).count(), 2);
    assert_eq!(there.records.len(), 2);
}

#[tokio::test]
async fn a_configuration_edited_in_the_dashboard_is_repaired_and_kept() {
    let host = Host::serving(ONE_TUNNEL).await;
    let (id, tunnel) = host.snapshot().tunnels.pop_first().unwrap();
    let (_, ours) = tunnel.configuration.unwrap();
    let theirs = json!({ "ingress": [{ "service": "http_status:418" }] });

    host.stage.world.dashboard().put_configuration(&id, theirs).unwrap();

    host.until("ours is in force again", async |host| {
        host.snapshot().tunnels[&id].configuration.as_ref().is_some_and(|(_, document)| *document == ours)
    })
    .await;
    host.until("visitors get through", async |host| host.visit("app.example.com").await.reached("here")).await;
    let kept: Vec<String> = std::fs::read_dir(host.path("state/replaced"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert!(kept.len() == 1 && kept[0].contains("418"), "{kept:?}");
}

#[tokio::test]
async fn with_on_drift_report_an_edit_is_shown_and_left() {
    let host = Host::serving(&ONE_TUNNEL.replace("[tunnels.web]", "[tunnels.web]\non_drift = \"report\"")).await;
    let id = host.snapshot().tunnels.pop_first().unwrap().0;
    let theirs = json!({ "ingress": [{ "service": "http_status:418" }] });
    host.stage.world.dashboard().put_configuration(&id, theirs).unwrap();
    let edited = host.snapshot();

    host.until("the drift is shown", async |host| host.tunnel("web").await.drift.is_some()).await;
    host.pass().await;
    assert_eq!(host.snapshot(), edited);
    assert_eq!(host.adit(&["status"]).await.code, Some(1));
}

#[tokio::test]
async fn other_peoples_tunnels_and_records_are_never_touched() {
    let host = Host::prepare().await;
    let dashboard = host.stage.world.dashboard();
    let account = host.stage.world.account_id();
    let tunnel = dashboard.create_tunnel(&account, "theirs").unwrap();
    dashboard.create_record("www.example.com", RecordKind::Cname, &tunnel.dns_target()).unwrap();
    dashboard.create_record("example.com", RecordKind::A, "192.0.2.1").unwrap();
    let before = host.snapshot();
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until_all_serve().await;

    host.client
        .create_tunnel("more", json!({ "ingress": [{ "hostname": "more.example.com", "service": host.origin.url() }] }))
        .await
        .unwrap();
    host.until_all_serve().await;
    host.client.delete_tunnel("more").await.unwrap();
    host.until("it is gone", async |host| host.status().await.tunnels.len() == 1).await;

    let after = host.snapshot();
    assert!(before.tunnels.iter().all(|(id, tunnel)| after.tunnels[id] == *tunnel));
    assert!(before.records.iter().all(|(id, record)| after.records[id] == *record));
}
