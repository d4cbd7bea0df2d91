//! What is whose: two installations on one account, tunnels that change hands, a configuration that others edit too.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use adit::{
    desired::desired_tunnel,
    event::PassResult,
    id::TunnelId,
    name::AccountName,
    plan::{Conflict, RecordFate, TunnelOffer},
    reconciler::{OwnershipError, Taking, Which, Wish},
    sandbox::{
        faults::{Fault, Matching, Times},
        world::RecordKind,
    },
};
use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Harness, config, name, tunnel};

fn account() -> AccountName {
    "default".parse().unwrap()
}

fn wish(text: &str, tunnel: &str) -> Wish {
    Wish::Defined(Box::new(desired_tunnel(&config(text).tunnels[&name(tunnel)])))
}

async fn look(harness: &Harness, id: &TunnelId, wish: &Wish) -> TunnelOffer {
    harness.reconciler().look_at_tunnel(&account(), &name("web"), Which::Id(id.clone()), wish.clone()).await.unwrap()
}

fn taking(id: &TunnelId, wish: &Wish, offer: &TunnelOffer) -> Taking {
    Taking { id: id.clone(), wish: wish.clone(), hash: offer.hash(), from_install: None }
}

/// A tunnel of somebody else's with these rules, and a record that leads to it.
fn theirs(harness: &Harness, rules: Value) -> TunnelId {
    let dashboard = harness.world.dashboard();
    let id = dashboard.create_tunnel(&harness.world.account_id(), "theirs").unwrap();
    dashboard.put_configuration(&id, json!({ "ingress": rules })).unwrap();
    dashboard.create_record("app.example.com", RecordKind::Cname, &id.dns_target()).unwrap();
    id
}

fn writes(harness: &Harness) -> usize {
    harness.world.requests().iter().filter(|request| request.method != Method::GET).count()
}

#[tokio::test]
async fn two_installations_on_one_account_never_fight() {
    let first = Harness::settled(&tunnel("web", &["app.example.com", "www.example.com"])).await;
    let before = first.world.snapshot();
    let mut second = Harness::on(first.world.clone(), &tunnel("web", &["app.example.com", "b.example.com"])).await;
    second.start(None);
    let report = second.pass().await;
    assert_eq!(report.result, PassResult::Held);
    assert!(matches!(report.plan.conflicts.as_slice(), [Conflict::Record { .. }]), "{}", report.plan);
    let both = second.world.snapshot();
    assert!(before.tunnels.iter().all(|(id, tunnel)| both.tunnels[id] == *tunnel));
    assert!(before.records.iter().all(|(id, record)| both.records[id] == *record));
    assert_eq!((both.tunnels.len(), both.records.len()), (2, 3));

    let written = writes(&first);
    for _ in 0..3 {
        assert_eq!(first.pass().await.done, []);
        assert_eq!(second.pass().await.done, []);
    }
    assert_eq!((writes(&first), first.world.snapshot()), (written, both.clone()), "an idle pass of either changes nothing");

    // What the one gives up, the other may have; and what it deletes is its own.
    first.want(&tunnel("web", &["www.example.com"]));
    first.pass().await;
    let report = second.pass().await;
    assert_eq!(report.plan.conflicts, [], "{}", report.plan);
    second.want("");
    second.pass().await;
    assert!(second.reconciler().delete_tunnel(&name("web")).await.unwrap());
    let after = first.world.snapshot();
    assert_eq!(after.records.len(), 1);
    assert_eq!(after.records_named("www.example.com"), before.records_named("www.example.com"));
    assert_eq!(after.tunnels.values().filter(|tunnel| !tunnel.deleted).count(), 1);
    assert_eq!(first.pass().await.result, PassResult::Clean);
}

#[tokio::test]
async fn an_adoption_that_dies_in_the_middle_is_finished_by_the_same_word_again() {
    let text = tunnel("web", &["app.example.com"]);
    let mut harness = Harness::new("").await;
    harness.start(None);
    let id = theirs(&harness, json!([{ "service": "http_status:418" }]));
    let wish = wish(&text, "web");
    let offer = look(&harness, &id, &wish).await;
    assert_eq!(offer.records.iter().map(|record| &record.fate).collect::<Vec<_>>(), [&RecordFate::Taken]);
    harness.world.faults().add(Fault::Hang, Matching::resource("dns_records").method(Method::PATCH), Times::Once);
    let reconciler = harness.reconciler().clone();
    let asked = taking(&id, &wish, &offer);
    let adopting = tokio::spawn(async move { reconciler.adopt_tunnel(&account(), &name("web"), asked).await });
    harness.until("the marking hangs", |harness| harness.world.faults().remaining() == 0).await;
    harness.kill().await;
    assert!(adopting.await.unwrap().is_err());
    assert!(harness.directory.path().join("replaced/web.1.json").exists(), "what was there was kept first");

    harness.want(&text);
    harness.start(None);
    let report = harness.pass().await;
    assert_eq!(harness.world.snapshot().tunnels.len(), 1, "{}", report.plan);
    let again = look(&harness, &id, &wish).await;
    assert!(!again.is_ours, "a record is left to take");
    harness.reconciler().adopt_tunnel(&account(), &name("web"), taking(&id, &wish, &again)).await.unwrap();
    assert_eq!(harness.pass().await.result, PassResult::Clean);
    assert!(look(&harness, &id, &wish).await.is_ours);
    assert_eq!(harness.world.snapshot().tunnels[&id].name, "theirs");
}

#[tokio::test]
async fn the_tunnel_of_another_installation_is_taken_only_when_that_is_named() {
    let first = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    let mut second = Harness::on(first.world.clone(), "").await;
    second.start(None);
    let id: TunnelId = first.live("web")[0].parse().unwrap();
    let wish = wish(&tunnel("web", &["app.example.com"]), "web");
    let before = first.world.snapshot();
    let offer = look(&second, &id, &wish).await;
    let install = offer.install.clone().unwrap();
    assert!(matches!(&offer.records[0].fate, RecordFate::OtherInstall(other) if *other == install));
    let refused = second.reconciler().adopt_tunnel(&account(), &name("web"), taking(&id, &wish, &offer)).await.unwrap_err();
    assert!(refused.to_string().contains("another installation of Adit"), "{refused}");
    assert_eq!(first.world.snapshot(), before);
    let named = Taking { from_install: Some(install), ..taking(&id, &wish, &offer) };
    second.reconciler().adopt_tunnel(&account(), &name("web"), named).await.unwrap();
    assert_eq!(first.world.snapshot(), before, "its record is another word");
}

#[tokio::test]
async fn what_the_configuration_in_force_wants_is_not_forgotten() {
    let text = tunnel("web", &["app.example.com"]);
    let mut harness = Harness::new(&text).await;
    harness.start(Some(config(&text)));
    harness.pass().await;
    let asks = |text: &str| adit::config::Config::clone(&config(&format!("[daemon]\napply = \"ask\"\n{text}")));
    harness.want_config(Arc::new(asks("")));
    let refused = harness.reconciler().forget_tunnel(&name("web")).await.unwrap_err();
    assert!(matches!(refused, OwnershipError::Refused(_)), "{refused}");
    harness.reconciler().apply(None).await.unwrap();
    let before = harness.world.snapshot();
    assert!(harness.reconciler().forget_tunnel(&name("web")).await.unwrap().is_some());
    assert!(harness.reconciler().forget_tunnel(&name("web")).await.unwrap().is_none());
    harness.pass().await;
    assert_eq!(harness.world.snapshot(), before);
}

#[tokio::test]
async fn a_tunnel_becomes_shared_and_our_own_again_by_adopting_it_as_that() {
    let owned = SHARED.replace("ownership = \"shared\"\n", "");
    let harness = Harness::settled(&owned).await;
    let id: TunnelId = harness.live("web")[0].parse().unwrap();
    for (text, changes) in
        [(SHARED, ["= app.example.com: it stands there as it is wanted, and becomes ours"].as_slice()), (&owned, &[])]
    {
        let before = harness.world.snapshot();
        harness.want(text);
        let report = harness.pass().await;
        assert!(report.plan.to_string().contains("not-adopted"), "{}", report.plan);
        let wish = wish(text, "web");
        let offer = look(&harness, &id, &wish).await;
        assert_eq!(offer.changes, changes);
        harness.reconciler().adopt_tunnel(&account(), &name("web"), taking(&id, &wish, &offer)).await.unwrap();
        let report = harness.pass().await;
        assert!(report.plan.is_empty() && report.plan.holds.is_empty(), "{}", report.plan);
        assert_eq!(harness.world.snapshot(), before);
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_take_over_is_settled_by_looking() {
    let text = tunnel("web", &["app.example.com"]);
    let mut harness = Harness::new(&text).await;
    harness.world.dashboard().create_record("app.example.com", RecordKind::A, "192.0.2.7").unwrap();
    harness.start(None);
    assert_eq!(harness.pass().await.plan.conflicts.len(), 1);
    let (web, hostname) = (name("web"), "app.example.com".parse().unwrap());
    let offer = harness.reconciler().look_at_route(&account(), &web, &hostname).await.unwrap();
    harness.world.faults().add(Fault::AnswerLost, Matching::resource("batch").method(Method::POST), Times::Once);
    let taken = harness.reconciler().adopt_route(&account(), (&web, &hostname), offer.hash(), None).await.unwrap();
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(taken.kept.unwrap()).unwrap()).unwrap();
    assert_eq!(kept[0]["content"], "192.0.2.7");
    assert_eq!(harness.requests("POST", "/batch"), 1, "it is never sent twice");
    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Clean, "{}", report.plan);
}

#[tokio::test]
async fn a_failed_read_offers_nothing() {
    let harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    let id = theirs_beside(&harness);
    let before = harness.world.snapshot();
    let wish = wish(&tunnel("api", &["api.example.com"]), "api");
    for path in ["configurations", "connections", "dns_records", "cfd_tunnel"] {
        for fault in [Fault::ServerError(503), Fault::MalformedJson] {
            harness.world.faults().add(fault, Matching::resource(path).method(Method::GET), Times::UntilCleared);
            let looked = harness.reconciler().look_at_tunnel(&account(), &name("api"), Which::Id(id.clone()), wish.clone()).await;
            assert!(looked.is_err(), "{path}");
            harness.world.faults().clear();
        }
    }
    assert_eq!(harness.world.snapshot(), before);
}

fn theirs_beside(harness: &Harness) -> TunnelId {
    let dashboard = harness.world.dashboard();
    let id = dashboard.create_tunnel(&harness.world.account_id(), "theirs").unwrap();
    dashboard.create_record("api.example.com", RecordKind::Cname, &id.dns_target()).unwrap();
    id
}

const SHARED: &str = "[tunnels.web]\naccount = \"default\"\nownership = \"shared\"\n\
                      ingress = [{ hostname = \"app.example.com\", service = \"http://localhost:8080\" }]\n";

/// A shared tunnel that was adopted and has its rule.
async fn shared() -> (Harness, TunnelId) {
    let mut harness = Harness::new(SHARED).await;
    let rules = json!([{ "hostname": "x.example.com", "service": "http://localhost:1" }, { "service": "http_status:503" }]);
    let id = theirs(&harness, rules);
    harness.start(None);
    let report = harness.pass().await;
    assert_eq!(report.plan.holds.len(), 1, "{}", report.plan);
    let wish = wish(SHARED, "web");
    let offer = look(&harness, &id, &wish).await;
    assert_eq!(offer.changes, ["+ app.example.com"]);
    harness.reconciler().adopt_tunnel(&account(), &name("web"), taking(&id, &wish, &offer)).await.unwrap();
    (harness, id)
}

fn hostnames(harness: &Harness, id: &TunnelId) -> Vec<String> {
    let (_, document) = harness.world.snapshot().tunnels[id].configuration.clone().unwrap();
    let rules = document["ingress"].as_array().cloned().unwrap_or_default();
    rules.iter().map(|rule| rule["hostname"].as_str().unwrap_or("*").to_owned()).collect()
}

#[tokio::test]
async fn an_idle_pass_over_a_shared_tunnel_reads_no_configuration() {
    let (harness, id) = shared().await;
    harness.pass().await;
    assert_eq!(hostnames(&harness, &id), ["x.example.com", "app.example.com", "*"]);
    harness.reported.send_replace(Arc::new([(name("web"), 2)].into()));
    let before = harness.world.request_count();
    assert_eq!(harness.pass().await.result, PassResult::Clean);
    assert_eq!(harness.world.request_count() - before, 2);
}

#[tokio::test]
async fn a_lost_answer_to_the_writing_of_a_rule_is_settled_and_changes_nothing_twice() {
    for fault in [Fault::AnswerLost, Fault::Hang, Fault::DropBefore, Fault::ServerError(503)] {
        let (mut harness, id) = shared().await;
        harness.world.faults().add(fault.clone(), Matching::resource("configurations").method(Method::PUT), Times::Once);
        let reconciler = harness.reconciler().clone();
        let passing = tokio::spawn(async move { reconciler.reconcile_now("test").await });
        harness.until("the fault was met", |harness| harness.world.faults().remaining() == 0).await;
        harness.kill().await;
        drop(passing.await);
        harness.start(None);
        let report = harness.pass().await;
        assert!(report.plan.is_empty() && report.plan.conflicts.is_empty(), "{fault:?}: {}", report.plan);
        assert_eq!(hostnames(&harness, &id), ["x.example.com", "app.example.com", "*"], "{fault:?}");
        // It is on record as ours: it goes when it is not wanted any more.
        harness.want(&SHARED.replace("{ hostname = \"app.example.com\", service = \"http://localhost:8080\" }", ""));
        harness.pass().await;
        assert_eq!(hostnames(&harness, &id), ["x.example.com", "*"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_rule_whose_way_is_free_again_is_written_also_when_that_was_interrupted() {
    let mut harness = Harness::new(&SHARED.replace("ownership", "on_drift = \"report\"\nownership")).await;
    let id = theirs(&harness, json!([{ "hostname": "app.example.com", "service": "http://localhost:1" }, { "service": "x" }]));
    harness.start(None);
    let wish = wish(SHARED, "web");
    let offer = look(&harness, &id, &wish).await;
    harness.reconciler().adopt_tunnel(&account(), &name("web"), taking(&id, &wish, &offer)).await.unwrap();
    assert!(matches!(harness.pass().await.plan.conflicts.as_slice(), [Conflict::Rule { .. }]));

    harness.world.dashboard().put_configuration(&id, json!({ "ingress": [{ "service": "http_status:503" }] })).unwrap();
    harness.world.faults().add(Fault::Hang, Matching::resource("configurations").method(Method::PUT), Times::Once);
    let reconciler = harness.reconciler().clone();
    let passing = tokio::spawn(async move { reconciler.reconcile_now("test").await });
    harness.until("the writing hangs", |harness| harness.world.faults().remaining() == 0).await;
    harness.kill().await;
    drop(passing.await);
    harness.start(None);
    let report = harness.pass().await;
    assert_eq!(hostnames(&harness, &id), ["app.example.com", "*"], "{}", report.plan);
}

#[tokio::test]
async fn an_edit_that_nobody_read_is_said_to_be_overwritten() {
    let (harness, id) = shared().await;
    let (world, once) = (harness.world.clone(), AtomicBool::new(false));
    let edited = id.clone();
    harness.world.on_exchange(Arc::new(move |exchange| {
        let is_read = exchange.method == Method::GET && exchange.path.ends_with("/configurations");
        // The second read is the one right before the writing.
        if is_read && once.fetch_not(Ordering::SeqCst) {
            let rules =
                json!([{ "hostname": "lost.example.com", "service": "http://localhost:1" }, { "service": "http_status:503" }]);
            world.dashboard().put_configuration(&edited, json!({ "ingress": rules })).unwrap();
        }
    }));
    harness.pass().await;
    assert_eq!(harness.told("edit-overwritten").len(), 1);
    assert_eq!(hostnames(&harness, &id), ["x.example.com", "app.example.com", "*"]);
}

#[tokio::test]
async fn an_edited_rule_of_ours_is_repaired_or_reported_and_a_deleted_tunnel_is_not_made_again() {
    let (harness, id) = shared().await;
    harness.pass().await;
    let edit = json!([{ "hostname": "app.example.com", "service": "http://localhost:9" }, { "service": "http_status:503" }]);
    harness.world.dashboard().put_configuration(&id, json!({ "ingress": edit })).unwrap();
    harness.reported.send_replace(Arc::new([(name("web"), 3)].into()));
    harness.want(&SHARED.replace("ownership", "on_drift = \"report\"\nownership"));
    let report = harness.pass().await;
    assert!(report.plan.to_string().contains("somebody else changed rules of ours"), "{}", report.plan);
    assert_eq!(report.done, []);
    harness.want(SHARED);
    harness.pass().await;
    let (_, document) = harness.world.snapshot().tunnels[&id].configuration.clone().unwrap();
    assert_eq!(document["ingress"][0]["service"], "http://localhost:8080");
    assert_eq!(harness.told("edit-found").len(), 1, "what was replaced is kept");

    harness.world.dashboard().delete_tunnel(&id).unwrap();
    let report = harness.pass().await;
    assert!(report.plan.to_string().contains("not made again"), "{}", report.plan);
    assert_eq!(harness.world.snapshot().tunnels.len(), 1);
}
