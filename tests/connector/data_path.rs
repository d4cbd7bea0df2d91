//! Requests from the front through the edge and a connector to an origin.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::sys::signal::Signal;
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Client, Stage, request, tunnel, wait_until};
use adit::sandbox::{front::FailureKind, origin::Origin};

const HOST: &str = "app.example.com";

/// Requests one after another from each of `workers`, until told to stop. Every answer is checked by status.
struct Load {
    stop: Arc<AtomicBool>,
    workers: JoinSet<Vec<Option<u16>>>,
}

impl Load {
    fn start(stage: &Stage, workers: usize, path: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let front = stage.front.addr();
        let mut set = JoinSet::new();
        for _ in 0..workers {
            let stop = Arc::clone(&stop);
            set.spawn(async move {
                let mut client = Client::new(front);
                let mut answers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    answers.push(client.request(HOST, path, None).await.map(|(status, _)| status));
                }
                answers
            });
        }
        Self { stop, workers: set }
    }

    /// Ends the load and gives the number of requests and of those without a 200.
    async fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let answers: Vec<Option<u16>> = self.workers.join_all().await.into_iter().flatten().collect();
        (answers.len(), answers.iter().filter(|status| **status != Some(200)).count())
    }
}

fn stage_with(origin: &Origin) -> Stage {
    let stage = Stage::new();
    stage.account.route(HOST);
    stage.account.configure(1, json!({"ingress": [{"hostname": HOST, "service": origin.url()}, {"service": "http_status:404"}]}));
    stage
}

async fn requests_reach(stage: &Stage, more: u64) {
    let goal = stage.front.stats().ok + more;
    wait_until("more requests are answered", async || stage.front.stats().ok >= goal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_requests_at_once_reach_the_origin() {
    let origin = Origin::start("blue").unwrap();
    let stage = stage_with(&origin);
    let _connector = stage.ready_connector().await;
    let front = stage.front.addr();

    let mut requests = JoinSet::new();
    for number in 0..200 {
        requests.spawn(async move {
            request(front, HOST, "/echo?ms=50", Some(&format!("body {number}"))).await == Some((200, format!("body {number}")))
        });
    }
    let good = requests.join_all().await.into_iter().filter(|good| *good).count();

    assert_eq!((good, origin.requests()), (200, 200));
    let stats = stage.front.stats();
    assert_eq!((stats.sent, stats.ok, stats.in_flight, stats.failed), (200, 200, 0, BTreeMap::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_streams_through_in_both_directions() {
    let origin = Origin::start("blue").unwrap();
    let stage = stage_with(&origin);
    let _connector = stage.ready_connector().await;
    let body = "0123456789abcdef".repeat(512 * 1024);

    let answer = request(stage.front.addr(), HOST, "/", Some(&body)).await;

    assert!(answer == Some((200, body)), "the body came back changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_under_load_loses_no_request() {
    let origin = Origin::start("blue").unwrap();
    let stage = stage_with(&origin);
    let mut old = stage.ready_connector().await;
    let load = Load::start(&stage, 16, "/?ms=2");
    requests_reach(&stage, 100).await;

    let _new = stage.ready_connector().await;
    old.signal(Signal::SIGTERM);
    assert_eq!(old.exit_code().await, Some(0));
    requests_reach(&stage, 100).await;

    let (sent, bad) = load.end().await;
    assert_eq!((bad, stage.front.stats().failed), (0, BTreeMap::new()), "of {sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_at_most_what_was_in_flight() {
    const WORKERS: usize = 16;
    let origin = Origin::start("blue").unwrap();
    let stage = stage_with(&origin);
    let mut victim = stage.ready_connector().await;
    let _other = stage.ready_connector().await;
    let load = Load::start(&stage, WORKERS, "/?ms=2");
    requests_reach(&stage, 100).await;

    victim.signal(Signal::SIGKILL);
    victim.ended().await;
    requests_reach(&stage, 200).await;

    let (sent, bad) = load.end().await;
    let failed = stage.front.stats().failed;
    let lost = |kind| failed.get(&kind).copied().unwrap_or(0);
    assert!(bad <= WORKERS, "{bad} of {sent} failed");
    assert_eq!(bad as u64, lost(FailureKind::ConnectorLost) + lost(FailureKind::Cut), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_changes_the_route_without_a_drop() {
    let (blue, green) = (Origin::start("blue").unwrap(), Origin::start("green").unwrap());
    let stage = stage_with(&blue);
    let _connector = stage.ready_connector().await;
    let load = Load::start(&stage, 8, "/?ms=2");
    requests_reach(&stage, 50).await;

    stage.account.configure(2, json!({"ingress": [{"hostname": HOST, "service": green.url()}, {"service": "http_status:404"}]}));
    wait_until("the other origin answers", async || green.requests() > 50).await;

    let (sent, bad) = load.end().await;
    assert_eq!((bad, stage.front.stats().failed), (0, BTreeMap::new()), "of {sent}");
    assert_eq!(stage.get(HOST, "/").await, (200, "green\n".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_has_its_answer_and_its_kind() {
    let origin = Origin::start("blue").unwrap();
    let stage = Stage::new();
    stage.account.route(HOST);

    assert_eq!(stage.get("unknown.example.com", "/").await.0, 404);
    assert_eq!(stage.get(HOST, "/").await.0, 530);
    stage.edge.switch(|switches| switches.hold_configuration = true);
    stage.account.configure(1, json!({"ingress": [{"service": origin.url()}]}));
    let connector = stage.connector().before(&["--protocol", "http2"]).start().await;
    connector.ready(4).await;
    assert_eq!(stage.get(HOST, "/").await.0, 503, "no configuration yet");
    stage.edge.switch(|switches| switches.hold_configuration = false);
    wait_until("the origin is reached", async || stage.get(HOST, "/").await.0 == 200).await;
    origin.set_up(false);
    wait_until("the origin is down", async || stage.get(HOST, "/").await.0 == 502).await;

    let failed = stage.front.stats().failed;
    assert_eq!(failed[&FailureKind::UnknownHost], 1);
    assert_eq!(failed[&FailureKind::NoConnector], 1);
    assert!(failed[&FailureKind::AnsweredByConnector] >= 2);
    // The last request before this may have been in the origin's queue when it closed, and is then reset and not refused.
    wait_until("the refusal is logged", async || {
        stage.get(HOST, "/").await;
        let events = connector.events("failed to serve incoming request");
        events.iter().any(|event| event["error"].as_str().unwrap().ends_with("connect: connection refused"))
    })
    .await;
    assert!(connector.log().contains(r#""ingressRule":0"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_goes_down_cuts_what_is_in_flight() {
    let origin = Origin::start("blue").unwrap();
    let stage = stage_with(&origin);
    let _connector = stage.ready_connector().await;
    let front = stage.front.addr();
    let slow = tokio::spawn(async move { request(front, HOST, "/?ms=60000", None).await });
    wait_until("the origin has the request", async || origin.requests() == 1).await;

    stage.edge.switch(|switches| switches.down = true);

    assert_eq!(slow.await.unwrap().map(|(status, _)| status), Some(502));
    assert_eq!(stage.front.stats().failed, BTreeMap::from([(FailureKind::ConnectorLost, 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_link_takes_no_further_request() {
    let origin = Origin::start("blue").unwrap();
    let stage = stage_with(&origin);
    let mut connector = stage.ready_connector().await;

    connector.signal(Signal::SIGKILL);
    connector.ended().await;

    assert_eq!(stage.get(HOST, "/").await.0, 530);
    assert_eq!(stage.front.stats().failed, BTreeMap::from([(FailureKind::NoConnector, 1)]));
    assert_eq!(stage.edge.connections(&tunnel()), []);
}
