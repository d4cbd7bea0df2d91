//! Load balancers, and what has to stand in front of a hostname.

use super::*;

/// The tunnel `web` with a rule for www.example.com and this load balancer.
fn balanced(load_balancer: &str) -> String {
    format!(
        "[tunnels.web]\ningress = [{{ hostname = 'www.example.com', service = 'http://localhost:1' }}]\n\
         load_balancer = {load_balancer}\n"
    )
}

#[test]
fn a_load_balancer_needs_no_more_than_its_hostname() {
    let config = parse_text(&balanced("{ hostname = 'www.example.com' }")).unwrap();
    let tunnel = &config.tunnels[&"web".parse().unwrap()];
    let balancer = tunnel.load_balancer.as_ref().unwrap();
    assert_eq!(balancer.pool, None);
    assert_eq!(balancer.weight, 1.0);
    assert_eq!(balancer.steering_policy, SteeringPolicy::Random);
    assert_eq!(balancer.session_affinity, SessionAffinity::None);
    assert_eq!(balancer.monitor.interval.as_secs(), 60, "no more often than that unless told");
    assert_eq!(config.warnings, []);
}

#[test]
fn a_hostname_that_a_balancer_leads_here_has_no_record_of_its_own() {
    let config = parse_text(&balanced("{ hostname = 'www.example.com' }")).unwrap();
    let tunnel = &config.tunnels[&"web".parse().unwrap()];
    assert!(tunnel.public_hostnames().is_empty());
    assert!(tunnel.is_balanced(&"www.example.com".parse().unwrap()));
}

#[test]
fn requests_come_with_a_host_header_that_a_rule_answers() {
    for (rules, host) in [
        ("{ hostname = 'www.example.com', service = 'http://localhost:1' }", "www.example.com"),
        ("{ hostname = '*.example.com', service = 'http://localhost:1' }", "www.example.com"),
        ("{ service = 'http://localhost:1' }", "www.example.com"),
        ("{ hostname = 'app.example.com', service = 'http://localhost:1' }", "app.example.com"),
        (
            "{ hostname = '*.dev.example.com', service = 'http://localhost:1' }, { hostname = 'a.example.com', service = 'http://localhost:2' }",
            "a.example.com",
        ),
    ] {
        let text = format!("[tunnels.web]\ningress = [{rules}]\nload_balancer = {{ hostname = 'www.example.com' }}\n");
        let config = parse_text(&text).unwrap();
        let tunnel = &config.tunnels[&"web".parse().unwrap()];
        assert_eq!(tunnel.load_balancer.as_ref().unwrap().host.as_str(), host, "{rules}");
        assert_eq!(tunnel.balanced_rules().count(), 1, "{rules}");
    }
    let text = "[tunnels.web]\ningress = [{ hostname = '*.dev.example.com', service = 'http://localhost:1' }]\n\
                load_balancer = { hostname = 'www.example.com' }\n";
    let problems = problems_of(parse_text(text));
    let expected =
        "load_balancer.hostname: no rule of the tunnel is for www.example.com: every request would be answered with 404";
    assert!(problems.contains(expected), "{problems}");
}

#[test]
fn what_cannot_work_is_refused() {
    for (load_balancer, problem) in [
        ("{ hostname = '*.example.com' }", "a load balancer sends one Host header to its tunnel, so its hostname is no wildcard"),
        ("{ hostname = 'www.example.com', weight = 1.5 }", "load_balancer.weight: "),
        ("{ hostname = 'www.example.com', weight = -0.1 }", "load_balancer.weight: "),
        ("{ hostname = 'www.example.com', pool = 'a b' }", "a pool's name is made of letters, digits, - and _"),
        ("{ hostname = 'www.example.com', steering_policy = 'fastest' }", "load_balancer.steering_policy: "),
        ("{ hostname = 'www.example.com', join = 'a/b' }", "load_balancer.join: "),
        (
            "{ hostname = 'www.example.com', monitor = { type = 'tcp' } }",
            "Cloudflare's TCP monitors do not reach a tunnel; check a path over https",
        ),
        ("{ hostname = 'www.example.com', monitor = { interval = '5s' } }", "the time between two checks is 15s to 1h"),
        ("{ hostname = 'www.example.com', monitor = { interval = '15500ms' } }", "in whole seconds"),
        ("{ hostname = 'www.example.com', monitor = { path = 'healthz' } }", "the path of a request starts with /"),
        ("{ hostname = 'www.example.com', monitor = { expected_codes = '2x0' } }", "a status is a code such as 200"),
    ] {
        let problems = problems_of(parse_text(&balanced(load_balancer)));
        assert!(problems.contains(problem), "{load_balancer}: {problems}");
    }
}

#[test]
fn any_rule_that_takes_the_hostname_will_do_but_not_one_that_only_refuses() {
    let with = |rule: &str| {
        problems_of(parse_text(&format!(
            "[tunnels.web]\ningress = [{rule}]\nload_balancer = {{ hostname = 'www.example.com' }}\n"
        )))
    };
    assert_eq!(with("{ hostname = '*.example.com', service = 'http://localhost:1' }"), "");
    assert_eq!(with("{ service = 'http://localhost:1' }"), "");
    assert!(with("{ service = 'http_status:404' }").contains("no rule of the tunnel is for www.example.com"));
    assert!(with("").contains("no rule of the tunnel is for www.example.com"));
}

#[test]
fn tunnels_of_one_balancer_share_its_hostname_and_agree_about_it() {
    let second = |load_balancer: &str| {
        balanced("{ hostname = 'www.example.com' }")
            + &format!(
                "[tunnels.shop]\ningress = [{{ hostname = 'www.example.com', service = 'http://localhost:2' }}]\n{load_balancer}\n"
            )
    };
    assert_eq!(problems_of(parse_text(&second("load_balancer = { hostname = 'www.example.com' }"))), "");
    let alone = problems_of(parse_text(&second("")));
    assert!(alone.contains("a hostname leads to one tunnel"), "{alone}");
    let other = "load_balancer = { hostname = 'www.example.com', session_affinity = 'cookie' }";
    let other = problems_of(parse_text(&second(other)));
    assert!(other.contains("the session_affinity of this balancer is another one in tunnels.web.load_balancer"), "{other}");
}

#[test]
fn a_rule_says_what_it_demands_of_access_or_the_tunnel_does() {
    let text = "[tunnels.web]\naccess = 'required'\ningress = [\
        { hostname = 'a.example.com', service = 'http://localhost:1' },\
        { hostname = 'b.example.com', service = 'http://localhost:1', access = 'off' }]\n";
    let config = parse_text(text).unwrap();
    let tunnel = &config.tunnels[&"web".parse().unwrap()];
    let demands: Vec<AccessDemand> = tunnel.ingress.iter().map(|rule| tunnel.access_of(rule)).collect();
    assert_eq!(demands, [AccessDemand::Required, AccessDemand::Off]);
    let nameless = "[tunnels.web]\ningress = [{ service = 'http://localhost:1', access = 'required' }]\n";
    let problems = problems_of(parse_text(nameless));
    assert!(problems.contains("a rule without a hostname makes none public"), "{problems}");
}
