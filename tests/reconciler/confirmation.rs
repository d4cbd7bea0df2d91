//! A plan is done exactly as it was confirmed, or not at all; and who only looks does nothing.

use adit::{
    config::{Source, parse},
    event::{PassResult, ProvisioningEvent},
    plan::HoldCode,
    reconciler::RequestError,
    sandbox::world::RecordKind,
};

use super::harness::{Harness, tunnel};

pub(super) fn with_mode(mode: &str, text: &str) -> std::sync::Arc<adit::config::Config> {
    let accounts = "[accounts.default]\napi_token = { file = \"/etc/adit/token\" }\n";
    let text = format!("[daemon]\napply = \"{mode}\"\n{accounts}{text}");
    std::sync::Arc::new(parse(&[Source { path: "adit.toml".into(), text }]).unwrap())
}

#[tokio::test]
async fn a_plan_takes_as_many_calls_as_it_says_and_shows_what_it_replaces() {
    let harness = Harness::settled(&tunnel("web", &["a.example.com"])).await;
    harness.connectors_catch_up();
    let more = tunnel("web", &["a.example.com", "b.example.com"]) + &tunnel("api", &["c.example.com", "d.example.com"]);
    let more = with_mode("ask", &more);
    harness.want_config(more.clone());
    let plans = harness.reconciler().plan(Some(more)).await.unwrap();
    let plan = plans.0.values().next().unwrap();
    let said = plan.calls.unwrap();
    let text = plans.to_string();
    assert!(text.contains("      + b.example.com -> http://localhost:8080"), "{text}");
    assert!(!text.contains("      + a.example.com"), "{text}");
    assert!(text.contains(&format!("{said} API calls")), "{text}");
    assert_eq!(plan.changes.len(), plan.steps.len());

    let writes =
        |harness: &Harness| ["POST", "PUT", "PATCH", "DELETE"].map(|method| harness.requests(method, "")).iter().sum::<usize>();
    let (written, read_again) = (writes(&harness), harness.requests("GET", "/configurations"));
    harness.reconciler().apply(Some(plans.hash())).await.unwrap();
    let taken = writes(&harness) - written + harness.requests("GET", "/configurations") - read_again;
    assert_eq!(taken, said, "{text}");
    assert_eq!(harness.pass().await.result, PassResult::Clean);
}

#[tokio::test]
async fn a_plan_of_a_world_that_changed_since_is_refused_and_nothing_is_done() {
    let harness = Harness::settled(&tunnel("web", &["a.example.com"])).await;
    harness.want_config(with_mode("ask", &tunnel("web", &["a.example.com", "b.example.com"])));
    let hash = harness.reconciler().plan(None).await.unwrap().hash();
    harness.world.dashboard().create_record("b.example.com", RecordKind::A, "192.0.2.7").unwrap();
    let before = format!("{:?}", harness.world.snapshot());
    let refused = harness.reconciler().apply(Some(hash)).await;
    assert!(matches!(refused, Err(RequestError::Changed { .. })), "{refused:?}");
    assert_eq!(format!("{:?}", harness.world.snapshot()), before);
    assert!(harness.view().holds.iter().all(|hold| hold.code != HoldCode::Unread));
}

#[tokio::test]
async fn who_only_observes_changes_nothing_and_says_what_there_would_be() {
    let mut harness = Harness::new("").await;
    harness.want_config(with_mode("observe", &tunnel("web", &["a.example.com"])));
    let before = format!("{:?}", harness.world.snapshot());
    harness.start(None);
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Held, "{}", report.plan);
    assert_eq!(report.done, []);
    let hold = report.plan.holds.iter().find(|hold| hold.code == HoldCode::ObserveOnly).unwrap();
    assert!(hold.why.contains("2 to add, 1 to change"), "{hold}");
    assert!(matches!(harness.reconciler().apply(None).await, Err(RequestError::ObserveOnly)));
    assert_eq!(format!("{:?}", harness.world.snapshot()), before);
    assert_eq!(std::fs::read_dir(harness.directory.path().join("records")).map_or(0, Iterator::count), 0);
    assert!(matches!(&harness.told("hold-began")[..], [ProvisioningEvent::HoldBegan { .. }]));

    harness.want_config(with_mode("auto", &tunnel("web", &["a.example.com"])));
    harness.pass().await;
    assert!(harness.target("a.example.com").is_some());
    assert!(
        harness
            .told("hold-ended")
            .iter()
            .any(|event| { matches!(event, ProvisioningEvent::HoldEnded { hold, .. } if hold.code == HoldCode::ObserveOnly) })
    );

    harness.connectors_catch_up();
    harness.want_config(with_mode("observe", &tunnel("web", &["a.example.com"])));
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Clean, "with nothing to do nothing is held: {}", report.plan);
}

#[tokio::test]
async fn an_account_that_is_in_the_configuration_twice_is_held_under_both_names() {
    let harness = Harness::settled(&tunnel("web", &["a.example.com"])).await;
    let before = format!("{:?}", harness.world.snapshot());
    let id = harness.world.account_id();
    let twice = format!(
        "[accounts.default]\napi_token = {{ file = \"/etc/adit/token\" }}\n\
         [accounts.other]\napi_token = {{ file = \"/etc/adit/token\" }}\naccount_id = \"{id}\"\n{}",
        tunnel("web", &["a.example.com"]).replace("\"default\"", "\"other\"")
    );
    harness.want_config(std::sync::Arc::new(parse(&[Source { path: "adit.toml".into(), text: twice }]).unwrap()));
    let report = harness.pass().await;
    let hold = report.plan.holds.iter().find(|hold| hold.code == HoldCode::AccountTwice).unwrap();
    assert!(hold.why.contains("\"default\"") && hold.why.contains("\"other\""), "{hold}");
    assert_eq!(format!("{:?}", harness.world.snapshot()), before);

    harness.want(&tunnel("web", &["a.example.com"]));
    assert_eq!(harness.pass().await.result, PassResult::Clean);
}
