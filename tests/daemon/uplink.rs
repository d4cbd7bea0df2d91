//! Cloudflare's edge cannot be reached: nobody is restarted for it, and everybody serves soon after it can be again.

use std::time::Duration;

use adit::{
    control::api::{State, UplinkState},
    sandbox::switchboard::Switches,
};
use nix::sys::signal::Signal;

use crate::{closed_port::ClosedPort, host::Host, processes};

/// cloudflared's back-off after an outage, ten times as slow as it is: whoever waits it out waits for minutes.
fn slow() -> Switches {
    Switches { time_scale: 10.0, ..Switches::default() }
}

/// So many tunnels, named `t0`, `t1`, ….
fn tunnels(count: usize) -> String {
    let tunnel =
        |number| format!("[tunnels.t{number}]\ningress = [{{ hostname = \"t{number}.example.com\", service = \"ORIGIN\" }}]\n");
    (0..count).map(tunnel).collect()
}

/// Whether an event is about all connectors of the host.
fn is_of_all(kind: &str) -> bool {
    kind.starts_with("uplink-") || kind.starts_with("brake-")
}

impl Host {
    /// Runs these tunnels with connectors that take their time, and waits until each has a connection.
    async fn carrying(&self, configuration: &str) {
        self.write_configuration(configuration);
        self.start().await;
        self.until_all_carry().await;
    }

    async fn until_all_carry(&self) {
        self.until("every connector carries requests", async |host| {
            let tunnels = host.status().await.tunnels;
            tunnels.iter().all(|tunnel| tunnel.connectors.len() == 1 && tunnel.connectors.iter().all(|one| one.serving))
        })
        .await;
    }

    async fn until_uplink(&self, state: UplinkState) {
        self.until("the status tells of the uplink", async |host| host.status().await.overview.uplink.state == state).await;
    }

    /// The kinds of all events so far.
    async fn kinds(&self) -> Vec<String> {
        let events = self.adit(&["events", "-o", "json", "--since", "1h"]).await;
        let kind = |part: &str| part.split('"').nth(1).map(str::to_owned);
        let kinds: Vec<String> = events.stdout.split("\"kind\":").skip(1).filter_map(kind).collect();
        assert!(kinds.iter().any(|kind| kind == "daemon-started"), "{}", events.stdout);
        kinds
    }

    async fn metric(&self, name: &str) -> Option<String> {
        let page = self.metrics().await;
        page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
    }

    /// The address that the sandbox wants to be asked, replaced by another.
    fn asking(&self, tunnels: &str, address: &str) -> String {
        let own = format!("edge_probe = [\"{}\"]", self.stage.edge.addr());
        let configuration = self.configuration(tunnels);
        assert!(configuration.contains(&own));
        configuration.replace(&own, &format!("edge_probe = [\"{address}\"]"))
    }
}

#[tokio::test]
async fn an_outage_restarts_nobody_and_its_end_everybody_once() {
    let host = Host::prepare().await;
    host.stage.switchboard.set(None, slow());
    host.carrying(&host.configuration(&tunnels(4))).await;
    let before = host.connector_pids();
    assert_eq!(host.metric("adit_uplink_up").await.as_deref(), Some("1"));

    host.stage.edge.switch(|edge| edge.down = true);
    host.until_uplink(UplinkState::Lost).await;
    let seen = host.adit(&["status"]).await;
    assert!(seen.stdout.contains("uplink lost since") && seen.stdout.contains("(no-uplink)"), "{}", seen.stdout);
    assert!(seen.stdout.contains("the edge does not answer"), "{}", seen.stdout);
    assert_eq!(seen.code, Some(1));
    assert_eq!(host.metric("adit_uplink_up").await.as_deref(), Some("0"));
    assert_eq!(host.metric("adit_uplink_losses_total").await.as_deref(), Some("1"));
    assert_eq!(host.connector_pids(), before, "nobody was restarted");

    host.stage.edge.switch(|edge| edge.down = false);
    host.until_uplink(UplinkState::Up).await;
    host.until_all_carry().await;
    assert!(host.visit("t3.example.com").await.reached("here"));
    let restarts: Vec<u64> = host.status().await.tunnels.iter().map(|tunnel| tunnel.connectors[0].restarts_total).collect();
    assert!(restarts.iter().all(|restarts| *restarts <= 1) && restarts.contains(&1), "{restarts:?}");
    assert_eq!(host.metric("adit_uplink_up").await.as_deref(), Some("1"));
    let kinds = host.kinds().await;
    let told: Vec<&str> = kinds.iter().map(String::as_str).filter(|kind| is_of_all(kind)).collect();
    assert_eq!(told, ["brake-on", "uplink-lost", "uplink-back", "brake-off"]);
}

#[tokio::test]
async fn one_tunnel_that_gets_no_connection_while_others_have_some_is_no_outage() {
    let host = Host::serving(&tunnels(3)).await;
    let refused = host.snapshot().tunnels.into_values().find(|tunnel| tunnel.name.starts_with("t1.")).unwrap();
    let tunnel = refused.id;
    host.stage.switchboard.set(Some(&tunnel), Switches { never_ready: true, ..slow() });
    let killed = host.connector("t1").await;
    processes::signal(killed.pid.unwrap(), Signal::SIGKILL);

    // Twice as long as no connection at all would take to be an outage.
    host.until("it has had no connection for long", async |host| {
        let connector = host.connector("t1").await;
        let waits = connector.reason.is_some_and(|reason| reason.code == "not-connected");
        waits && jiff::Timestamp::now().duration_since(connector.since).as_secs() >= 10
    })
    .await;
    assert_eq!(host.status().await.overview.uplink.state, UplinkState::Up);
    let kinds = host.kinds().await;
    assert!(!kinds.iter().any(|kind| is_of_all(kind)), "{kinds:?}");
    assert!(host.visit("t0.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_network_that_lets_no_question_through_holds_nobody_and_its_own_connections_end_an_outage() {
    let host = Host::prepare().await;
    let closed = ClosedPort::take();
    host.write_configuration(&host.asking(&tunnels(3), &closed.address()));
    host.start().await;
    host.until_all_serve().await;
    host.kill_connector("t0").await;
    assert!(!host.kinds().await.iter().any(|kind| is_of_all(kind)));

    // A real outage is still told, and over with the first connection.
    host.stage.edge.switch(|edge| edge.down = true);
    host.until_uplink(UplinkState::Lost).await;
    host.stage.edge.switch(|edge| edge.down = false);
    host.until_uplink(UplinkState::Up).await;
    host.until_all_carry().await;
}

#[tokio::test]
async fn crash_loops_wait_for_the_uplink_and_a_change_does_not() {
    let host = Host::prepare().await;
    let closed = ClosedPort::take();
    let configuration = host.asking(&tunnels(3), &closed.address());
    // Without addresses of its own a connector asks DNS, which nobody answers here: it exits again and again.
    let edge = host.stage.edge.tunnel_edge();
    host.write_configuration(&configuration.replace(&edge, ""));
    host.start().await;

    host.until_uplink(UplinkState::Lost).await;
    let held = host
        .found("a connector waits for the uplink", async |host| {
            let tunnels = host.status().await.tunnels;
            let mut connectors = tunnels.into_iter().flat_map(|tunnel| tunnel.connectors);
            connectors.find(|connector| connector.reason.as_ref().is_some_and(|reason| reason.code == "no-uplink"))
        })
        .await;
    assert_eq!((held.state, held.next_try_at), (State::BackingOff, None));
    assert!(held.reason.unwrap().sentence.contains("the others wait until the edge answers"));

    host.write_configuration(&configuration);
    host.client.reload_configuration().await.unwrap();
    host.until_all_serve().await;
    host.until_uplink(UplinkState::Up).await;
}

#[tokio::test]
async fn another_address_to_ask_holds_after_a_reload() {
    let host = Host::prepare().await;
    host.stage.switchboard.set(None, slow());
    let closed = ClosedPort::take();
    host.carrying(&host.asking(&tunnels(2), &closed.address())).await;
    host.stage.edge.switch(|edge| edge.down = true);
    host.until_uplink(UplinkState::Lost).await;

    host.stage.edge.switch(|edge| edge.down = false);
    host.write_configuration(&host.configuration(&tunnels(2)));
    host.client.reload_configuration().await.unwrap();
    host.until_all_carry().await;
    assert_eq!(host.status().await.overview.uplink.state, UplinkState::Up);
}

#[tokio::test]
async fn connectors_that_all_stop_answering_at_once_are_not_replaced() {
    let host = Host::serving(&tunnels(4)).await;
    let before = host.connector_pids();
    for pid in &before {
        processes::signal(*pid, Signal::SIGSTOP);
    }
    // Three probes in a row are missed, each with five seconds before it.
    host.within(Duration::from_secs(60), "all of them hang, and it is seen that they do at once", async |host| {
        let status = host.status().await;
        let mut connectors = status.tunnels.iter().flat_map(|tunnel| &tunnel.connectors);
        connectors.all(|one| one.reason.as_ref().is_some_and(|reason| reason.code == "hung"))
            && status.overview.uplink.braked_since.is_some()
    })
    .await;
    assert_eq!(host.metric("adit_restarts_braked").await.as_deref(), Some("1"));
    assert_eq!(host.connector_pids(), before, "nobody was replaced");
    for pid in &before {
        processes::signal(*pid, Signal::SIGCONT);
    }
    host.until("the brake is released", async |host| host.status().await.overview.uplink.braked_since.is_none()).await;
    host.until_all_serve().await;
    assert_eq!(host.connector_pids(), before);
}
