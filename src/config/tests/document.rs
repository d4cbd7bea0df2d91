//! What Cloudflare and cloudflared get of a tunnel.

use serde_json::json;

use super::*;

#[test]
fn a_catch_all_is_added_only_where_there_is_none() {
    let catch_all = json!({ "service": "http_status:404" });
    let app = json!({ "hostname": "app.example.com", "service": "http://localhost:1" });
    for (body, ingress) in [
        ("", json!([catch_all])),
        ("ingress = [{ service = 'http_status:404' }]", json!([catch_all])),
        ("ingress = [{ hostname = '*', service = 'hello-world' }]", json!([{ "service": "hello_world" }])),
        ("ingress = [{ hostname = '', path = '', service = 'http_status:503' }]", json!([{ "service": "http_status:503" }])),
        ("ingress = [{ hostname = 'app.example.com', service = 'http://localhost:1' }]", json!([app, catch_all])),
        ("ingress = [{ path = '/a', service = 'bastion' }]", json!([{ "path": "/a", "service": "bastion" }, catch_all])),
    ] {
        assert_eq!(parse_body(body).unwrap().document(), json!({ "ingress": ingress }), "{body}");
    }
}

#[test]
fn origin_requests_go_out_with_whole_seconds_and_without_our_own_keys() {
    let tunnel = parse_body(
        "
        originRequest = { connectTimeout = '1m30s', keepAliveConnections = 7, proxyType = '' }
        ingress = [{
            hostname = 'app.example.com', service = 'https://localhost:8443', dns = false,
            originRequest = {
                tlsTimeout = 5, tcpKeepAlive = '0s', caPool = '/etc/ssl/origin.pem', matchSNItoHost = true,
                access = { required = true, teamName = 'team', audTag = ['tag'] },
            },
        }]
        ",
    )
    .unwrap();
    let access = json!({ "required": true, "teamName": "team", "audTag": ["tag"] });
    let rule = |tls: serde_json::Value, keep_alive: serde_json::Value| {
        let origin_request = json!({
            "tlsTimeout": tls, "tcpKeepAlive": keep_alive, "caPool": "/etc/ssl/origin.pem", "matchSNItoHost": true, "access": access,
        });
        json!({ "hostname": "app.example.com", "service": "https://localhost:8443", "originRequest": origin_request })
    };
    assert_eq!(
        tunnel.document(),
        json!({
            "originRequest": { "connectTimeout": 90, "keepAliveConnections": 7, "proxyType": "" },
            "ingress": [rule(json!(5), json!(0)), { "service": "http_status:404" }],
        })
    );
    assert_eq!(
        tunnel.local_document(),
        json!({
            "originRequest": { "connectTimeout": "90s", "keepAliveConnections": 7, "proxyType": "" },
            "ingress": [rule(json!("5s"), json!("0s")), { "service": "http_status:404" }],
        })
    );
}

#[test]
fn an_empty_origin_request_is_as_none() {
    let body = "originRequest = {}\ningress = [{ hostname = 'a.example.com', service = 'bastion', originRequest = {} }]";
    let ingress = json!([{ "hostname": "a.example.com", "service": "bastion" }, { "service": "http_status:404" }]);
    assert_eq!(parse_body(body).unwrap().document(), json!({ "ingress": ingress }));
}

#[test]
fn public_hostnames_are_those_with_a_record_each_once_and_in_order() {
    let tunnel = parse_body(
        "ingress = [
            { hostname = 'b.example.com', path = '/api', service = 'http://localhost:1' },
            { hostname = 'a.example.com', service = 'http://localhost:2' },
            { hostname = 'c.example.com', service = 'http://localhost:3', dns = false },
            { hostname = 'B.Example.com', service = 'http://localhost:4' },
            { path = '/x', service = 'http://localhost:5' },
        ]",
    )
    .unwrap();
    let hostnames: Vec<&str> = tunnel.public_hostnames().into_iter().map(|hostname| hostname.as_str()).collect();
    assert_eq!(hostnames, ["b.example.com", "a.example.com"]);
}

#[test]
fn what_reaches_further_than_one_origin_is_for_admins() {
    let tunnel = parse_body(
        "
        protocol = 'http2'
        private_networks = [{ network = '10.0.0.0/8' }]
        hostname_routes = ['wiki.internal.example']
        originRequest = { caPool = '/etc/ssl/a.pem' }
        ingress = [
            { hostname = 'a.example.com', service = 'http://localhost:1' },
            { hostname = 'b.example.com', service = 'bastion' },
            { hostname = 'c.example.com', service = 'socks-proxy' },
            { hostname = 'd.example.com', service = 'https://localhost:2', originRequest = { caPool = '/etc/ssl/b.pem' } },
        ]
        ",
    )
    .unwrap();
    let keys = [
        "protocol",
        "private_networks",
        "hostname_routes",
        "originRequest.caPool",
        "ingress[1].service",
        "ingress[2].service",
        "ingress[3].originRequest.caPool",
    ];
    assert_eq!(tunnel.admin_keys(), keys);
    assert!(parse_body("ingress = [{ service = 'http://localhost:1' }]").unwrap().admin_keys().is_empty());
}
