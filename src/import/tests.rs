use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::{Source, parse, tunnel_toml};

/// What Adit's own check says of a translation.
fn checked(translation: &Translation) -> Result<(), String> {
    let name: TunnelName = "web".parse().unwrap();
    let tunnel = tunnel_toml(&name, &translation.definition).map_err(|error| error.to_string())?;
    let text = format!("{tunnel}\n[accounts.default]\napi_token = {{ file = \"/etc/token\" }}\n");
    parse(&[Source { path: "adit.toml".into(), text }]).map(drop).map_err(|problems| problems.to_string())
}

fn refused(text: &str) -> String {
    translate(text).unwrap_err().to_string()
}

#[test]
fn every_key_is_translated_or_named_with_the_reason() {
    let translation = translate(
        "tunnel: 11111111-2222-3333-4444-555555555555\n\
         credentials-file: /etc/cloudflared/cred.json\n\
         protocol: http2\n\
         grace-period: 45s\n\
         region: us\n\
         metrics: localhost:2000\n\
         warp-routing:\n  enabled: true\n\
         originRequest:\n  connectTimeout: 30s\n  keepAliveTimeout: 1m30s\n  tlsTimeout: 500ms\n\
         ingress:\n\
         \x20 - hostname: app.example.com\n    path: ^/api\n    service: http://localhost:8080\n\
         \x20   originRequest: { noTLSVerify: yes, httpHostHeader: app, keepAliveConnections: 5 }\n\
         \x20 - hostname: '*.dev.example.com'\n    service: unix:/run/dev.sock\n\
         \x20 - service: http_status:404\n",
    )
    .unwrap();
    assert_eq!(translation.tunnel.as_deref(), Some("11111111-2222-3333-4444-555555555555"));
    assert_eq!(translation.credentials_file.as_deref(), Some("/etc/cloudflared/cred.json"));
    let expected = json!({
        "configuration": "local",
        "protocol": "http2",
        "originRequest": { "connectTimeout": 30, "keepAliveTimeout": 90 },
        "ingress": [
            { "hostname": "app.example.com", "path": "^/api", "service": "http://localhost:8080", "dns": false,
              "originRequest": { "noTLSVerify": true, "httpHostHeader": "app", "keepAliveConnections": 5 } },
            { "hostname": "*.dev.example.com", "service": "unix:/run/dev.sock", "dns": false },
            { "service": "http_status:404" },
        ],
    });
    assert_eq!(Json::Object(translation.definition.clone()), expected);
    let left_out: Vec<(usize, &str)> = translation.left_out.iter().map(|remark| (remark.line, remark.key.as_str())).collect();
    let expected = [(4, "grace-period"), (5, "region"), (6, "metrics"), (8, "warp-routing"), (12, "originRequest.tlsTimeout")];
    assert_eq!(left_out, expected);
    checked(&translation).unwrap();
}

#[test]
fn a_file_without_ingress_serves_everything_with_its_only_origin() {
    for (text, service) in [
        ("url: http://localhost:8000", "http://localhost:8000"),
        ("url: http://localhost:8000/\nhostname: app.example.com", "http://localhost:8000"),
        ("unix-socket: /run/app.sock", "unix:/run/app.sock"),
        ("hello-world: true", "hello_world"),
        ("bastion: true\nurl: http://a", "bastion"),
    ] {
        let translation = translate(text).unwrap();
        assert_eq!(translation.definition["ingress"], json!([{ "service": service }]), "{text}");
        checked(&translation).unwrap();
    }
    assert!(refused("tunnel: web").contains("neither ingress nor url"));
}

#[test]
fn what_would_let_more_through_when_left_out_is_refused() {
    let rule = |settings: &str| format!("ingress:\n- service: http://a\n  originRequest:\n    {settings}\n");
    let rules = refused(&rule("ipRules: [{ prefix: 10.0.0.0/8, allow: false }]"));
    assert!(rules.starts_with("line 4: ingress[0].originRequest.ipRules: ") && rules.contains("let through"), "{rules}");
    let access = refused(&rule("access: { required: true, teamName: a, audTag: [x], environment: fed }"));
    assert!(access.contains("access.environment") && access.contains("who is let in"), "{access}");
}

#[test]
fn a_bare_number_is_nanoseconds_as_in_cloudflared() {
    let translated = |value: &str| {
        let text = format!("ingress:\n- service: http://a\noriginRequest:\n  connectTimeout: {value}\n");
        translate(&text).unwrap()
    };
    assert_eq!(translated("30000000000").definition["originRequest"], json!({ "connectTimeout": 30 }));
    let left_out = translated("30").left_out;
    assert_eq!((left_out.len(), left_out[0].line), (1, 4));
}

#[test]
fn broken_files_are_refused_with_line_and_key() {
    for (text, message) in [
        ("", "line 1: the file is empty"),
        ("- a", "line 1: the file is no table of keys, such as tunnel: and ingress:"),
        ("tunnel: a\ntunnel: b", "line 2: tunnel: the key stands twice"),
        ("a: &x 1\nb: *x", "line 1: anchors, aliases and tags are not read: write the value itself"),
        ("ingress: web", "line 1: ingress: it must be a list of rules"),
        ("ingress:\n- hostname: a.example.com", "line 2: ingress[0]: the rule has no service"),
        ("url: http://a\nprotocol: tcp", "line 2: protocol: it must be auto, quic or http2"),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
    assert!(refused("a: [").starts_with("line "));
    assert!(refused(&format!("a: {}", "[".repeat(100))).contains("deep"));
    assert!(refused(&"#".repeat(2_000_000)).contains("larger"));
}

#[test]
fn names_are_made_valid_or_left_to_the_operator() {
    for (text, name) in [
        ("web", Some("web")),
        ("My Home Tunnel", Some("my-home-tunnel")),
        ("--a__b--", Some("a-b")),
        ("ü", None),
        ("11111111-2222-3333-4444-555555555555", None),
    ] {
        assert_eq!(tunnel_name(text).as_ref().map(TunnelName::as_str), name, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "(tunnel|ingress|url|originRequest|- |: |\\[|\\{|\n|  |\\PC){0,40}") {
        if let Ok(translation) = translate(&text) {
            let _ = checked(&translation);
        }
    }

    #[test]
    fn a_translated_file_passes_our_check_or_is_refused_with_reasons(
        hostname in prop::option::of("[a-z*.]{1,12}"),
        service in "(http://localhost:80|unix:/run/a|tcp://a|http_status:404|bastion|[a-z:/]{0,9})",
        timeout in "[0-9]{1,3}(ms|s|m)?",
    ) {
        let hostname = hostname.map(|hostname| format!("  hostname: '{hostname}'\n")).unwrap_or_default();
        let text = format!("ingress:\n- service: '{service}'\n{hostname}originRequest:\n  connectTimeout: {timeout}\n");
        let reasons = match translate(&text) {
            Ok(translation) => checked(&translation).err(),
            Err(refusal) => Some(refusal.to_string()),
        };
        prop_assert!(reasons.is_none_or(|reasons| !reasons.is_empty()));
    }
}
