//! Causes that lie between a connector and the edge: each is told apart, and what helps is done.

use std::time::Duration;

use adit::{
    control::api::State,
    sandbox::switchboard::{Command, Switches},
};

use crate::host::{Host, serves};

const THREE_TUNNELS: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";
const OTHER_TUNNEL: &str = "[tunnels.api]\ningress = [{ hostname = \"api.example.com\", service = \"ORIGIN\" }]\n";

/// What UDP that is blocked may cost at a cold start, on a busy machine too: cloudflared's own checks take 10 s to find it out, and by
/// itself it would need more than two minutes. The benchmark has the goal.
const FALLBACK_PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn where_udp_is_blocked_every_tunnel_serves_over_http2_before_cloudflared_would_try_it() {
    let host = Host::prepare().await;
    // In cloudflared's own times.
    host.stage.switchboard.set(None, Switches::default());
    host.stage.edge.switch(|edge| edge.udp_blocked = true);
    host.configure(THREE_TUNNELS);
    host.start().await;
    host.until("connectors run", async |host| host.connectors().len() == 3).await;

    host.within(FALLBACK_PATIENCE, "every tunnel serves", async |host| {
        host.visit("app.example.com").await.reached("here") && host.visit("api.example.com").await.reached("here")
    })
    .await;

    host.within(FALLBACK_PATIENCE, "it is shown", async |host| {
        let status = host.status().await;
        status.tunnels.iter().flat_map(|tunnel| &tunnel.connectors).all(|connector| {
            connector.state == State::Ready && connector.reason.as_ref().is_some_and(|reason| reason.code == "transport-fallback")
        })
    })
    .await;
    assert!(told_over_http2(&host), "{:?}", host.connectors());
    let events = host.adit(&["events", "-o", "json"]).await.stdout;
    assert!(events.contains("connector-fell-back") && events.contains("transport-fallback"), "{events}");
}

#[tokio::test]
async fn a_connector_that_starts_later_begins_with_http2_and_an_adopted_one_is_left_as_it_is() {
    let host = Host::prepare().await;
    host.stage.edge.switch(|edge| edge.udp_blocked = true);
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until_all_serve().await;
    let before = host.connector_pids();

    host.kill();
    host.start().await;
    host.until("it is adopted", async |host| {
        let connector = host.connector("web").await;
        connector.state == State::Ready && !connector.stale
    })
    .await;
    host.configure(&format!("{ONE_TUNNEL}{OTHER_TUNNEL}"));
    host.client.reload_configuration().await.unwrap();
    host.until_all_serve().await;

    assert!(before.iter().all(|pid| host.connector_pids().contains(pid)), "the transport is no change of the configuration");
    assert!(told_over_http2(&host), "{:?}", host.connectors());
    assert_eq!(host.connector("api").await.generation, 1, "what one found out holds for all");
}

#[tokio::test]
async fn a_protocol_that_is_configured_is_never_overridden() {
    let host = Host::prepare().await;
    host.stage.edge.switch(|edge| edge.udp_blocked = true);
    host.configure(&format!("{ONE_TUNNEL}protocol = \"quic\"\n{OTHER_TUNNEL}"));
    host.start().await;

    host.until("the other serves", async |host| host.visit("api.example.com").await.reached("here")).await;
    host.until_synced(2).await;
    let connector = host.connector("web").await;
    assert_eq!((connector.state, connector.generation), (State::Starting, 1));
}

#[tokio::test]
async fn a_tunnel_that_was_deleted_behind_our_back_is_made_again_without_waiting_for_a_pass() {
    let host = Host::prepare().await;
    let text = host.configuration(&format!("{ONE_TUNNEL}{OTHER_TUNNEL}"));
    assert!(text.contains("sync_interval = \"1s\""), "{text}");
    host.write_configuration(&text.replace("sync_interval = \"1s\"", "sync_interval = \"1h\""));
    host.start().await;
    host.until_all_serve().await;
    let before = host.tunnel("web").await.id.unwrap();

    host.stage.world.dashboard().delete_tunnel(&before.parse().unwrap()).unwrap();
    host.stage.edge.disconnect(&before.parse().unwrap());

    host.within(FALLBACK_PATIENCE, "it serves again", async |host| {
        let tunnel = host.tunnel("web").await;
        serves(&tunnel) && tunnel.id.is_some_and(|id| id != before) && host.visit("app.example.com").await.reached("here")
    })
    .await;
    assert!(host.visit("api.example.com").await.reached("here"));
    let events = host.adit(&["events", "-o", "json"]).await.stdout;
    assert!(events.contains("connector-registration-refused"), "{events}");
}

#[tokio::test]
async fn a_refusal_is_shown_in_cloudflares_words_where_they_are_known() {
    let host = Host::prepare().await;
    host.stage.edge.switch(|edge| edge.refuse_registrations = Some("Unauthorized: Invalid tunnel secret".to_owned()));
    host.configure(&format!("{ONE_TUNNEL}protocol = \"http2\"\n{OTHER_TUNNEL}protocol = \"quic\"\n"));
    host.start().await;

    for (tunnel, words) in [("web", "Unauthorized: Invalid tunnel secret"), ("api", "does not say why")] {
        host.until("it is said that it is refused", async |host| {
            let reason = host.tunnel(tunnel).await.reason;
            reason.is_some_and(|reason| reason.code == "registration-refused" && reason.sentence.contains(words))
        })
        .await;
    }
    let pids = host.connector_pids();
    host.until_synced(2).await;
    assert_eq!(host.connector_pids(), pids, "starting them again cannot help");

    host.stage.edge.switch(|edge| edge.refuse_registrations = None);
    host.until_all_serve().await;
    assert_eq!(host.connector_pids(), pids);
}

#[tokio::test]
async fn connections_that_come_and_go_are_called_flapping_and_the_connector_stays() {
    let host = Host::prepare().await;
    // It comes back at once, whatever it lost.
    host.stage.switchboard.set(None, Switches { time_scale: 0.01, ..Switches::default() });
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until_all_serve().await;
    let (pids, id) = (host.connector_pids(), host.tunnel("web").await.id.unwrap().parse().unwrap());

    host.within(FALLBACK_PATIENCE, "it is called flapping", async |host| {
        if host.stage.edge.connections(&id).len() == 4 {
            host.stage.edge.disconnect(&id);
        }
        host.tunnel("web").await.reason.is_some_and(|reason| reason.code == "flapping")
    })
    .await;

    assert_eq!((host.connector_pids(), host.connector("web").await.state), (pids, State::Degraded));
    let events = host.adit(&["events", "-o", "json"]).await.stdout;
    assert!(events.contains("connector-flapping"), "{events}");
}

#[tokio::test]
async fn an_adopted_connector_shows_what_was_known_of_it_until_it_answers() {
    let host = Host::serving(ONE_TUNNEL).await;
    let before = host.connector("web").await;
    host.kill();
    // It answers nobody from here on, and carries requests all the same.
    assert!(host.stage.switchboard.command(before.pid.unwrap(), Command::Hang));
    host.start().await;

    let connector = host.connector("web").await;
    assert_eq!((connector.pid, connector.state, connector.stale), (before.pid, State::Ready, true));
    assert_eq!((connector.connections, connector.config_version), (before.connections, before.config_version));
    assert!(connector.serving);
    let shown = host.adit(&["tunnel", "show", "web"]).await.stdout;
    assert!(shown.contains("ready (stale)"), "{shown}");
    assert!(host.visit("app.example.com").await.reached("here"));
}

/// Whether every connector was started with `--protocol http2`.
fn told_over_http2(host: &Host) -> bool {
    let told = |arguments: &[String]| arguments.windows(2).any(|pair| pair == ["--protocol", "http2"]);
    host.connectors().iter().all(|process| told(&process.arguments))
}
