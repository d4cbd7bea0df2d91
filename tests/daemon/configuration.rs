//! Where a tunnel's configuration lives, what its tunnel is called and which tunnel a hostname belongs to: all of it changes under
//! load, and no request is lost.

use std::{fs, path::PathBuf, time::Duration};

use adit::control::api::State;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout};

use crate::host::{Host, PATIENCE, serves};

const REMOTE: &str = "[tunnels.web]\nreplicas = 2\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

fn local() -> String {
    REMOTE.replace("replicas", "configuration = \"local\"\nreplicas")
}

#[tokio::test]
async fn switching_between_remote_and_local_and_back_loses_no_request_and_leaves_one_tunnel() {
    let host = Host::serving(REMOTE).await;
    let load = host.load("app.example.com");
    for (wanted, source) in [(local(), "local"), (REMOTE.to_owned(), "cloudflare")] {
        let (before, pids) = (live(&host), host.connector_pids());
        host.configure(&wanted);
        let plan = host.adit(&["plan"]).await;
        assert!(plan.code == Some(2) && plan.stdout.contains("takes another tunnel"), "{plan:?}");
        host.client.reload_configuration().await.unwrap();

        host.until("the hostname has moved", async |host| {
            let now = live(host);
            now.len() == 2 && !before.iter().any(|id| target(host, "app.example.com").contains(id.as_str()))
        })
        .await;
        host.until("the new one serves", async |host| serves(&host.tunnel("web").await)).await;
        // The former one goes on as it is, under another name, for who still comes by it.
        let running = host.connector_pids();
        assert!(pids.iter().all(|pid| running.contains(pid)) && running.len() == 4, "{pids:?} {running:?}");
        let status = host.adit(&["status"]).await;
        assert!(status.stdout.contains("web~"), "{status:?}");

        end_of_grace(&host).await;
        host.until("one tunnel is left", async |host| live(host).len() == 1 && host.connectors().len() == 2).await;
        assert!(host.connector_pids().iter().all(|pid| !pids.contains(pid)));
        host.until_all_serve().await;
        let tunnels = host.snapshot().tunnels;
        let tunnel = tunnels.values().find(|tunnel| !tunnel.deleted).unwrap();
        assert_eq!((tunnel.config_src.as_str(), tunnel.configuration.is_some()), (source, source == "cloudflare"));
        assert_eq!(host.status().await.tunnels.len(), 1);
    }
    load.end().await.assert_nothing_lost();
}

#[tokio::test]
async fn switching_back_in_the_middle_takes_the_former_tunnel_again_with_the_same_processes() {
    let host = Host::serving(REMOTE).await;
    let (before, pids, load) = (live(&host), host.connector_pids(), host.load("app.example.com"));
    host.configure(&local());
    host.client.reload_configuration().await.unwrap();
    host.until("there are two", async |host| live(host).len() == 2).await;
    host.configure(REMOTE);
    host.client.reload_configuration().await.unwrap();
    host.until("the hostname leads to the first one", async |host| {
        target(host, "app.example.com").contains(&before[0]) && serves(&host.tunnel("web").await)
    })
    .await;
    end_of_grace(&host).await;
    host.until("one tunnel is left", async |host| live(host) == before && host.connector_pids() == pids).await;
    load.end().await.assert_nothing_lost();
}

#[tokio::test]
async fn a_connector_of_a_tunnel_that_was_replaced_starts_again_with_its_own_configuration() {
    let host = Host::serving(&local()).await;
    let (before, pids) = (live(&host), host.connector_pids());
    host.configure(REMOTE);
    host.client.reload_configuration().await.unwrap();
    host.until("the hostname has moved", async |host| !target(host, "app.example.com").contains(&before[0])).await;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pids[0].cast_signed()), nix::sys::signal::Signal::SIGKILL).unwrap();
    host.until("another took its place", async |host| {
        let retired = host.status().await.tunnels.into_iter().find(|tunnel| tunnel.name.starts_with("web~"));
        retired.is_some_and(|retired| {
            let ready = retired.connectors.iter().filter(|connector| connector.state == State::Ready).count();
            ready == 2 && retired.connectors.iter().any(|connector| connector.generation == 2)
        })
    })
    .await;
}

#[tokio::test]
async fn a_renamed_tunnel_keeps_its_id_and_its_processes_over_two_renames_and_a_restart() {
    let host = Host::serving(REMOTE).await;
    let (before, pids, load) = (live(&host), host.connector_pids(), host.load("app.example.com"));
    for (from, to) in [("web", "shop"), ("shop", "store")] {
        host.configure(&REMOTE.replace("[tunnels.web]", &format!("[tunnels.{to}]\nrenamed_from = \"{from}\"")));
        host.client.reload_configuration().await.unwrap();
        host.until("it serves under its other name", async |host| {
            let status = host.status().await;
            status.tunnels.len() == 1 && status.tunnels[0].name == to && serves(&status.tunnels[0])
        })
        .await;
        assert_eq!((live(&host), host.connector_pids()), (before.clone(), pids.clone()));
    }
    host.kill();
    host.start().await;
    host.until_all_serve().await;
    let restarted = host.adit(&["logs", "store"]).await;
    assert!(restarted.code == Some(0) && !restarted.stdout.is_empty(), "{restarted:?}");
    assert_eq!((live(&host), host.connector_pids()), (before, pids.clone()));
    // An operator knows it by its name alone.
    host.client.restart_tunnel("store").await.unwrap();
    host.until("both are replaced", async |host| {
        let now = host.connector_pids();
        now.len() == 2 && now.iter().all(|pid| !pids.contains(pid)) && serves(&host.tunnel("store").await)
    })
    .await;
    load.end().await.assert_nothing_lost();
}

#[tokio::test]
async fn a_renamed_tunnel_whose_record_is_torn_keeps_its_processes_over_a_restart() {
    let host = Host::serving(REMOTE).await;
    let pids = host.connector_pids();
    host.configure(&REMOTE.replace("[tunnels.web]", "[tunnels.shop]\nrenamed_from = \"web\""));
    host.client.reload_configuration().await.unwrap();
    host.until("it serves under its other name", async |host| {
        host.client.tunnel("shop").await.is_ok_and(|shop| serves(&shop.tunnel))
    })
    .await;
    host.kill();
    fs::write(host.path("state/records/shop.toml"), "torn").unwrap();
    host.start().await;
    host.until_synced(1).await;
    host.until("its connectors are shown", async |host| host.tunnel("shop").await.connectors.len() == 2).await;
    assert_eq!(host.connector_pids(), pids);
}

#[tokio::test]
async fn a_hostname_that_moves_loses_no_request_also_when_its_tunnel_leaves_the_configuration() {
    let other = "\n[tunnels.other]\ningress = [{ hostname = \"other.example.com\", service = \"ORIGIN\" }]";
    let both = "\n[tunnels.other]\ningress = [{ hostname = \"other.example.com\", service = \"ORIGIN\" }, \
                { hostname = \"app.example.com\", service = \"ORIGIN\" }]";
    let web =
        |rule: &str| format!("[tunnels.web]\ningress = [{rule}{{ hostname = \"stays.example.com\", service = \"ORIGIN\" }}]");
    let rule = "{ hostname = \"app.example.com\", service = \"ORIGIN\" }, ";
    for (before, after) in [
        (web(rule) + other, web("") + both),
        (REMOTE.to_owned() + other, both.to_owned()),
        (local() + other, both.replace("[tunnels.other]", "[tunnels.other]\nconfiguration = \"remote\"")),
        (
            REMOTE.to_owned() + &other.replace("ingress", "configuration = \"local\"\ningress"),
            both.replace("ingress", "configuration = \"local\"\ningress"),
        ),
    ] {
        let host = Host::serving(&before).await;
        let (led_to, pids, load) = (target(&host, "app.example.com"), host.connector_pids(), host.load("app.example.com"));
        let loser = host.snapshot().tunnels.values().find(|tunnel| led_to.contains(tunnel.id.as_str())).unwrap().id.clone();
        host.configure(&after);
        host.client.reload_configuration().await.unwrap();
        host.until("it has moved", async |host| target(host, "app.example.com") != led_to).await;
        host.until_synced(2).await;
        let tunnel = host.snapshot().tunnels[&loser].clone();
        assert!(tunnel.configuration.is_none_or(|(_, document)| document.to_string().contains("app.example.com")), "{after}");
        let running = host.connector_pids();
        let kept = pids.iter().filter(|pid| running.contains(pid)).count();
        assert!(kept >= pids.len() - 1, "{pids:?} {running:?} {after}");
        end_of_grace(&host).await;
        host.until("the former one has let go", async |host| {
            let tunnel = host.snapshot().tunnels[&loser].clone();
            let has_rule = tunnel.configuration.is_some_and(|(_, document)| document.to_string().contains("app.example.com"));
            let name = "web";
            let status = host.status().await;
            let known = status.tunnels.iter().find(|tunnel| tunnel.name == name);
            !has_rule || known.is_none_or(|known| known.connectors.is_empty())
        })
        .await;
        load.end().await.assert_nothing_lost();
    }
}

#[tokio::test]
async fn two_tunnels_cannot_swap_their_names_and_are_told_so() {
    let text = "[tunnels.a]\ningress = []\n[tunnels.b]\ningress = []";
    let host = Host::serving(text).await;
    let pids = host.connector_pids();
    let swapped = text
        .replace("[tunnels.a]", "[tunnels.a]\nrenamed_from = \"b\"")
        .replace("[tunnels.b]", "[tunnels.b]\nrenamed_from = \"a\"");
    host.configure(&swapped);
    let refused = host.adit(&["plan"]).await;
    assert!(refused.stderr.contains("there is still a tunnel of this name"), "{refused:?}");
    host.client.reload_configuration().await.unwrap_err();
    assert_eq!(host.connector_pids(), pids);
}

/// The ids of the live tunnels.
fn live(host: &Host) -> Vec<String> {
    let tunnels = host.snapshot().tunnels;
    tunnels.values().filter(|tunnel| !tunnel.deleted).map(|tunnel| tunnel.id.to_string()).collect()
}

fn target(host: &Host, hostname: &str) -> String {
    host.snapshot().records_named(hostname)[0].content.clone()
}

/// The daemon dies, and the next one finds that the time of what moved is over: what it keeps of it are times in its records.
async fn end_of_grace(host: &Host) {
    host.kill();
    let records: Vec<PathBuf> = fs::read_dir(host.path("state/records")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in records {
        let mut record: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let Some(parting) = record.get_mut("parting").and_then(toml::Value::as_table_mut) else { continue };
        for (_, since) in parting.iter_mut() {
            let noted: jiff::Timestamp = since.as_str().unwrap().parse().unwrap();
            *since = (noted - jiff::SignedDuration::from_secs(120)).to_string().into();
        }
        fs::write(&path, record.to_string()).unwrap();
    }
    host.start().await;
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_switch_that_dies_at_any_write_goes_on_where_it_was_and_loses_no_request() {
    let cases = (1..=10).flat_map(|nth| [("state-begun", nth), ("state-durable", nth)]);
    let cases = cases.chain([("record-renamed", 1), ("state-removed", 1)]);
    stream::iter(cases).for_each_concurrent(CRASHES_AT_ONCE, |(point, nth)| die_in_a_switch(point, nth)).await;
}

/// How many hosts at once: as many as a small machine carries.
const CRASHES_AT_ONCE: usize = 6;

async fn die_in_a_switch(point: &str, nth: u32) {
    let host = Host::prepare().await;
    let failpoints = host.path("failpoints");
    fs::create_dir(&failpoints).unwrap();
    host.configure(REMOTE);
    host.start_with(&[("ADIT_FAILPOINTS", &failpoints)]).await;
    host.until_all_serve().await;
    let (before, load) = (live(&host), host.load("app.example.com"));
    fs::write(host.path("armed"), format!("{point}:{nth}")).unwrap();
    fs::rename(host.path("armed"), failpoints.join("armed")).unwrap();
    host.configure(&local());
    // Nobody may be left to answer.
    let _ = host.client.reload_configuration().await;
    let deadline = Instant::now() + PATIENCE;
    let moved = || !before.iter().any(|id| target(&host, "app.example.com").contains(id.as_str()));
    while !(moved() && host.client.tunnel("web").await.is_ok_and(|known| serves(&known.tunnel))) {
        assert!(Instant::now() < deadline, "{point}:{nth}: it never serves\n{}", host.log());
        if let Ok(ended) = timeout(Duration::from_millis(10), host.ended()).await {
            assert_eq!(ended, None, "{point}:{nth}: a signal ends it");
            host.start().await;
        }
    }
    // It may die at this very moment, as it would be made to next.
    let _ = fs::remove_file(failpoints.join("armed"));
    end_of_grace(&host).await;
    host.until("one tunnel is left", async |host| live(host).len() == 1 && host.connectors().len() == 2).await;
    assert!(!before.contains(&live(&host)[0]), "{point}:{nth}");
    host.until("nothing else is on record", async |host| fs::read_dir(host.path("state/records")).unwrap().count() == 1).await;
    load.end().await.assert_nothing_lost();
}
