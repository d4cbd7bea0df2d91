//! Ends that are wanted: SIGTERM, an operator's stop, a second daemon that has to give way.

use std::{process::Stdio, time::Duration};

use adit::{control::api::State, sandbox::switchboard::Switches};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    host::{Host, brisk},
    processes,
    visitor::visit,
};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

#[tokio::test]
async fn sigterm_lets_requests_finish_and_leaves_no_process() {
    let host = Host::serving(TWO_TUNNELS).await;
    let before = host.origin.requests();
    let front = host.stage.front();
    let visits: Vec<_> = (0..6).map(|_| tokio::spawn(visit(front, "app.example.com", "/?ms=1500"))).collect();
    host.until("all requests have reached the origin", async |host| host.origin.requests() == before + 6).await;

    assert_eq!(host.terminate().await, Some(0));

    for answered in visits {
        assert!(answered.await.unwrap().unwrap().reached("here"));
    }
    assert!(host.processes().is_empty(), "{:?}", host.processes());
    assert!(!host.path("run/adit.sock").exists() || host.client.version().await.is_err());
}

#[tokio::test]
async fn a_connector_that_ignores_sigterm_is_killed_after_the_grace_period() {
    let host = Host::prepare().await;
    host.stage.switchboard.set(None, Switches { ignore_sigterm: true, ..brisk() });
    host.write_configuration(&host.configuration(TWO_TUNNELS).replace("grace_period = \"5s\"", "grace_period = \"1s\""));
    host.start().await;
    host.until_all_serve().await;

    assert_eq!(host.terminate().await, Some(0));
    assert!(host.processes().is_empty(), "{:?}", host.processes());
    assert!(host.log().contains("killed"), "the log says who had to be killed");
}

#[tokio::test]
async fn a_daemon_asked_to_stop_while_it_starts_stops() {
    let host = Host::prepare().await;
    host.stage.switchboard.set(None, Switches { never_ready: true, slow_start_ms: 300, ..brisk() });
    host.configure(TWO_TUNNELS);
    host.start().await;
    host.until("the connectors run", async |host| host.connectors().len() == 3).await;

    assert_eq!(host.terminate().await, Some(0));
    assert!(host.processes().is_empty(), "{:?}", host.processes());
}

#[tokio::test]
async fn an_operators_stop_survives_the_daemon_shows_who_and_ends_by_a_start() {
    let host = Host::serving(TWO_TUNNELS).await;
    let who = host.client.who_am_i().await.unwrap();
    let name = who.user.unwrap_or_else(|| who.uid.to_string());

    let stopped = host.adit(&["tunnel", "stop", "web", "--yes", "--wait", "--timeout", "15s"]).await;
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert_eq!(host.connectors().len(), 1, "the other tunnel runs on");
    assert_eq!(host.visit("app.example.com").await.status, 530);

    assert_eq!(host.terminate().await, Some(0));
    host.start().await;
    host.until("the other tunnel serves", async |host| host.visit("api.example.com").await.reached("here")).await;
    host.pass().await;
    let tunnel = host.tunnel("web").await;
    assert_eq!((tunnel.state, tunnel.stop.map(|stop| stop.by)), (State::Stopped, Some(name.clone())));
    assert_eq!(host.connectors().len(), 1);
    let shown = host.adit(&["status", "web"]).await;
    assert!(shown.stdout.contains("stopped") && shown.stdout.contains(&name), "{shown:?}");

    let started = host.adit(&["tunnel", "start", "web", "--wait", "--timeout", "15s"]).await;
    assert_eq!(started.code, Some(0), "{started:?}");
    assert!(host.visit("app.example.com").await.reached("here"));
    assert_eq!(host.connectors().len(), 3);
}

#[tokio::test]
async fn a_restart_by_an_operator_replaces_every_connector_and_loses_no_request() {
    let host = Host::serving(TWO_TUNNELS).await;
    let before: Vec<Option<u32>> = host.tunnel("web").await.connectors.iter().map(|connector| connector.pid).collect();
    let others = host.tunnel("api").await.connectors[0].pid;
    let load = host.load("app.example.com");
    let (front, asked) = (host.stage.front(), host.origin.requests());
    let long: Vec<_> = (0..4).map(|_| tokio::spawn(visit(front, "app.example.com", "/?ms=3000"))).collect();
    host.until("long requests are under way", async |host| host.origin.requests() >= asked + 4).await;

    let restarted = host.adit(&["tunnel", "restart", "web", "--wait", "--timeout", "19s"]).await;
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    host.until("the former are gone", async |host| host.connectors().len() == 3).await;

    load.end().await.assert_nothing_lost();
    for answered in long {
        assert!(answered.await.unwrap().unwrap().reached("here"), "what ends within the grace period is finished");
    }
    let after: Vec<Option<u32>> = host.tunnel("web").await.connectors.iter().map(|connector| connector.pid).collect();
    assert!(before.iter().all(|pid| !after.contains(pid)), "{before:?} became {after:?}");
    assert_eq!(host.tunnel("api").await.connectors[0].pid, others);
}

#[tokio::test]
async fn a_second_daemon_with_another_state_directory_makes_nothing_before_it_loses() {
    let host = Host::serving(TWO_TUNNELS).await;
    let (state, other) = (host.path("state"), host.path("other-state"));
    let configuration = host.configuration(TWO_TUNNELS).replace(state.to_str().unwrap(), other.to_str().unwrap());
    let file = host.path("other.toml");
    std::fs::write(&file, configuration).unwrap();
    let mut second = tokio::process::Command::new(crate::processes::PROGRAM);
    second.args(["daemon", "--config", file.to_str().unwrap()]).env_clear().stdin(Stdio::null());

    let ended = timeout(Duration::from_secs(10), second.output()).await.unwrap().unwrap();

    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.code() == Some(1) && said.contains("another adit daemon"), "{said}");
    assert!(!other.exists(), "it made its state directory");
}

#[tokio::test]
async fn a_second_daemon_loses_and_says_why_and_the_first_is_untouched() {
    let host = Host::serving(TWO_TUNNELS).await;
    let (pids, there) = (host.connector_pids(), host.snapshot());
    let mut second = host.daemon_command(&[]);
    second.stderr(Stdio::piped());

    let ended = timeout(Duration::from_secs(10), tokio::process::Command::from(second).output()).await.unwrap().unwrap();

    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("another adit daemon"), "{said}");
    assert_eq!(host.manager.lines().iter().filter(|line| *line == "READY=1").count(), 1);
    assert_eq!((host.connector_pids(), host.snapshot()), (pids, there));
    assert!(host.visit("app.example.com").await.reached("here"));
    assert_eq!(host.adit(&["status"]).await.code, Some(0));
}

#[tokio::test]
async fn a_second_sigterm_does_not_wait_for_requests() {
    let host = Host::serving(TWO_TUNNELS).await;
    let front = host.stage.front();
    let before = host.origin.requests();
    let long = tokio::spawn(visit(front, "app.example.com", "/?ms=15000"));
    host.until("the request has reached the origin", async |host| host.origin.requests() == before + 1).await;

    processes::signal(host.daemon_pid(), Signal::SIGTERM);
    host.until("it drains", async |host| host.manager.heard("STOPPING=1")).await;
    processes::signal(host.daemon_pid(), Signal::SIGTERM);
    host.ended().await;

    assert!(!long.is_finished() || !matches!(long.await, Ok(Ok(visit)) if visit.status == 200));
}

#[tokio::test]
async fn a_tunnel_that_is_deleted_finishes_its_requests_before_it_goes() {
    let host = Host::serving(TWO_TUNNELS).await;
    let definition = json!({ "ingress": [{ "hostname": "shop.example.com", "service": host.origin.url() }] });
    host.client.create_tunnel("shop", definition).await.unwrap();
    host.until_all_serve().await;
    let (before, front) = (host.origin.requests(), host.stage.front());
    let visits: Vec<_> = (0..4).map(|_| tokio::spawn(visit(front, "shop.example.com", "/?ms=1000"))).collect();
    host.until("all requests have reached the origin", async |host| host.origin.requests() == before + 4).await;

    host.client.delete_tunnel("shop").await.unwrap();

    for visit in visits {
        assert_eq!(visit.await.unwrap().unwrap().status, 200);
    }
    let is_shop = |name: &str| name.starts_with("shop.");
    host.until("nothing of it is left", async |host| {
        let there = host.snapshot();
        there.records_named("shop.example.com").is_empty()
            && there.tunnels.values().all(|tunnel| tunnel.deleted || !is_shop(&tunnel.name))
            && host.status().await.tunnels.len() == 2
    })
    .await;
    // What was in its way is told in this order: its connector ended before anything of it was taken away.
    let events = host.client.events(&[("tunnel", "shop".to_owned()), ("limit", "500".to_owned())]).await.unwrap();
    let position = |wanted: &dyn Fn(&str, &str) -> bool| events.iter().position(|event| wanted(&event.kind, &event.sentence));
    let exited = position(&|kind, _| kind == "connector-exited");
    let deleted = position(&|kind, sentence| kind == "step-applied" && sentence.contains("- tunnel shop ("));
    assert!(exited.is_some() && exited < deleted, "{events:?}");
}
