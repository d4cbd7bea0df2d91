//! What is sent, and what is made of a good answer.

use serde_json::json;

use super::{server::Reply, *};

#[tokio::test]
async fn every_request_carries_the_token_and_says_who_asks() {
    let bench = Bench::new(Server::always(|| Reply::page(vec![], 1, 50, 0)).await);
    bench.client.zones().await.unwrap();
    bench.token.send_replace(Some(Secret::new("replaced")));
    bench.client.zones().await.unwrap();
    let headers: Vec<String> = bench.server.requests().into_iter().map(|request| request.headers).collect();
    assert!(headers[0].contains(&format!("authorization: Bearer {CANARY}")));
    assert!(headers[0].contains("user-agent: adit/test"));
    assert!(headers[1].contains("authorization: Bearer replaced"), "the token is read for each request");
}

#[tokio::test]
async fn the_kind_of_the_token_decides_where_it_is_verified() {
    for (token, at, expected) in [
        ("cfut_a", Some(account()), vec!["GET /user/tokens/verify"]),
        ("cfat_a", Some(account()), vec!["GET /accounts/0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b/tokens/verify"]),
        ("cfat_a", None, vec![]),
        ("cfk_a", Some(account()), vec![]),
        (
            "unmarked",
            Some(account()),
            vec!["GET /user/tokens/verify", "GET /accounts/0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b/tokens/verify"],
        ),
        ("unmarked", None, vec!["GET /user/tokens/verify"]),
    ] {
        let server = Server::start(|_, request| match request.path.as_str() {
            "/user/tokens/verify" => Reply::refusal(401, 1_000, "Invalid API Token"),
            _ => Reply::success(json!({ "id": "1", "status": "active", "expires_on": "2027-01-01T00:00:00Z" })),
        });
        let bench = Bench::new(server.await);
        bench.token.send_replace(Some(Secret::new(token)));
        let answer = bench.client.verify_token(at.as_ref()).await;
        let sent: Vec<String> = bench.server.requests().iter().map(|request| request.line()).collect();
        assert_eq!(sent, expected, "{token} {at:?}");
        let reaches_account = expected.iter().any(|line| line.contains("accounts"));
        assert_eq!(answer.is_ok(), reaches_account, "{token} {at:?}");
        if let Ok(status) = answer {
            assert_eq!(status.status, TokenState::Active);
            assert_eq!(status.expires_on, Some("2027-01-01T00:00:00Z".parse().unwrap()));
        }
    }
}

#[tokio::test]
async fn a_global_api_key_is_refused_with_what_to_make_instead() {
    let bench = Bench::new(Server::always(|| Reply::HangUp).await);
    bench.token.send_replace(Some(Secret::new("cfk_everything")));
    let error = bench.client.zones().await.unwrap_err();
    assert!(error.needs_operator());
    assert!(error.to_string().contains("Global API Key"), "{error}");
    assert!(error.to_string().contains("Account > Cloudflare Tunnel > Edit"), "{error}");
    assert!(!error.to_string().contains("everything"), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_before_there_is_a_token() {
    let bench = Bench::new(Server::always(|| Reply::HangUp).await);
    bench.token.send_replace(None);
    assert_eq!(bench.client.zones().await.unwrap_err().kind(), Kind::NoToken);
    assert!(bench.server.requests().is_empty());
}

#[tokio::test]
async fn zones_tell_account_plan_and_state() {
    let zones = || {
        vec![
            json!({ "id": "a", "name": "example.com", "account": { "id": "acc", "name": "me" }, "status": "active",
                    "paused": false, "plan": { "legacy_id": "free" } }),
            json!({ "id": "b", "name": "example.net", "account": { "id": "acc" }, "status": "in orbit", "paused": null,
                    "plan": { "legacy_id": "business" } }),
            json!({ "id": "c", "name": "example.org", "account": { "id": "acc" }, "plan": null }),
        ]
    };
    let bench = Bench::new(Server::always(move || Reply::page(zones(), 1, 50, 3)).await);
    let zones = bench.client.zones().await.unwrap();
    let told: Vec<_> = zones.iter().map(|zone| (zone.name.as_str(), zone.status, zone.plan)).collect();
    assert_eq!(
        told,
        [
            ("example.com", ZoneStatus::Active, Plan::Free),
            ("example.net", ZoneStatus::Unknown, Plan::Paid),
            ("example.org", ZoneStatus::Unknown, Plan::Free),
        ]
    );
    assert_eq!(zones[0].account_id.as_str(), "acc");
    assert_eq!(bench.server.requests()[0].query("per_page"), Some("50"));
}

#[tokio::test]
async fn live_tunnels_are_asked_for_and_only_they_are_returned() {
    let tunnels = || {
        vec![
            json!({ "id": "t1", "name": "web", "status": "healthy", "config_src": "cloudflare", "deleted_at": null,
                    "created_at": "2026-01-02T03:04:05.123456Z", "connections": [] }),
            json!({ "id": "t2", "name": "web", "status": "flying", "config_src": "moon", "deleted_at": "2026-01-02T03:04:05Z" }),
            json!({ "id": "t3", "name": "web2", "status": null }),
        ]
    };
    let bench = Bench::new(Server::always(move || Reply::page(tunnels(), 1, 1_000, 3)).await);
    let all = bench.client.tunnels(&account()).await.unwrap();
    assert_eq!(all.iter().map(|tunnel| tunnel.id.as_str()).collect::<Vec<_>>(), ["t1", "t3"]);
    assert_eq!((all[0].status, all[0].config_src), (TunnelStatus::Healthy, Some(ConfigSource::Cloudflare)));
    assert_eq!((all[1].status, all[1].config_src), (TunnelStatus::Unknown, None));
    let named = bench.client.tunnels_named(&account(), "web").await.unwrap();
    assert_eq!(
        named.iter().map(|tunnel| tunnel.id.as_str()).collect::<Vec<_>>(),
        ["t1"],
        "a filter that is a prefix is not trusted"
    );
    for (request, name) in bench.server.requests().iter().zip([None, Some("web")]) {
        assert_eq!(request.line(), "GET /accounts/0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b/cfd_tunnel");
        assert_eq!(request.query("is_deleted"), Some("false"));
        assert_eq!((request.query("page"), request.query("per_page")), (Some("1"), Some("1000")));
        assert_eq!(request.query("name"), name);
    }
}

#[tokio::test]
async fn a_tunnel_is_created_with_our_secret_and_read_back_even_when_deleted() {
    let server = Server::start(|_, request| match request.method.as_str() {
        "POST" => Reply::success(
            json!({ "id": "11111111-2222-3333-4444-555555555551", "name": "web", "token": "eyJ", "credentials_file": {} }),
        ),
        _ => Reply::success(
            json!({ "id": "11111111-2222-3333-4444-555555555551", "name": "web", "deleted_at": "2026-01-02T03:04:05Z" }),
        ),
    });
    let bench = Bench::new(server.await);
    let secret = Secret::new("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=");
    let made = bench.client.create_tunnel(&account(), "web", ConfigSource::Cloudflare, &secret).await.unwrap();
    assert_eq!(made.id.as_str(), "11111111-2222-3333-4444-555555555551");
    let read = bench.client.tunnel(&account(), &made.id).await.unwrap();
    assert!(read.deleted_at.is_some());
    let sent = bench.server.requests()[0].json();
    assert_eq!(
        sent,
        json!({ "name": "web", "config_src": "cloudflare", "tunnel_secret": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=" })
    );
}

#[tokio::test]
async fn deletions_are_content_with_any_success() {
    for body in [r#"{"success":true,"result":null}"#, r#"{"success":true,"result":{"id":"x"}}"#, r#"{"success":true}"#, ""] {
        let bench = Bench::new(Server::always(move || Reply::raw(200, body)).await);
        bench.client.delete_tunnel(&account(), &tunnel()).await.unwrap();
        bench.client.delete_connections(&account(), &tunnel()).await.unwrap();
        bench.client.delete_record(&zone(), &"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1".parse().unwrap()).await.unwrap();
        let sent: Vec<String> = bench.server.requests().iter().map(|request| request.line()).collect();
        let at = "/accounts/0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b/cfd_tunnel/11111111-2222-3333-4444-555555555555";
        let zone = "/zones/20fe20fe20fe20fe20fe20fe20fe20fe/dns_records/a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
        assert_eq!(sent, [format!("DELETE {at}"), format!("DELETE {at}/connections"), format!("DELETE {zone}")]);
    }
}

#[tokio::test]
async fn configurations_are_read_and_replaced() {
    let server = Server::start(|_, request| match request.method.as_str() {
        "PUT" => Reply::success(json!({ "version": 5, "source": "cloudflare", "config": request.json()["config"] })),
        _ => Reply::success(json!({ "tunnel_id": "t1", "version": 4, "source": "cloudflare", "config": null })),
    });
    let bench = Bench::new(server.await);
    let read = bench.client.configuration(&account(), &tunnel()).await.unwrap();
    let expected = Configuration { version: 4, source: Some(ConfigSource::Cloudflare), config: None, writes: 0 };
    assert_eq!(read, expected);
    let document = json!({ "ingress": [{ "service": "http_status:404" }] });
    let written = bench.client.put_configuration(&account(), &tunnel(), &document).await.unwrap();
    let expected = Configuration { version: 5, config: Some(document.clone()), writes: 1, ..expected };
    assert_eq!(written, expected);
    assert_eq!(bench.server.requests()[1].json(), json!({ "config": document }));
}

#[tokio::test]
async fn connectors_are_listed_with_their_connections() {
    let answer = || {
        json!([
            { "id": "c1", "version": "2026.8.2", "config_version": 4, "run_at": "2026-01-02T03:04:05Z",
              "conns": [{ "id": "x", "colo_name": "fra08", "origin_ip": "192.0.2.1", "opened_at": "2026-01-02T03:04:06Z" }, {}] },
            { "id": "c2", "conns": null },
        ])
    };
    let bench = Bench::new(Server::always(move || Reply::success(answer())).await);
    let connectors = bench.client.connectors(&account(), &tunnel()).await.unwrap();
    assert_eq!(connectors[0].connections.len(), 2);
    assert_eq!(connectors[0].connections[0].location, "fra08");
    assert_eq!(connectors[0].config_version, Some(4));
    assert!(connectors[1].connections.is_empty());
}

#[tokio::test]
async fn a_connector_token_is_a_secret() {
    let bench = Bench::new(Server::always(|| Reply::success(json!("eyJhIjoiIn0="))).await);
    let token = bench.client.tunnel_token(&account(), &tunnel()).await.unwrap();
    assert_eq!(token.expose(), "eyJhIjoiIn0=");
}

#[tokio::test]
async fn records_are_narrowed_to_what_matters() {
    let records = || {
        vec![
            json!({ "id": "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", "type": "CNAME", "name": "app.example.com", "content": "x.cfargotunnel.com",
                                  "proxied": true, "ttl": 1.0, "comment": null }),
        ]
    };
    let bench = Bench::new(Server::always(move || Reply::page(records(), 1, 5_000, 1)).await);
    let found = bench.client.tunnel_records(&zone()).await.unwrap();
    assert_eq!((found[0].kind.as_str(), found[0].ttl, &found[0].comment), ("CNAME", 1, &None));
    bench.client.records_named(&zone(), "app.example.com").await.unwrap();
    let [narrowed, named] = &bench.server.requests()[..] else { panic!("two requests") };
    assert_eq!(narrowed.query("type"), Some("CNAME"));
    assert_eq!(narrowed.query("content.endswith"), Some(".cfargotunnel.com"));
    assert_eq!(narrowed.query("per_page"), Some("5000"));
    assert_eq!((named.query("name.exact"), named.query("type")), (Some("app.example.com"), None));
}

#[tokio::test]
async fn records_are_created_changed_and_read() {
    let server = Server::always(|| {
        Reply::success(json!({ "id": "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", "type": "CNAME", "name": "app.example.com", "ttl": 1 }))
    });
    let bench = Bench::new(server.await);
    let made = bench.client.create_record(&zone(), &record("app.example.com")).await.unwrap();
    let patch = RecordPatch { comment: Some(String::new()), ..RecordPatch::default() };
    bench.client.patch_record(&zone(), &made.id, &patch).await.unwrap();
    bench.client.record(&zone(), &made.id).await.unwrap();
    let requests = bench.server.requests();
    assert_eq!(
        requests[0].json(),
        json!({ "type": "CNAME", "name": "app.example.com", "content": tunnel().dns_target(), "proxied": true, "ttl": 1,
                "comment": "adit:install:web" })
    );
    assert_eq!(requests[1].line(), "PATCH /zones/20fe20fe20fe20fe20fe20fe20fe20fe/dns_records/a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1");
    assert_eq!(requests[1].json(), json!({ "comment": "" }));
    assert_eq!(requests[2].line(), "GET /zones/20fe20fe20fe20fe20fe20fe20fe20fe/dns_records/a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1");
}

#[tokio::test]
async fn a_batch_is_one_request_and_an_empty_one_none() {
    let written = |id: &str| json!({ "id": id, "type": "CNAME", "name": "app.example.com", "content": "x" });
    let server = Server::always(move || {
        Reply::success(
            json!({ "deletes": [{ "id": "d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1" }], "patches": [written("b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1")], "puts": null, "posts": [written("c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1")] }),
        )
    });
    let bench = Bench::new(server.await);
    assert_eq!(bench.client.batch_records(&zone(), &Batch::default()).await.unwrap(), BatchAnswer::default());
    assert!(bench.server.requests().is_empty());
    let patch = RecordPatch { proxied: Some(true), ..RecordPatch::default() };
    let batch = Batch {
        deletes: vec!["d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1".parse().unwrap()],
        patches: vec![("b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1".parse().unwrap(), patch)],
        posts: vec![NewRecord { comment: None, ..record("app.example.com") }],
        ..Batch::default()
    };
    let answer = bench.client.batch_records(&zone(), &batch).await.unwrap();
    assert_eq!(
        (answer.patches[0].id.as_str(), answer.posts[0].id.as_str()),
        ("b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1", "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1")
    );
    let post = json!({ "type": "CNAME", "name": "app.example.com", "content": tunnel().dns_target(), "proxied": true, "ttl": 1 });
    assert_eq!(
        bench.server.requests()[0].json(),
        json!({ "deletes": [{ "id": "d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1" }], "patches": [{ "id": "b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1", "proxied": true }], "posts": [post] })
    );
}

#[tokio::test]
async fn a_batch_answer_that_lacks_a_record_may_have_happened() {
    let bench = Bench::new(Server::always(|| Reply::success(json!({ "posts": [] }))).await);
    let batch = Batch { posts: vec![record("app.example.com")], ..Batch::default() };
    let error = bench.client.batch_records(&zone(), &batch).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
    assert!(error.may_have_happened());
}

#[tokio::test]
async fn metrics_hear_of_every_exchange() {
    let server = Server::start(|number, _| match number {
        0 => Reply::page(vec![], 1, 50, 0).header("ratelimit", r#""default";r=1100;t=200"#),
        _ => Reply::refusal(404, 1_003, "not found"),
    });
    let bench = Bench::new(server.await);
    bench.client.zones().await.unwrap();
    bench.client.delete_tunnel(&account(), &tunnel()).await.unwrap_err();
    let told: Vec<_> = bench
        .exchanges()
        .iter()
        .map(|exchange| (exchange.method, exchange.resource, exchange.status, exchange.failure, exchange.rate_limit_remaining))
        .collect();
    assert_eq!(
        told,
        [("GET", "zones", Some(200), None, Some(1_100)), ("DELETE", "tunnels", Some(404), Some(Kind::NotFound), Some(1_100)),]
    );
    assert_eq!(bench.client.budget(), Budget { remaining: Some(1_100), blocked_until: None });
}

#[tokio::test]
async fn what_no_client_can_be_made_of_is_refused() {
    let settings = |base: &str, budget_per_second| Settings {
        api_base: base.parse().unwrap(),
        budget_per_second,
        user_agent: "adit".to_owned(),
        token: watch::channel(None).1,
        observer: Arc::new(|_| {}),
        book: None,
    };
    for (base, budget, expected) in [
        (
            "http://api.example.com/",
            3.0,
            "cannot use the API base URL \"http://api.example.com/\": http is for loopback addresses only, the API token would \
             cross the network in clear: use https",
        ),
        ("http://127.0.0.1:1/", 0.0, "cannot use a budget of 0 requests a second: it must be at least 0.01"),
        ("http://127.0.0.1:1/", f64::NAN, "cannot use a budget of NaN requests a second: it must be at least 0.01"),
    ] {
        assert_eq!(Client::new(settings(base, budget)).unwrap_err().to_string(), expected);
    }
}
