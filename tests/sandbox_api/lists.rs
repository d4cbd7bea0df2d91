//! Filters, order and pages of the lists.

use adit::sandbox::world::{Plan, RecordKind, ZoneStatus};
use serde_json::json;

use crate::Sandbox;

#[tokio::test]
async fn records_are_filtered_by_every_field_without_regard_to_case() {
    let sandbox = Sandbox::start().await;
    let records = sandbox.in_zone("example.com", "dns_records");
    let cname = json!({
        "type": "CNAME", "name": "a.example.com", "content": "1.cfargotunnel.com", "ttl": 1, "proxied": true,
        "comment": "adit:one:web", "tags": ["team:web"],
    });
    sandbox.post(&records, cname).await.result();
    let text = json!({ "type": "TXT", "name": "b.example.com", "content": "\"x\"", "ttl": 1, "comment": "by hand" });
    sandbox.post(&records, text).await.result();
    sandbox.world.dashboard().create_record("c.example.com", RecordKind::A, "192.0.2.1").unwrap();

    for (query, names) in [
        ("name=A.example.com", "a"),
        ("name.exact=b.example.com", "b"),
        ("name.startswith=c.", "c"),
        ("name.contains=EXAMPLE", "abc"),
        ("content.endswith=.cfargotunnel.com&type=CNAME", "a"),
        ("content=192.0.2.1", "c"),
        ("comment.startswith=ADIT:one:", "a"),
        ("comment.present=true", "ab"),
        ("comment.absent=true", "c"),
        ("comment=by%20hand", "b"),
        ("type=TXT", "b"),
        ("proxied=true", "ac"),
        ("proxied=false", "b"),
        ("type=TXT&proxied=true", ""),
        ("type=TXT&proxied=true&match=any", "abc"),
        ("search=hand", "b"),
        ("tag=team:web", "a"),
        ("tag.present=team", "a"),
        ("tag.absent=team", "bc"),
        ("tag.absent=team&tag.exact=team:web&tag_match=any", "abc"),
        ("order=name&direction=desc", "cba"),
        ("order=type", "cab"),
    ] {
        let listed: String =
            sandbox.get(&format!("{records}?{query}")).await.each("name").iter().map(|name| &name[..1]).collect();
        assert_eq!(listed, names, "{query}");
    }
}

#[tokio::test]
async fn tunnels_are_filtered_and_paged() {
    let sandbox = Sandbox::start().await;
    let tunnels = sandbox.in_account("cfd_tunnel");
    for name in ["web.adit-1", "shop.adit-1", "other"] {
        sandbox.tunnel(name).await;
    }
    let other = sandbox.world.snapshot().tunnel("other").unwrap().id.clone();
    let now = jiff::Timestamp::now();
    for (query, names) in [
        ("name=other".to_owned(), vec!["other"]),
        ("name=OTHER".to_owned(), vec![]),
        ("include_prefix=web".to_owned(), vec!["web.adit-1"]),
        ("exclude_prefix=web".to_owned(), vec!["shop.adit-1", "other"]),
        (format!("uuid={other}"), vec!["other"]),
        ("status=inactive&per_page=2&page=2".to_owned(), vec!["other"]),
        ("status=healthy".to_owned(), vec![]),
        (format!("existed_at={now}&per_page=1"), vec!["web.adit-1"]),
        ("existed_at=2020-01-01T00:00:00Z".to_owned(), vec![]),
        ("was_active_at=2020-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        assert_eq!(sandbox.get(&format!("{tunnels}?{query}")).await.each("name"), names, "{query}");
    }
    let page = sandbox.get(&format!("{tunnels}?per_page=2")).await;
    assert_eq!(page.body["result_info"], json!({ "page": 1, "per_page": 2, "count": 2, "total_count": 3 }));
    assert_eq!(sandbox.get(&format!("{tunnels}?per_page=1001")).await.refusal(), (400, 1004));
    assert_eq!(sandbox.get(&format!("{tunnels}?is_deleted=maybe")).await.refusal(), (400, 1004));
}

#[tokio::test]
async fn zones_come_in_small_pages_and_pending_ones_can_be_left_out() {
    let sandbox = Sandbox::start().await;
    for index in 0..50 {
        sandbox.world.add_zone(&sandbox.account, &format!("zone{index}.test"), Plan::Free);
    }
    sandbox.world.dashboard().set_zone_status("zone0.test", ZoneStatus::Pending).unwrap();
    let count = async |query: &str| sandbox.get(&format!("/zones?{query}")).await.each("name").len();
    assert_eq!(count("status=active&per_page=50").await, 50);
    assert_eq!(count("status=active&per_page=50&page=2").await, 1);
    assert_eq!(count("").await, 20);
    assert_eq!(count("name=example.com").await, 1);
    assert_eq!(count("name=starts_with:zone1&per_page=50").await, 11);
    assert_eq!(count(&format!("account.id={}&per_page=50", sandbox.account)).await, 50);
    assert_eq!(sandbox.get("/zones?per_page=51").await.refusal(), (400, 1004));
    assert_eq!(sandbox.get("/zones?per_page=4").await.refusal(), (400, 1004));
}

#[tokio::test]
async fn private_routes_are_found_by_what_lies_within_and_around_them() {
    let sandbox = Sandbox::start().await;
    let routes = sandbox.in_account("teamnet/routes");
    let tunnel = sandbox.tunnel("web").await;
    for network in ["10.0.0.0/8", "10.20.0.0/16", "192.168.1.0/24"] {
        sandbox.post(&routes, json!({ "network": network, "tunnel_id": tunnel, "comment": "mine" })).await.result();
    }
    for (query, networks) in [
        ("network_subset=10.0.0.0/8", vec!["10.0.0.0/8", "10.20.0.0/16"]),
        ("network_superset=10.20.0.0/24", vec!["10.0.0.0/8", "10.20.0.0/16"]),
        ("comment=mine&per_page=1&page=3", vec!["192.168.1.0/24"]),
        ("comment=min", vec![]),
        ("tun_types=cfd_tunnel&per_page=1", vec!["10.0.0.0/8"]),
    ] {
        assert_eq!(sandbox.get(&format!("{routes}?{query}")).await.each("network"), networks, "{query}");
    }
    assert_eq!(sandbox.get(&format!("{routes}/ip/10.20.1.1")).await.result()["network"], "10.20.0.0/16");
    assert_eq!(sandbox.get(&format!("{routes}/ip/172.16.0.1")).await.refusal(), (404, 1003));
    let sloppy = json!({ "network": "10.0.0.1/8", "tunnel_id": tunnel });
    assert_eq!(sandbox.post(&routes, sloppy).await.refusal(), (400, 1004));
}

#[tokio::test]
async fn a_network_has_one_live_route_in_each_virtual_network_and_a_private_hostname_one() {
    let sandbox = Sandbox::start().await;
    let (routes, hostnames) = (sandbox.in_account("teamnet/routes"), sandbox.in_account("zerotrust/routes/hostname"));
    let tunnel = sandbox.tunnel("web").await;
    let lab = sandbox.post(&sandbox.in_account("teamnet/virtual_networks"), json!({ "name": "lab" })).await.id();
    let first = sandbox.post(&routes, json!({ "network": "10.0.0.0/8", "tunnel_id": tunnel })).await.id();
    let in_lab = json!({ "network": "10.0.0.0/8", "tunnel_id": tunnel, "virtual_network_id": lab });
    let second = sandbox.post(&routes, in_lab.clone()).await.id();
    assert_eq!(sandbox.post(&routes, in_lab.clone()).await.refusal(), (409, 1014));
    let into_lab = json!({ "virtual_network_id": lab });
    assert_eq!(sandbox.patch(&format!("{routes}/{first}"), into_lab.clone()).await.refusal(), (409, 1014));
    let networks = sandbox.in_account("teamnet/virtual_networks");
    assert_eq!(sandbox.delete(&format!("{networks}/{lab}")).await.refusal(), (400, 1004), "it has a route");
    sandbox.delete(&format!("{routes}/{second}")).await.result();
    sandbox.patch(&format!("{routes}/{first}"), into_lab).await.result();
    assert_eq!(sandbox.get(&format!("{routes}?is_deleted=false")).await.each("id"), [first.as_str()]);
    assert_eq!(sandbox.get(&routes).await.each("id"), [first.as_str(), second.as_str()], "left out, deleted ones come too");
    assert!(sandbox.get(&format!("{routes}/{second}")).await.result()["deleted_at"].is_string());

    let wiki = json!({ "hostname": "wiki.internal.example", "tunnel_id": tunnel });
    let id = sandbox.post(&hostnames, wiki.clone()).await.id();
    assert_eq!(sandbox.post(&hostnames, wiki).await.refusal(), (409, 1014));
    sandbox.delete(&format!("{hostnames}/{id}")).await.result();
    assert_eq!(sandbox.get(&hostnames).await.each("id"), Vec::<String>::new(), "left out, deleted ones stay away here");
    assert_eq!(sandbox.get(&format!("{hostnames}?is_deleted=true")).await.each("id"), [id.as_str()]);
}

#[tokio::test]
async fn a_virtual_network_takes_the_default_from_another() {
    let sandbox = Sandbox::start().await;
    let networks = sandbox.in_account("teamnet/virtual_networks");
    let lab = sandbox.post(&networks, json!({ "name": "lab", "is_default_network": true })).await.id();
    assert_eq!(sandbox.get(&format!("{networks}?is_default_network=true")).await.each("id"), [lab.as_str()]);
    assert_eq!(sandbox.delete(&format!("{networks}/{lab}")).await.refusal(), (400, 1004));
    let give_up = json!({ "is_default_network": false });
    assert_eq!(sandbox.patch(&format!("{networks}/{lab}"), give_up).await.refusal(), (400, 1004));
    assert_eq!(sandbox.post(&networks, json!({ "name": "lab" })).await.refusal(), (400, 1004));
}
