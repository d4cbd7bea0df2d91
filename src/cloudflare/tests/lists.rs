//! Lists over several pages, and lists that are not whole.

use serde_json::{Value, json};

use super::{
    server::{Reply, Request},
    *,
};

fn zones(range: std::ops::Range<u64>) -> Vec<Value> {
    range
        .map(|number| json!({ "id": number.to_string(), "name": format!("z{number}.example"), "account": { "id": "a" } }))
        .collect()
}

fn page_of(request: &Request) -> u64 {
    request.query("page").unwrap().parse().unwrap()
}

#[tokio::test]
async fn all_pages_are_read() {
    let server = Server::start(|_, request| {
        let page = page_of(request);
        Reply::page(zones((page - 1) * 50..(page * 50).min(120)), page, 50, 120)
    });
    let bench = Bench::new(server.await);
    assert_eq!(bench.client.zones().await.unwrap().len(), 120);
    assert_eq!(bench.server.requests().len(), 3);
}

#[tokio::test]
async fn a_missing_page_makes_the_list_incomplete() {
    let server = Server::start(|_, request| match page_of(request) {
        1 => Reply::page(zones(0..50), 1, 50, 120),
        page => Reply::page(vec![], page, 50, 120),
    });
    let bench = Bench::new(server.await);
    let error = bench.client.zones().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Incomplete);
    assert_eq!(error.to_string(), "cannot list zones: the list is incomplete: 120 items are announced and 50 came (GET /zones)");
}

#[tokio::test]
async fn a_page_that_fails_fails_the_list() {
    let server = Server::start(|_, request| match page_of(request) {
        1 => Reply::page(zones(0..50), 1, 50, 120),
        _ => Reply::refusal(403, 9_109, "Invalid access token"),
    });
    let bench = Bench::new(server.await);
    assert!(matches!(bench.client.zones().await.unwrap_err().kind(), Kind::Auth { .. }));
}

#[tokio::test]
async fn a_list_that_changed_while_it_was_read_is_read_once_more() {
    let server = Server::start(|number, request| {
        let page = page_of(request);
        let total = if number == 0 { 60 } else { 70 };
        Reply::page(zones((page - 1) * 50..(page * 50).min(total)), page, 50, total)
    });
    let bench = Bench::new(server.await);
    assert_eq!(bench.client.zones().await.unwrap().len(), 70);
    assert_eq!(bench.server.requests().len(), 4);
}

#[tokio::test]
async fn a_list_that_never_stands_still_is_incomplete() {
    let server = Server::start(|number, request| {
        let page = page_of(request);
        let total = 60 + number as u64;
        Reply::page(zones((page - 1) * 50..(page * 50).min(total)), page, 50, total)
    });
    let bench = Bench::new(server.await);
    let error = bench.client.zones().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Incomplete);
    assert_eq!(bench.server.requests().len(), 4, "two readings of two pages");
}

#[tokio::test]
async fn deleted_private_routes_and_odd_ones_hide_no_others() {
    let deleted = json!({ "id": "r1", "network": "10.0.0.0/8", "comment": "", "deleted_at": "2026-01-02T03:04:05Z" });
    let odd = json!({ "id": "r2", "network": null, "tunnel_id": { "of": "another kind" }, "comment": null });
    let whole = json!({ "id": "r3", "network": "10.1.0.0/16", "tunnel_id": "t", "virtual_network_id": "v", "comment": "ours" });
    let bench =
        Bench::new(Server::always(move || Reply::page(vec![deleted.clone(), odd.clone(), whole.clone()], 1, 1_000, 3)).await);
    let routes = bench.client.network_routes(&account()).await.unwrap();
    let seen: Vec<_> = routes.iter().map(|route| (route.id.as_str(), route.network.as_str(), route.comment.as_str())).collect();
    assert_eq!(seen, [("r2", "", ""), ("r3", "10.1.0.0/16", "ours")]);
    assert_eq!(bench.server.requests()[0].query("is_deleted"), Some("false"));
}

#[tokio::test]
async fn virtual_networks_are_whole_or_an_error() {
    let default = json!({ "id": "v1", "name": "default", "is_default_network": true, "comment": "" });
    let lab = json!({ "id": "v2", "name": "lab", "comment": "" });
    for (items, announced, kind) in [(vec![default.clone()], 2, Kind::Incomplete), (vec![default, lab], 2, Kind::Malformed)] {
        let bench = Bench::new(Server::always(move || Reply::page(items.clone(), 1, 20, announced)).await);
        assert_eq!(bench.client.virtual_networks(&account()).await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn a_list_of_connectors_that_lacks_some_is_incomplete() {
    let bench = Bench::new(Server::always(|| Reply::page(vec![json!({ "id": "c1" })], 1, 20, 2)).await);
    let error = bench.client.connectors(&account(), &tunnel()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Incomplete);
}
