//! The law of scoped editors: whatever a definition tries, one that is let pass and that the configuration takes reaches nothing
//! outside of the grant's patterns.
//!
//! What it reaches is judged from the tunnel that the configuration makes of it, by other means than patterns over texts.

use std::{path::Component, sync::LazyLock};

use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};
use url::Host;

use super::*;
use crate::config::{self, Config, Protocol, Scheme, Service, Source, Tunnel};

/// The editor of `web-*` in account default: hostnames below web.example.com, services on localhost's ports 8000 to 8099 and sockets
/// in /run/web.
fn standing() -> Standing {
    let patterns = |texts: &[&str]| Some(texts.iter().map(|text| text.parse().unwrap()).collect());
    Standing {
        role: None,
        grants: vec![Grant {
            role: Role::Editor,
            who: vec!["@400".parse().unwrap()],
            accounts: Some(vec!["default".parse().unwrap()]),
            tunnels: patterns(&["web-*"]),
            hostnames: patterns(&["*.web.example.com", "?.example.com"]),
            origins: patterns(&["http://localhost:80??", "unix:/run/web/*"]),
        }],
    }
}

fn config() -> &'static Config {
    static CONFIG: LazyLock<Config> = LazyLock::new(two_accounts);
    &CONFIG
}

fn two_accounts() -> Config {
    let text = "[accounts.default]\napi_token = { credential = 'a' }\n[accounts.other]\napi_token = { credential = 'b' }\n";
    config::parse(&[Source { path: "adit.toml".into(), text: text.to_owned() }]).unwrap()
}

fn taken(name: &str, definition: &Map<String, Value>, config: &Config) -> Option<Tunnel> {
    let name = name.parse().ok()?;
    let text = config::tunnel_toml(&name, definition).ok()?;
    config::parse_tunnel(&Source { path: "made.toml".into(), text }, &name, config).ok()
}

/// What a tunnel reaches that the editor must not reach.
fn beyond_reach(tunnel: &Tunnel) -> Option<String> {
    for rule in &tunnel.ingress {
        let reaches = match &rule.service {
            Service::HttpStatus(_) | Service::HelloWorld => true,
            Service::Url(url) => {
                url.scheme() == Scheme::Http
                    && *url.host() == Host::Domain("localhost".to_owned())
                    && (8000..=8099).contains(&url.port())
            }
            Service::Unix(path) => path.starts_with("/run/web") && path.components().all(|part| part != Component::ParentDir),
            Service::UnixTls(_) | Service::Bastion | Service::SocksProxy => false,
        };
        let is_silent = matches!(rule.service, Service::HttpStatus(_) | Service::HelloWorld);
        let takes = match rule.hostname.as_ref().map(|hostname| hostname.as_str()) {
            Some(name) => name.ends_with(".web.example.com") || name.len() == "a.example.com".len() && !name.starts_with('*'),
            None => is_silent,
        };
        let origin_keys = rule.origin_request.iter().flatten().map(|(key, _)| key.as_str());
        let asks = origin_keys.into_iter().find(|key| matches!(*key, "caPool" | "proxyType" | "access"));
        if !reaches || !takes || asks.is_some() {
            return Some(format!("{rule:?}"));
        }
    }
    let plain = tunnel.protocol == Protocol::Auto
        && tunnel.private_networks.is_empty()
        && tunnel.load_balancer.is_none()
        && tunnel.renamed_from.is_none();
    let placed = tunnel.account.as_str() == "default" && tunnel.name.as_str().starts_with("web-");
    (!plain || !placed).then(|| format!("{tunnel:?}"))
}

fn hostname() -> impl Strategy<Value = Option<String>> {
    let tricks = select(vec![
        "a.web.example.com",
        "A.WEB.Example.COM",
        "a.web.example.com.",
        "a.web.example.com..",
        "*.web.example.com",
        "*.example.com",
        "web.example.com",
        "a.web.example.com.evil.com",
        "evil.com#.web.example.com",
        "evil.com/.web.example.com",
        "b.example.com",
        "a.web.example.com:80",
        "ａ.web.example.com",
        "a。web.example.com",
        "ẞ.web.example.com",
        "xn--a.web.example.com",
        "*",
        "",
        "*.com",
        "a@web.example.com",
        " a.web.example.com",
        "evil.com\n.web.example.com",
        "evil.com .web.example.com",
        "é.example.com",
        "аpple.example.com",
        "..web.example.com",
        "www.example.com",
        "%61.web.example.com",
    ]);
    prop_oneof![1 => Just(None), 8 => tricks.prop_map(|text| Some(text.to_owned())), 1 => "[a-z*.]{1,9}\\.example\\.com".prop_map(Some)]
}

fn service() -> impl Strategy<Value = String> {
    let tricks = select(vec![
        "http://localhost:8080",
        "HTTP://localhost:8080",
        "http://LOCALHOST:8080",
        "http://localhost.:8080",
        "https://localhost:8080",
        "http://localhost:80@evil",
        "http://localhost:80%40",
        "http://localhost:80/a",
        "http://localhost:80?a",
        "http://localhost:80#a",
        "http://localhost:8080@evil.com",
        "http://user:pw@localhost:8080",
        "http://localhost:80\\@",
        "http://localhost:80８８",
        "http://localhost",
        "http://127.0.0.1:8080",
        "http://127.1:8080",
        "http://0x7f.1:8080",
        "http://2130706433:8080",
        "http://[::1]:8080",
        "http://[::ffff:127.0.0.1]:8080",
        "http://0177.0.0.1:8080",
        "http://%6c%6fcalhost:8080",
        "unix:/run/web/app.sock",
        "unix:/run/web/../adit/adit.sock",
        "unix:/run/web/./../x",
        "unix:/run/web//../x",
        "unix:/run/web/..",
        "unix:/run/web/%2e%2e/x",
        "unix+tls:/run/web/app.sock",
        "unix:run/web/x",
        "unix:/run/web/",
        "unix:/run/web/a/b",
        "bastion",
        "socks-proxy",
        "hello_world",
        "hello-world",
        "http_status:404",
        "http_status:404@",
        "tcp://localhost:8080",
        "ws://localhost:8080",
        "http://localhost:8080 ",
        "http://localhost:80\t1",
        "http:/localhost:8080",
        "http://localhost:0080",
    ]);
    prop_oneof![
        4 => tricks.prop_map(str::to_owned),
        1 => "http://localhost:80[ -~]{2}",
        1 => "unix:/run/web/[a./%]{1,6}",
        1 => "http://[a-z0-9.%@:]{1,12}localhost:8080",
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    let path = select(vec![None, Some("/api"), Some(".*"), Some("")]);
    let origin_request = select(vec![
        json!({}),
        json!({ "caPool": "/etc/shadow" }),
        json!({ "proxyType": "socks" }),
        json!({ "noTLSVerify": true }),
        json!({ "access": { "teamName": "t", "audTag": [] } }),
        json!({ "bastionMode": true, "proxyAddress": "10.0.0.1" }),
    ]);
    (hostname(), path, service(), origin_request).prop_map(|(hostname, path, service, origin_request)| {
        json!({ "hostname": hostname, "path": path, "service": service, "originRequest": origin_request })
    })
}

fn definition() -> impl Strategy<Value = Map<String, Value>> {
    let other = select(vec![
        ("replicas", json!(2)),
        ("protocol", json!("http2")),
        ("private_networks", json!([{ "network": "10.0.0.0/8" }])),
        ("hostname_routes", json!(["wiki.internal.example"])),
        ("load_balancer", json!({ "hostname": "www.example.com" })),
        ("originRequest", json!({ "caPool": "/etc/shadow" })),
        ("health", json!({ "origin": { "http": "/healthz" } })),
        ("renamed_from", json!("other")),
        ("account", json!("other")),
        ("account", json!("default")),
    ]);
    (prop::collection::vec(rule(), 0..3), prop::collection::vec(other, 0..2)).prop_map(|(rules, others)| {
        let account = [("account".to_owned(), json!("default")), ("ingress".to_owned(), Value::Array(rules))];
        account.into_iter().chain(others.into_iter().map(|(key, value)| (key.to_owned(), value))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_definition_of_a_scoped_editor_reaches_outside_of_the_patterns(
        name in prop_oneof![5 => Just("web-a"), 1 => select(vec!["web", "api", "WEB-a", "web-a.b", "web-../x"])],
        definition in definition(),
    ) {
        let object = Object::of_definition(name, &Value::Object(definition.clone()));
        if standing().may_define(None, &object).is_ok()
            && let Some(tunnel) = taken(name, &definition, config())
        {
            prop_assert_eq!(beyond_reach(&tunnel), None);
        }
    }
}

#[test]
fn the_law_is_not_kept_by_refusing_everything() {
    for service in ["http://localhost:8080", "unix:/run/web/app.sock", "http_status:404"] {
        let definition = json!({ "account": "default", "ingress": [{ "hostname": "a.web.example.com", "service": service }] });
        let object = Object::of_definition("web-a", &definition);
        assert_eq!(standing().may_define(None, &object), Ok(()), "{service}");
        assert!(taken("web-a", definition.as_object().unwrap(), config()).is_some(), "{service}");
    }
}
