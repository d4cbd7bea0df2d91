//! Cloudflare fails, lies, hangs; the daemon dies; the disk refuses.

use std::time::Duration;

use axum::http::Method;

use super::harness::{Harness, name, tunnel};
use adit::{
    event::{PassResult, ProvisioningEvent},
    plan::HoldCode,
    sandbox::{
        faults::{Fault, Matching, Times},
        world::RecordKind,
    },
};

#[tokio::test]
async fn a_lost_answer_to_the_creation_of_a_tunnel_makes_no_second_one() {
    let mut harness = Harness::new(&tunnel("web", &["app.example.com"])).await;
    let creation = Matching::resource("cfd_tunnel").method(Method::POST);
    harness.world.faults().add(Fault::AnswerLost, creation, Times::Once);
    harness.start(None);
    harness.until("the first pass has failed", |harness| !harness.told("pass-finished").is_empty()).await;
    assert_eq!(harness.live("web").len(), 1);
    let report = harness.pass().await;
    assert_eq!(report.left, []);
    assert_eq!(harness.live("web").len(), 1);
    let wanted = harness.reconciler().wanted().borrow().clone();
    assert_eq!(wanted.tunnels[&name("web")].launch.tunnel_id.as_str(), harness.live("web")[0]);
    assert!(harness.target("app.example.com").is_some());
}

#[tokio::test]
async fn a_lost_answer_to_a_batch_makes_no_conflict() {
    let mut harness = Harness::new(&tunnel("web", &["a.example.com", "b.example.com"])).await;
    harness.world.faults().add(Fault::AnswerLost, Matching::resource("dns_records").method(Method::POST), Times::Once);
    harness.start(None);
    harness.pass().await;
    let report = harness.pass().await;
    assert_eq!(report.plan.conflicts, []);
    assert_eq!(report.result, PassResult::Clean);
    assert_eq!(harness.world.snapshot().records.len(), 2);
}

#[tokio::test]
async fn a_daemon_that_dies_anywhere_leaves_one_tunnel_with_its_routes() {
    let paths = ["cfd_tunnel", "configurations", "dns_records"];
    for path in paths {
        for fault in [Fault::Hang, Fault::AnswerLost, Fault::DropBefore, Fault::ServerError(503)] {
            let mut harness = Harness::new(&tunnel("web", &["app.example.com"])).await;
            let method = if path == "configurations" { Method::PUT } else { Method::POST };
            harness.world.faults().add(fault.clone(), Matching::resource(path).method(method), Times::Once);
            harness.start(None);
            harness.until("the fault was met", |harness| harness.world.faults().remaining() == 0).await;
            harness.kill().await;
            harness.start(None);
            let report = harness.pass().await;
            assert!(report.plan.is_empty(), "{path} {fault:?}: {}", report.plan);
            assert_eq!(harness.live("web").len(), 1, "{path} {fault:?}");
            let target = format!("{}.cfargotunnel.com", harness.live("web")[0]);
            assert_eq!(harness.target("app.example.com"), Some(target), "{path} {fault:?}");
            assert_eq!(harness.rules("web"), ["app.example.com"], "{path} {fault:?}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_not_the_apis_change_nothing() {
    let faults = [
        Fault::Html(200),
        Fault::Html(503),
        Fault::MalformedJson,
        Fault::TruncatedBody,
        Fault::WrongShape,
        Fault::TruncatedPage(0),
    ];
    for fault in faults {
        for resource in ["cfd_tunnel", "dns_records"] {
            let harness = Harness::settled(&tunnel("web", &["a.example.com", "b.example.com"])).await;
            let before = format!("{:?}", harness.world.snapshot());
            harness.want(&(tunnel("web", &["a.example.com"]) + &tunnel("api", &["b.example.com"])));
            harness.world.faults().add(fault.clone(), Matching::resource(resource).method(Method::GET), Times::UntilCleared);
            let report = harness.pass().await;
            // What does not depend on the unreadable part may go on; the records stay as they are in any case.
            let records = |text: &str| text.split("records:").nth(1).map(str::to_owned);
            assert_eq!(records(&before), records(&format!("{:?}", harness.world.snapshot())), "{fault:?} {resource}");
            assert!(report.plan.holds.iter().any(|hold| hold.code == HoldCode::Unread), "{fault:?} {resource}: {}", report.plan);
            assert_eq!(report.result, PassResult::Failed);
            if resource == "cfd_tunnel" {
                assert_eq!(before, format!("{:?}", harness.world.snapshot()), "{fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn lists_that_are_empty_by_mistake_make_nothing_twice_and_delete_nothing() {
    let harness = Harness::settled(&tunnel("web", &["a.example.com"])).await;
    let (tunnels, before) = (harness.live("web"), format!("{:?}", harness.world.snapshot()));
    harness.world.faults().add(Fault::EmptyPage, Matching::everything().method(Method::GET), Times::UntilCleared);
    harness.pass().await;
    assert_eq!(harness.live("web"), tunnels);
    harness.world.faults().clear();
    assert_eq!(harness.pass().await.result, PassResult::Clean);
    assert_eq!(before, format!("{:?}", harness.world.snapshot()));
}

#[tokio::test]
async fn an_outage_stops_no_tunnel_and_ends_by_itself() {
    let mut harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    harness.kill().await;
    harness.world.faults().add(Fault::ServerError(503), Matching::everything(), Times::UntilCleared);
    harness.start(None);
    // A start in an outage: the tunnel on record is wanted at once.
    assert!(harness.reconciler().wanted().borrow().tunnels.contains_key(&name("web")));
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Failed);
    assert!(harness.reconciler().wanted().borrow().tunnels.contains_key(&name("web")));
    assert!(!harness.told("hold-began").is_empty());
    harness.world.faults().clear();
    assert_eq!(harness.pass().await.result, PassResult::Clean);
    assert!(!harness.told("hold-ended").is_empty());
}

#[tokio::test]
async fn a_rate_limit_ends_the_pass_and_is_obeyed() {
    let harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    harness.world.faults().add(Fault::TooManyRequests(Some(Duration::from_secs(1))), Matching::everything(), Times::Once);
    harness.world.dashboard().delete_record("app.example.com").unwrap();
    let before = harness.world.request_count();
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Failed);
    assert_eq!(harness.world.request_count(), before + 1);
    assert_eq!(harness.told("rate-limited").len(), 1);
    let retried = |harness: &Harness| {
        let passes = harness.told("pass-finished");
        passes.iter().any(|event| matches!(event, ProvisioningEvent::PassFinished { why: "retry", .. }))
    };
    assert!(!retried(&harness));
    harness.until("the pause is over", retried).await;
}

#[tokio::test]
async fn a_missing_credential_is_a_reason_and_tunnels_on_record_run() {
    let mut harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    harness.kill().await;
    let clients = harness.without_client("the file /etc/adit/token does not exist");
    harness.start(None);
    let report = harness.pass().await;
    assert_eq!(report.plan.holds[0].code, HoldCode::NoCredential);
    assert_eq!(report.plan.holds[0].why, "the file /etc/adit/token does not exist");
    assert!(harness.reconciler().wanted().borrow().tunnels.contains_key(&name("web")));
    harness.with_clients(clients);
    harness.until("the hold ended", |harness| !harness.told("hold-ended").is_empty()).await;
}

#[tokio::test]
async fn one_refused_record_does_not_hold_up_the_others_of_its_batch() {
    let hostnames: Vec<String> = (0..30).map(|index| format!("h{index}.example.com")).collect();
    let hostnames: Vec<&str> = hostnames.iter().map(String::as_str).collect();
    let mut harness = Harness::new(&(tunnel("web", &hostnames[..29]) + &tunnel("api", &hostnames[29..]))).await;
    // More than are asked about beforehand.
    harness.world.dashboard().create_record("h7.example.com", RecordKind::A, "192.0.2.7").unwrap();
    harness.start(None);
    let report = harness.pass().await;
    assert_eq!(harness.target("h7.example.com").as_deref(), Some("192.0.2.7"));
    let made = hostnames.iter().filter(|hostname| harness.target(hostname).unwrap_or_default().ends_with(".cfargotunnel.com"));
    assert_eq!(made.count(), 29, "{:?}", report.left);
    assert_eq!(report.plan.conflicts.len(), 1, "{}", report.plan);
    assert_eq!(harness.pass().await.result, PassResult::Held);
}

#[tokio::test]
async fn a_disk_that_refuses_holds_creation_and_nothing_is_asked_for() {
    let mut harness = Harness::new(&tunnel("web", &["app.example.com"])).await;
    std::fs::write(harness.directory.path().join("records"), "").unwrap();
    let store_is_unusable = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| harness.start(None)));
    assert!(store_is_unusable.is_err(), "a state directory that cannot be listed is an error at start");
    std::fs::remove_file(harness.directory.path().join("records")).unwrap();
    harness.start(None);
    std::fs::remove_dir_all(harness.directory.path().join("records")).ok();
    std::fs::write(harness.directory.path().join("records"), "").unwrap();
    harness.want(&tunnel("api", &[]));
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Failed);
    assert_eq!(harness.live("api").len(), 0);
    assert!(report.left[0].why.contains("cannot make state directory"), "{:?}", report.left);
}

#[tokio::test]
async fn an_account_that_the_configuration_changed_is_held() {
    let mut harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    harness.kill().await;
    let other = harness.world.add_account("Other");
    harness.want_config(std::sync::Arc::new(
        adit::config::parse(&[adit::config::Source {
            path: "adit.toml".into(),
            text: format!(
                "[accounts.default]\naccount_id = \"{other}\"\napi_token = {{ file = \"/etc/adit/token\" }}\n{}",
                tunnel("web", &["app.example.com"])
            ),
        }])
        .unwrap(),
    ));
    harness.start(None);
    let report = harness.pass().await;
    assert_eq!(report.plan.holds[0].code, HoldCode::AccountChanged, "{}", report.plan);
    assert!(report.plan.is_empty());
    assert!(harness.reconciler().wanted().borrow().tunnels.contains_key(&name("web")));
}

#[tokio::test]
async fn no_api_at_all_is_a_failed_pass() {
    let mut harness = Harness::settled(&tunnel("web", &[])).await;
    harness.stop_api().await;
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Failed);
    assert_eq!(report.plan.holds[0].code, HoldCode::Unread);
}
