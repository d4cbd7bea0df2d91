//! Cloudflare's API fails, rests or keeps silent; tunnels run on.

use std::time::Duration;

use adit::{
    control::api::{State, Status},
    sandbox::faults::{Fault, Matching, Times},
};
use reqwest::Method;

use crate::host::{Host, serves};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

/// How long the sandbox lets the credential rest.
const REST: Duration = Duration::from_secs(2);

#[tokio::test]
async fn tunnels_serve_and_crashed_connectors_are_replaced_while_the_api_fails() {
    let host = Host::serving(TWO_TUNNELS).await;
    let load = host.load("app.example.com");
    host.stage.world.faults().add(Fault::ServerError(503), Matching::everything(), Times::UntilCleared);

    host.until("it is said that the API fails", async |host| says_that_the_api_fails(&host.status().await)).await;
    host.kill_connector("api").await;
    assert!(host.visit("api.example.com").await.reached("here"));
    assert_eq!(host.adit(&["status"]).await.code, Some(1));

    host.stage.world.faults().clear();
    host.until("all is well again", async |host| {
        let status = host.status().await;
        status.tunnels.iter().all(serves) && status.overview.accounts[0].holds.is_empty()
    })
    .await;
    load.end().await.assert_nothing_lost();
}

#[tokio::test]
async fn a_daemon_that_starts_during_an_outage_starts_every_tunnel_that_was_provisioned() {
    let host = Host::serving(TWO_TUNNELS).await;
    assert_eq!(host.terminate().await, Some(0));
    assert!(host.connectors().is_empty());
    host.stage.world.faults().add(Fault::DropBefore, Matching::everything(), Times::UntilCleared);

    host.start().await;

    host.until("it says READY", async |host| host.manager.heard("READY=1")).await;
    host.until("every connector is ready", async |host| {
        let tunnels = host.status().await.tunnels;
        tunnels.len() == 2 && tunnels.iter().all(|tunnel| tunnel.state == State::Ready)
    })
    .await;
    assert!(host.visit("app.example.com").await.reached("here"));
    assert!(host.visit("api.example.com").await.reached("here"));
    assert_eq!(host.connectors().len(), 3);
    assert!(host.stage.world.faults().remaining() > 0, "the outage lasts");
}

#[tokio::test]
async fn an_api_that_never_answers_delays_neither_readiness_nor_a_known_tunnel_nor_the_stop() {
    let host = Host::serving(TWO_TUNNELS).await;
    assert_eq!(host.terminate().await, Some(0));
    host.stage.world.faults().add(Fault::Hang, Matching::everything(), Times::UntilCleared);
    let before = host.stage.world.request_count();

    host.start().await;
    host.until("it asks the API", async |host| host.stage.world.request_count() > before).await;
    host.until("it says READY", async |host| host.manager.heard("READY=1")).await;
    host.until("visitors get through", async |host| host.visit("app.example.com").await.reached("here")).await;

    assert_eq!(host.terminate().await, Some(0));
    assert!(host.processes().is_empty());
}

#[tokio::test]
async fn a_first_start_during_an_outage_provisions_once_the_api_is_back() {
    let host = Host::prepare().await;
    host.configure(TWO_TUNNELS);
    host.stage.world.faults().add(Fault::ServerError(500), Matching::everything(), Times::UntilCleared);
    host.start().await;
    host.until("it says READY", async |host| host.manager.heard("READY=1")).await;
    host.until("it is said that the API fails", async |host| says_that_the_api_fails(&host.status().await)).await;
    assert!(host.status().await.tunnels.iter().all(|tunnel| tunnel.state == State::Pending));
    assert!(host.connectors().is_empty());

    host.stage.world.faults().clear();
    host.until_all_serve().await;
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_429_stops_every_call_until_its_time_is_over_and_the_status_says_so() {
    let host = Host::serving(TWO_TUNNELS).await;
    let calls = host.stage.world.request_count();
    host.stage.world.faults().add(Fault::TooManyRequests(Some(REST)), Matching::everything(), Times::Once);

    host.until("it is said that the credential rests", async |host| {
        let status = host.status().await;
        let texts = status.overview.health.reasons.iter().map(|reason| &reason.sentence);
        let holds = status.overview.accounts[0].holds.iter().map(|hold| &hold.sentence);
        texts.chain(holds).any(|text| text.contains("rate limit"))
    })
    .await;
    assert!(host.visit("app.example.com").await.reached("here"));
    // A change that is asked for meanwhile waits as well, and is not lost.
    host.configure(&format!(
        "{TWO_TUNNELS}[tunnels.more]\ningress = [{{ hostname = \"more.example.com\", service = \"ORIGIN\" }}]"
    ));
    host.client.reload_configuration().await.unwrap();

    host.until("the change comes true", async |host| {
        let status = host.status().await;
        status.tunnels.len() == 3 && status.tunnels.iter().all(serves)
    })
    .await;
    let requests = host.stage.world.requests();
    let refused = requests.iter().position(|request| request.status == Some(429)).expect("one request was refused");
    assert!(refused as u64 >= calls);
    // Calls that were on their way already may still arrive.
    let later = requests[refused + 1..].iter().map(|request| request.at - requests[refused].at);
    let early: Vec<Duration> = later.filter(|after| (Duration::from_millis(200)..REST).contains(after)).collect();
    assert!(early.is_empty(), "calls at {early:?} after the 429, before its {REST:?} were over");
}

#[tokio::test]
async fn a_lost_answer_to_the_creation_of_a_tunnel_leaves_exactly_one() {
    let host = Host::prepare().await;
    host.configure(TWO_TUNNELS);
    let tunnels = Matching::resource("cfd_tunnel").method(Method::POST);
    host.stage.world.faults().add(Fault::AnswerLost, tunnels, Times::Times(2));
    host.start().await;

    host.until_all_serve().await;
    assert_eq!(host.stage.world.faults().remaining(), 0, "both answers were lost");
    let there = host.snapshot();
    assert_eq!((there.tunnels.len(), there.records.len()), (2, 2), "{there:?}");
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_lost_answer_to_any_other_change_leaves_exactly_one_of_each() {
    let host = Host::prepare().await;
    host.configure(TWO_TUNNELS);
    let faults = host.stage.world.faults();
    faults.add(Fault::AnswerLost, Matching::resource("dns_records").method(Method::POST), Times::Times(2));
    faults.add(Fault::AnswerLost, Matching::resource("configurations").method(Method::PUT), Times::Times(2));
    host.start().await;

    host.until_all_serve().await;
    let there = host.snapshot();
    assert_eq!((there.tunnels.len(), there.records.len()), (2, 2), "{there:?}");
    assert!(host.visit("api.example.com").await.reached("here"));
}

fn says_that_the_api_fails(status: &Status) -> bool {
    let holds = &status.overview.accounts[0].holds;
    holds.iter().any(|hold| hold.sentence.contains("Cloudflare failed")) && !status.overview.health.reasons.is_empty()
}
