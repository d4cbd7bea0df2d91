//! Leftovers beside records and tunnels: load balancing, private routes, virtual networks, and what was only adopted.

use std::{collections::BTreeMap, sync::Arc};

use adit::{
    orphan::{Object, Orphan, Orphans, hash},
    reconciler::{RequestError, Taking, Which, Wish},
    sandbox::{
        faults::{Fault, Matching, Times},
        world::Permission,
    },
};
use axum::http::Method;
use serde_json::{Map, Value, json};

use super::{connect, delete_all, found};
use crate::harness::{Harness, name, tunnel};

const WWW: &str = "www.example.com";

/// `text` defines the tunnel `web`, whose state is lost then; `api` stays.
async fn lost(text: &str) -> Harness {
    let api = tunnel("api", &["api.example.com"]);
    let mut harness = Harness::settled(&(text.to_owned() + &api)).await;
    harness.kill().await;
    std::fs::remove_file(harness.directory.path().join("records/web.toml")).unwrap();
    harness.want(&api);
    harness.start(None);
    harness.pass().await;
    harness
}

async fn unbalanced() -> Harness {
    lost(&(tunnel("web", &[WWW]) + &format!("load_balancer = {{ hostname = \"{WWW}\" }}\n"))).await
}

async fn private() -> Harness {
    let networks =
        "private_networks = [{ network = \"10.0.0.0/8\" }, { network = \"10.20.0.0/16\", virtual_network = \"lab\" }]\n";
    lost(&(tunnel("web", &[]) + networks + "hostname_routes = [\"wiki.internal.example\"]\n")).await
}

/// Each thing by its kind, with why it stays.
fn said(found: &Orphans) -> Vec<(&'static str, Option<&str>)> {
    let kind = |orphan: &Orphan| match orphan.object {
        Object::Record { .. } => "record",
        Object::Pool { .. } => "pool",
        Object::Monitor { .. } => "monitor",
        Object::NetworkRoute { .. } => "network",
        Object::HostnameRoute { .. } => "hostname",
        Object::VirtualNetwork { .. } => "virtual network",
        Object::Tunnel { .. } => "tunnel",
        Object::Left { .. } => "left",
    };
    found.orphans.iter().map(|orphan| (kind(orphan), orphan.kept.as_deref())).collect()
}

fn objects(harness: &Harness, kind: &str) -> BTreeMap<String, Map<String, Value>> {
    harness.world.snapshot().objects.remove(kind).unwrap_or_default()
}

fn only(harness: &Harness, kind: &str) -> String {
    let mut all = objects(harness, kind).into_keys();
    let first = all.next().unwrap();
    assert_eq!(all.next(), None);
    first
}

fn without(harness: &Harness, missing: &[Permission]) {
    let permissions: Vec<Permission> =
        Permission::ALL.iter().copied().filter(|permission| !missing.contains(permission)).collect();
    harness.world.dashboard().set_token_permissions(&harness.world.api_token(), &permissions).unwrap();
}

async fn pool_of_others(harness: &Harness, description: &str) -> Value {
    let origin = json!({ "name": "one", "address": "192.0.2.7", "enabled": true, "weight": 1, "header": { "Host": [WWW] } });
    let pool = json!({ "name": "theirs", "description": description, "enabled": true, "origins": [origin] });
    harness.call(Method::POST, "load_balancers/pools", pool).await["id"].clone()
}

#[tokio::test]
async fn a_pool_goes_when_no_balancer_uses_it_and_then_its_monitor() {
    let harness = unbalanced().await;
    let balancer = only(&harness, "load_balancers");
    pool_of_others(&harness, "adit:zzzzzzzz:web").await;
    let seen = found(&harness).await;
    let [("pool", Some(used)), ("monitor", Some(checks)), ("tunnel", None)] = said(&seen)[..] else { panic!("{seen:?}") };
    assert!(used.contains(WWW) && checks.contains("it checks the pool"), "{used}: {checks}");
    assert_eq!(seen.others.clone().into_values().sum::<usize>(), 1);
    assert!(seen.unread.is_empty(), "{seen:?}");

    harness.world.dashboard().delete_object("load_balancers", &balancer).unwrap();
    assert_eq!(delete_all(&harness).await, [Ok(()), Ok(())], "the pool and the tunnel");
    assert_eq!(said(&found(&harness).await), [("monitor", None)]);
    assert_eq!(delete_all(&harness).await, [Ok(())]);
    assert!(found(&harness).await.orphans.is_empty());
    assert!(objects(&harness, "monitors").is_empty());
    assert_eq!(objects(&harness, "pools").into_values().next().unwrap()["name"], "theirs");
}

#[tokio::test]
async fn a_pool_that_a_balancer_uses_for_a_region_only_stays() {
    let harness = unbalanced().await;
    let (balancer, pool) = (only(&harness, "load_balancers"), only(&harness, "pools"));
    let theirs = pool_of_others(&harness, "by hand").await;
    let fields = json!({ "default_pools": [theirs], "fallback_pool": theirs, "region_pools": { "WEU": [pool] } });
    harness.world.dashboard().edit_object("load_balancers", &balancer, fields).unwrap();
    let seen = found(&harness).await;
    assert!(matches!(said(&seen)[0], ("pool", Some(why)) if why.contains("uses it")), "{seen:?}");
}

#[tokio::test]
async fn a_balancer_that_comes_to_use_the_pool_after_the_list_keeps_it() {
    let harness = unbalanced().await;
    let (balancer, pool) = (only(&harness, "load_balancers"), only(&harness, "pools"));
    let unused = json!({ "default_pools": ["other"], "fallback_pool": "other" });
    harness.world.dashboard().edit_object("load_balancers", &balancer, unused).unwrap();
    let list = hash(&found(&harness).await.orphans);
    let world = harness.world.clone();
    harness.world.on_exchange(Arc::new(move |exchange| {
        // The deletion reads the pool itself before it looks for its users.
        if exchange.method == Method::GET && exchange.path.ends_with(&format!("/pools/{pool}")) {
            let used = json!({ "default_pools": [pool] });
            world.dashboard().edit_object("load_balancers", &balancer, used).unwrap();
        }
    }));
    let results = harness.reconciler().delete_orphans(&list, &[]).await.unwrap();
    assert!(results[0].1.as_ref().unwrap_err().contains("uses it"), "{results:?}");
    assert_eq!(objects(&harness, "pools").len(), 1);
}

#[tokio::test]
async fn private_routes_go_before_their_tunnel_and_the_virtual_network_after_them() {
    let harness = private().await;
    let theirs = json!({ "name": "theirs", "comment": "adit:zzzzzzzz:web" });
    harness.call(Method::POST, "teamnet/virtual_networks", theirs).await;
    let id = harness.live("web")[0].parse().unwrap();
    let seen = found(&harness).await;
    let expected = ["hostname", "network", "network"].map(|kind| (kind, None));
    assert_eq!(said(&seen)[..3], expected, "{seen:?}");
    assert_eq!(said(&seen)[3..], [("virtual network", Some("a route stands in it")), ("tunnel", None)]);
    assert_eq!(seen.others.clone().into_values().sum::<usize>(), 1);

    connect(&harness.world, &id);
    assert!(found(&harness).await.orphans.iter().all(|orphan| !orphan.is_deletable()), "somebody serves them");
    harness.world.connection_closed(&id, &"11111111-2222-3333-4444-555555555555".parse().unwrap(), 0);

    assert_eq!(delete_all(&harness).await, vec![Ok(()); 4]);
    assert_eq!(harness.live("web"), [""; 0]);
    assert_eq!(said(&found(&harness).await), [("virtual network", None)]);
    assert_eq!(delete_all(&harness).await, [Ok(())]);
    assert!(found(&harness).await.orphans.is_empty());
    let names: Vec<Value> = objects(&harness, "virtual_networks").into_values().map(|found| found["name"].clone()).collect();
    assert!(names.contains(&json!("theirs")) && !names.contains(&json!("lab")), "{names:?}");
}

#[tokio::test]
async fn a_route_that_somebody_made_theirs_meanwhile_stays() {
    let harness = private().await;
    let list = hash(&found(&harness).await.orphans);
    let world = harness.world.clone();
    harness.world.on_exchange(Arc::new(move |exchange| {
        // The first look that precedes a deletion.
        if exchange.method == Method::GET && exchange.path.contains("/routes/hostname/") {
            world.dashboard().edit_network_route("10.0.0.0/8", json!({ "comment": "mine from here on" })).unwrap();
        }
    }));
    let results = harness.reconciler().delete_orphans(&list, &[]).await.unwrap();
    let kept: Vec<_> = results.iter().filter(|(orphan, _)| orphan.name == "10.0.0.0/8").collect();
    assert!(kept[0].1.as_ref().unwrap_err().contains("marker"), "{results:?}");
    assert_eq!(harness.live("web").len(), 1, "a route leads to it");
    assert_eq!(objects(&harness, "routes").into_values().next().unwrap()["network"], "10.0.0.0/8");
}

#[tokio::test]
async fn a_virtual_network_that_the_configuration_wants_stays() {
    let harness = private().await;
    assert_eq!(delete_all(&harness).await, vec![Ok(()); 4]);
    // The credential may not change private networks, so that no route gets there.
    without(&harness, &[Permission::TunnelWrite, Permission::NetworksWrite]);
    let wants = "private_networks = [{ network = \"10.9.0.0/16\", virtual_network = \"lab\" }]\n";
    harness.want(&(tunnel("api", &["api.example.com"]) + wants));
    harness.pass().await;
    assert_eq!(said(&found(&harness).await), [("virtual network", Some("tunnel api wants it"))]);
}

#[tokio::test]
async fn a_family_that_the_credential_may_not_read_is_named_and_keeps_nothing_else() {
    let pools = [Permission::PoolsRead, Permission::PoolsWrite];
    let balancers = [Permission::LoadBalancersRead, Permission::LoadBalancersWrite];
    let harness = unbalanced().await;
    harness.world.dashboard().delete_object("load_balancers", &only(&harness, "load_balancers")).unwrap();
    for (missing, expected) in
        [(pools, vec![("tunnel", true)]), (balancers, vec![("pool", false), ("monitor", false), ("tunnel", true)])]
    {
        without(&harness, &missing);
        let seen = found(&harness).await;
        let offered: Vec<_> = said(&seen).into_iter().map(|(kind, kept)| (kind, kept.is_none())).collect();
        assert_eq!(offered, expected, "{missing:?}");
        assert_eq!(seen.unread.len(), 1, "{seen:?}");
    }
    without(&harness, &pools);
    assert_eq!(delete_all(&harness).await, [Ok(())], "the tunnel");
}

#[tokio::test]
async fn lists_that_lie_offer_nothing_of_their_family() {
    let harness = private().await;
    for fault in [Fault::EmptyPage, Fault::TruncatedPage(0), Fault::MalformedJson, Fault::ServerError(500)] {
        harness.world.faults().add(fault.clone(), Matching::resource("routes").method(Method::GET), Times::UntilCleared);
        let seen = found(&harness).await;
        let offered: Vec<_> = said(&seen).into_iter().filter(|(_, kept)| kept.is_none()).map(|(kind, _)| kind).collect();
        // An empty list of routes is believed here, and by Cloudflare not: a virtual network with routes is not deleted.
        let expected = if fault == Fault::EmptyPage { vec!["virtual network", "tunnel"] } else { vec!["tunnel"] };
        assert_eq!(offered, expected, "{fault:?}");
        assert!(delete_all(&harness).await.iter().all(Result::is_err), "{fault:?}");
        harness.world.faults().clear();
    }
    assert_eq!((objects(&harness, "virtual_networks").len(), harness.live("web").len()), (2, 1));
}

/// It was made by others, and nobody here said yet what it is to be.
#[tokio::test]
async fn a_tunnel_that_was_adopted_and_never_defined_is_kept_until_it_was_defined_once() {
    let mut harness = Harness::settled(&tunnel("api", &["api.example.com"])).await;
    let theirs = harness.world.dashboard().create_tunnel(&harness.world.account_id(), "theirs").unwrap();
    let (account, web) = ("default".parse().unwrap(), name("web"));
    let which = Which::Id(theirs.clone());
    let offer = harness.reconciler().look_at_tunnel(&account, &web, which, Wish::Later).await.unwrap();
    let taking = Taking { id: theirs.clone(), wish: Wish::Later, hash: offer.hash(), from_install: None };
    harness.reconciler().adopt_tunnel(&account, &web, taking).await.unwrap();
    harness.pass().await;
    // What is on record says so after a restart too.
    harness.kill().await;
    harness.start(None);
    harness.pass().await;

    let seen = found(&harness).await;
    let [("left", Some(why))] = said(&seen)[..] else { panic!("{seen:?}") };
    assert!(why.contains("adit tunnel forget web"), "{why}");
    assert_eq!(delete_all(&harness).await, []);
    let item = seen.orphans[0].item.clone();
    let refused = harness.reconciler().delete_orphans(&hash(&seen.orphans), &[item]).await.unwrap_err();
    assert!(matches!(refused, RequestError::OrphanKept { .. }), "{refused}");
    assert!(!harness.world.snapshot().tunnels[&theirs].deleted);

    harness.want(&(tunnel("api", &["api.example.com"]) + &tunnel("web", &[])));
    harness.pass().await;
    harness.want(&tunnel("api", &["api.example.com"]));
    harness.pass().await;
    assert_eq!(said(&found(&harness).await), [("left", None)]);
    assert_eq!(delete_all(&harness).await, [Ok(())]);
    assert!(harness.world.snapshot().tunnels[&theirs].deleted);
}
