//! Connectors that die, hang, refuse and never get ready.

use std::time::Duration;

use adit::{
    control::api::State,
    sandbox::switchboard::{Command, Crash, Switches},
};
use nix::sys::signal::Signal;

use crate::{
    host::{Host, brisk, serves, service_manager::ServiceManager},
    processes,
};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

/// Three missed probes of 2 s, some 5 s apart, and then the start of another connector.
const HANG_TIME: Duration = Duration::from_secs(45);

/// Until a probe, 5 s apart, sees that connections are gone; and until cloudflared's own back-off has run out.
const OUTAGE_TIME: Duration = Duration::from_secs(45);

#[tokio::test]
async fn a_killed_connector_is_replaced_and_no_other_is_touched() {
    let host = Host::serving(TWO_TUNNELS).await;
    let before = host.connector_pids();
    let killed = host.tunnel("web").await.connectors[1].clone();
    let load = host.load("api.example.com");

    processes::signal(killed.pid.unwrap(), Signal::SIGKILL);

    host.until("another connector is in its place", async |host| {
        let tunnel = host.tunnel("web").await;
        serves(&tunnel) && tunnel.connectors[1].generation > killed.generation
    })
    .await;
    let after = host.connector_pids();
    let survivors: Vec<u32> = before.iter().copied().filter(|pid| Some(*pid) != killed.pid).collect();
    assert_eq!(after.len(), 3);
    assert!(survivors.iter().all(|pid| after.contains(pid)), "{before:?} became {after:?}");
    let connector = &host.tunnel("web").await.connectors[1];
    assert_eq!(connector.restarts_total, 1);
    load.end().await.assert_nothing_lost();

    let events = host.adit(&["events", "-o", "json"]).await.stdout;
    assert!(events.contains("connector-exited") && events.contains("SIGKILL"), "{events}");
}

#[tokio::test]
async fn a_service_manager_that_does_not_listen_holds_nothing_up() {
    let host = Host::prepare().await;
    let deaf = host.path("deaf.sock");
    let socket = ServiceManager::deaf(&deaf).unwrap();
    // What does not fit waits for somebody who listens.
    let stranger = std::os::unix::net::UnixDatagram::unbound().unwrap();
    stranger.set_nonblocking(true).unwrap();
    while stranger.send_to(b"STATUS=full", &deaf).is_ok() {}
    host.configure(ONE_TUNNEL);

    host.start_with(&[("NOTIFY_SOCKET", &deaf)]).await;
    host.until_all_serve().await;
    let killed = host.connector("web").await.pid.unwrap();
    processes::signal(killed, Signal::SIGKILL);
    host.until("another is in its place", async |host| host.connector("web").await.pid.is_some_and(|pid| pid != killed)).await;
    host.until_all_serve().await;

    assert_eq!(host.terminate().await, Some(0));
    assert!(host.processes().is_empty(), "{:?}", host.processes());
    drop(socket);
}

#[tokio::test]
async fn a_connector_that_ends_by_itself_is_started_again_with_the_reason() {
    let host = Host::serving(ONE_TUNNEL).await;
    for (crash, word) in [(Crash::Exit(0), "exit code 0"), (Crash::Panic("assignment to entry in nil map".to_owned()), "nil map")]
    {
        let before = host.connector("web").await;
        assert!(host.stage.switchboard.command(before.pid.unwrap(), Command::Crash(crash)));

        host.until("another connector is in its place", async |host| {
            let tunnel = host.tunnel("web").await;
            serves(&tunnel) && tunnel.connectors[0].generation > before.generation
        })
        .await;
        let events = host.adit(&["events", "-o", "json"]).await.stdout;
        assert!(events.contains(word), "{word}\n{events}");
        assert_eq!(host.connectors().len(), 1);
    }
}

#[tokio::test]
async fn a_connector_that_hangs_serves_until_another_has_taken_over() {
    let host = Host::serving(ONE_TUNNEL).await;
    let before = host.connector("web").await;
    let id = before.connector_id.clone();
    let load = host.load("app.example.com");
    assert!(host.stage.switchboard.command(before.pid.unwrap(), Command::Hang));

    host.within(HANG_TIME, "the hung connector is replaced", async |host| {
        let tunnel = host.tunnel("web").await;
        serves(&tunnel) && tunnel.connectors[0].connector_id != id && host.connectors().len() == 1
    })
    .await;
    load.end().await.assert_nothing_lost();
    let events = host.adit(&["events", "-o", "json"]).await.stdout;
    assert!(events.contains("connector-hung"), "{events}");
}

#[tokio::test]
async fn a_connector_that_never_gets_ready_is_reported_and_not_started_over_and_over() {
    let host = Host::prepare().await;
    host.stage.switchboard.set(None, Switches { never_ready: true, ..brisk() });
    host.configure(ONE_TUNNEL);
    host.start().await;
    let pid = host.found("a connector runs", async |host| host.connectors().first().map(|process| process.pid)).await;

    host.until("it is said why nothing is served", async |host| {
        let tunnel = host.tunnel("web").await;
        tunnel.state == State::Starting && tunnel.connectors[0].reason.is_some()
    })
    .await;
    host.until_synced(1).await;
    assert_eq!(host.connector_pids(), [pid]);
    let status = host.adit(&["status"]).await;
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.stdout.contains("starting"), "{status:?}");
    assert_eq!(host.connector("web").await.restarts_total, 0);

    host.stage.switchboard.set(None, brisk());
    host.until_all_serve().await;
    assert_eq!(host.connector_pids(), [pid], "the one that waited is the one that serves");
}

#[tokio::test]
async fn a_token_that_cloudflared_calls_invalid_blocks_with_the_reason_until_an_operator_acts() {
    let host = Host::prepare().await;
    host.stage.switchboard.set(None, Switches { refuse_token: true, ..brisk() });
    host.configure(ONE_TUNNEL);
    host.start().await;

    host.until("the tunnel is blocked", async |host| host.tunnel("web").await.state == State::Blocked).await;
    let tunnel = host.tunnel("web").await;
    let reason = tunnel.reason.expect("a blocked tunnel has a reason");
    assert!(reason.sentence.contains("token"), "{reason:?}");
    assert!(host.connectors().is_empty());
    let status = host.adit(&["status"]).await;
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.stdout.contains("token"), "{status:?}");
    // It does not loop: the same few starts after some passes.
    let starts = tunnel.connectors[0].restarts_total;
    host.until_synced(2).await;
    assert_eq!(host.connector("web").await.restarts_total, starts);

    host.stage.switchboard.set(None, brisk());
    let restarted = host.adit(&["tunnel", "restart", "web", "--wait", "--timeout", "15s"]).await;
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_registration_that_the_edge_refuses_is_reported_and_the_connector_stays() {
    let host = Host::prepare().await;
    host.stage.edge.switch(|edge| edge.refuse_registrations = Some("Unauthorized: Invalid tunnel secret".to_owned()));
    host.configure(ONE_TUNNEL);
    host.start().await;
    let pid = host.found("a connector runs", async |host| host.connectors().first().map(|process| process.pid)).await;

    host.until("it is said that it is refused", async |host| {
        let reason = host.tunnel("web").await.reason;
        reason.is_some_and(|reason| reason.code == "registration-refused")
    })
    .await;
    host.until_synced(1).await;
    assert_eq!(host.connector_pids(), [pid], "starting it again cannot help");

    host.stage.edge.switch(|edge| edge.refuse_registrations = None);
    host.until_all_serve().await;
}

#[tokio::test]
async fn a_connector_that_crashes_at_every_start_backs_off_and_recovers() {
    let host = Host::serving(TWO_TUNNELS).await;
    let api = host.snapshot().tunnels.into_values().find(|tunnel| tunnel.name.starts_with("api.")).unwrap().id;
    let others: Vec<_> = host.tunnel("web").await.connectors.iter().map(|connector| connector.pid).collect();
    host.stage.switchboard.set(Some(&api), Switches { crash_at_start: Some(Crash::Exit(1)), ..brisk() });
    processes::signal(host.connector("api").await.pid.unwrap(), Signal::SIGKILL);

    host.until("it backs off", async |host| {
        let connector = host.connector("api").await;
        connector.state == State::BackingOff && connector.restarts_total >= 2 && connector.next_try_at.is_some()
    })
    .await;
    let reason = host.connector("api").await.reason.unwrap();
    assert!(reason.sentence.contains("exit code 1"), "{reason:?}");

    host.stage.switchboard.clear(&api);
    host.until_all_serve().await;
    let web: Vec<_> = host.tunnel("web").await.connectors.iter().map(|connector| connector.pid).collect();
    assert_eq!(web, others, "the other tunnel is not concerned");
}

#[tokio::test]
async fn a_flood_of_lines_stops_no_tunnel_and_its_end_is_kept() {
    let host = Host::serving(ONE_TUNNEL).await;
    let before = host.connector("web").await;
    let load = host.load("app.example.com");

    assert!(host.stage.switchboard.command(before.pid.unwrap(), Command::FloodStderr(20_000)));

    host.until("the last line is in the log", async |host| {
        host.adit(&["logs", "web", "-n", "10"]).await.stdout.contains("flood line 20000 of 20000")
    })
    .await;
    load.end().await.assert_nothing_lost();
    let after = host.connector("web").await;
    assert_eq!((after.pid, after.state), (before.pid, State::Ready));
}

#[tokio::test]
async fn an_origin_that_is_down_is_no_reason_to_restart_a_connector() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pids = host.connector_pids();

    host.origin.set_up(false);
    host.until("visitors are told", async |host| host.visit("app.example.com").await.status == 502).await;
    host.until_synced(1).await;
    assert_eq!(host.connector_pids(), pids);

    host.origin.set_up(true);
    host.until("visitors get through", async |host| host.visit("app.example.com").await.reached("here")).await;
    assert_eq!(host.connector_pids(), pids);
    assert_eq!(host.connector("web").await.restarts_total, 0);
}

#[tokio::test]
async fn an_edge_that_is_down_is_reported_and_everything_serves_once_it_is_back() {
    let host = Host::serving(TWO_TUNNELS).await;

    host.stage.edge.switch(|edge| edge.down = true);
    host.within(OUTAGE_TIME, "no tunnel is called ready", async |host| {
        host.status().await.tunnels.iter().all(|tunnel| tunnel.state != State::Ready && tunnel.reason.is_some())
    })
    .await;

    host.stage.edge.switch(|edge| edge.down = false);
    host.within(OUTAGE_TIME, "everything serves", async |host| host.status().await.tunnels.iter().all(serves)).await;
    assert!(host.visit("app.example.com").await.reached("here"));
    let restarts: u64 =
        host.status().await.tunnels.iter().flat_map(|tunnel| &tunnel.connectors).map(|one| one.restarts_total).sum();
    assert!(restarts <= 3, "at most one restart each: {restarts}");
}
