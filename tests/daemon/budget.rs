//! What a credential may send holds over the deaths of the daemon.

use std::{fs, time::Duration};

use adit::sandbox::faults::{Fault, Matching, Times};
use tokio::time::Instant;

use crate::host::Host;

const ONE_TUNNEL: &str = r#"
[tunnels.web]
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]
"#;

/// Requests that may follow each other at once, and those a second in the long run, by default.
const BURST: f64 = 30.0;
const PER_SECOND: f64 = 3.0;

#[tokio::test]
async fn a_daemon_that_is_killed_and_started_twenty_times_stays_within_the_budget() {
    let host = Host::prepare().await;
    host.configure(ONE_TUNNEL);
    let started = Instant::now();
    for _ in 0..20 {
        host.start().await;
        // A pass begins with every start; who asks for more is told when the budget is used up, or waits.
        let _ = tokio::time::timeout(Duration::from_millis(300), host.client.apply(None)).await;
        host.kill();
    }
    let allowed = BURST + PER_SECOND * started.elapsed().as_secs_f64();
    let sent = host.stage.world.request_count() as f64;
    assert!(sent <= allowed, "{sent} requests, {allowed:.0} are allowed");
    // How many depends on how far each daemon gets before it is killed; that the budget starves nobody is seen below, too.
    assert!(sent >= 10.0, "it does not starve either: {sent} requests");
    let book = fs::read_to_string(host.path("run/private/budgets/sandbox.json")).unwrap();
    assert!(!book.contains(host.stage.world.api_token().expose()), "it names the credential without telling it");
    host.start().await;
    host.until_all_serve().await;
}

#[tokio::test]
async fn a_pause_that_cloudflare_asked_for_is_kept_by_the_next_daemon() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pause = Duration::from_secs(120);
    host.stage.world.faults().add(Fault::TooManyRequests(Some(pause)), Matching::everything(), Times::Once);
    host.until("the rate limit is told", async |host| {
        host.client.events(&[]).await.unwrap().iter().any(|event| event.kind == "rate-limited")
    })
    .await;
    let asked = host.stage.world.request_count();
    host.kill();
    host.start().await;
    host.until("the next daemon tells it as well", async |host| {
        host.status().await.overview.accounts[0].holds.iter().any(|hold| hold.sentence.contains("rate limit"))
    })
    .await;
    for _ in 0..3 {
        let _ = host.client.apply(None).await;
    }
    assert_eq!(host.stage.world.request_count(), asked, "nothing is sent, whoever asks for a pass");
    assert!(host.visit("app.example.com").await.reached("here"), "the tunnel serves all the same");
    // Neither does a reload forget it.
    host.write_configuration(&host.configuration(ONE_TUNNEL).replace("api_base", "budget = \"2/s\"\napi_base"));
    host.client.reload_configuration().await.unwrap();
    let _ = host.client.apply(None).await;
    assert_eq!(host.stage.world.request_count(), asked, "nothing is sent after a reload");
}
