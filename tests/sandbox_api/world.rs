//! The world as the edge, the front and the tests see it.

use adit::sandbox::world::{Plan, RecordKind, ZoneStatus};
use serde_json::json;

use crate::Sandbox;

#[tokio::test]
async fn a_hostname_leads_to_a_tunnel_by_its_own_record_or_the_closest_wildcard() {
    let sandbox = Sandbox::start().await;
    let (world, dashboard) = (&sandbox.world, sandbox.world.dashboard());
    let (web, wild) = (sandbox.tunnel("web").await, sandbox.tunnel("wild").await);
    dashboard.create_record("app.example.com", RecordKind::Cname, &web.dns_target()).unwrap();
    dashboard.create_record("*.example.com", RecordKind::Cname, &wild.dns_target()).unwrap();
    dashboard.create_record("txt.example.com", RecordKind::Txt, "\"x\"").unwrap();
    for (hostname, tunnel) in [
        ("app.example.com", Some(&web)),
        ("APP.example.com.", Some(&web)),
        ("other.example.com", Some(&wild)),
        ("a.b.example.com", Some(&wild)),
        ("txt.example.com", None),
        ("example.com", None),
        ("app.example.net", None),
        ("example.invalid", None),
    ] {
        assert_eq!(world.resolve(hostname).as_ref(), tunnel, "{hostname}");
    }
    dashboard.edit_record("app.example.com", json!({ "proxied": false })).unwrap();
    assert_eq!(world.resolve("app.example.com"), None, "an unproxied name does not lead to the edge");
    dashboard.set_zone_status("example.com", ZoneStatus::Pending).unwrap();
    assert_eq!(world.resolve("other.example.com"), None);
    dashboard.set_zone_status("example.com", ZoneStatus::Active).unwrap();
    dashboard.delete_tunnel(&wild).unwrap();
    assert_eq!(world.resolve("other.example.com"), None);
}

#[tokio::test]
async fn a_tunnel_serves_only_names_of_its_own_account() {
    let sandbox = Sandbox::start().await;
    let other = sandbox.world.add_account("Somebody Else");
    sandbox.world.add_zone(&other, "example.org", Plan::Free);
    let tunnel = sandbox.tunnel("web").await;
    sandbox.world.dashboard().create_record("app.example.org", RecordKind::Cname, &tunnel.dns_target()).unwrap();
    assert_eq!(sandbox.world.resolve("app.example.org"), None);
}

#[tokio::test]
async fn a_load_balancer_wins_over_a_record_of_its_name() {
    let sandbox = Sandbox::start().await;
    let (web, behind) = (sandbox.tunnel("web").await, sandbox.tunnel("behind").await);
    sandbox.world.dashboard().create_record("www.example.com", RecordKind::Cname, &web.dns_target()).unwrap();
    let origin = json!({ "name": "behind", "address": behind.dns_target(), "enabled": true });
    let pool = sandbox.post(&sandbox.in_account("load_balancers/pools"), json!({ "name": "p", "origins": [origin] })).await.id();
    let body = json!({ "name": "www.example.com", "default_pools": [pool], "fallback_pool": pool, "proxied": true });
    let balancers = sandbox.in_zone("example.com", "load_balancers");
    let balancer = sandbox.post(&balancers, body).await.id();
    assert_eq!(sandbox.world.resolve("www.example.com"), Some(behind));
    sandbox.patch(&format!("{balancers}/{balancer}"), json!({ "enabled": false })).await.result();
    assert_eq!(sandbox.world.resolve("www.example.com"), Some(web));
}

#[tokio::test]
async fn changes_are_heard_and_reads_are_not() {
    let sandbox = Sandbox::start().await;
    let mut changes = sandbox.world.changes();
    let mut heard = || {
        changes.has_changed().unwrap() && {
            changes.mark_unchanged();
            true
        }
    };
    let tunnel = sandbox.tunnel("web").await;
    assert!(heard());
    sandbox.get(&sandbox.in_account("cfd_tunnel")).await.result();
    sandbox.post(&sandbox.in_account("cfd_tunnel"), json!({ "name": "web" })).await.refusal();
    assert!(!heard());
    let path = sandbox.in_account(&format!("cfd_tunnel/{tunnel}"));
    sandbox
        .put(&format!("{path}/configurations"), json!({ "config": { "ingress": [{ "service": "http_status:404" }] } }))
        .await
        .result();
    assert!(heard());
    sandbox.world.dashboard().create_record("a.example.com", RecordKind::Cname, &tunnel.dns_target()).unwrap();
    assert!(heard());
    sandbox.delete(&format!("{path}/connections")).await.result();
    assert!(heard());
    sandbox.world.dashboard().delete_record("a.example.com").unwrap();
    assert!(heard());
    assert!(sandbox.world.dashboard().delete_record("a.example.com").is_err());
    assert!(!heard());
}

#[tokio::test]
async fn the_dashboard_edits_what_the_api_shows() {
    let sandbox = Sandbox::start().await;
    let dashboard = sandbox.world.dashboard();
    let tunnel = dashboard.create_tunnel(&sandbox.account, "foreign").unwrap();
    dashboard.rename_tunnel(&tunnel, "renamed").unwrap();
    assert_eq!(sandbox.get(&sandbox.in_account("cfd_tunnel")).await.each("name"), ["renamed"]);
    assert_eq!(
        dashboard.create_tunnel(&sandbox.account, "renamed").unwrap_err().to_string(),
        "You already have a tunnel with this name"
    );

    dashboard.create_record("a.example.com", RecordKind::Cname, &tunnel.dns_target()).unwrap();
    dashboard.edit_record("a.example.com", json!({ "comment": "by hand" })).unwrap();
    let snapshot = sandbox.world.snapshot();
    let record = snapshot.records_named("a.example.com")[0];
    assert_eq!((record.comment.as_deref(), record.kind.as_str(), record.ttl), (Some("by hand"), "CNAME", 1));
    assert!(dashboard.create_record("a.example.org", RecordKind::A, "192.0.2.1").is_err());
}

#[tokio::test]
async fn requests_are_remembered_in_order() {
    let sandbox = Sandbox::start().await;
    sandbox.get("/zones?per_page=50").await.result();
    sandbox.get("/no").await.refusal();
    let requests = sandbox.world.requests();
    let seen: Vec<_> = requests.iter().map(|it| (it.method.as_str(), it.path.as_str(), it.query.as_str(), it.status)).collect();
    assert_eq!(seen, [("GET", "/zones", "per_page=50", Some(200)), ("GET", "/no", "", Some(404))]);
    assert_eq!(sandbox.world.request_count(), 2);
}
