//! What each section takes and refuses.

use std::time::Duration;

use super::*;

/// Asserts that every value of `key` in `section` is taken, or refused with this text.
#[track_caller]
fn assert_values(section: &str, key: &str, good: &[&str], bad: &[(&str, &str)]) {
    for value in good {
        assert_problems(&format!("[{section}]\n{key} = {value}\n"), "");
    }
    for (value, problem) in bad {
        assert_problems(&format!("[{section}]\n{key} = {value}\n"), &format!("adit.toml:2: {section}.{key}{problem}"));
    }
}

#[test]
fn folders_are_absolute_and_two() {
    assert_values(
        "daemon",
        "state_dir",
        &["'/srv/adit'"],
        &[("'~/adit'", ": cannot use \"~/adit\": a path must be absolute, so that it starts with /")],
    );
    let overlap = "adit.toml:1: daemon: state_dir and runtime_dir must be two folders, neither inside the other: one lasts, the other \
        is emptied at boot";
    assert_problems("[daemon]\nstate_dir = '/run/adit/state'", overlap);
    assert_problems("[daemon]\nstate_dir = '/a'\nruntime_dir = '/a'", overlap);
}

#[test]
fn the_socket_follows_the_runtime_folder() {
    let config = parse_text("[daemon]\nruntime_dir = '/srv/run'").unwrap();
    assert_eq!(config.control.socket, PathBuf::from("/srv/run/adit.sock"));
    let config = parse_text("[daemon]\nruntime_dir = '/srv/run'\n[control]\nsocket = '/srv/a.sock'").unwrap();
    assert_eq!(config.control.socket, PathBuf::from("/srv/a.sock"));
}

#[test]
fn a_mode_is_octal() {
    let rule = |value| format!(": cannot use {value:?}: a mode is three octal digits, as in 0666");
    assert_values(
        "control",
        "socket_mode",
        &["'0660'", "'666'", "'0000'"],
        &[
            ("'0888'", &rule("0888")),
            ("'66'", &rule("66")),
            ("'04755'", &rule("04755")),
            ("'rw-rw-rw-'", &rule("rw-rw-rw-")),
            ("0o666", ": expected an octal mode such as \"0666\", found an integer"),
        ],
    );
    assert_eq!(parse_text("[control]\nsocket_mode = '0660'").unwrap().control.socket_mode, 0o660);
}

#[test]
fn metrics_listen_on_tcp_on_a_socket_or_nowhere() {
    for (value, listen) in [
        ("false", MetricsListen::Off),
        ("'[::1]:1'", MetricsListen::Tcp("[::1]:1".parse().unwrap())),
        ("'unix:/run/m.sock'", MetricsListen::Unix("/run/m.sock".into())),
    ] {
        assert_eq!(parse_text(&format!("[metrics]\nlisten = {value}")).unwrap().metrics.listen, listen);
    }
    let expected = ": expected an address such as \"127.0.0.1:9738\" or \"unix:/run/adit/metrics.sock\" or false, found ";
    assert_values(
        "metrics",
        "listen",
        &[],
        &[
            ("true", &format!("{expected}true")),
            ("9738", &format!("{expected}an integer")),
            ("'unix:m.sock'", ": cannot use \"unix:m.sock\": a path must be absolute, so that it starts with /"),
        ],
    );
}

#[test]
fn the_grace_period_is_cloudflareds() {
    assert_values(
        "cloudflared",
        "grace_period",
        &["'1s'", "'3m'", "'500ms'"],
        &[
            ("'3m1s'", ": cannot use \"3m1s\": cloudflared takes at most 3m"),
            ("'0s'", ": cannot use \"0s\": with 0 cloudflared cuts every open request at once"),
            ("'30'", ": cannot use \"30\": a duration needs a unit, as in 30s"),
            ("30", ": expected a duration such as \"30s\", \"1m30s\" or \"500ms\", found an integer"),
        ],
    );
    assert_eq!(parse_text("[cloudflared]\ngrace_period = '2m'").unwrap().cloudflared.grace_period, Duration::from_secs(120));
}

#[test]
fn the_canary_period_is_neither_nothing_nor_for_ever() {
    assert_values(
        "cloudflared",
        "canary_period",
        &["'500ms'", "'1h'"],
        &[
            ("'0s'", ": cannot use \"0s\": a connector that is never watched shows nothing"),
            ("'2h'", ": cannot use \"2h\": it is at most 1h"),
        ],
    );
}

#[test]
fn the_binary_is_a_name_or_an_absolute_path() {
    assert_values(
        "cloudflared",
        "binary",
        &["'cloudflared'", "'/opt/cloudflared'"],
        &[
            ("'bin/cloudflared'", ": cannot use \"bin/cloudflared\": a path must be absolute, so that it starts with /"),
            ("''", ": cannot use \"\": it must be a program's name or absolute path"),
        ],
    );
}

#[test]
fn flags_that_adit_gives_are_refused() {
    for good in [
        "['--edge', '127.0.0.1:1234']",
        "['--edge=127.0.0.1:1234', '--no-prechecks', '--label', 'x']",
        "['--loglevel', 'debug', '--edge-ip-version', '4']",
        "['--post-quantum']",
    ] {
        assert_values("cloudflared", "extra_args", &[good], &[]);
    }
    let ours = "Adit gives this flag itself";
    for (argument, reason) in [
        ("--config", ours),
        ("--metrics=127.0.0.1:1", ours),
        ("-metrics", ours),
        ("--logfile", ours),
        ("--grace-period", "write it as cloudflared.grace_period"),
        ("--protocol", "write it as the tunnel's protocol"),
        ("-p", "write it as the tunnel's protocol"),
        ("--no-autoupdate", "Adit replaces the binary itself and forbids cloudflared to"),
        ("--token", "Adit gives each connector the secret of its tunnel, and no secret may stand in a command line"),
        ("--token-file=/x", "Adit gives each connector the secret of its tunnel, and no secret may stand in a command line"),
        ("--url", "what a tunnel serves is written as its ingress"),
        ("--features", "cloudflared takes this flag only behind `run`, and extra_args stand before it"),
        ("run", "extra_args are flags and their values; cloudflared would take this for a command"),
        ("--", "extra_args are flags and their values"),
    ] {
        let problem = format!("[0]: cannot use {argument:?}: {reason}");
        assert_values("cloudflared", "extra_args", &[], &[(&format!("['{argument}']"), &problem)]);
    }
    let second = "[1]: cannot use \"run\": extra_args are flags and their values; cloudflared would take this for a command";
    assert_values("cloudflared", "extra_args", &[], &[("['--edge=1.2.3.4:5', 'run']", second)]);
}

#[test]
fn variables_that_are_adits_or_secret_are_refused() {
    assert_values("cloudflared", "env", &["{ ADIT_SANDBOX_SWITCHBOARD = '/path', GOMEMLIMIT = '64MiB' }"], &[]);
    let own = "Adit gives each connector its own";
    let secret = "a secret must not stand in an environment, where other processes can read it and cloudflared logs it";
    for (name, reason) in [
        ("NOTIFY_SOCKET", own),
        ("LISTEN_FDS", own),
        ("LISTEN_PID", own),
        ("WATCHDOG_USEC", own),
        ("TUNNEL_TOKEN", secret),
        ("TUNNEL_TOKEN_FILE", secret),
        ("TUNNEL_CRED_CONTENTS", secret),
        ("TUNNEL_CRED_FILE", secret),
        ("TUNNEL_METRICS", "Adit gives the flag of the same meaning itself"),
        ("TUNNEL_TRANSPORT_PROTOCOL", "write it as the tunnel's protocol"),
        ("1A", "the name of an environment variable is made of letters, digits and _, and does not start with a digit"),
    ] {
        let problem = format!("adit.toml:2: cloudflared.env.{name}: cannot set {name:?}: {reason}");
        assert_problems(&format!("[cloudflared]\nenv = {{ {name} = 'x' }}"), &problem);
    }
}

#[test]
fn the_edge_probe_is_a_list_of_hosts_with_ports() {
    let rule = |value| format!("[0]: cannot use {value:?}: it must be HOST:PORT, as in region1.v2.argotunnel.com:7844");
    assert_values(
        "cloudflared",
        "edge_probe",
        &["[]", "['127.0.0.1:7844', '[::1]:1', 'a.example:2']"],
        &[("['a']", &rule("a")), ("['a:0']", &rule("a:0")), ("[':1']", &rule(":1"))],
    );
}

#[test]
fn an_account_says_where_its_token_comes_from() {
    for (token, source) in [
        ("{ credential = 'token' }", TokenSource::Credential("token".to_owned())),
        ("{ file = '/etc/token' }", TokenSource::File("/etc/token".into())),
        ("{ command = ['vault', 'get'] }", TokenSource::Command(vec!["vault".to_owned(), "get".to_owned()])),
        ("{ env = 'CLOUDFLARE_API_TOKEN' }", TokenSource::Env("CLOUDFLARE_API_TOKEN".to_owned())),
    ] {
        let config = parse_files(&[("adit.toml", &format!("[accounts.a]\napi_token = {token}"))]).unwrap();
        assert_eq!(config.accounts[&"a".parse().unwrap()].api_token, source);
    }
    let one = ": exactly one of credential, file, command and env must say where the token comes from";
    assert_values(
        "accounts.a",
        "api_token",
        &[],
        &[
            ("{}", one),
            ("{ file = '/a', env = 'B' }", one),
            ("'secret'", ": expected a table, found a string"),
            ("{ command = [] }", ": command needs at least the program, as in [\"vault\", \"kv\", \"get\"]"),
            ("{ file = 'token' }", ".file: cannot use \"token\": a path must be absolute, so that it starts with /"),
            (
                "{ credential = '../x' }",
                ".credential: cannot use \"../x\": a systemd credential has a file's name: no /, no : and no space",
            ),
            ("{ env = 'A B' }", ".env: cannot use \"A B\": it must be the name of an environment variable"),
        ],
    );
}

#[test]
fn a_budget_is_a_rate_within_cloudflares_limit() {
    for (text, per_second) in [("3/s", 3.0), ("4/s", 4.0), ("180/m", 3.0), ("0.5/s", 0.5), ("30/m", 0.5)] {
        let text = format!("[accounts.a]\napi_token = {{ env = 'T' }}\nbudget = '{text}'");
        let config = parse_files(&[("adit.toml", &text)]).unwrap();
        assert_eq!(config.accounts[&"a".parse().unwrap()].budget.per_second(), per_second);
    }
    let local = "[accounts.a]\napi_token = { env = 'T' }\nbudget = '500/s'\napi_base = 'http://127.0.0.1:1/v4'";
    let config = parse_files(&[("adit.toml", local)]).unwrap();
    assert_eq!(config.accounts[&"a".parse().unwrap()].budget.per_second(), 500.0, "what is not Cloudflare has no such limit");
    for (text, reason) in [
        ("4.1/s", "Cloudflare allows 4 requests a second (1,200 in 5 minutes), all of a user's tokens together"),
        ("0/s", "with no request at all nothing could ever be provisioned"),
        ("3", "a budget is a rate such as 3/s or 180/m"),
        ("3/h", "a budget is a rate such as 3/s or 180/m"),
        ("-1/s", "a budget is a rate such as 3/s or 180/m"),
        ("inf/s", "a budget is a rate such as 3/s or 180/m"),
        ("1.2.3/s", "a budget is a rate such as 3/s or 180/m"),
    ] {
        let problem = format!("adit.toml:3: accounts.a.budget: cannot use {text:?}: {reason}");
        assert_problems(&format!("[accounts.a]\napi_token = {{ env = 'T' }}\nbudget = '{text}'"), &problem);
    }
}

#[test]
fn the_api_is_asked_without_tls_only_on_loopback() {
    let problems =
        |base: &str| problems_of(parse_text(&format!("[accounts.a]\napi_token = {{ env = 'T' }}\napi_base = '{base}'")));
    for good in ["https://api.example.com/client/v4", "http://127.0.0.1:8080/client/v4", "http://localhost:1", "http://[::1]:1/"]
    {
        assert_eq!(problems(good), "", "{good}");
    }
    for (bad, reason) in [
        ("http://10.0.0.1", "http would send the token in clear: only a loopback address may be asked without TLS"),
        ("http://localhost.example.com", "http would send the token in clear: only a loopback address may be asked without TLS"),
        ("ftp://localhost", "only https can be used"),
        ("https://u:p@a.example", "no user name or password may stand in it"),
        ("https://a.example/?x", "it must end with the path, without ? and #"),
        ("api.example.com", "it is no URL (relative URL without a base)"),
    ] {
        let expected = format!("adit.toml:3: accounts.a.api_base: cannot use {bad:?}: {reason}");
        assert_eq!(problems(bad), expected);
    }
}

#[test]
fn an_account_id_is_32_hexadecimal_digits() {
    let rule = "an account id is 32 hexadecimal digits (the dashboard shows it in its address)";
    for bad in ["", "0123", "0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcdeg"] {
        let problem = format!("adit.toml:3: accounts.a.account_id: cannot use {bad:?}: {rule}");
        assert_problems(&format!("[accounts.a]\napi_token = {{ env = 'T' }}\naccount_id = '{bad}'"), &problem);
    }
}

#[test]
fn a_tunnel_finds_its_account() {
    let tunnel = "[tunnels.web]\n";
    let account = |name: &str| format!("[accounts.{name}]\napi_token = {{ env = 'T' }}\n");
    let problems = |text: &str| problems_of(parse_files(&[("adit.toml", text)]));
    assert_eq!(problems(&format!("{tunnel}{}", account("a"))), "");
    let none = "adit.toml:1: tunnels.web: a tunnel needs an account: add a table such as [accounts.default]";
    assert_eq!(problems(tunnel), none);
    let several = "adit.toml:1: tunnels.web: the key \"account\" is missing: there are several accounts (a, b)";
    assert_eq!(problems(&format!("{tunnel}{}{}", account("a"), account("b"))), several);
    let other = "adit.toml:2: tunnels.web.account: cannot use \"c\": there is no table [accounts.c]";
    assert_eq!(problems(&format!("{tunnel}account = 'c'\n{}", account("a"))), other);
}

#[test]
fn networks_are_written_as_networks() {
    for (network, problem) in [
        ("10.20.0.5/16", "the address has bits behind the prefix; the network is 10.20.0.0/16"),
        ("10.20.0.0", "a network is an address with a prefix length, as in 10.20.0.0/16"),
        ("10.20.0.0/33", "a network is an address with a prefix length, as in 10.20.0.0/16"),
    ] {
        let expected = format!("adit.toml:2: tunnels.web.private_networks[0].network: cannot use {network:?}: {problem}");
        assert_problems(&format!("[tunnels.web]\nprivate_networks = [{{ network = '{network}' }}]"), &expected);
    }
    let tunnel = parse_body("private_networks = [{ network = 'fd00::/8' }, { network = '10.0.0.1/32' }]").unwrap();
    assert_eq!(tunnel.private_networks.len(), 2);
}

#[test]
fn origins_are_watched_by_tcp_by_http_or_not_at_all() {
    let http = |path: &str, expect| HttpCheck { path: path.to_owned(), expect };
    for (health, expected) in [
        ("{}", OriginHealth::Tcp),
        ("{ origin = 'tcp' }", OriginHealth::Tcp),
        ("{ origin = 'off' }", OriginHealth::Off),
        ("{ origin = { http = '/healthz', expect = 204 } }", OriginHealth::Http(http("/healthz", 204))),
        ("{ origin = { http = '/' } }", OriginHealth::Http(http("/", 200))),
    ] {
        let health = parse_body(&format!("health = {health}")).unwrap().health;
        assert_eq!(health, RouteHealth { origin: expected, outside: OutsideHealth::Off });
    }
    for (outside, expected) in [
        ("'off'", OutsideHealth::Off),
        ("'on'", OutsideHealth::On),
        ("{ http = '/healthz' }", OutsideHealth::Http(http("/healthz", 200))),
    ] {
        let health = parse_body(&format!("health = {{ outside = {outside} }}")).unwrap().health;
        assert_eq!(health, RouteHealth { origin: OriginHealth::Tcp, outside: expected });
    }
    for (path, problem) in [
        ("healthz", "the path of a request starts with /"),
        ("/a b", "it is sent as it stands, so it has no space, no # and no control character"),
    ] {
        let expected = format!("adit.toml:2: tunnels.web.health.origin.http: cannot use {path:?}: {problem}");
        assert_problems(&format!("[tunnels.web]\nhealth = {{ origin = {{ http = '{path}' }} }}"), &expected);
    }
}

#[test]
fn where_checks_come_from_and_how_often_is_said_once() {
    let checks = |body: &str| parse_text(&format!("[health]\n{body}\n")).unwrap().health;
    let by_default = checks("");
    assert_eq!((by_default.interval.as_secs(), by_default.outside_interval.as_secs()), (30, 60));
    assert_eq!((by_default.resolver.to_string().as_str(), by_default.front), ("1.1.1.1:53", None));
    let front = checks("front = 'http://127.0.0.1:8080'").front;
    assert_eq!(front.map(|front| front.to_string()).as_deref(), Some("127.0.0.1:8080"));
    const FRONT: &str = "it must be http:// with a loopback address and a port, as in http://127.0.0.1:8080";
    const RESOLVER: &str = "it must be an address with a port, as in 1.1.1.1:53 or [2606:4700:4700::1111]:53";
    for (key, value, problem) in [
        ("interval", "500ms", "it must be between 1s and 1h"),
        ("outside_interval", "2h", "it must be between 1s and 1h"),
        ("resolver", "dns.example.com:53", RESOLVER),
        ("resolver", "1.1.1.1", RESOLVER),
        ("front", "https://127.0.0.1:1", FRONT),
        ("front", "http://192.0.2.1:80", FRONT),
        ("front", "http://localhost:80", FRONT),
        ("front", "http://127.0.0.1:80/a", FRONT),
    ] {
        let expected = format!("adit.toml:2: health.{key}: cannot use {value:?}: {problem}");
        assert_problems(&format!("[health]\n{key} = '{value}'"), &expected);
    }
}

#[test]
fn a_grant_says_who_may_do_what_and_where() {
    let grant = |body: &str| format!("[[access.grant]]\n{body}\n");
    assert_problems(&grant("role = 'viewer'\nwho = ['alice', '@1000']\naccounts = ['default']"), "");
    for (body, problem) in [
        (
            "role = 'editor'\nwho = ['@web']\ntunnels = ['web-*']",
            "adit.toml:1: access.grant[0]: an editor's grant must say what it holds for: accounts, hostnames, origins is missing \
             (accounts are named, in the others [\"*\"] stands for everything)",
        ),
        (
            "role = 'admin'\nwho = ['a']",
            "adit.toml:2: access.grant[0].role: cannot use \"admin\": it must be \"viewer\", \"operator\" or \"editor\"",
        ),
        ("role = 'viewer'\nwho = []", "adit.toml:1: access.grant[0]: who must name somebody"),
        (
            "role = 'viewer'\nwho = ['a']\naccounts = ['other']",
            "adit.toml:4: access.grant[0].accounts[0]: cannot use \"other\": there is no table [accounts.other]",
        ),
        (
            "role = 'viewer'\nwho = ['a']\ntunnels = ['']",
            "adit.toml:4: access.grant[0].tunnels[0]: cannot use \"\": a pattern must not be empty; * stands for everything",
        ),
        (
            "role = 'viewer'\nwho = ['a b']",
            "adit.toml:3: access.grant[0].who[0]: cannot use \"a b\": it must be a Unix user, as in alice, or a group, as in @web-team, \
             by name or by number",
        ),
    ] {
        assert_problems(&grant(body), problem);
    }
}
