//! The whole file of the design, and everything that is made from the grammar.

use std::time::Duration;

use serde_json::json;

use super::*;

const EXAMPLE: &str = r#"
[daemon]
state_dir = "/var/lib/adit"          # tunnels, ids, secrets, accepted configuration, logs (0700)
runtime_dir = "/run/adit"
apply = "auto"

[control]
socket = "/run/adit/adit.sock"
socket_mode = "0666"

[metrics]
listen = "127.0.0.1:9738"

[cloudflared]
binary = "cloudflared"
extra_args = []
env = {}
grace_period = "30s"
canary_period = "30s"
edge_probe = ["region1.v2.argotunnel.com:7844", "region2.v2.argotunnel.com:7844"]

[accounts.default]
account_id = "0123456789abcdef0123456789abcdef"
api_token = { credential = "cloudflare-api-token" }
budget = "3/s"
api_base = "https://api.cloudflare.com/client/v4"

[access]
admin = ["@adit-admin"]
operator = ["@adit-operator"]
viewer = ["@adit-viewer"]
[[access.grant]]
role = "editor"
who = ["@web-team"]
accounts = ["default"]
tunnels = ["web-*"]
hostnames = ["*.web.example.com"]
origins = ["http://localhost:80??"]

[tunnels.web]
account = "default"
replicas = 2
configuration = "remote"
on_drift = "repair"
protocol = "auto"
ingress = [
  { hostname = "app.example.com", service = "http://localhost:8080", originRequest = { noTLSVerify = true } },
  { hostname = "www.example.com", service = "http://localhost:8080", access = "required" },
  { hostname = "*.dev.example.com", path = "/api", service = "unix:/run/dev.sock", dns = false },
]
private_networks = [{ network = "10.20.0.0/16", virtual_network = "lab" }]
hostname_routes = ["wiki.internal.example", "*.lab.internal.example"]
load_balancer = { hostname = "www.example.com", pool = "web", weight = 1.0 }
health = { origin = "tcp" }
"#;

fn example() -> Config {
    parse(&[source("/etc/adit/adit.toml", EXAMPLE)]).unwrap()
}

#[test]
fn the_example_is_read_whole() {
    let config = example();
    assert_eq!(config.daemon.apply, ApplyMode::Auto);
    assert_eq!(config.control, Control { socket: "/run/adit/adit.sock".into(), socket_mode: 0o666 });
    assert_eq!(config.metrics.listen, MetricsListen::Tcp("127.0.0.1:9738".parse().unwrap()));
    assert_eq!(config.cloudflared.grace_period, Duration::from_secs(30));
    assert_eq!(config.access.grants[0].role, Role::Editor);
    let account = &config.accounts[&"default".parse().unwrap()];
    assert_eq!(account.api_token, TokenSource::Credential("cloudflare-api-token".to_owned()));
    assert_eq!(account.budget.per_second(), 3.0);
    let tunnel = &config.tunnels[&"web".parse().unwrap()];
    assert_eq!(tunnel.origin.to_string(), "file:/etc/adit/adit.toml");
    assert_eq!(tunnel.replicas, 2);
    assert_eq!(tunnel.health, RouteHealth::default());
    let ingress = [
        json!({ "hostname": "app.example.com", "service": "http://localhost:8080", "originRequest": { "noTLSVerify": true } }),
        json!({ "hostname": "www.example.com", "service": "http://localhost:8080" }),
        json!({ "hostname": "*.dev.example.com", "path": "/api", "service": "unix:/run/dev.sock" }),
        json!({ "service": "http_status:404" }),
    ];
    assert_eq!(tunnel.document(), json!({ "ingress": ingress }));
}

#[test]
fn all_of_it_is_carried_out() {
    assert_eq!(example().warnings, []);
}

#[test]
fn an_empty_file_is_a_configuration_of_defaults() {
    let config = parse(&[source("adit.toml", "")]).unwrap();
    assert!(config.tunnels.is_empty() && config.accounts.is_empty() && config.warnings.is_empty());
    assert_eq!(config, parse(&[]).unwrap());
    let shown = "\
[daemon]
state_dir = \"/var/lib/adit\"
runtime_dir = \"/run/adit\"
apply = \"auto\"
sync_interval = \"1m\"

[control]
socket = \"/run/adit/adit.sock\"
socket_mode = \"0666\"

[metrics]
listen = \"127.0.0.1:9738\"
relay = true
relay_series_max = 1000

[hooks]
on_event = []
events = [\"*\"]
level = \"warn\"

[health]
interval = \"30s\"
outside_interval = \"1m\"
resolver = \"1.1.1.1:53\"

[cloudflared]
binary = \"cloudflared\"
extra_args = []
grace_period = \"30s\"
canary_period = \"30s\"
journal = \"off\"
edge_probe = [\"region1.v2.argotunnel.com:7844\", \"region2.v2.argotunnel.com:7844\"]

[cloudflared.env]

[accounts]

[access]
admin = [\"@adit-admin\"]
operator = [\"@adit-operator\"]
viewer = [\"@adit-viewer\"]
grant = []

[tunnels]
";
    assert_eq!(show(&config), shown);
}

#[test]
fn what_is_shown_reads_back_as_the_same_configuration() {
    let config = example();
    let again = parse(&[source("/etc/adit/adit.toml", &show(&config))]).unwrap();
    assert_eq!(Config { warnings: Vec::new(), ..again }, Config { warnings: Vec::new(), ..config });
}

#[test]
fn the_schema_takes_the_example_and_refuses_an_unknown_key() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let example: toml::Table = EXAMPLE.parse().unwrap();
    let example = serde_json::to_value(example).unwrap();
    let errors: Vec<String> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    for pointer in ["", "/daemon", "/accounts/default", "/access/grant/0", "/tunnels/web", "/tunnels/web/ingress/0/originRequest"]
    {
        let mut wrong = example.clone();
        wrong.pointer_mut(pointer).unwrap()["no_such_key"] = json!(1);
        assert!(!validator.is_valid(&wrong), "{pointer}");
    }
    for (pointer, bad) in [
        ("/tunnels/web/replicas", json!(26)),
        ("/tunnels/web/on_drift", json!("ignore")),
        ("/metrics/listen", json!(true)),
        ("/accounts/default/api_token", json!("the token itself")),
        ("/cloudflared/grace_period", json!(30)),
    ] {
        let mut wrong = example.clone();
        *wrong.pointer_mut(pointer).unwrap() = bad;
        assert!(!validator.is_valid(&wrong), "{pointer}");
    }
    assert!(jsonschema::meta::is_valid(&schema()));
}

#[test]
fn the_schema_takes_every_default() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let shown: toml::Table = show(&parse(&[]).unwrap()).parse().unwrap();
    assert!(validator.is_valid(&serde_json::to_value(shown).unwrap()));
}

#[test]
fn the_reference_has_a_row_for_every_key() {
    let reference = reference();
    for row in [
        "| `daemon.apply` | \"auto\", \"ask\" or \"observe\" | `\"auto\"` | ",
        "| `metrics.listen` | an address such as \"127.0.0.1:9738\" or \"unix:/run/adit/metrics.sock\" or false | ",
        "| `accounts.NAME.api_token` | a table | required | ",
        "| `tunnels.NAME.replicas` | an integer from 1 to 25 | `1` | Connectors on this host. |\n",
        "| `tunnels.NAME.ingress[].originRequest.access.audTag` | a list | required | ",
        "| `tunnels.NAME.health.origin.expect` | an integer from 100 to 599 | `200` | ",
    ] {
        assert!(reference.contains(row), "{row}\n{reference}");
    }
}
