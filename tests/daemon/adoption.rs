//! A daemon that dies leaves its connectors to the next one.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    process::{Child, Command},
    time::Duration,
};

use adit::{control::api::State, sandbox::switchboard};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    host::{Host, Unit},
    processes::{self, Process},
};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

/// Lines of 70 bytes and more: more than is kept of a connector's stderr.
const FLOOD: u32 = 100_000;

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
async fn what_a_quarantined_connector_writes_is_kept_within_its_bounds() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pid = host.connector("web").await.pid.unwrap();
    host.kill();
    change_record(&host, |record| record["instance"] = json!("somebody-elses"));
    host.start().await;
    host.until("it is in quarantine", async |host| host.tunnel("web").await.state == State::Quarantined).await;

    assert!(host.stage.switchboard.command(pid, switchboard::Command::FloodStderr(FLOOD)));
    let file = || fs::metadata(host.path("state/logs/web/0-1.err")).unwrap();
    host.until("it has written a lot", async |_| file().len() > 5 << 20).await;
    host.until("what was read is given back", async |_| file().blocks() * 512 < 4 << 20).await;
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

#[tokio::test]
async fn a_daemon_without_records_finds_every_connector_all_the_same() {
    for lost in ["run/private/generations", "run/private"] {
        let host = Host::serving(TWO_TUNNELS).await;
        let pids = host.connector_pids();
        let load = host.load("app.example.com");

        fs::remove_dir_all(host.path(lost)).unwrap();
        host.kill();
        host.start().await;
        host.until_all_serve().await;
        host.until_synced(1).await;

        assert_eq!(host.connector_pids(), pids, "without {lost}");
        load.end().await.assert_nothing_lost();
        assert!(host.status().await.tunnels.iter().all(|tunnel| tunnel.connectors.iter().all(|each| each.restarts_total == 0)));
        // From here on they have records again, and are the daemon's own in every way.
        assert_eq!(record(&host)["process"]["pid"].as_u64(), host.connector("web").await.pid.map(u64::from));
        assert_eq!(host.terminate().await, Some(0));
        assert!(host.processes().is_empty(), "{:?}", host.processes());
    }
}

#[tokio::test]
async fn a_connector_that_is_on_record_as_told_to_end_and_was_not_is_told_by_the_next_daemon() {
    let host = Host::serving(ONE_TUNNEL).await;
    let first = host.connector("web").await.pid.unwrap();
    let load = host.load("app.example.com");
    // As a daemon leaves it that dies right before the signal.
    host.kill();
    change_record(&host, |record| record["draining"] = json!(true));

    host.start().await;
    host.until_all_serve().await;
    host.until_gone(first).await;

    load.end().await.assert_nothing_lost();
    assert_eq!(host.connectors().len(), 1);
    assert!(!host.log().contains("connector-killed"), "{}", host.log());
}

#[tokio::test]
async fn a_running_daemon_starts_connectors_though_its_records_were_removed() {
    let host = Host::serving(ONE_TUNNEL).await;
    let first = host.connector("web").await.pid.unwrap();
    fs::remove_dir_all(host.path("run/private/generations")).unwrap();
    processes::signal(first, Signal::SIGKILL);
    host.until("another is in its place", async |host| host.connector("web").await.pid.is_some_and(|pid| pid != first)).await;
    host.until_all_serve().await;
}

#[tokio::test]
async fn a_damaged_record_costs_no_connector() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pids = host.connector_pids();
    for damage in ["", "{\"version\":1,\"tunnel\":\"web\",\"repl", "{\"version\":99}", "\0\0\0\0"] {
        host.kill();
        fs::write(host.path("run/private/generations/web.0.1.json"), damage).unwrap();
        host.start().await;
        host.until_all_serve().await;
        host.until_synced(1).await;
        assert_eq!(host.connector_pids(), pids, "{damage:?}");
    }
}

#[tokio::test]
async fn a_daemon_that_was_killed_around_a_start_has_lost_nobody() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pids = host.connector_pids();
    host.kill();
    change_record(&host, |record| record["process"] = Value::Null);
    host.start().await;
    host.until_all_serve().await;
    host.until_synced(1).await;
    assert_eq!(host.connector_pids(), pids);
}

#[tokio::test]
async fn daemons_with_other_directories_leave_each_others_connectors_alone() {
    let (host, other) = tokio::join!(Host::serving(ONE_TUNNEL), Host::serving(ONE_TUNNEL));
    let (pids, others) = (host.connector_pids(), other.connector_pids());
    for host in [&host, &other] {
        host.kill();
        fs::remove_dir_all(host.path("run/private")).unwrap();
    }
    host.start().await;
    host.until_all_serve().await;
    assert_eq!((host.connector_pids(), other.connector_pids()), (pids, others.clone()));
    assert_eq!(host.terminate().await, Some(0));
    assert_eq!(other.connector_pids(), others, "the first daemon stopped its own only");
}

#[tokio::test]
async fn a_quarantined_connector_that_ends_is_followed_by_another() {
    let host = Host::serving(ONE_TUNNEL).await;
    let stranger = host.connector("web").await.pid.unwrap();
    host.kill();
    change_record(&host, |record| record["instance"] = json!("somebody-elses"));
    host.start().await;
    host.until("it is in quarantine", async |host| host.tunnel("web").await.state == State::Quarantined).await;
    host.until_synced(1).await;

    processes::signal(stranger, Signal::SIGKILL);
    host.until_all_serve().await;
    let pid = host.connector("web").await.pid.unwrap();
    assert_eq!(host.connector_pids(), [pid]);
    assert_ne!(pid, stranger);
}

#[tokio::test]
async fn a_quarantined_connector_that_stops_answering_loses_its_place_and_is_not_signalled() {
    let host = Host::serving(ONE_TUNNEL).await;
    let stranger = host.connector("web").await.pid.unwrap();
    host.kill();
    change_record(&host, |record| record["instance"] = json!("somebody-elses"));
    // A signal that ends it would do so as soon as it goes on.
    processes::signal(stranger, Signal::SIGSTOP);

    host.start().await;
    let patience = Duration::from_secs(60);
    let another = async |host: &Host| host.connector("web").await.pid.is_some_and(|pid| pid != stranger);
    host.within(patience, "another has its place", another).await;
    host.until_all_serve().await;
    assert_eq!(host.terminate().await, Some(0));
    processes::signal(stranger, Signal::SIGCONT);
    assert_eq!(host.connector_pids(), [stranger]);
}

#[tokio::test]
async fn in_a_delegated_cgroup_each_connector_has_one_of_its_own() {
    let Some(unit) = Unit::make() else {
        // Without one they share the daemon's, and all else is as in every other test.
        let host = Host::serving(ONE_TUNNEL).await;
        let cgroup = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        assert_eq!(cgroup(host.connector_pids()[0]), cgroup(host.daemon_pid()));
        return;
    };
    let host = Host::prepare().await;
    host.unit.replace(Some(unit));
    let members = || host.unit.borrow().as_ref().unwrap().members();
    host.configure(TWO_TUNNELS);
    host.start().await;
    host.until_all_serve().await;
    let pids = host.connector_pids();
    let before = members();
    let names: Vec<&str> = before.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["", "c-api.0.1", "c-web.0.1", "c-web.1.1", "daemon"]);
    assert_eq!(before[0].1, [0_u32; 0], "the unit is an inner node");
    assert_eq!(before[4].1, [host.daemon_pid()]);
    let mut housed: Vec<u32> = before[1..4].iter().flat_map(|(_, pids)| pids.clone()).collect();
    housed.sort_unstable();
    assert_eq!(housed, pids, "each in its own");

    // Neither its death nor the loss of every record takes one away.
    host.kill();
    fs::remove_dir_all(host.path("run/private")).unwrap();
    let gone = before[1].1[0];
    processes::signal(gone, Signal::SIGKILL);
    host.until_gone(gone).await;
    host.start().await;
    host.until_all_serve().await;
    let after = members();
    assert_eq!(after[2..4], before[2..4]);
    assert_eq!(after[1].0, "c-api.0.2", "the leaf of the one that was gone is gone too: {after:?}");
    assert_eq!(after[4].1, [host.daemon_pid()]);

    assert_eq!(host.terminate().await, Some(0));
    assert_eq!(members(), [(String::new(), vec![]), ("daemon".to_owned(), vec![])]);
}

#[tokio::test]
async fn a_connector_that_ends_takes_all_that_it_started_with_it() {
    let host = Host::prepare().await;
    host.unit.replace(Unit::make());
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until_all_serve().await;
    let first = host.connector_pids()[0];
    // Where there are cgroups: as if the connector had started it, away from its group and session.
    let stray = Stranger::start();
    let leaf = host.unit.borrow().as_ref().map(|unit| {
        unit.add("c-web.0.1", stray.0.id());
        assert_eq!(unit.members()[1].1.len(), 2);
    });

    processes::signal(first, Signal::SIGKILL);
    host.until("another is in its place", async |host| host.connector("web").await.pid.is_some_and(|pid| pid != first)).await;
    host.until_all_serve().await;
    match leaf {
        Some(()) => host.until_gone(stray.0.id()).await,
        None => assert!(Process::find(stray.0.id()).is_some(), "nothing ties it to the connector"),
    }
}

/// What the daemon wrote down about the first generation of tunnel `web`.
fn record(host: &Host) -> Value {
    serde_json::from_slice(&fs::read(host.path("run/private/generations/web.0.1.json")).unwrap()).unwrap()
}

/// Changes what the daemon wrote down about its one connector.
fn change_record(host: &Host, change: impl FnOnce(&mut Value)) {
    let mut record = record(host);
    change(&mut record);
    fs::write(host.path("run/private/generations/web.0.1.json"), record.to_string()).unwrap();
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
