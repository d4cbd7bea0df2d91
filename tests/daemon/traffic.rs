//! What connectors carry, from their own metrics.

use adit::{control::api::ConnectorTraffic, sandbox::switchboard::Command};

use crate::host::Host;

const TWO_TUNNELS: &str = "\
[tunnels.web]
ingress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]
[tunnels.api]
ingress = [{ hostname = \"api.example.com\", service = \"ORIGIN\" }]
";

async fn of(host: &Host, tunnel: &str) -> ConnectorTraffic {
    let traffic = host.client.traffic().await.unwrap();
    traffic.into_iter().find(|connector| connector.tunnel == tunnel).unwrap()
}

fn requests(connector: &ConnectorTraffic) -> Option<u64> {
    connector.reading.as_ref()?.requests_total
}

#[tokio::test]
async fn requests_are_counted_and_a_connector_that_hangs_keeps_nobody_waiting() {
    let host = Host::serving(TWO_TUNNELS).await;
    for _ in 0..3 {
        assert!(host.visit("app.example.com").await.reached("here"));
    }
    host.until("the requests are counted", async |host| requests(&of(host, "web").await) == Some(3)).await;
    let web = of(&host, "web").await;
    let reading = web.reading.unwrap();
    assert_eq!(reading.responses_total.success, 3);
    assert!(reading.edges.iter().all(|edge| edge.round_trip_millis > 0.0) && !reading.edges.is_empty(), "{reading:?}");
    assert_eq!(requests(&of(&host, "api").await), Some(0));

    let api = host.connector("api").await;
    assert!(host.stage.switchboard.command(api.pid.unwrap(), Command::Hang));
    host.until("the connector that hangs is told as unread, while it is there", async |host| {
        let (api_now, web) = (of(host, "api").await, of(host, "web").await);
        // By then its supervisor may have replaced it.
        (api_now.unread.is_some() || api_now.generation > api.generation) && requests(&web) == Some(3) && web.unread.is_none()
    })
    .await;
}

#[tokio::test]
async fn counters_begin_anew_with_another_process() {
    let host = Host::serving(TWO_TUNNELS).await;
    assert!(host.visit("app.example.com").await.reached("here"));
    host.until("the request is counted", async |host| requests(&of(host, "web").await) == Some(1)).await;
    let before = of(&host, "web").await;
    crate::processes::signal(before.pid, nix::sys::signal::Signal::SIGKILL);
    host.until("another process has no requests yet", async |host| {
        let traffic = host.client.traffic().await.unwrap();
        let web = traffic.iter().find(|connector| connector.tunnel == "web");
        web.is_some_and(|web| web.generation > before.generation && requests(web) == Some(0))
    })
    .await;
}
