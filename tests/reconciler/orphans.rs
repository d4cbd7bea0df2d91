//! What is left over is found, shown with reasons, and deleted only when it is ours and dead.

#[path = "orphans/families.rs"]
mod families;

use adit::{
    orphan::{Orphan, Orphans, hash},
    reconciler::RequestError,
    sandbox::{
        faults::{Fault, Matching, Times},
        world::RecordKind,
    },
};
use axum::http::Method;
use serde_json::json;

use super::{
    confirmation::with_mode,
    harness::{Harness, tunnel},
    teardown::{connect, orphaned},
};

/// An installation whose state of `web` is lost: its tunnel and its record are there, and nothing knows them. Beside them stand
/// things of another installation, and things of nobody.
async fn forgetful() -> Harness {
    let mut harness = Harness::settled(&(tunnel("web", &["app.example.com"]) + &tunnel("api", &["api.example.com"]))).await;
    harness.kill().await;
    std::fs::remove_file(harness.directory.path().join("records/web.toml")).unwrap();
    let (dashboard, account) = (harness.world.dashboard(), harness.world.account_id());
    let other = dashboard.create_tunnel(&account, "web.adit-zzzzzzzz").unwrap();
    dashboard.create_record("theirs.example.com", RecordKind::Cname, &other.dns_target()).unwrap();
    dashboard.edit_record("theirs.example.com", json!({ "comment": "adit:zzzzzzzz:web" })).unwrap();
    dashboard.delete_tunnel(&dashboard.create_tunnel(&account, "old.adit-zzzzzzzz").unwrap()).unwrap();
    dashboard.create_tunnel(&account, "by-hand").unwrap();
    dashboard.create_record("hand.example.com", RecordKind::Cname, &other.dns_target()).unwrap();
    harness.want(&tunnel("api", &["api.example.com"]));
    harness.start(None);
    harness.pass().await;
    harness
}

async fn found(harness: &Harness) -> Orphans {
    harness.reconciler().orphans().await.unwrap().into_values().next().unwrap()
}

/// Each thing as `NAME` or, when it stays, `NAME: WHY`.
fn said(found: &Orphans) -> Vec<String> {
    let said = |orphan: &Orphan| match &orphan.kept {
        None => orphan.name.split(".adit-").next().unwrap().to_owned(),
        Some(kept) => format!("{}: {}", orphan.name.split(".adit-").next().unwrap(), kept.split(" \"").next().unwrap()),
    };
    found.orphans.iter().map(said).collect()
}

async fn delete_all(harness: &Harness) -> Vec<Result<(), String>> {
    let hash = hash(&found(harness).await.orphans);
    harness.reconciler().delete_orphans(&hash, &[]).await.unwrap().into_iter().map(|(_, result)| result).collect()
}

#[tokio::test]
async fn what_lost_its_state_is_found_and_goes_the_tunnel_first() {
    let harness = forgetful().await;
    let foreign = harness.foreign();
    let first = found(&harness).await;
    assert_eq!(said(&first), ["app.example.com: the tunnel", "web"]);
    assert_eq!(first.others.into_iter().collect::<Vec<_>>(), [("zzzzzzzz".to_owned(), 2)]);
    assert!(first.unread.is_empty());
    assert_eq!(harness.view().orphans, 1, "the record leads to a tunnel that lives");

    assert_eq!(delete_all(&harness).await, [Ok(())]);
    assert_eq!(harness.live("web").len(), 1, "only that of the other installation");
    assert_eq!(said(&found(&harness).await), ["app.example.com"]);
    assert_eq!(delete_all(&harness).await, [Ok(())]);

    assert!(found(&harness).await.orphans.is_empty());
    assert_eq!(harness.target("app.example.com"), None);
    assert!(harness.target("api.example.com").is_some());
    assert_eq!(harness.foreign(), foreign);
    assert!(harness.target("theirs.example.com").is_some());
    assert_eq!(harness.told("orphan-deleted").len(), 2);
}

#[tokio::test]
async fn a_tunnel_with_live_connections_is_never_deleted() {
    let harness = forgetful().await;
    let stray = found(&harness).await.orphans.pop().unwrap();
    let adit::orphan::Object::Tunnel { id } = &stray.object else { panic!("{stray:?}") };
    let before = hash(&found(&harness).await.orphans);
    connect(&harness.world, id);
    assert_eq!(said(&found(&harness).await)[1], "web: a connector is connected to it");
    // Who looked before it was connected is told that it is another list by now.
    let refused = harness.reconciler().delete_orphans(&before, &[]).await.unwrap_err();
    assert!(matches!(refused, RequestError::OrphansChanged { .. }), "{refused}");
    let now = hash(&found(&harness).await.orphans);
    let refused = harness.reconciler().delete_orphans(&now, std::slice::from_ref(&stray.item)).await.unwrap_err();
    assert!(matches!(refused, RequestError::OrphanKept { .. }), "{refused}");
    assert_eq!(harness.live("web").len(), 2);
}

#[tokio::test]
async fn a_connection_that_comes_after_the_last_look_keeps_the_tunnel() {
    let harness = forgetful().await;
    let stray = found(&harness).await.orphans.pop().unwrap();
    let adit::orphan::Object::Tunnel { id } = stray.object.clone() else { panic!("{stray:?}") };
    let world = harness.world.clone();
    harness.world.on_exchange(std::sync::Arc::new(move |exchange| {
        // By the list nobody is connected, so that only the deletion looks: then somebody connects.
        if exchange.method == Method::GET && exchange.path.ends_with(&format!("{id}/connections")) {
            connect(&world, &id);
        }
    }));
    let results = delete_all(&harness).await;
    assert!(results[0].as_ref().unwrap_err().contains("live connections"), "{results:?}");
    assert_eq!(harness.live("web").len(), 2);
    assert_eq!(harness.told("orphan-kept").len(), 1);
}

#[tokio::test]
async fn a_marker_that_somebody_removed_meanwhile_keeps_the_record() {
    let harness = forgetful().await;
    delete_all(&harness).await;
    let (world, hash) = (harness.world.clone(), hash(&found(&harness).await.orphans));
    harness.world.on_exchange(std::sync::Arc::new(move |exchange| {
        if exchange.method == Method::GET && exchange.path.ends_with("/cfd_tunnel") {
            return;
        }
        // Between the list and the look that precedes the deletion.
        if exchange.method == Method::GET && exchange.path.contains("/cfd_tunnel/") {
            let _ = world.dashboard().edit_record("app.example.com", json!({ "comment": "mine from here on" }));
        }
    }));
    let results = harness.reconciler().delete_orphans(&hash, &[]).await.unwrap();
    assert!(results[0].1.as_ref().unwrap_err().contains("marker"), "{results:?}");
    assert!(harness.target("app.example.com").is_some());
}

/// A tunnel that left the configuration goes with all that it has, and not while others are connected.
#[tokio::test]
async fn a_tunnel_that_left_the_configuration_is_deleted_with_its_records() {
    let harness = orphaned().await;
    let id = harness.live("web")[0].parse().unwrap();
    connect(&harness.world, &id);
    assert_eq!(said(&found(&harness).await), ["web: a connector is connected to it"]);
    harness.world.connection_closed(&id, &"11111111-2222-3333-4444-555555555555".parse().unwrap(), 0);
    assert_eq!(said(&found(&harness).await), ["web"]);
    assert_eq!(delete_all(&harness).await, [Ok(())]);
    assert_eq!(harness.live("web"), [""; 0]);
    assert_eq!(harness.target("app.example.com"), None);
    assert!(!harness.directory.path().join("records/web.toml").exists());
}

#[tokio::test]
async fn who_only_observes_sees_what_is_left_over_and_deletes_nothing() {
    for (harness, text) in [(forgetful().await, tunnel("api", &["api.example.com"])), (orphaned().await, tunnel("api", &[]))] {
        harness.want_config(with_mode("observe", &text));
        harness.pass().await;
        let before = format!("{:?}", harness.world.snapshot());
        let seen = found(&harness).await.orphans;
        assert!(seen.iter().any(Orphan::is_deletable), "{seen:?}");
        let refused = harness.reconciler().delete_orphans(&hash(&seen), &[]).await.unwrap_err();
        assert!(matches!(refused, RequestError::ObserveOnly), "{refused}");
        harness.pass().await;
        assert_eq!(format!("{:?}", harness.world.snapshot()), before);
        assert!(harness.told("orphan-deleted").is_empty());

        harness.want_config(with_mode("auto", &text));
        harness.pass().await;
        assert_eq!(delete_all(&harness).await, [Ok(())]);
    }
}

/// containeroo #121: an outage was read as "no records", and all were deleted.
#[tokio::test]
async fn what_cannot_be_read_is_said_and_nothing_of_it_is_deleted() {
    let harness = forgetful().await;
    let before = format!("{:?}", harness.world.snapshot());
    for fault in [Fault::EmptyPage, Fault::TruncatedPage(0), Fault::MalformedJson] {
        harness.world.faults().add(fault.clone(), Matching::resource("cfd_tunnel").method(Method::GET), Times::UntilCleared);
        let seen = found(&harness).await;
        assert!(seen.orphans.iter().all(|orphan| !orphan.is_deletable()), "{fault:?}: {seen:?}");
        assert_eq!(delete_all(&harness).await, [], "{fault:?}");
        harness.world.faults().clear();
    }
    assert_eq!(before, format!("{:?}", harness.world.snapshot()));
}

/// external-dns #5993 and #2036: whoever changes the owner id finds everything orphaned or deleted. Here it is somebody else's.
#[tokio::test]
async fn another_installation_id_finds_nothing_of_its_own_and_touches_nothing() {
    let mut harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    let before = format!("{:?}", harness.world.snapshot());
    harness.kill().await;
    for entry in std::fs::read_dir(harness.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
    harness.want("");
    harness.start(None);
    harness.pass().await;
    let found = found(&harness).await;
    assert!(found.orphans.is_empty(), "{found:?}");
    assert_eq!(found.others.into_values().sum::<usize>(), 2);
    assert_eq!(before, format!("{:?}", harness.world.snapshot()));
}
