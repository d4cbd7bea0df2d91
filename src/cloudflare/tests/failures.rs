//! What is made of a bad answer, and how it reads.

use std::error::Error as _;

use super::{server::Reply, *};

async fn zones_error(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Error {
    Bench::new(Server::always(reply).await).client.zones().await.unwrap_err()
}

#[tokio::test]
async fn a_refused_token_names_the_permission_and_the_object() {
    let server = Server::start(|_, request| match request.path.contains("cfd_tunnel") {
        true => Reply::refusal(401, 10_000, "Authentication error").header("cf-ray", "8f0c0ffee-FRA"),
        false => Reply::refusal(403, 9_109, "Invalid access token"),
    });
    let bench = Bench::new(server.await);
    let (client, account, tunnel, zone) = (&bench.client, account(), tunnel(), zone());
    let secret = Secret::new("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=");
    let create = client.create_tunnel(&account, "blog", ConfigSource::Local, &secret).await.unwrap_err();
    assert_eq!(
        create.to_string(),
        "cannot create tunnel \"blog\": the API token is refused, or lacks the permission \
         Account > Cloudflare Tunnel > Edit on account 0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b \
         (POST /accounts/0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b/cfd_tunnel, HTTP 401, code 10000 \"Authentication error\", \
         cf-ray 8f0c0ffee-FRA)"
    );
    assert_eq!(create.kind(), Kind::Auth { permission: Some(Permission::TunnelEdit) });
    assert!(create.needs_operator() && !create.may_have_happened());
    assert_eq!(
        client.zones().await.unwrap_err().to_string(),
        "cannot list zones: the API token is refused, or lacks the permission Zone > Zone > Read on the zones of the routes \
         (GET /zones, HTTP 403, code 9109 \"Invalid access token\")"
    );
    let id = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1".parse().unwrap();
    let route = "99999999-8888-7777-6666-555555555555".parse().unwrap();
    for (error, permission, object) in [
        (client.tunnels(&account).await.unwrap_err(), Permission::TunnelRead, account.as_str()),
        (client.configuration(&account, &tunnel).await.unwrap_err(), Permission::TunnelRead, account.as_str()),
        (client.connectors(&account, &tunnel).await.unwrap_err(), Permission::TunnelRead, account.as_str()),
        (client.tunnel_token(&account, &tunnel).await.unwrap_err(), Permission::TunnelEdit, account.as_str()),
        (client.delete_tunnel(&account, &tunnel).await.unwrap_err(), Permission::TunnelEdit, account.as_str()),
        (client.delete_connections(&account, &tunnel).await.unwrap_err(), Permission::TunnelEdit, account.as_str()),
        (client.tunnel_records(&zone).await.unwrap_err(), Permission::DnsRead, zone.as_str()),
        (client.record(&zone, &id).await.unwrap_err(), Permission::DnsRead, zone.as_str()),
        (client.create_record(&zone, &record("a.b")).await.unwrap_err(), Permission::DnsEdit, zone.as_str()),
        (client.delete_record(&zone, &id).await.unwrap_err(), Permission::DnsEdit, zone.as_str()),
        (client.network_routes(&account).await.unwrap_err(), Permission::NetworksRead, account.as_str()),
        (client.virtual_networks(&account).await.unwrap_err(), Permission::NetworksRead, account.as_str()),
        (client.hostname_routes(&account).await.unwrap_err(), Permission::NetworksRead, account.as_str()),
        (client.delete_network_route(&account, &route).await.unwrap_err(), Permission::NetworksEdit, account.as_str()),
        (client.delete_hostname_route(&account, &route).await.unwrap_err(), Permission::NetworksEdit, account.as_str()),
        (client.create_virtual_network(&account, "lab", "").await.unwrap_err(), Permission::NetworksEdit, account.as_str()),
    ] {
        assert_eq!(error.kind(), Kind::Auth { permission: Some(permission) });
        assert!(error.to_string().contains(&format!("{permission} on ")), "{error}");
        assert!(error.to_string().contains(object), "{error}");
    }
}

#[tokio::test]
async fn refusals_answer_the_callers_questions() {
    let server = Server::start(|number, _| match number {
        0 => Reply::refusal(409, 1_013, "You already have a tunnel with this name."),
        1 => Reply::refusal(400, 81_053, "An A, AAAA, or CNAME record with that host already exists."),
        2 => Reply::refusal(404, 81_044, "Record does not exist."),
        _ => Reply::refusal(400, 1, "Record quota exceeded."),
    });
    let bench = Bench::new(server.await);
    let secret = Secret::new("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=");
    let taken = bench.client.create_tunnel(&account(), "blog", ConfigSource::Local, &secret).await.unwrap_err();
    assert_eq!(taken.kind(), Kind::Conflict(Conflict::TunnelName));
    assert!(taken.to_string().starts_with("cannot create tunnel \"blog\": a live tunnel of this name exists (POST "));
    let exists = bench.client.create_record(&zone(), &record("a.b")).await.unwrap_err();
    assert_eq!(exists.kind(), Kind::Conflict(Conflict::Record));
    assert!(!exists.needs_operator() && !exists.may_have_happened() && !exists.is_gone());
    let gone = bench.client.delete_record(&zone(), &"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1".parse().unwrap()).await.unwrap_err();
    assert!(gone.is_gone());
    let full = bench.client.create_record(&zone(), &record("a.b")).await.unwrap_err();
    assert_eq!(full.kind(), Kind::Quota);
    assert!(full.needs_operator());
    let pool = NewPool {
        name: "web".to_owned(),
        description: String::new(),
        monitor: "m1".parse().unwrap(),
        origin: "web".to_owned(),
        address: tunnel().dns_target(),
        host: "www.example.com".to_owned(),
        weight: 1.0,
    };
    let full = bench.client.create_pool(&account(), &pool).await.unwrap_err();
    assert_eq!(full.kind(), Kind::Quota);
    assert!(full.to_string().contains(": as many of them exist as the plan allows ("), "{full}");
}

#[tokio::test]
async fn a_page_of_a_proxy_is_kept_in_part_and_says_nothing_about_the_object() {
    let html = "<html>\r\n<head><title>404 Not Found</title></head>\u{1b}[2J";
    let bench = Bench::new(Server::always(move || Reply::raw(404, html)).await);
    let error = bench.client.tunnel(&account(), &tunnel()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
    assert!(!error.is_gone());
    assert_eq!(
        error.to_string(),
        "cannot read tunnel 11111111-2222-3333-4444-555555555555: the answer is not the API's \
         (GET /accounts/0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b/cfd_tunnel/11111111-2222-3333-4444-555555555555, HTTP 404, \
         \"<html> <head><title>404 Not Found</title></head>[2J\")"
    );
}

#[tokio::test]
async fn two_hundred_is_not_success() {
    for (body, kind, part) in [
        ("<html>welcome</html>", Kind::Malformed, "\"<html>welcome</html>\""),
        ("", Kind::Malformed, "no reason given"),
        ("{}", Kind::Malformed, "\"{}\""),
        (r#"{"success":true,"result":[{"id":"a""#, Kind::Malformed, "the answer is not the API's"),
        (r#"{"success":true,"result":null,"result_info":{"count":0,"total_count":0}}"#, Kind::Malformed, "it has no result"),
        (r#"{"success":true,"result":{}}"#, Kind::Malformed, "its result has another shape"),
        (r#"{"success":true,"result":[{"id":"a/b","name":"n","account":{"id":"c"}}]}"#, Kind::Malformed, "an identifier is"),
        (r#"{"success":true,"result":[]}"#, Kind::Incomplete, "does not say how long it is"),
        (r#"{"success":false,"errors":[],"result":[]}"#, Kind::Invalid, "Cloudflare refuses the request"),
        (r#"{"success":false,"errors":[{"code":10000}]}"#, Kind::Auth { permission: Some(Permission::ZoneRead) }, "code 10000"),
    ] {
        let error = zones_error(move || Reply::raw(200, body)).await;
        assert_eq!(error.kind(), kind, "{body}");
        assert!(error.to_string().contains(part), "{body}: {error}");
        assert!(!error.may_have_happened(), "a read changes nothing");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let bench = Bench::new(Server::always(|| Reply::raw(302, "").header("location", "http://127.0.0.1:9/")).await);
    assert_eq!(bench.client.zones().await.unwrap_err().kind(), Kind::Malformed);
    assert_eq!(bench.server.requests().len(), 1);
}

#[tokio::test]
async fn a_change_whose_answer_makes_no_sense_may_have_happened() {
    for body in ["<html>", "", r#"{"success":true,"result":7}"#] {
        let bench = Bench::new(Server::always(move || Reply::raw(200, body)).await);
        let error = bench.client.create_record(&zone(), &record("a.b")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        assert!(error.may_have_happened(), "{body}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let limits = Limits { body_max: 1_000, ..Limits::default() };
    let bench = Bench::with_limits(Server::always(|| Reply::raw(200, vec![b' '; 100_000])).await, limits);
    let error = bench.client.zones().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
    assert!(error.to_string().contains("larger than any real one"), "{error}");
}

#[tokio::test]
async fn silence_ends_with_the_time_limit() {
    let short = Duration::from_millis(50);
    let limits = Limits { total: short, pause_first: Duration::from_millis(1), ..Limits::default() };
    let bench = Bench::with_limits(Server::always(|| Reply::Silence).await, limits);
    let error = bench.client.create_record(&zone(), &record("a.b")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Transport);
    assert!(error.may_have_happened());
    assert!(error.to_string().contains("no answer came in time (POST /zones/"), "{error}");
    assert!(error.source().is_some());
    assert_eq!(bench.exchanges().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_not_whole_is_no_answer() {
    let half = || b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"success\":true,\"result\":[]".to_vec();
    for (stalls, part) in [(false, "the answer was cut off"), (true, "(GET /zones")] {
        let limits = Limits { read: Duration::from_millis(50), pause_first: Duration::from_millis(1), ..Limits::default() };
        let reply = move || if stalls { Reply::Stall(half()) } else { Reply::Bytes(half()) };
        let error = Bench::with_limits(Server::always(reply).await, limits).client.zones().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Transport);
        assert!(error.to_string().contains(part), "{error}");
    }
}
