//! What the switchboard makes a stand-in do.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Stage, request, tunnel, wait_until};
use adit::sandbox::{
    origin::Origin,
    switchboard::{Command, Crash, Dns, Switches},
};

fn switches(change: impl FnOnce(&mut Switches)) -> Switches {
    let mut switches = Switches::default();
    change(&mut switches);
    switches
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_connector_lives_answers_nothing_and_recovers() {
    let stage = Stage::new();
    let mut connector = stage.ready_connector().await;

    stage.switchboard.set(Some(&tunnel()), switches(|switches| switches.hang = true));
    wait_until("the metrics server hangs", async || {
        tokio::time::timeout(std::time::Duration::from_millis(50), connector.get("/healthcheck")).await.is_err()
    })
    .await;
    assert!(connector.is_running());

    stage.switchboard.clear(&tunnel());
    assert_eq!(connector.page("/healthcheck").await, "OK\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_on_command_is_the_one_that_was_asked_for() {
    let stage = Stage::new();
    for (crash, code, signal) in [
        (Crash::Exit(7), Some(7), None),
        (Crash::Kill, None, Some(Signal::SIGKILL as i32)),
        (Crash::Panic("runtime error: index out of range".to_owned()), Some(2), None),
    ] {
        let mut connector = stage.connector().start().await;
        connector.ready(1).await;
        assert!(stage.switchboard.command(connector.pid(), Command::Crash(crash.clone())));

        let status = connector.ended().await;
        let seen = (status.code(), std::os::unix::process::ExitStatusExt::signal(&status));
        assert_eq!(seen, (code, signal), "{crash:?}");
        if code == Some(2) {
            assert!(connector.stderr().contains("panic: runtime error: index out of range\n\ngoroutine 1 [running]:"));
        }
    }
    wait_until("nobody is connected", async || stage.switchboard.connectors().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_fails_in_the_way_that_was_set() {
    let stage = Stage::new();
    for (set, code, last_line) in [
        (switches(|switches| switches.refuse_token = true), 255, "See 'cloudflared tunnel run --help'."),
        (switches(|switches| switches.metrics_port_taken = true), 1, "bind: address already in use"),
        (switches(|switches| switches.crash_at_start = Some(Crash::Exit(0))), 0, ""),
    ] {
        stage.switchboard.set(None, set.clone());
        let mut connector = stage.connector().start().await;

        assert_eq!(connector.exit_code().await, Some(code), "{set:?}");
        assert!(connector.stderr().lines().last().unwrap_or_default().ends_with(last_line), "{set:?}: {}", connector.stderr());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_is_never_ready_lets_go_when_switched_back() {
    let stage = Stage::new();
    stage.switchboard.set(None, switches(|switches| switches.never_ready = true));
    let connector = stage.connector().start().await;
    assert!(connector.page("/ready").await.starts_with(r#"{"status":503,"readyConnections":0"#));

    stage.switchboard.set(None, Switches::default());

    connector.ready(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_ignores_sigterm_needs_sigkill() {
    let stage = Stage::new();
    stage.switchboard.set(None, switches(|switches| switches.ignore_sigterm = true));
    let mut connector = stage.ready_connector().await;

    connector.signal(Signal::SIGTERM);
    connector.signal(Signal::SIGTERM);
    // It answers after both signals were taken: it has survived them.
    assert_eq!(connector.get("/ready").await.unwrap().0, 200);
    assert!(connector.is_running());

    connector.signal(Signal::SIGKILL);
    assert_eq!(connector.ending_signal().await, Some(Signal::SIGKILL as i32));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_noise_grow_as_told() {
    let stage = Stage::new();
    let connector = stage.connector().start().await;
    connector.ready(1).await;
    // Without the pages of the program's file, which are as many and come and go as they like.
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", connector.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    };
    let bytes = 48 * 1024 * 1024;

    stage.switchboard.set(None, switches(|switches| switches.eat_memory_bytes = bytes));
    wait_until("the memory is taken", async || resident() > bytes).await;
    assert!(stage.switchboard.command(connector.pid(), Command::FloodStderr(5_000)));
    wait_until("the flood is written", async || connector.stderr().contains("flood line 5000 of 5000")).await;
    stage.switchboard.set(None, Switches::default());
    wait_until("the memory is given back", async || resident() < bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_tear_on_standard_error_and_never_in_the_log_file() {
    let stage = Stage::new();
    stage.switchboard.set(None, switches(|switches| switches.torn_lines = true));
    let mut connector = stage.ready_connector().await;
    connector.signal(Signal::SIGTERM);
    connector.ended().await;

    let is_torn = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_err();
    assert!(connector.stderr().lines().any(is_torn));
    assert!(!connector.log().lines().any(is_torn));
    let without_breaks = |text: String| text.chars().filter(|character| *character != '\n').count();
    assert!(without_breaks(connector.stderr()) > 500, "nothing is lost, only out of order");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switchboard_knows_who_is_connected() {
    let stage = Stage::new();
    let connector = stage.connector().start().await;
    connector.ready(1).await;

    let stand_ins = stage.switchboard.connectors();

    assert_eq!(stand_ins.len(), 1);
    assert_eq!((stand_ins[0].pid, &stand_ins[0].connector, &stand_ins[0].tunnel), (connector.pid(), &connector.id, &tunnel()));
    assert!(!stage.switchboard.command(1, Command::FloodStderr(1)), "nobody else can be commanded");
}

#[tokio::test(flavor = "multi_thread")]
async fn dns_that_fails_ends_a_start_and_dns_that_hangs_holds_it_and_a_stop() {
    let stage = Stage::new();
    stage.switchboard.set(None, switches(|switches| switches.dns = Dns::Fails));
    let mut failed = stage.connector().start().await;
    assert_eq!(failed.exit_code().await, Some(1));
    assert!(failed.stderr().lines().last().unwrap().starts_with("Could not lookup srv records on "), "{}", failed.stderr());
    assert_eq!(failed.events("edge discovery: error looking up Cloudflare edge IPs: the DNS query failed").len(), 2);

    stage.switchboard.set(None, switches(|switches| switches.dns = Dns::Hangs));
    let hanging = || stage.connector().variable("ADIT_SANDBOX_TIME_SCALE", "0.05").start();
    let mut ended = hanging().await;
    assert_eq!(ended.events("Starting metrics server on"), [] as [serde_json::Value; 0]);
    assert_eq!(ended.exit_code().await, Some(1));
    assert!(ended.log().contains("Starting metrics server on"), "it opens before the last question is over");

    let mut stopped = hanging().await;
    stopped.signal(Signal::SIGTERM);
    stopped.logged("Initiating graceful shutdown due to signal terminated ...").await;
    assert!(stopped.is_running());
    assert_eq!(stopped.exit_code().await, Some(0), "it ends when the questions are over, well");

    let mut killed = hanging().await;
    killed.signal(Signal::SIGTERM);
    killed.logged("Initiating graceful shutdown due to signal terminated ...").await;
    killed.signal(Signal::SIGTERM);
    assert_eq!(killed.ending_signal().await, Some(Signal::SIGTERM as i32));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_dies_silently_shows_soon_over_quic_and_late_over_http2() {
    let stage = Stage::new();
    let origin = Origin::start("here").unwrap();
    stage.account.configure(1, json!({"ingress": [{"service": origin.url()}]}));
    stage.account.route("app.example.com");
    let quic = stage.connector().before(&["--protocol", "quic"]).start().await;
    quic.ready(4).await;
    let http2 = stage.connector().before(&["--protocol", "http2"]).start().await;
    http2.ready(4).await;

    stage.switchboard.set(None, switches(|switches| switches.dead_path = true));
    quic.ready(0).await;
    assert_eq!(http2.get("/ready").await.unwrap().0, 200, "nothing has told it");
    let front = stage.front.addr();
    let visit = tokio::time::timeout(Duration::from_millis(200), request(front, "app.example.com", "/", None));
    assert!(visit.await.is_err(), "though no request gets through");
    http2.ready(0).await;
    assert_eq!(http2.logged("Lost connection with the edge").await["level"], "info");

    stage.switchboard.set(None, Switches::default());
    quic.ready(4).await;
    http2.ready(4).await;
}
