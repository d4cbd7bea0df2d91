//! Laws: no text panics, and what is shown is what was read.

use std::sync::LazyLock;

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// Pieces of configurations, whole and broken, from which texts are put together.
const PIECES: &[&str] = &[
    "[daemon]\n",
    "[daemon",
    "state_dir = ",
    "'/srv'",
    "\"\n",
    "\n",
    "=",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    ".",
    "#",
    "[tunnels.web]\n",
    "[tunnels.web.ingress]\n",
    "[[tunnels.web.ingress]]\n",
    "hostname = 'a.example.com'\n",
    "service = 1\n",
    "service = 'http://localhost:1'\n",
    "[accounts.a]\n",
    "api_token = { env = 'T' }\n",
    "api_token = {",
    "ingress = [",
    "1e999",
    "99999999999999999999",
    "0x",
    "1979-05-27",
    "true",
    "'''",
    "\"\"\"",
    "\u{feff}",
    "ü",
    "\0",
    "\r",
    "tunnels = 1\n",
    "[access]\ngrant = [{}]\n",
    "health = { origin = { http = 1 } }\n",
    "a.b.c = 1\n",
    "'a b'.c = 1\n",
];

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| jsonschema::draft202012::new(&schema()).unwrap());

fn hostname() -> impl Strategy<Value = String> {
    ("[a-z]{1,3}", any::<bool>()).prop_map(|(label, wildcard)| format!("{}{label}.example.com", if wildcard { "*." } else { "" }))
}

fn service() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["hello_world", "bastion", "socks-proxy", "unix:/run/a b.sock", "unix+tls:/x", "tcp://[::1]:5432", "ssh://h"])
            .prop_map(str::to_owned),
        (100_u16..=999).prop_map(|status| format!("http_status:{status}")),
        (1_u16..9_000).prop_map(|port| format!("https://origin.internal:{port}")),
    ]
}

fn origin_request() -> impl Strategy<Value = String> {
    let entries = vec![
        "connectTimeout = '1m30s'",
        "tlsTimeout = 7",
        "noTLSVerify = true",
        "httpHostHeader = \"a\\\"b\"",
        "caPool = '/etc/x.pem'",
        "keepAliveConnections = 3",
        "proxyType = ''",
        "originServerName = 'ü.example'",
    ];
    proptest::sample::subsequence(entries, 0..=8).prop_map(|entries| format!("{{ {} }}", entries.join(", ")))
}

fn rule() -> impl Strategy<Value = String> {
    let path = select(vec!["", "path = '/api', ", "path = '\\.(css|js)$', "]);
    (hostname(), path, service(), any::<bool>(), origin_request()).prop_map(|(hostname, path, service, dns, origin_request)| {
        format!("{{ hostname = '{hostname}', {path}service = '{service}', dns = {dns}, originRequest = {origin_request} }}")
    })
}

fn tunnel() -> impl Strategy<Value = String> {
    let extras = vec![
        "protocol = 'quic'",
        "configuration = 'local'",
        "on_drift = 'report'",
        "renamed_from = 'older'",
        "memory_limit = '256MiB'",
        "max_procs = 2",
        "private_networks = [{ network = '10.0.0.0/8' }, { network = 'fd00::/8', virtual_network = 'a \"b\"' }]",
        "hostname_routes = ['wiki.internal.example', '*.lab.internal.example']",
        "load_balancer = { hostname = 'www.example.com', pool = 'p', weight = 0.25, monitor = { interval = '2m' } }",
        "access = 'required'",
        "health = { origin = { http = '/healthz', expect = 204 }, outside = 'on' }",
        "originRequest = { tcpKeepAlive = '30s' }",
    ];
    let extras = proptest::sample::subsequence(extras, 0..=11);
    // Most orders of random rules hide one: the first of each hostname and path is enough.
    (1_u8..=25, vec(rule(), 0..4), extras, any::<bool>()).prop_map(|(replicas, rules, extras, catch_all)| {
        let last = if catch_all { "{ service = 'http_status:503' }" } else { "" };
        format!("replicas = {replicas}\n{}\ningress = [{},{last}]\n", extras.join("\n"), rules.join(",")).replace("[,", "[")
    })
}

fn settings() -> impl Strategy<Value = String> {
    let sections = vec![
        "[daemon]\nstate_dir = '/srv/state \"x\"'\nruntime_dir = '/srv/run'\napply = 'ask'\n",
        "[control]\nsocket_mode = '0600'\n",
        "[metrics]\nlisten = 'unix:/srv/metrics.sock'\n",
        "[cloudflared]\nbinary = '/opt/c'\nextra_args = ['--edge', '127.0.0.1:1']\ngrace_period = '1m0s500ms'\ncanary_period = '5s'\nenv = { A = 'b\\c' }\n",
        "[access]\nadmin = ['alice']\ngrant = [{ role = 'viewer', who = ['1000', '@g'], tunnels = ['w?b*'] }]\n",
        "[accounts.other]\napi_token = { command = ['/bin/sh', 'a \"b\"'] }\nbudget = '100/m'\napi_base = 'http://127.0.0.1:80/x/'\n",
    ];
    proptest::sample::subsequence(sections, 0..=6).prop_map(|sections| sections.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = parse_text(&text);
    }

    #[test]
    fn no_broken_configuration_panics(pieces in vec(select(PIECES), 0..40), more in vec(select(PIECES), 0..20)) {
        let _ = parse_files(&[("adit.toml", &pieces.concat()), ("conf.d/a.toml", &more.concat())]);
        let _ = parse_tunnel(&source("web.toml", &pieces.concat()), &"web".parse().unwrap(), &parse(&[]).unwrap());
    }

    #[test]
    fn what_is_shown_is_what_was_read(tunnel in tunnel(), settings in settings()) {
        let text = format!("{settings}[accounts.default]\napi_token = {{ file = '/etc/t' }}\n[tunnels.web]\naccount = 'default'\n{tunnel}");
        let Ok(config) = parse(&[source("adit.toml", &text)]) else {
            // Random rules may hide each other, and that alone is no answer to the question.
            let problems = problems_of(parse(&[source("adit.toml", &text)]));
            prop_assert!(problems.lines().all(|line| line.contains("can never match") || line.contains("no rule of the tunnel is for")), "{problems}\n{text}");
            return Ok(());
        };
        let file: toml::Table = text.parse().unwrap();
        prop_assert!(SCHEMA.is_valid(&serde_json::to_value(file).unwrap()), "the schema refuses what is taken: {text}");
        let again = parse(&[source("adit.toml", &show(&config))]).map_err(|problems| TestCaseError::fail(problems.to_string()))?;
        prop_assert_eq!(Config { warnings: Vec::new(), ..again }, Config { warnings: Vec::new(), ..config.clone() });
        let tunnel = &config.tunnels[&"web".parse().unwrap()];
        let json = serde_json::to_value(tunnel).unwrap();
        let toml = tunnel_toml(&tunnel.name, json.as_object().unwrap()).unwrap();
        let made = parse_tunnel(&source("web.toml", &toml), &tunnel.name, &Config { tunnels: BTreeMap::new(), ..config.clone() });
        prop_assert_eq!(made.unwrap(), Tunnel { origin: Origin::Api, ..tunnel.clone() });
    }
}
