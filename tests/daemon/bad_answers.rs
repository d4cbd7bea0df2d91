//! Answers of the API that are damaged: what cannot be read is no reason to change anything.

use std::time::Duration;

use adit::sandbox::faults::{Fault, Matching, Times};
use futures_util::future::join_all;
use reqwest::Method;

use crate::host::{Host, serves};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

/// How often a fault has to act, so that at least one whole pass went by it.
const ENOUGH: usize = 4;

#[tokio::test]
async fn lists_of_tunnels_that_are_damaged_change_nothing() {
    join_all(damages().into_iter().map(|fault| unharmed_by(fault, "cfd_tunnel"))).await;
}

#[tokio::test]
async fn lists_of_records_that_are_damaged_change_nothing() {
    join_all(damages().into_iter().map(|fault| unharmed_by(fault, "dns_records"))).await;
}

fn damages() -> Vec<Fault> {
    vec![
        Fault::Html(200),
        Fault::MalformedJson,
        Fault::TruncatedBody,
        Fault::WrongShape,
        Fault::EmptyPage,
        Fault::TruncatedPage(1),
        Fault::ServerError(502),
    ]
}

async fn unharmed_by(fault: Fault, resource: &str) {
    // An empty list of tunnels is seen through: each known tunnel is then read by its id.
    let is_seen_through = fault == Fault::EmptyPage && resource == "cfd_tunnel";
    let name = format!("{fault:?} of {resource}");
    let host = Host::serving(TWO_TUNNELS).await;
    let (pids, there) = (host.connector_pids(), host.snapshot());
    let calls = host.stage.world.request_count();
    host.stage.world.faults().add(fault, Matching::resource(resource).method(Method::GET), Times::UntilCleared);

    host.until(&format!("{name} is on hold"), async |host| {
        let status = host.status().await;
        let account = status.overview.accounts[0].holds.iter();
        is_seen_through || account.chain(status.tunnels.iter().flat_map(|tunnel| &tunnel.holds)).next().is_some()
    })
    .await;
    host.within(Duration::from_secs(30), &format!("some passes meet {name}"), async |host| {
        let requests = host.stage.world.requests().into_iter().skip(calls as usize);
        requests.filter(|request| request.path.ends_with(resource)).count() >= ENOUGH
    })
    .await;
    assert_eq!(host.snapshot(), there, "{name}");
    assert_eq!(host.connector_pids(), pids, "{name}");
    assert!(host.visit("app.example.com").await.reached("here"), "{name}");

    host.stage.world.faults().clear();
    host.until(&format!("the hold after {name} ends by itself"), async |host| {
        let status = host.status().await;
        status.overview.accounts[0].holds.is_empty()
            && status.tunnels.iter().all(|tunnel| tunnel.holds.is_empty() && serves(tunnel))
    })
    .await;
    assert_eq!(host.snapshot(), there, "{name}");
    assert_eq!(host.connector_pids(), pids, "{name}");
}
