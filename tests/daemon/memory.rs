//! What a daemon remembers of its connectors over its own end.

use std::fs;

use adit::{
    control::api::State,
    sandbox::switchboard::{Crash, Switches},
};
use nix::sys::signal::Signal;

use crate::{
    host::{Host, brisk},
    processes,
};

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

/// How often a daemon is killed and started again where that must make no difference.
const DAEMONS: usize = 6;

#[tokio::test]
async fn a_daemon_that_is_killed_again_and_again_does_not_start_a_failing_connector_again_and_again() {
    let host = Host::prepare().await;
    host.stage.switchboard.set(None, Switches { crash_at_start: Some(Crash::Exit(1)), ..brisk() });
    host.configure(ONE_TUNNEL);
    host.start().await;
    // By then it waits for a second or more.
    host.until("it has failed four times", async |host| waits(host, 4).await).await;

    let before = host.connector("web").await;
    for _ in 0..DAEMONS {
        host.kill();
        host.start().await;
        host.until("it waits as before", async |host| waits(host, 4).await).await;
    }
    let after = host.connector("web").await;

    assert!(after.generation <= before.generation + 2, "{} became {}", before.generation, after.generation);
    assert!(after.restarts_total >= before.restarts_total);
    let reason = after.reason.unwrap();
    assert!(reason.sentence.contains("exit code 1"), "{reason:?}");

    host.stage.switchboard.set(None, brisk());
    host.until_all_serve().await;
}

#[tokio::test]
async fn a_blocked_connector_stays_blocked_with_its_reason_and_time_until_an_operator_acts() {
    let host = Host::prepare().await;
    host.stage.switchboard.set(None, Switches { refuse_token: true, ..brisk() });
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until("it is blocked", async |host| host.tunnel("web").await.state == State::Blocked).await;
    let before = host.connector("web").await;
    // It is written beside the loop, and a daemon that is killed before has nothing to remember.
    host.until("that is written down", async |host| slots(host).contains("\"blocked\":true")).await;

    host.kill();
    host.stage.switchboard.set(None, brisk());
    host.start().await;
    host.until("it is known again", async |host| host.tunnel("web").await.state == State::Blocked).await;
    host.until_synced(1).await;

    let after = host.connector("web").await;
    assert_eq!(
        (after.generation, &after.reason, after.restarts_total),
        (before.generation, &before.reason, before.restarts_total)
    );
    let (was, is) = (before.next_try_at.unwrap(), after.next_try_at.unwrap());
    assert!((is - was).get_seconds().abs() <= 2, "{was} became {is}");

    let restarted = host.adit(&["tunnel", "restart", "web", "--wait", "--timeout", "15s"]).await;
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
}

#[tokio::test]
async fn a_change_of_the_tunnel_ends_a_wait_that_an_earlier_daemon_began() {
    let host = Host::prepare().await;
    host.stage.switchboard.set(None, Switches { refuse_token: true, ..brisk() });
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until("it is blocked", async |host| host.tunnel("web").await.state == State::Blocked).await;
    host.until("that is written down", async |host| slots(host).contains("\"blocked\":true")).await;
    host.kill();

    host.stage.switchboard.set(None, brisk());
    host.configure(&ONE_TUNNEL.replace("ingress", "protocol = \"http2\"\ningress"));
    host.start().await;
    host.until_all_serve().await;
}

#[tokio::test]
async fn restarts_are_counted_over_daemons_and_a_memory_that_cannot_be_read_stops_nothing() {
    let host = Host::prepare().await;
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until_all_serve().await;
    let pid = host.connector("web").await.pid.unwrap();
    processes::signal(pid, Signal::SIGKILL);
    host.until("it was started again", async |host| host.connector("web").await.restarts_total == 1).await;
    host.until_all_serve().await;

    let file = host.path("run/private/slots/web.0.json");
    host.until("it is written down", async |_| file.exists()).await;
    host.kill();
    host.start().await;
    host.until_all_serve().await;
    assert_eq!(host.connector("web").await.restarts_total, 1);
    let pids = host.connector_pids();

    host.kill();
    fs::write(&file, "{ torn").unwrap();
    fs::write(host.path("run/private/rollout.json"), "{ torn").unwrap();
    host.start().await;
    host.until_all_serve().await;
    assert_eq!((host.connector_pids(), host.connector("web").await.restarts_total), (pids, 0));
    assert!(host.log().contains("Cannot read what an earlier daemon remembered"));
}

/// Whether the connector was started again so often, and waits.
async fn waits(host: &Host, restarts: u64) -> bool {
    let connectors = host.tunnel("web").await.connectors;
    connectors.first().is_some_and(|connector| connector.state == State::BackingOff && connector.restarts_total >= restarts)
}

/// All that is remembered of slots.
fn slots(host: &Host) -> String {
    let folder = fs::read_dir(host.path("run/private/slots"));
    let files = folder.into_iter().flatten().flatten();
    files.filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect()
}
