//! A running connector: descriptors, endpoints, log, registration, signals.

use std::{
    fs,
    io::Write,
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::harness::{SECRET, Stage, TUNNEL, request, token, tunnel, wait_for, wait_until};
use adit::sandbox::{origin::Origin, switchboard::Switches};

fn catch_all() -> Value {
    json!({"ingress": [{"service": "http_status:404"}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_give_a_token_connects() {
    let stage = Stage::new();
    let file = stage.folder.path().join("token");
    fs::write(&file, format!("{}\n", token(SECRET))).unwrap();
    let file = file.display().to_string();

    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(token(SECRET).as_bytes()).unwrap();
    drop(writer);
    let memory = rustix::fs::memfd_create("token", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::io::write(&memory, token(SECRET).as_bytes()).unwrap();

    let bare = || stage.connector().without("TUNNEL_TOKEN");
    let mut by_pipe = bare().after(&["--token-file", "/dev/fd/0", "--token", ""]);
    by_pipe.input = Some(OwnedFd::from(reader));
    let mut by_memory = bare().after(&["--token-file", "/dev/fd/0", "--token", ""]);
    by_memory.input = Some(memory);
    let launches = [
        ("TUNNEL_TOKEN", stage.connector()),
        ("--token", bare().after(&["--token", &token(SECRET)])),
        ("--token-file", bare().after(&["--token-file", &file])),
        ("TUNNEL_TOKEN_FILE", bare().variable("TUNNEL_TOKEN_FILE", &file)),
        ("a pipe", by_pipe),
        ("a memory file", by_memory),
    ];
    for (what, launch) in launches {
        let connector = launch.start().await;
        connector.ready(4).await;
        assert!(!connector.log().contains(&token(SECRET)), "{what}: the token is logged");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_counts_connections_and_names_the_connector() {
    let stage = Stage::new();
    stage.edge.switch(|switches| switches.down = true);
    let connector = stage.connector().start().await;
    let unready = connector.page("/ready").await;
    assert_eq!(unready, format!(r#"{{"status":503,"readyConnections":0,"connectorId":"{}"}}"#, connector.id));
    assert_eq!(connector.get("/ready").await.unwrap().0, 503);

    stage.edge.switch(|switches| switches.down = false);
    connector.ready(4).await;

    let ready = connector.get("/ready").await.unwrap();
    assert_eq!(ready, (200, format!(r#"{{"status":200,"readyConnections":4,"connectorId":"{}"}}"#, connector.id)));
    let mut opened = stage.account.opened.lock().unwrap().clone();
    opened.sort();
    opened.dedup();
    assert_eq!(opened, (0..4).map(|index| (connector.id.clone(), index)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_address_answers_what_cloudflareds_does() {
    let stage = Stage::new();
    let connector =
        stage.connector().before(&["--pidfile", &stage.folder.path().join("pid").display().to_string()]).start().await;
    connector.ready(4).await;

    for (path, status, part) in [
        ("/healthcheck", 200, "OK\n"),
        ("/quicktunnel", 200, r#"{"hostname":""}"#),
        ("/metrics", 200, "cloudflared_tunnel_tunnel_register_success{rpcName=\"registerConnection\"} 4"),
        ("/metrics", 200, "build_info{goversion="),
        ("/diag/tunnel", 200, TUNNEL),
        ("/debug/vars", 200, "--no-autoupdate"),
        ("/debug/pprof/cmdline", 403, ""),
        ("/", 404, "404 page not found\n"),
        ("/ready/", 404, ""),
    ] {
        let (seen, body) = connector.get(path).await.unwrap();
        assert_eq!(seen, status, "{path}");
        assert!(body.contains(part), "{path}: {body}");
    }
    let pid = stage.folder.path().join("pid");
    wait_until("the process id is written", async || {
        fs::read_to_string(&pid).is_ok_and(|text| text == connector.pid().to_string())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_connection_is_notified_once() {
    let stage = Stage::new();
    let path = stage.folder.path().join("notify.sock");
    let by_path = UnixDatagram::bind(&path).unwrap();
    let name = format!("adit-connector-test-{}", std::process::id());
    let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();

    for (socket, variable) in [(by_path, path.display().to_string()), (by_name, format!("@{name}"))] {
        socket.set_nonblocking(true).unwrap();
        let connector = stage.connector().variable("NOTIFY_SOCKET", &variable).start().await;
        connector.ready(4).await;

        let mut message = [0; 64];
        wait_until("the connector notifies", async || {
            socket.recv(&mut message).is_ok_and(|length| &message[..length] == b"READY=1")
        })
        .await;
        assert!(socket.recv(&mut message).is_err(), "there is a second notification");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_taken_whole_or_not_at_all() {
    let stage = Stage::new();
    stage.edge.switch(|switches| switches.hold_configuration = true);
    stage.account.configure(0, catch_all());
    let connector = stage.connector().start().await;
    connector.ready(4).await;
    assert!(connector.page("/config").await.starts_with(r#"{"version":-1,"#));

    stage.edge.switch(|switches| switches.hold_configuration = false);
    connector.logged("Updated to new configuration").await;
    assert_eq!(
        connector.page("/config").await,
        r#"{"version":0,"config":{"ingress":[{"service":"http_status:404"}],"warp-routing":{},"originRequest":{}}}"#
    );

    stage.account.configure(1, json!({"ingress": [{"service": "nope"}]}));
    let refused = connector.logged("Failed to deserialize new configuration").await;
    assert_eq!(refused["error"], "nope is an invalid address, please make sure it has a scheme and a hostname");
    assert_eq!(refused["version"], 1);
    assert!(connector.page("/config").await.starts_with(r#"{"version":0,"#));

    stage.account.configure(2, catch_all());
    let reports = async || stage.account.reported.lock().unwrap().iter().filter(|version| **version == 2).count();
    wait_until("every link has pushed the next version", async || reports().await == 4).await;
    connector.log_is_written().await;
    assert!(connector.page("/metrics").await.contains("\ncloudflared_orchestration_config_version 2\n"));
    assert_eq!(connector.events("Updated to new configuration").len(), 2, "an equal version is no update");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locally_managed_tunnel_runs_from_its_file() {
    let stage = Stage::new();
    let origin = Origin::start("local").unwrap();
    let credentials = stage.folder.path().join("credentials.json");
    fs::write(&credentials, json!({"AccountTag": "0123456789abcdef0123456789abcdef", "TunnelSecret": SECRET}).to_string())
        .unwrap();
    let config = stage.folder.path().join("config.yml");
    let document = json!({
        "tunnel": TUNNEL,
        "credentials-file": credentials,
        "protocol": "http2",
        "ingress": [{"hostname": "app.example.com", "service": origin.url()}, {"service": "http_status:404"}],
    });
    fs::write(&config, document.to_string()).unwrap();
    stage.account.route("app.example.com");
    let mut launch = stage.connector().without("TUNNEL_TOKEN");
    launch.before.splice(0..2, ["--config".to_owned(), config.display().to_string()]);

    let connector = launch.start().await;
    connector.ready(4).await;
    wait_until("it carries requests", async || stage.get("app.example.com", "/").await == (200, "local\n".to_owned())).await;

    assert!(connector.page("/config").await.starts_with(r#"{"version":-1,"#));
    assert_eq!(connector.logged("Registered tunnel connection").await["protocol"], "http2");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_is_logged_without_secrets() {
    let stage = Stage::new();
    let connector =
        stage.connector().variable("SOME_TUNNEL_SECRET", "hunter2").variable("TUNNEL_CRED_CONTENTS", "hidden-one").start().await;
    connector.ready(1).await;
    connector.log_is_written().await;

    let log = connector.log();
    assert!(log.contains("Environmental variables map["), "{log}");
    assert!(log.contains("SOME_TUNNEL_SECRET:hunter2"), "cloudflared shows what it does not know to be a secret: {log}");
    assert!(!log.contains("hidden-one") && !log.contains(&token(SECRET)), "{log}");
    assert_eq!(connector.events("Starting tunnel")[0]["tunnelID"], TUNNEL);
    let address = connector.address;
    connector.logged(&format!("Starting metrics server on {address}/metrics")).await;
    connector.logged("Initial protocol quic").await;
    for line in connector.stderr().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let keys: Vec<&String> = event.as_object().unwrap().keys().collect();
        assert!(keys.is_sorted(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connector_stops_at_once_and_unregisters() {
    let stage = Stage::new();
    let mut connector = stage.ready_connector().await;

    connector.signal(Signal::SIGTERM);

    assert_eq!(connector.exit_code().await, Some(0));
    assert_eq!(connector.events("Unregistered tunnel connection").len(), 4);
    assert_eq!(connector.events("Initiating graceful shutdown due to signal terminated ...").len(), 1);
    assert_eq!(connector.events("Metrics server stopped").len(), 1);
    wait_until("the directory knows", async || stage.account.closed.lock().unwrap().len() == 4).await;
    assert_eq!(stage.edge.connections(&tunnel()), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_a_request_end_within_the_grace_period() {
    let stage = Stage::new();
    let origin = Origin::start("slow").unwrap();
    stage.account.configure(1, json!({"ingress": [{"service": origin.url()}]}));
    stage.account.route("app.example.com");
    let mut connector = stage.ready_connector().await;
    let front = stage.front.addr();
    let slow = tokio::spawn(async move { request(front, "app.example.com", "/?ms=800", None).await });
    wait_until("the origin has the request", async || origin.requests() == 1).await;

    connector.signal(Signal::SIGTERM);
    wait_until("it is ready no more", async || connector.get("/ready").await.is_some_and(|(status, _)| status == 503)).await;
    assert!(connector.is_running());

    assert_eq!(slow.await.unwrap(), Some((200, "slow\n".to_owned())));
    assert_eq!(connector.exit_code().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_grace_period_cuts_what_is_left() {
    let stage = Stage::new();
    let origin = Origin::start("slow").unwrap();
    stage.account.configure(1, json!({"ingress": [{"service": origin.url()}]}));
    stage.account.route("app.example.com");
    let mut connector = stage.connector().before(&["--grace-period", "200ms"]).start().await;
    connector.ready(4).await;
    let front = stage.front.addr();
    let slow = tokio::spawn(async move { request(front, "app.example.com", "/?ms=30000", None).await });
    wait_until("the origin has the request", async || origin.requests() == 1).await;

    connector.signal(Signal::SIGTERM);

    assert_eq!(connector.exit_code().await, Some(0));
    assert_eq!(slow.await.unwrap().map(|(status, _)| status), Some(502));
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_end_it_as_they_end_cloudflared() {
    let stage = Stage::new();
    let origin = Origin::start("slow").unwrap();
    stage.account.configure(1, json!({"ingress": [{"service": origin.url()}]}));
    stage.account.route("app.example.com");

    let mut hung_up = stage.ready_connector().await;
    hung_up.signal(Signal::SIGUSR1);
    hung_up.signal(Signal::SIGHUP);
    assert_eq!(hung_up.ending_signal().await, Some(Signal::SIGHUP as i32), "SIGHUP kills");

    let mut quit = stage.connector().start().await;
    quit.ready(1).await;
    quit.signal(Signal::SIGQUIT);
    assert_eq!(quit.exit_code().await, Some(2), "SIGQUIT dumps");

    stage.account.reported.lock().unwrap().clear();
    let mut twice = stage.ready_connector().await;
    let front = stage.front.addr();
    let before = origin.requests();
    tokio::spawn(async move { request(front, "app.example.com", "/?ms=30000", None).await });
    wait_until("the origin has the request", async || origin.requests() > before).await;
    twice.signal(Signal::SIGTERM);
    twice.logged("Initiating graceful shutdown due to signal terminated ...").await;
    twice.signal(Signal::SIGTERM);
    assert_eq!(twice.ending_signal().await, Some(Signal::SIGTERM as i32), "a second SIGTERM kills");

    let mut unreachable = stage.connector().variable("TUNNEL_EDGE", "127.0.0.1:1").before(&["--protocol", "http2"]).start().await;
    unreachable.logged("Unable to establish connection with Cloudflare edge").await;
    unreachable.signal(Signal::SIGINT);
    assert_eq!(unreachable.exit_code().await, Some(0), "a stop interrupts the back-off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_the_handler_is_installed_kills() {
    let stage = Stage::new();
    stage.switchboard.set(None, Switches { slow_start_ms: 60_000, ..Switches::default() });
    let stop_early = async {
        let stand_in = async || stage.switchboard.connectors().first().map(|stand_in| stand_in.pid);
        let pid = wait_for("the stand-in asks how to behave", stand_in).await;
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGTERM).unwrap();
    };

    let (mut connector, ()) = tokio::join!(stage.connector().start(), stop_early);

    assert_eq!(connector.ending_signal().await, Some(Signal::SIGTERM as i32));
    assert_eq!(connector.stderr(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_secret_is_named_over_http2_only_and_never_fatal() {
    let stage = Stage::new();
    let wrong = token("d3Jvbmc=");
    let refused = |protocol| stage.connector().variable("TUNNEL_TOKEN", &wrong).before(&["--protocol", protocol]).start();

    let mut http2 = refused("http2").await;
    let event = http2.logged("Register tunnel error from server side").await;
    assert_eq!(event["error"], "Unauthorized: Invalid tunnel secret");
    assert!(http2.is_running());

    let mut quic = refused("quic").await;
    let event = quic.logged("failed to serve tunnel connection").await;
    assert_eq!(event["error"], "control stream encountered a failure while serving");
    assert!(!quic.log().contains("Unauthorized"), "{}", quic.log());
    assert!(quic.page("/metrics").await.contains(r#"register_fail{error="server_error",rpcName="registerConnection"}"#));
    assert!(quic.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_refusal_over_http2_is_fatal_with_its_bare_reason() {
    let stage = Stage::new();
    stage.edge.switch(|switches| switches.refuse_registrations = Some("tunnel limit reached".to_owned()));

    let mut connector = stage.connector().before(&["--protocol", "http2"]).start().await;

    assert_eq!(connector.exit_code().await, Some(1));
    assert_eq!(connector.stderr().lines().last(), Some("tunnel limit reached"));
    assert_eq!(connector.events("initial tunnel connection failed").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_udp_leads_to_http2_after_nine_failed_dials() {
    let stage = Stage::new();
    stage.edge.switch(|switches| switches.udp_blocked = true);
    let mut launch = stage.connector().variable("ADIT_SANDBOX_TIME_SCALE", "0.002");
    launch.before.retain(|argument| argument != "--no-prechecks");

    let connector = launch.start().await;
    connector.ready(4).await;
    connector.log_is_written().await;

    assert_eq!(connector.events("Failed to dial a quic connection").len(), 9);
    assert_eq!(connector.events("Switching to fallback protocol http2").len(), 1);
    assert_eq!(connector.logged("precheck complete").await["suggested_protocol"], "http2");
    assert!(connector.events("Registered tunnel connection").iter().all(|event| event["protocol"] == "http2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_come_back_when_the_edge_does() {
    let stage = Stage::new();
    let connector = stage.ready_connector().await;

    stage.edge.switch(|switches| switches.down = true);
    connector.ready(0).await;
    stage.edge.switch(|switches| switches.down = false);
    connector.ready(4).await;
    connector.log_is_written().await;

    assert!(connector.events("Connection terminated").len() >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnected_connections_register_again() {
    let stage = Stage::new();
    let connector = stage.ready_connector().await;

    stage.edge.disconnect(&tunnel());
    wait_until("all were closed", async || stage.account.closed.lock().unwrap().len() == 4).await;

    connector.ready(4).await;
    connector.log_is_written().await;
    assert_eq!(connector.events("Registered tunnel connection").len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_connections_than_addresses() {
    let stage = Stage::new();
    let address = stage.edge.addr().to_string();
    let mut connector = stage.connector().variable("TUNNEL_EDGE", &address).start().await;
    connector.ready(1).await;

    connector.logged("You requested 4 HA connections but I can give you at most 1.").await;
    connector.signal(Signal::SIGTERM);
    assert_eq!(connector.exit_code().await, Some(0));
    assert_eq!(connector.events("Registered tunnel connection").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_lie_about_connections_that_are_gone() {
    let stage = Stage::new();
    let connector = stage.ready_connector().await;
    let sample = async |name: &str| {
        let page = connector.page("/metrics").await;
        let line = page.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {page}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(sample("cloudflared_tunnel_ha_connections ").await, 4.0);

    stage.edge.switch(|switches| switches.down = true);
    connector.ready(0).await;

    assert_eq!(sample("cloudflared_tunnel_server_locations{").await, 1.0, "the last place stays");
    wait_until("an attempt counts as a connection", async || sample("cloudflared_tunnel_ha_connections ").await > 0.0).await;
    assert_eq!(connector.get("/ready").await.unwrap().0, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_until_all_connections_were_begun() {
    let stage = Stage::new();
    // Three pauses of a second after the first connection.
    let mut connector = stage.connector().variable("ADIT_SANDBOX_TIME_SCALE", "1").start().await;
    connector.ready(1).await;
    let connected = tokio::time::Instant::now();

    connector.signal(Signal::SIGTERM);

    assert_eq!(connector.exit_code().await, Some(0));
    assert!(connected.elapsed() > std::time::Duration::from_millis(1_000), "{:?}", connected.elapsed());
}
