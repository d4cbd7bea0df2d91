//! Connectors that get a successor: made before the former breaks, and what happens in the middle of it.

use adit::{
    control::api::State,
    sandbox::switchboard::{Crash, Switches},
};
use tokio::time::timeout;

use crate::{
    host::{Host, brisk, serves},
    visitor::visit,
};

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

const TWO_REPLICAS: &str = "[tunnels.web]\nreplicas = 2\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

#[tokio::test]
async fn every_change_that_needs_other_connectors_replaces_them_one_by_one_without_a_lost_request() {
    let local = TWO_REPLICAS.replace("[tunnels.web]", "[tunnels.web]\nconfiguration = \"local\"");
    for (before, after) in [
        (TWO_REPLICAS.to_owned(), with_extra_args(TWO_REPLICAS)),
        (TWO_REPLICAS.to_owned(), TWO_REPLICAS.replace("replicas", "protocol = \"http2\"\nreplicas")),
        (local.clone(), local.replace("app.example.com", "app.example.com\", path = \"/.*")),
    ] {
        let host = Host::prepare().await;
        write(&host, &before);
        host.start().await;
        host.until_all_serve().await;
        let pids = host.connector_pids();
        let load = host.load("app.example.com");

        write(&host, &after);
        host.client.reload_configuration().await.unwrap();

        host.until("both are replaced", async |host| {
            let now = host.connector_pids();
            now.len() == 2 && now.iter().all(|pid| !pids.contains(pid)) && serves(&host.tunnel("web").await)
        })
        .await;
        load.end().await.assert_nothing_lost();
        let events = host.client.events(&[("limit", "1000".to_owned())]).await.unwrap();
        let turns: Vec<&str> = events
            .iter()
            .map(|event| event.kind.as_str())
            .filter(|kind| ["connector-replacing", "connector-replaced"].contains(kind))
            .collect();
        assert_eq!(turns, ["connector-replacing", "connector-replaced"].repeat(2), "one at a time");
    }
}

#[tokio::test]
async fn changes_that_need_no_other_connector_start_none() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pids = host.connector_pids();
    for more in ["on_drift = \"report\"\n", "health = { origin = \"off\" }\n", "originRequest = { noTLSVerify = true }\n"] {
        host.configure(&ONE_TUNNEL.replace("ingress", &format!("{more}ingress")));
        host.client.reload_configuration().await.unwrap();
        host.until_all_serve().await;
        assert_eq!(host.connector_pids(), pids, "{more}");
    }
    host.until_synced(1).await;
    assert_eq!(host.connector_pids(), pids);
}

#[tokio::test]
async fn a_successor_that_fails_is_taken_away_and_the_former_one_stays_with_the_reason() {
    let host = Host::serving(ONE_TUNNEL).await;
    let (pids, load) = (host.connector_pids(), host.load("app.example.com"));
    host.stage.switchboard.set(None, Switches { crash_at_start: Some(Crash::Exit(1)), ..brisk() });
    write(&host, &with_extra_args(ONE_TUNNEL));
    host.client.reload_configuration().await.unwrap();

    host.until("it is said why", async |host| {
        let events = host.client.events(&[]).await.unwrap();
        events.iter().any(|event| event.kind == "connector-replacement-failed" && event.sentence.contains("exit code 1"))
    })
    .await;
    host.until("only the former is left", async |host| host.connector_pids() == pids).await;
    let tunnel = host.tunnel("web").await;
    let reason = tunnel.reason.expect("it is said why it is not as wanted");
    assert_eq!((tunnel.state, reason.code.as_str()), (State::Ready, "replacement-failed"));
    assert!(reason.sentence.contains("exit code 1"), "{reason:?}");
    let shown = host.adit(&["status"]).await;
    assert!(shown.code == Some(1) && shown.stdout.contains("replacement-failed"), "{shown:?}");
    load.end().await.assert_nothing_lost();

    // What was wanted before is wanted again: there is nothing left to do.
    host.stage.switchboard.set(None, brisk());
    write(&host, ONE_TUNNEL);
    host.client.reload_configuration().await.unwrap();
    host.until_all_serve().await;
    host.until("nothing is amiss", async |host| host.tunnel("web").await.reason.is_none()).await;
    assert_eq!(host.connector_pids(), pids);
}

#[tokio::test]
async fn an_operator_may_restart_stop_and_remove_a_tunnel_in_the_middle_of_a_replacement() {
    for act in ["restart", "stop", "remove"] {
        let host = in_the_middle().await;
        match act {
            "restart" => {
                host.client.restart_tunnel("web").await.unwrap();
                host.stage.switchboard.set(None, brisk());
                host.until("the successor has taken over", async |host| {
                    let tunnel = host.tunnel("web").await;
                    serves(&tunnel) && tunnel.connectors[0].generation == 2 && host.connectors().len() == 1
                })
                .await;
            }
            "stop" => {
                host.client.stop_tunnel("web").await.unwrap();
                host.until("nothing runs", async |host| {
                    host.tunnel("web").await.state == State::Stopped && host.connectors().is_empty()
                })
                .await;
                host.stage.switchboard.set(None, brisk());
                host.client.start_tunnel("web").await.unwrap();
                host.until_all_serve().await;
                assert_eq!(host.connectors().len(), 1);
            }
            _ => {
                write(&host, "[tunnels.other]\ningress = [{ hostname = \"other.example.com\", service = \"ORIGIN\" }]");
                host.client.reload_configuration().await.unwrap();
                let applied = host.adit(&["apply", "--yes"]).await;
                assert_eq!(applied.code, Some(0), "{applied:?}");
                host.stage.switchboard.set(None, brisk());
                host.until("only the other tunnel runs", async |host| {
                    let status = host.status().await;
                    let others = status.tunnels.iter().filter(|tunnel| tunnel.name == "other");
                    others.into_iter().all(serves) && host.connectors().len() == 1
                })
                .await;
            }
        }
    }
}

#[tokio::test]
async fn a_plan_and_a_restart_say_how_many_requests_are_open_and_what_would_be_cut() {
    let host = Host::serving(ONE_TUNNEL).await;
    let (asked, front) = (host.origin.requests(), host.stage.front());
    let long: Vec<_> = (0..3).map(|_| tokio::spawn(visit(front, "app.example.com", "/?ms=4000"))).collect();
    host.until("long requests are under way", async |host| host.origin.requests() >= asked + 3).await;

    let nothing = host.client.plan().await.unwrap();
    assert_eq!((nothing.changes, nothing.connectors.len()), (0, 0));
    write(&host, &with_extra_args(ONE_TUNNEL));
    let plan = host.adit(&["plan"]).await;
    assert_eq!(plan.code, Some(2), "{plan:?}");
    for words in ["connector web/0", "is replaced (config)", "3 requests are open", "longer than 5 s"] {
        assert!(plan.stdout.contains(words), "{words}: {plan:?}");
    }
    let plan = host.adit(&["tunnel", "restart", "web", "--plan"]).await;
    assert!(plan.code == Some(2) && plan.stdout.contains("3 requests are open"), "{plan:?}");
    assert_eq!(host.connector("web").await.generation, 1, "a plan does nothing");

    let restarted = host.client.restart_tunnel("web").await.unwrap();
    assert_eq!(restarted.replaces.len(), 1);
    assert_eq!((restarted.replaces[0].open_requests, restarted.replaces[0].cut_after_millis), (Some(3), 5_000));
    for visit in long {
        assert!(timeout(std::time::Duration::from_secs(20), visit).await.unwrap().unwrap().unwrap().reached("here"));
    }
}

/// A host whose connector has a successor that never gets ready.
async fn in_the_middle() -> Host {
    let host = Host::serving(ONE_TUNNEL).await;
    host.stage.switchboard.set(None, Switches { never_ready: true, ..brisk() });
    host.client.restart_tunnel("web").await.unwrap();
    host.until("two run side by side", async |host| host.connectors().len() == 2).await;
    host
}

/// Extra arguments are one setting of the whole file; a comment in the tunnels asks for them.
fn with_extra_args(tunnels: &str) -> String {
    format!("# extra arguments\n{tunnels}")
}

fn write(host: &Host, tunnels: &str) {
    let mut text = host.configuration(tunnels);
    if tunnels.starts_with('#') {
        text = text.replace("[cloudflared]\n", "[cloudflared]\nextra_args = [\"--retries\", \"7\"]\n");
    }
    host.write_configuration(&text);
}
