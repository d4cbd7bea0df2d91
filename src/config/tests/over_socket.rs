//! Tunnels that are made over the control socket.

use serde_json::json;

use super::*;

fn config() -> Config {
    let mut config = parse_text(
        "[metrics]\nlisten = '127.0.0.1:9100'\n\
         [tunnels.web]\ningress = [{ hostname = 'app.example.com', service = 'http://localhost:1' }]\n",
    )
    .unwrap();
    let made = made(&config, "made", json!({ "ingress": [{ "hostname": "made.example.com", "service": "http://localhost:2" }] }));
    let made = made.unwrap();
    config.tunnels.insert(made.name.clone(), made);
    config
}

fn made(config: &Config, name: &str, definition: serde_json::Value) -> Result<Tunnel, Problems> {
    let name = name.parse().unwrap();
    let text = tunnel_toml(&name, definition.as_object().unwrap()).unwrap();
    parse_tunnel(&source("made.toml", &text), &name, config)
}

#[test]
fn a_tunnel_made_over_the_socket_is_as_one_of_the_files() {
    let tunnel =
        made(&config(), "new", json!({ "ingress": [{ "hostname": "new.example.com", "service": "http://localhost:3" }] }))
            .unwrap();
    assert_eq!(tunnel.origin, Origin::Api);
    assert_eq!(tunnel.account.as_str(), "default");
    assert_eq!(tunnel.public_hostnames()[0].as_str(), "new.example.com");
}

#[test]
fn a_tunnel_as_json_is_the_definition_that_makes_it() {
    let config = config();
    let tunnel = &config.tunnels[&"made".parse().unwrap()];
    let again = made(&config, "made", serde_json::to_value(tunnel).unwrap()).unwrap();
    assert_eq!(&again, tunnel);
}

#[test]
fn a_tunnel_made_over_the_socket_can_be_replaced_but_not_one_of_the_files() {
    let config = config();
    assert!(made(&config, "made", json!({ "replicas": 3 })).is_ok());
    let problems = problems_of(made(&config, "web", json!({ "replicas": 3 })));
    assert_eq!(problems, "made.toml:1: tunnels.web: there is already a tunnel \"web\" in adit.toml");
}

#[test]
fn hostnames_of_other_tunnels_are_refused_with_their_place() {
    for (hostname, at) in
        [("app.example.com", "tunnels.web.ingress[0] (file:adit.toml)"), ("made.example.com", "tunnels.made.ingress[0] (api)")]
    {
        let definition = json!({ "ingress": [{ "hostname": hostname, "service": "http://localhost:3" }] });
        let expected = format!(
            "made.toml:1: tunnels.new.ingress[0]: the hostname {hostname:?} is also in {at}: a hostname leads to one tunnel"
        );
        assert_eq!(problems_of(made(&config(), "new", definition)), expected);
    }
}

#[test]
fn networks_pools_and_names_of_other_tunnels_are_refused() {
    let mut config = config();
    let balanced = made(
        &config,
        "balanced",
        json!({
            "ingress": [{ "hostname": "www.example.com", "service": "http://localhost:3" }],
            "load_balancer": { "hostname": "www.example.com", "pool": "p" },
        }),
    );
    let web = config.tunnels.get_mut(&"web".parse().unwrap()).unwrap();
    web.load_balancer = balanced.unwrap().load_balancer;
    web.private_networks = vec![PrivateNetwork { network: "10.0.0.0/8".parse().unwrap(), virtual_network: None }];
    let definition = json!({
        "renamed_from": "made",
        "ingress": [{ "hostname": "www.example.com", "service": "http://localhost:3" }],
        "private_networks": [{ "network": "10.0.0.0/8" }, { "network": "10.0.0.0/8", "virtual_network": "lab" }],
        "load_balancer": { "hostname": "www.example.com", "pool": "p" },
    });
    let expected = "\
made.toml:2: tunnels.new.renamed_from: cannot use \"made\": there is still a tunnel of this name (api)
made.toml:8: tunnels.new.load_balancer: the pool \"p\" is also in tunnels.web.load_balancer (file:adit.toml): it has one tunnel
made.toml:12: tunnels.new.private_networks[0]: the network 10.0.0.0/8 in the default virtual network is also in \
tunnels.web.private_networks[0] (file:adit.toml): it has one tunnel";
    assert_eq!(problems_of(made(&config, "new", definition)), expected);
}

#[test]
fn the_same_rules_hold_as_for_files() {
    let definition = json!({
        "account": "none", "replica": 1,
        "ingress": [{ "service": "http://localhost:9100" }, { "service": "unix:/run/adit/x" }, { "hostname": "a", "service": "x" }],
    });
    let expected = "\
made.toml:1: tunnels.new.replica: unknown key \"replica\" (did you mean \"replicas\"?)
made.toml:2: tunnels.new.account: cannot use \"none\": there is no table [accounts.none]";
    let problems = problems_of(made(&config(), "new", definition));
    assert!(
        problems.contains("cannot publish \"http://localhost:9100\": 127.0.0.1:9100 is Adit's own metrics listener"),
        "{problems}"
    );
    assert!(problems.contains("cannot publish \"unix:/run/adit/x\""), "{problems}");
    assert!(problems.contains("tunnels.new.ingress[2].hostname: cannot use \"a\""), "{problems}");
    let keys: Vec<&str> = expected.lines().map(|line| line.split_once(": ").unwrap().1).collect();
    assert!(keys.iter().all(|line| problems.contains(line)), "{problems}");
}

#[test]
fn nothing_else_may_stand_in_a_tunnels_file() {
    let parse = |text| problems_of(parse_tunnel(&source("new.toml", text), &"new".parse().unwrap(), &config()));
    assert_eq!(parse("[tunnels.new]"), "");
    assert_eq!(parse(""), "new.toml:1: the table [tunnels.new] is missing or has no valid name");
    assert_eq!(parse("[tunnels.new]\n[tunnels.b]"), "new.toml:2: tunnels.b: only the table [tunnels.new] may stand here");
    let unknown = "new.toml:1: access: unknown key \"access\" (known here: tunnels)";
    assert_eq!(parse("[access]\nadmin = ['eve']\n[tunnels.new]"), unknown);
    assert_eq!(parse("[tunnels.new"), "new.toml:1: cannot read as TOML: unclosed table, expected `]`");
}

#[test]
fn a_definition_leaves_out_what_would_be_so_anyway_and_says_the_same() {
    let config = config();
    let rule = json!({ "hostname": "new.example.com", "service": "http://localhost:3" });
    for given in [
        json!({ "account": "default", "replicas": 1, "ingress": [rule] }),
        json!({ "account": "default", "replicas": 2, "ingress": [rule], "protocol": "http2", "on_drift": "report" }),
    ] {
        let tunnel = made(&config, "new", given.clone()).unwrap();
        assert_eq!(tunnel.definition(), given);
        assert_eq!(made(&config, "new", tunnel.definition()).unwrap(), tunnel);
    }
}
