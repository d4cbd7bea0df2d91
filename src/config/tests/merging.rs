//! Several files as one configuration, and all their mistakes at once.

use super::*;

#[test]
fn sections_are_joined_key_by_key_and_tables_by_name() {
    let config = parse_files(&[
        (
            "adit.toml",
            "[daemon]\nstate_dir = '/srv/adit'\n[cloudflared.env]\nA = '1'\n[[access.grant]]\nrole = 'viewer'\nwho = ['a']",
        ),
        ("conf.d/10.toml", "[daemon]\napply = 'ask'\n[cloudflared.env]\nB = '2'\n[[access.grant]]\nrole = 'viewer'\nwho = ['b']"),
        ("conf.d/20.toml", ACCOUNT),
        ("conf.d/30.toml", "[tunnels.web]"),
        ("conf.d/40.toml", "[tunnels.app]"),
    ])
    .unwrap();
    assert_eq!((config.daemon.state_dir, config.daemon.apply), ("/srv/adit".into(), ApplyMode::Ask));
    assert_eq!(config.cloudflared.env.keys().collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(config.access.grants.len(), 2);
    let origins: Vec<String> = config.tunnels.values().map(|tunnel| tunnel.origin.to_string()).collect();
    assert_eq!(origins, ["file:conf.d/40.toml", "file:conf.d/30.toml"]);
}

#[test]
fn what_is_given_in_two_files_names_both_places() {
    let problems = problems_of(parse_files(&[
        ("adit.toml", "[daemon]\napply = 'ask'\n[tunnels.web]\n[access]\nadmin = ['a']\n[cloudflared.env]\nA = '1'"),
        ("account.toml", ACCOUNT),
        ("conf.d/a.toml", "[daemon]\napply = 'ask'\n[access]\nadmin = ['b']\n[cloudflared.env]\nA = '2'"),
        ("conf.d/b.toml", "[tunnels.web]\nreplicas = 2\n[accounts.default]\napi_token = { env = 'T' }"),
    ]));
    let expected = "\
conf.d/a.toml:2: daemon.apply: cannot be given twice: it is also in adit.toml:2
conf.d/a.toml:4: access.admin: cannot be given twice: it is also in adit.toml:5
conf.d/a.toml:6: cloudflared.env.A: cannot be given twice: it is also in adit.toml:7
conf.d/b.toml:1: tunnels.web: cannot be given twice: it is also in adit.toml:3
conf.d/b.toml:3: accounts.default: cannot be given twice: it is also in account.toml:1";
    assert_eq!(problems, expected);
}

#[test]
fn what_stands_twice_in_one_file_names_the_first_line() {
    let text = "[tunnels.web]\nreplicas = 1\nreplicas = 2\n[tunnels.app]\n[tunnels.web] # again\non_drift = 'report'\n";
    let expected = "\
adit.toml:3: the key replicas stands here twice: it is also in line 2
adit.toml:5: the table [tunnels.web] stands here twice: it is also in line 1";
    assert_problems(text, expected);
}

#[test]
fn a_hostname_in_two_tunnels_names_both_places() {
    let problems = problems_of(parse_files(&[
        ("adit.toml", "[tunnels.web]\ningress = [{ hostname = 'app.example.com', service = 'http://localhost:1' }]"),
        ("account.toml", ACCOUNT),
        (
            "conf.d/a.toml",
            "[tunnels.app]\ningress = [\n{ hostname = 'APP.example.com', path = '/x', service = 'http://localhost:2' },\n]",
        ),
    ]));
    let expected = "conf.d/a.toml:3: tunnels.app.ingress[0]: the hostname \"app.example.com\" is also in tunnels.web.ingress[0] \
        (adit.toml:2): a hostname leads to one tunnel";
    assert_eq!(problems, expected);
}

#[test]
fn a_hostname_without_a_record_may_stand_in_a_second_tunnel_with_another_path() {
    let text = |path: &str| {
        format!(
            "[tunnels.a]\ningress = [{{ hostname = 'app.example.com', service = 'http://localhost:1' }}]\n\
             [tunnels.b]\ningress = [{{ hostname = 'app.example.com', {path} dns = false, service = 'http://localhost:2' }}]\n"
        )
    };
    assert_problems(&text("path = '/x',"), "");
    assert!(problems_of(parse_text(&text(""))).contains("is also in tunnels.a.ingress[0]"));
}

#[test]
fn a_private_network_or_hostname_has_one_place_in_one_tunnel() {
    assert_problems(
        "[tunnels.a]
private_networks = [{ network = '10.0.0.0/8' }, { network = '10.0.0.0/8', virtual_network = 'lab' }, { network = '10.0.0.0/8' }]
hostname_routes = ['wiki.internal.example']
[tunnels.b]
private_networks = [{ network = '10.20.0.0/16' }]
hostname_routes = ['WIKI.internal.example', 'wiki.internal', 'wiki']
",
        "\
adit.toml:2: tunnels.a.private_networks[2]: the network 10.0.0.0/8 in the default virtual network is also in \
tunnels.a.private_networks[0] (adit.toml:2): it has one tunnel
adit.toml:6: tunnels.b.hostname_routes[2]: cannot use \"wiki\": a hostname needs a dot, as in app.example.com",
    );
    assert_problems(
        "[tunnels.a]\nhostname_routes = ['wiki.internal.example']\n[tunnels.b]\nhostname_routes = ['WIKI.internal.example']\n",
        "adit.toml:4: tunnels.b.hostname_routes[0]: the private hostname \"wiki.internal.example\" is also in \
tunnels.a.hostname_routes[0] (adit.toml:2): it has one tunnel",
    );
}

#[test]
fn networks_pools_and_old_names_have_one_tunnel() {
    let expected = "\
adit.toml:7: tunnels.b.private_networks[1]: the network 10.0.0.0/8 in the default virtual network is also in \
tunnels.a.private_networks[0] (adit.toml:2): it has one tunnel
adit.toml:8: tunnels.b.load_balancer: the pool \"p\" is also in tunnels.a.load_balancer (adit.toml:3): it has one tunnel
adit.toml:10: tunnels.b.renamed_from: cannot use \"old\": it is also in tunnels.a.renamed_from (adit.toml:5)
adit.toml:12: tunnels.c.renamed_from: cannot use \"a\": there is still a tunnel of this name in adit.toml:1";
    assert_problems(
        "[tunnels.a]
private_networks = [{ network = '10.0.0.0/8' }]
load_balancer = { hostname = 'www.example.com', pool = 'p' }
ingress = [{ hostname = 'www.example.com', service = 'http://localhost:1' }]
renamed_from = 'old'
[tunnels.b]
private_networks = [{ network = '10.0.0.0/8', virtual_network = 'lab' }, { network = '10.0.0.0/8' }]
load_balancer = { hostname = 'www.example.com', pool = 'p' }
ingress = [{ hostname = 'www.example.com', service = 'http://localhost:1' }]
renamed_from = 'old'
[tunnels.c]
renamed_from = 'a'
",
        expected,
    );
}

#[test]
fn every_mistake_is_reported_at_once_in_order_of_file_and_line() {
    let problems = problems_of(parse_files(&[
        (
            "/etc/adit/adit.toml",
            "\
[daemon]
state_dri = '/srv'
apply = 'atuo'
[control]
socket = 'adit.sock'
socket_mode = 0o666
[metrics]
listen = 'localhost:9738'
[account.default]
[accounts.default]
budget = '5/s'
api_base = 'http://api.example.com'
[tunnels.web]
account = 'defualt'
replicas = 0
ingress = [
  { hostname = 'app', service = 'http://localhost:8080/' },
  { hostnme = 'b.example.com', service = 'localhost:1' },
  { hostname = 'c.example.com', path = '(', service = 'bastion' },
]
[tunnels.Web]
",
        ),
        ("/etc/adit/conf.d/a.toml", "[tunnels.app]\nprotocol = true\nhealth = { origin = 1 }\n"),
    ]));
    let expected = "\
/etc/adit/adit.toml:2: daemon.state_dri: unknown key \"state_dri\" (did you mean \"state_dir\"?)
/etc/adit/adit.toml:3: daemon.apply: cannot use \"atuo\": it must be \"auto\", \"ask\" or \"observe\" (did you mean \"auto\"?)
/etc/adit/adit.toml:5: control.socket: cannot use \"adit.sock\": a path must be absolute, so that it starts with /
/etc/adit/adit.toml:6: control.socket_mode: expected an octal mode such as \"0666\", found an integer
/etc/adit/adit.toml:8: metrics.listen: cannot use \"localhost:9738\": it must be an address with a port, as in 127.0.0.1:9738 or \
[::1]:9738, or unix: with a path; false turns metrics off
/etc/adit/adit.toml:9: account: unknown key \"account\" (did you mean \"accounts\"?)
/etc/adit/adit.toml:10: accounts.default: the key \"api_token\" is missing: a table
/etc/adit/adit.toml:11: accounts.default.budget: cannot use \"5/s\": Cloudflare allows 4 requests a second (1,200 in 5 minutes), all \
of a user's tokens together
/etc/adit/adit.toml:12: accounts.default.api_base: cannot use \"http://api.example.com\": http would send the token in clear: only a \
loopback address may be asked without TLS
/etc/adit/adit.toml:14: tunnels.web.account: cannot use \"defualt\": there is no table [accounts.defualt] (did you mean \"default\"?)
/etc/adit/adit.toml:15: tunnels.web.replicas: cannot use 0: it must be from 1 to 25
/etc/adit/adit.toml:17: tunnels.web.ingress[0].hostname: cannot use \"app\": a hostname needs a dot, as in app.example.com
/etc/adit/adit.toml:17: tunnels.web.ingress[0].service: cannot use \"http://localhost:8080/\": a service must not have a path (not \
even a final /): the origin gets the path of the request
/etc/adit/adit.toml:18: tunnels.web.ingress[1].hostnme: unknown key \"hostnme\" (did you mean \"hostname\"?)
/etc/adit/adit.toml:18: tunnels.web.ingress[1].service: cannot use \"localhost:1\": a service needs a scheme and a host, as in \
http://localhost:1
/etc/adit/adit.toml:19: tunnels.web.ingress[2].path: cannot use \"(\": it must be a regular expression (unclosed group)
/etc/adit/adit.toml:21: tunnels.Web: cannot use \"Web\" as a tunnel's name: a name is 1 to 40 of a-z, 0-9 and -, and does not start with -
/etc/adit/conf.d/a.toml:2: tunnels.app.protocol: expected \"auto\", \"quic\" or \"http2\", found true
/etc/adit/conf.d/a.toml:3: tunnels.app.health.origin: expected \"tcp\" or \"off\" or a table, found an integer";
    assert_eq!(problems, expected);
}

#[test]
fn syntax_errors_stand_beside_the_other_mistakes_but_not_beside_their_consequences() {
    let text = "\
[accounts.default
api_token = { env = 'T' }
[tunnels.web]
account = 'default'
replicas = 26
health = { origin = tcp }
ingress = [
  { hostname = 'a.example.com' service = 'http://localhost:1' },
]
";
    let expected = "\
adit.toml:1: cannot read as TOML: unclosed table, expected `]`
adit.toml:5: tunnels.web.replicas: cannot use 26: it must be from 1 to 25
adit.toml:6: cannot read as TOML: a string must stand in quotes, and a boolean is true or false
adit.toml:8: cannot read as TOML: missing comma between key-value pairs, expected `,`";
    assert_eq!(problems_of(parse_files(&[("adit.toml", text)])), expected);
}

#[test]
fn a_problem_knows_line_column_key_and_help() {
    let problems = parse_text("# ü\n[daemon]\n\"ünknown\" = 1\n  aply = 'ask'\n").unwrap_err().0;
    let found: Vec<_> =
        problems.iter().map(|problem| (problem.line, problem.column, problem.key.as_str(), problem.help.as_deref())).collect();
    let known = Some("known here: state_dir, runtime_dir, apply, sync_interval");
    assert_eq!(found, [(3, 1, "daemon.\"ünknown\"", known), (4, 3, "daemon.aply", Some("did you mean \"apply\"?"))]);
    assert!(problems.iter().all(|problem| problem.severity == Severity::Error && problem.path.as_os_str() == "adit.toml"));
}

#[test]
fn no_file_has_more_problems_than_can_be_read() {
    let text: String = (0..5_000).map(|number| format!("key{number} = 1\n")).collect();
    let problems = parse_text(&text).unwrap_err().0;
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100].message, "4900 more problems are not shown");
}
