//! Changes of the configuration while requests are under way.

use std::time::Duration;

use adit::{
    control::api::{Change, Connector},
    sandbox::origin::Origin,
};
use nix::sys::signal::Signal;

use crate::{
    host::{Host, serves},
    processes::{self, Process},
};

const ONE_TUNNEL: &str = "[tunnels.web]\nreplicas = 2\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

#[tokio::test]
async fn a_new_tunnel_and_a_changed_rule_come_true_without_a_restart_or_a_lost_request() {
    let host = Host::serving(ONE_TUNNEL).await;
    let there = Origin::start("there").unwrap();
    let pids = host.connector_pids();
    let load = host.load("app.example.com");

    host.configure(&format!(
        "[tunnels.web]\nreplicas = 2\ningress = [{{ hostname = \"app.example.com\", service = \"{}\" }}]\n\
         [tunnels.api]\ningress = [{{ hostname = \"api.example.com\", service = \"ORIGIN\" }}]\n",
        there.url(),
    ));
    let reloaded = host.adit(&["config", "reload"]).await;
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");

    host.until_all_serve().await;
    host.until("the rule is changed", async |host| host.visit("app.example.com").await.reached("there")).await;
    assert!(host.visit("api.example.com").await.reached("here"));
    load.end().await.assert_nothing_lost();
    let after = host.connector_pids();
    assert_eq!(after.len(), 3);
    assert!(pids.iter().all(|pid| after.contains(pid)), "{pids:?} became {after:?}");
}

#[tokio::test]
async fn of_an_account_that_leaves_the_configuration_nothing_is_said_any_more() {
    // With two accounts each tunnel says which is its own.
    let web = ONE_TUNNEL.replace("replicas = 2", "replicas = 2\naccount = \"sandbox\"");
    let host = Host::serving(&web).await;
    let without = host.configuration(&web);
    let nothing = "[accounts.other]\naccount_id = \"00000000000000000000000000000000\"\napi_base = \"http://127.0.0.1:1/\"\n";
    let with = format!("{without}\n{nothing}api_token = {{ file = {:?} }}\n", host.path("token"));
    host.write_configuration(&with);
    let reloaded = host.adit(&["config", "reload"]).await;
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    let is_told = async |host: &Host| {
        let shown = host.adit(&["status"]).await;
        (shown.stdout.contains("account other"), host.metrics().await.contains("account=\"other\""))
    };
    host.until("its passes fail", async |host| is_told(host).await == (true, true)).await;

    host.write_configuration(&without);
    assert_eq!(host.adit(&["config", "reload"]).await.code, Some(0));
    let gauges = |text: &str| text.lines().any(|line| line.contains("account=\"other\"") && line.contains("_timestamp_seconds"));
    host.until("nobody waits for them", async |host| !gauges(&host.metrics().await)).await;
    let shown = host.adit(&["status"]).await;
    assert!(shown.code == Some(0) && !shown.stdout.contains("account other"), "{shown:?}");
}

#[tokio::test]
async fn a_bad_file_is_refused_and_the_configuration_in_force_stays() {
    let host = Host::serving(ONE_TUNNEL).await;
    let (pids, there) = (host.connector_pids(), host.snapshot());
    host.configure("[tunnels.web]\nreplica = 2\ningress = [{ hostname = \"app\", service = \"gopher://x\" }]");

    let reloaded = host.adit(&["config", "reload"]).await;
    assert_eq!(reloaded.code, Some(1), "{reloaded:?}");
    for word in ["adit.toml:", "replica", "replicas", "app", "gopher"] {
        assert!(reloaded.stderr.contains(word), "{word}: {}", reloaded.stderr);
    }

    let status = host.status().await;
    assert!(status.overview.daemon.config_problems.len() >= 3, "{:?}", status.overview.daemon);
    let shown = host.adit(&["status"]).await;
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stdout.contains("replica"), "{shown:?}");
    host.until_synced(1).await;
    assert_eq!((host.connector_pids(), host.snapshot()), (pids.clone(), there.clone()));
    assert!(host.visit("app.example.com").await.reached("here"));

    host.configure(ONE_TUNNEL);
    let reloaded = host.client.reload_configuration().await.unwrap();
    assert_eq!((reloaded.change, reloaded.tunnels), (Change::Unchanged, 1));
    assert_eq!(host.status().await.overview.daemon.config_problems, Vec::<String>::new());
    assert_eq!(host.adit(&["status"]).await.code, Some(0));
    assert_eq!((host.connector_pids(), host.snapshot()), (pids, there));
}

#[tokio::test]
async fn sighup_reloads_and_refuses_like_the_command() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pids = host.connector_pids();

    host.configure("this is no TOML");
    processes::signal(host.daemon_pid(), Signal::SIGHUP);
    host.until("the file is refused", async |host| !host.status().await.overview.daemon.config_problems.is_empty()).await;
    assert!(host.visit("app.example.com").await.reached("here"));

    host.configure(&format!("{ONE_TUNNEL}[tunnels.api]\ningress = [{{ hostname = \"api.example.com\", service = \"ORIGIN\" }}]"));
    processes::signal(host.daemon_pid(), Signal::SIGHUP);
    host.until("the other file is in force", async |host| {
        let status = host.status().await;
        status.overview.daemon.config_problems.is_empty() && status.tunnels.len() == 2 && status.tunnels.iter().all(serves)
    })
    .await;
    assert!(host.visit("api.example.com").await.reached("here"));
    assert!(pids.iter().all(|pid| host.connector_pids().contains(pid)));
    // Each reload is announced, and ends with another READY=1.
    let lines = host.manager.lines();
    assert_eq!(lines.iter().filter(|line| *line == "RELOADING=1").count(), 2, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| *line == "READY=1").count(), 3, "{lines:?}");
}

#[tokio::test]
async fn more_and_fewer_replicas_lose_no_request_and_touch_no_other_replica() {
    let host = Host::serving(ONE_TUNNEL).await;
    let before = host.connector_pids();
    let load = host.load("app.example.com");

    host.configure(&ONE_TUNNEL.replace("replicas = 2", "replicas = 3"));
    host.client.reload_configuration().await.unwrap();
    host.until("three replicas serve", async |host| {
        let tunnel = host.tunnel("web").await;
        tunnel.replicas == 3 && serves(&tunnel)
    })
    .await;
    assert!(before.iter().all(|pid| host.connector_pids().contains(pid)));

    host.configure(ONE_TUNNEL);
    host.client.reload_configuration().await.unwrap();
    host.until("two are left", async |host| host.connectors().len() == 2).await;
    assert_eq!(host.connector_pids(), before, "the last replica is the one that goes");
    load.end().await.assert_nothing_lost();
}

#[tokio::test]
async fn a_change_that_needs_other_connectors_makes_them_before_it_breaks_the_former() {
    let host = Host::serving(&ONE_TUNNEL.replace("replicas = 2", "replicas = 1")).await;
    let before = host.connector("web").await;
    let load = host.load("app.example.com");

    host.configure("[tunnels.web]\nprotocol = \"http2\"\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]");
    host.client.reload_configuration().await.unwrap();

    host.until("two run side by side", async |host| host.connectors().len() == 2).await;
    host.until("the former is gone", async |host| {
        let tunnel = host.tunnel("web").await;
        serves(&tunnel) && tunnel.connectors[0].generation > before.generation && host.connectors().len() == 1
    })
    .await;
    load.end().await.assert_nothing_lost();
    let arguments = host.connectors().remove(0).arguments;
    assert!(arguments.iter().any(|argument| argument.contains("http2")), "{arguments:?}");
}

#[tokio::test]
async fn with_apply_ask_a_reload_waits_for_an_operator() {
    let host = Host::prepare().await;
    let asking = |tunnels: &str| host.configuration(tunnels).replace("[daemon]\n", "[daemon]\napply = \"ask\"\n");
    host.write_configuration(&asking(ONE_TUNNEL));
    host.start().await;
    let applied = host.adit(&["apply", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    host.until_all_serve().await;
    let there = host.snapshot();

    let more = format!("{ONE_TUNNEL}[tunnels.api]\ningress = [{{ hostname = \"api.example.com\", service = \"ORIGIN\" }}]");
    host.write_configuration(&asking(&more));
    host.client.reload_configuration().await.unwrap();
    host.until_synced(1).await;
    assert_eq!(host.snapshot(), there);
    assert_eq!(host.adit(&["plan"]).await.code, Some(2));

    let applied = host.adit(&["apply", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    host.until_all_serve().await;
    assert!(host.visit("api.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_replica_goes_only_when_another_one_serves() {
    let replicas = |count: u8| ONE_TUNNEL.replace("replicas = 2", &format!("replicas = {count}"));
    let host = Host::serving(&replicas(3)).await;
    let last = host.tunnel("web").await.connectors[2].pid.unwrap();
    // Until each of the two waits for longer than the reload takes.
    host.until("the first two back off", async |host| {
        let connectors = host.tunnel("web").await.connectors;
        // The status may still show one that is gone.
        for pid in connectors[..2].iter().filter_map(|connector| connector.pid).filter(|pid| Process::find(*pid).is_some()) {
            processes::signal(pid, Signal::SIGKILL);
            host.until_gone(pid).await;
        }
        let soon = jiff::Timestamp::now() + Duration::from_secs(3);
        let waits = |connector: &Connector| connector.next_try_at.is_some_and(|at| at > soon);
        connectors[..2].iter().all(waits)
    })
    .await;
    let load = host.load("app.example.com");

    host.configure(&replicas(2));
    host.client.reload_configuration().await.unwrap();
    host.until("the third goes on and says why", async |host| {
        let tunnel = host.tunnel("web").await;
        let reason = tunnel.connectors.get(2).and_then(|connector| connector.reason.clone());
        reason.is_some_and(|reason| reason.code == "last-to-serve")
    })
    .await;

    host.until_all_serve().await;
    host.until_gone(last).await;
    load.end().await.assert_nothing_lost();
    assert_eq!(host.connectors().len(), 2);
}
