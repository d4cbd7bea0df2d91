//! From a file to tunnels that carry requests.

use std::{collections::BTreeSet, net::TcpListener, time::Duration};

use adit::sandbox::{
    faults::{Fault, Matching, Times},
    world::RecordKind,
};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::host::Host;

const TWO_TUNNELS: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.net", service = "ORIGIN" }]
"#;

#[tokio::test]
async fn a_file_becomes_tunnels_that_carry_requests() {
    let host = Host::serving(TWO_TUNNELS).await;

    assert!(host.visit("app.example.com").await.reached("here"));
    assert!(host.visit("api.example.net").await.reached("here"));
    assert_eq!(host.connectors().len(), 3);

    let there = host.snapshot();
    assert_eq!((there.tunnels.len(), there.records.len()), (2, 2));
    for (tunnel, hostname) in [("web", "app.example.com"), ("api", "api.example.net")] {
        let id = host.tunnel(tunnel).await.id.unwrap();
        let made = there.tunnels.values().find(|made| made.id.as_str() == id).unwrap();
        let install = made.name.strip_prefix(&format!("{tunnel}.adit-")).expect("the name says whose tunnel it is");
        assert_eq!((install.len(), made.config_src.as_str(), made.deleted), (8, "cloudflare", false));

        let records = there.records_named(hostname);
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((record.kind, record.content.clone()), (RecordKind::Cname, format!("{id}.cfargotunnel.com")));
        assert_eq!((record.proxied, record.ttl), (true, 1));
        assert_eq!(record.comment, Some(format!("adit:{install}:{tunnel}")));
    }
}

#[tokio::test]
async fn systemd_is_told_when_it_is_ready_how_it_goes_and_when_it_stops() {
    let host = Host::serving(TWO_TUNNELS).await;
    assert!(host.manager.heard("READY=1"), "{:?}", host.manager.lines());
    host.until("the status line counts", async |host| host.manager.status().is_some_and(|status| status.contains('2'))).await;

    assert_eq!(host.terminate().await, Some(0));

    assert!(host.manager.heard("STOPPING=1"), "{:?}", host.manager.lines());
    let ready = host.manager.lines().iter().filter(|line| *line == "READY=1").count();
    assert_eq!(ready, 1, "a connector's READY=1 must not reach the daemon's manager");
}

#[tokio::test]
async fn metrics_tell_of_tunnels_connectors_passes_and_the_api() {
    let host = Host::prepare().await;
    // An address of its own: a port of 127.0.0.1 that was let go could be taken by another test.
    let address = TcpListener::bind("127.0.67.1:0").unwrap().local_addr().unwrap();
    let unix = format!("unix:{}", host.path("metrics.sock").display());
    host.write_configuration(&host.configuration(TWO_TUNNELS).replace(&unix, &address.to_string()));
    host.start().await;
    host.until_all_serve().await;

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: adit\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for line in [
        "# TYPE adit_build_info gauge",
        "# TYPE adit_tunnel_state gauge",
        "# TYPE adit_reconcile_duration_seconds histogram",
        "# TYPE adit_cloudflare_api_requests_total counter",
        "adit_cloudflare_api_requests_total{account=\"sandbox\",method=\"POST\",resource=",
        "adit_cloudflare_rate_limit_remaining{account=\"sandbox\"} 1",
        "tunnel=\"web\"",
        "tunnel=\"api\"",
    ] {
        assert!(answer.contains(line), "{line}\n{answer}");
    }
}

#[tokio::test]
async fn a_pass_that_finds_everything_in_order_costs_two_calls() {
    let host = Host::serving(
        r#"
        [tunnels.web]
        ingress = [
            { hostname = "app.example.com", service = "ORIGIN" },
            { hostname = "api.example.com", service = "ORIGIN" },
        ]
        [tunnels.other]
        ingress = [{ hostname = "other.example.com", service = "ORIGIN" }]
        "#,
    )
    .await;
    host.until_synced(1).await;
    let (before, calls) = (host.snapshot(), host.stage.world.request_count());

    host.until_synced(2).await;

    // Counted as what the passes asked for, so that a pass under way at either end changes nothing.
    let requests = host.stage.world.requests();
    let asked: Vec<_> = requests[usize::try_from(calls).unwrap()..].iter().map(|request| request.path.as_str()).collect();
    let kinds: BTreeSet<&str> = asked.iter().copied().collect();
    assert_eq!(kinds.len(), 2, "{asked:?}");
    assert!((2..=6).contains(&asked.len()), "{asked:?}");
    assert_eq!(host.snapshot(), before);
}

#[tokio::test]
async fn a_tunnel_made_over_the_socket_comes_true_and_goes_without_a_trace() {
    let host = Host::serving("").await;
    let service = host.origin.url();
    let created = host
        .adit(&[
            "tunnel",
            "create",
            "docs",
            "--hostname",
            "docs.example.com",
            "--service",
            &service,
            "--wait",
            "--timeout",
            "15s",
        ])
        .await;
    assert_eq!(created.code, Some(0), "{created:?}");
    assert!(host.visit("docs.example.com").await.reached("here"));

    let deleted = host.adit(&["tunnel", "delete", "docs", "--yes", "--wait", "--timeout", "15s"]).await;
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    let there = host.snapshot();
    assert!(there.tunnels.values().all(|tunnel| tunnel.deleted), "{there:?}");
    assert!(there.records.is_empty(), "{there:?}");
    assert!(host.connectors().is_empty());
    assert!(host.status().await.tunnels.is_empty());
}

#[tokio::test]
async fn a_tunnel_deleted_while_it_is_being_made_leaves_nothing() {
    let host = Host::serving("").await;
    let creation = Matching::resource("cfd_tunnel").method(Method::POST);
    host.stage.world.faults().add(Fault::Slow(Duration::from_millis(500)), creation, Times::Once);
    let definition = json!({ "ingress": [{ "hostname": "docs.example.com", "service": host.origin.url() }] });
    host.client.create_tunnel("docs", definition).await.unwrap();
    host.until("it is being made", async |host| !host.snapshot().tunnels.is_empty()).await;

    host.client.delete_tunnel("docs").await.unwrap();

    host.until("it is gone", async |host| host.status().await.tunnels.is_empty()).await;
    let there = host.snapshot();
    assert!(there.tunnels.values().all(|tunnel| tunnel.deleted) && there.records.is_empty(), "{there:?}");
    host.until("nothing runs", async |host| host.connectors().is_empty()).await;
}

#[tokio::test]
async fn a_tunnel_made_over_the_socket_survives_the_daemon() {
    let host = Host::serving("").await;
    let service = host.origin.url();
    let created =
        host.adit(&["tunnel", "create", "docs", "--hostname", "docs.example.com", "--service", &service, "--wait"]).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let there = host.snapshot();
    assert_eq!(host.terminate().await, Some(0));

    host.start().await;
    host.until("the tunnel serves", async |host| host.visit("docs.example.com").await.reached("here")).await;
    assert_eq!(host.snapshot(), there);
}

#[tokio::test]
async fn a_tunnel_that_leaves_the_file_stops_here_and_stays_at_cloudflare() {
    let host = Host::serving(
        r#"
        [tunnels.stays]
        ingress = [{ hostname = "stays.example.com", service = "ORIGIN" }]
        [tunnels.leaves]
        ingress = [{ hostname = "leaves.example.com", service = "ORIGIN" }]
        "#,
    )
    .await;
    let there = host.snapshot();
    let stays = host.connector("stays").await.pid.unwrap();

    host.configure("[tunnels.stays]\ningress = [{ hostname = \"stays.example.com\", service = \"ORIGIN\" }]");
    host.client.reload_configuration().await.unwrap();

    host.until("only one connector is left", async |host| host.connector_pids() == [stays]).await;
    host.pass().await;
    assert_eq!(host.snapshot(), there);
    assert!(host.visit("stays.example.com").await.reached("here"));
}
