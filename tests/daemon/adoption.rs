//! A daemon that dies leaves its connectors to the next one.

use std::{
    fs,
    process::{Child, Command},
};

use adit::control::api::State;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    host::Host,
    processes::{self, Process},
};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

#[tokio::test]
async fn connectors_survive_the_daemon_and_the_next_one_adopts_them() {
    let host = Host::serving(TWO_TUNNELS).await;
    let (pids, there) = (host.connector_pids(), host.snapshot());
    let load = host.load("app.example.com");

    host.kill();
    assert!(host.visit("app.example.com").await.reached("here"));
    assert!(host.visit("api.example.com").await.reached("here"));
    host.start().await;
    host.until_all_serve().await;

    load.end().await.assert_nothing_lost();
    assert_eq!((host.connector_pids(), host.snapshot()), (pids, there));
    let status = host.status().await;
    assert!(status.tunnels.iter().flat_map(|tunnel| &tunnel.connectors).all(|connector| connector.restarts_total == 0));

    // Adopted connectors are the daemon's own in every way.
    let killed = host.connector("api").await.pid.unwrap();
    processes::signal(killed, Signal::SIGKILL);
    host.until("another is in its place", async |host| host.connector("api").await.pid.is_some_and(|pid| pid != killed)).await;
    host.until_all_serve().await;
    assert_eq!(host.terminate().await, Some(0));
    assert!(host.processes().is_empty(), "{:?}", host.processes());
}

#[tokio::test]
async fn a_connector_that_ended_while_no_daemon_ran_is_started_by_the_next_one() {
    let host = Host::serving(TWO_TUNNELS).await;
    let gone = host.connector("api").await.pid.unwrap();
    host.kill();
    processes::signal(gone, Signal::SIGKILL);
    host.until_gone(gone).await;
    let survivors = host.connector_pids();
    assert_eq!(survivors.len(), 2);

    host.start().await;
    host.until_all_serve().await;

    let after = host.connector_pids();
    assert_eq!(after.len(), 3);
    assert!(survivors.iter().all(|pid| after.contains(pid)), "{survivors:?} became {after:?}");
}

#[tokio::test]
async fn a_daemon_killed_again_and_again_never_has_a_second_copy() {
    let host = Host::serving(TWO_TUNNELS).await;
    for _ in 0..3 {
        host.kill();
        host.start().await;
        // Killed in the middle of whatever it does at its start.
    }
    host.until_all_serve().await;
    assert_eq!(host.connectors().len(), 3);
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_daemon_told_to_detach_ends_at_once_and_the_next_one_goes_on() {
    let host = Host::serving(TWO_TUNNELS).await;
    let pids = host.connector_pids();
    let load = host.load("app.example.com");

    processes::signal(host.daemon_pid(), Signal::SIGUSR1);
    assert_eq!(host.ended().await, Some(0));
    assert_eq!(host.connector_pids(), pids);
    host.start().await;
    host.until_all_serve().await;

    load.end().await.assert_nothing_lost();
    assert_eq!(host.connector_pids(), pids);
}

#[tokio::test]
async fn a_daemon_that_hangs_drops_no_request() {
    let host = Host::serving(TWO_TUNNELS).await;
    let pids = host.connector_pids();
    let load = host.load("app.example.com");

    processes::signal(host.daemon_pid(), Signal::SIGSTOP);
    for _ in 0..20 {
        assert!(host.visit("api.example.com").await.reached("here"));
    }
    processes::signal(host.daemon_pid(), Signal::SIGCONT);

    host.until_all_serve().await;
    load.end().await.assert_nothing_lost();
    assert_eq!(host.connector_pids(), pids);
}

#[tokio::test]
async fn a_connector_that_cannot_be_proved_ours_is_watched_and_never_signalled() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pids = host.connector_pids();
    host.kill();
    change_record(&host, |record| record["instance"] = json!("somebody-elses"));

    host.start().await;
    host.until("it is in quarantine", async |host| host.tunnel("web").await.state == State::Quarantined).await;
    host.until_synced(1).await;
    assert_eq!(host.connector_pids(), pids, "it answers as the recorded one, so it keeps its place");
    assert!(host.visit("app.example.com").await.reached("here"));
    let shown = host.adit(&["status"]).await;
    assert!(shown.stdout.contains("quarantined"), "{shown:?}");

    assert_eq!(host.terminate().await, Some(0));
    assert_eq!(host.connector_pids(), pids);
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_process_that_got_the_number_of_a_connector_is_not_touched() {
    let host = Host::serving(ONE_TUNNEL).await;
    let stranger = Stranger::start();
    host.kill();
    change_record(&host, |record| record["process"]["pid"] = json!(stranger.0.id()));

    host.start().await;
    host.until_all_serve().await;
    assert_eq!(host.terminate().await, Some(0));

    assert!(Process::find(stranger.0.id()).is_some());
}

/// Changes what the daemon wrote down about its one connector.
fn change_record(host: &Host, change: impl FnOnce(&mut Value)) {
    let path = host.path("run/private/generations/web.0.1.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut record);
    fs::write(path, record.to_string()).unwrap();
}

/// A process that has nothing to do with the host.
struct Stranger(Child);

impl Stranger {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
