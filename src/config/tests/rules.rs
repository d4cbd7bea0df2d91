//! Ingress rules: what cloudflared would refuse, and rules that can never match.

use super::*;

/// Asserts that a tunnel with these rules (one a line, from line 3) has exactly these problems.
#[track_caller]
fn assert_rules(rules: &[&str], expected: &str) {
    assert_problems(&format!("[tunnels.web]\ningress = [\n{},\n]\n", rules.join(",\n")), expected);
}

#[test]
fn a_rule_that_can_never_match_names_the_one_that_hides_it() {
    for (first, second, seen, hiding) in [
        ("hostname = 'a.example.com'", "hostname = 'a.example.com'", "a.example.com", "a.example.com"),
        (
            "hostname = 'a.example.com'",
            "hostname = 'A.example.com', path = '/x'",
            "a.example.com with path \"/x\"",
            "a.example.com",
        ),
        ("hostname = '*.example.com'", "hostname = 'a.b.example.com'", "a.b.example.com", "*.example.com"),
        ("hostname = '*.example.com'", "hostname = '*.b.example.com'", "*.b.example.com", "*.example.com"),
        ("path = '/x'", "hostname = 'a.example.com', path = '/x'", "a.example.com with path \"/x\"", "path \"/x\""),
        (
            "hostname = 'a.example.com', path = '^/'",
            "hostname = 'a.example.com'",
            "a.example.com",
            "a.example.com with path \"^/\"",
        ),
        ("hostname = '*'", "hostname = 'a.example.com'", "a.example.com", "everything"),
        ("path = '.*'", "dns = false", "everything", "path \".*\""),
    ] {
        let expected = format!(
            "adit.toml:4: tunnels.web.ingress[1]: this rule ({seen}) can never match: tunnels.web.ingress[0] ({hiding}) in adit.toml:3 \
             comes first and takes all of it"
        );
        assert_rules(
            &[&format!("{{ {first}, service = 'bastion' }}"), &format!("{{ {second}, service = 'bastion' }}")],
            &expected,
        );
    }
}

#[test]
fn rules_that_only_overlap_are_fine() {
    for (first, second) in [
        ("hostname = 'a.example.com'", "hostname = '*.example.com'"),
        ("hostname = 'a.example.com', path = '/x'", "hostname = 'a.example.com'"),
        ("hostname = 'a.example.com', path = '/x'", "hostname = 'a.example.com', path = '/y'"),
        ("hostname = '*.example.com'", "hostname = 'example.com'"),
        ("hostname = '*.b.example.com'", "hostname = '*.example.com'"),
        ("hostname = '*.example.com'", "hostname = 'notexample.com'"),
        ("path = '/x'", "hostname = 'a.example.com'"),
        ("hostname = 'a.example.com'", "hostname = '*'"),
    ] {
        assert_rules(&[&format!("{{ {first}, service = 'bastion' }}"), &format!("{{ {second}, service = 'bastion' }}")], "");
    }
}

#[test]
fn every_part_of_a_rule_is_judged() {
    for (rule, expected) in [
        (
            "{ hostname = 'a.example.com:80', service = 'bastion' }",
            "hostname: cannot use \"a.example.com:80\": a hostname must not contain a port",
        ),
        (
            "{ hostname = 'https://a.example.com', service = 'bastion' }",
            "hostname: cannot use \"https://a.example.com\": a hostname must not contain a path or a scheme",
        ),
        (
            "{ hostname = 'a.*.example.com', service = 'bastion' }",
            "hostname: cannot use \"a.*.example.com\": a wildcard must be the whole first label, as in *.example.com",
        ),
        ("{ dns = true, service = 'bastion' }", "dns: a rule without a hostname has no DNS record"),
        (
            "{ service = 'bastion', originRequest = { noTlsVerify = true } }",
            "originRequest.noTlsVerify: unknown key \"noTlsVerify\" (did you mean \"noTLSVerify\"?)",
        ),
        (
            "{ service = 'bastion', originRequest = { connectTimeout = '500ms' } }",
            "originRequest.connectTimeout: cannot use \"500ms\": cloudflared takes whole seconds here",
        ),
        (
            "{ service = 'bastion', originRequest = { connectTimeout = 1.5 } }",
            "originRequest.connectTimeout: expected a duration such as \"30s\", \"1m30s\" or \"500ms\" or an integer from 0 to 86400, \
             found a number",
        ),
        (
            "{ service = 'bastion', originRequest = { noTLSVerify = 'yes' } }",
            "originRequest.noTLSVerify: expected true or false, found a string",
        ),
        (
            "{ service = 'bastion', originRequest = { proxyType = 'http' } }",
            "originRequest.proxyType: cannot use \"http\": it must be \"\" or \"socks\"",
        ),
        (
            "{ service = 'bastion', originRequest = { caPool = 'ca.pem' } }",
            "originRequest.caPool: cannot use \"ca.pem\": a path must be absolute, so that it starts with /",
        ),
        (
            "{ service = 'bastion', originRequest = { access = { required = true, audTag = [] } } }",
            "originRequest.access: the key \"teamName\" is missing: a string",
        ),
        (
            "{ service = 'bastion', originRequest = { access = { teamName = '', audTag = [] } } }",
            "originRequest.access.teamName: cannot use \"\": the team's name must not be empty",
        ),
    ] {
        assert_rules(&[rule], &format!("adit.toml:3: tunnels.web.ingress[0].{expected}"));
    }
    assert_rules(
        &["{ hostname = 'a.example.com' }"],
        "adit.toml:3: tunnels.web.ingress[0]: the key \"service\" is missing: a service such as \"http://localhost:8080\", \
         \"unix:/run/app.sock\", \"http_status:404\" or \"hello_world\"",
    );
}

#[test]
fn access_for_a_whole_tunnel_would_protect_nothing() {
    assert_problems(
        "[tunnels.web]\noriginRequest = { access = { required = true, teamName = 't', audTag = ['x'] } }",
        "adit.toml:2: tunnels.web.originRequest.access: cloudflared reads access only in a rule's originRequest: here it would protect \
         nothing (write it in each rule that it is meant for)",
    );
}

#[test]
fn keys_that_only_cloudflareds_file_knows_are_refused_with_the_way_to_say_it() {
    for (key, help) in [
        ("bastionMode = true", "write service = \"bastion\""),
        ("proxyPort = 1", "cloudflared does not use it any more"),
        ("proxyAddress = 'a'", "cloudflared does not use it any more"),
        ("ipRules = []", "let the origin or a firewall refuse"),
    ] {
        let name = key.split(' ').next().unwrap();
        assert_rules(
            &[&format!("{{ service = 'bastion', originRequest = {{ {key} }} }}")],
            &format!(
                "adit.toml:3: tunnels.web.ingress[0].originRequest.{name}: Cloudflare's API does not take {name:?} ({help})"
            ),
        );
    }
}

#[test]
fn a_socks_proxy_that_refuses_everything_is_a_warning() {
    let config = parse_text("[tunnels.web]\ningress = [{ hostname = 'a.example.com', service = 'socks-proxy' }]").unwrap();
    let expected = "adit.toml:2: warning: tunnels.web.ingress[0].service: cloudflared refuses every connection through it without \
        ipRules, which Cloudflare's API does not take";
    assert_eq!(config.warnings.iter().map(Problem::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn a_tunnel_has_a_bounded_number_of_rules() {
    let rules = |count: usize| {
        let rule = |number| format!("{{ hostname = 'h{number}.example.com', service = 'bastion' }}");
        format!("ingress = [{}]", (0..count).map(rule).collect::<Vec<_>>().join(","))
    };
    assert_eq!(parse_body(&rules(1_000)).unwrap().ingress.len(), 1_000);
    let problems = problems_of(parse_body(&rules(1_001)));
    assert_eq!(problems, "adit.toml:2: tunnels.web.ingress[1000]: a tunnel has at most 1000 rules");
}
