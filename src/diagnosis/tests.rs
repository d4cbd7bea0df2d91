//! Every link broken in turn, and what takes a request.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    config::{Source, parse},
    connector::{Reason, State, Stop},
    event::ProgramView,
    plan::{DnsStatus, Hold, HoldCode, ProvisionedTunnel, RECORD_CHANGES, RouteKind, RouteState, RouteStatus, Scope},
    record::{ConfigurationSource, Fate},
    status::{ConnectorStatus, UplinkState},
};

const TUNNELS: &str = r#"
[accounts.default]
api_token = { file = "/etc/token" }
[tunnels.web]
ingress = [
  { hostname = "app.example.com", path = "^/api|[.]js$", service = "http://localhost:1" },
  { hostname = "app.example.com", service = "http://localhost:2" },
  { hostname = "foreign.example.com", service = "http://localhost:3", dns = false },
  { hostname = "*.dev.example.com", service = "http://localhost:4" },
]
[tunnels.deep]
ingress = [{ hostname = "*.a.dev.example.com", service = "http://localhost:5" }]
hostname_routes = ["inside.example.com"]
[tunnels.east]
load_balancer = { hostname = "www.example.com" }
ingress = [{ hostname = "www.example.com", service = "http://localhost:6" }]
[tunnels.west]
load_balancer = { hostname = "www.example.com" }
ingress = [{ hostname = "www.example.com", service = "http://localhost:7" }]
"#;

fn intended() -> Intended {
    let config = parse(&[Source { path: "adit.toml".into(), text: TUNNELS.to_owned() }]).unwrap();
    Intended { config: Arc::new(config), stops: BTreeMap::new(), held: BTreeMap::new() }
}

fn name(text: &str) -> TunnelName {
    text.parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A host on which `web` serves `app.example.com`.
struct World {
    intended: Intended,
    status: Status,
    origin: Option<OriginFinding>,
    fresh: Option<Fresh>,
    public: Option<PublicFinding>,
}

impl World {
    fn serving() -> Self {
        let mut status = Status::new(at(0));
        let tunnel = status.tunnels.entry(name("web")).or_default();
        let route = RouteStatus {
            kind: RouteKind::Hostname,
            hostname: Some("app.example.com".parse().unwrap()),
            path: None,
            service: None,
            dns: DnsStatus::Managed,
            state: RouteState::Live,
            record_id: Some("00000000000000000000000000000001".parse().unwrap()),
            reason: None,
        };
        tunnel.provisioned = Some(Arc::new(ProvisionedTunnel {
            private_routes: Vec::new(),
            account: "default".parse().unwrap(),
            id: Some("00000000-0000-0000-0000-000000000001".parse().unwrap()),
            cloudflare_name: "web.adit-a1b2c3d4".to_owned(),
            cloudflare_status: Some("healthy".to_owned()),
            source: ConfigurationSource::Remote,
            written_version: Some(3),
            fate: Fate::Keep,
            routes: vec![route],
            holds: Vec::new(),
            conflict: None,
            secret: Default::default(),
        }));
        let connector = ConnectorStatus {
            state: State::Ready,
            reason: Reason::new("ready", "4 of 4 connections"),
            serving: true,
            pid: Some(42),
            connections: 4,
            config_version: Some(3),
            ..ConnectorStatus::new(0, at(1))
        };
        tunnel.connectors.insert(0, Box::new(connector));
        let account = AccountStatus { last_success: Some(at(50)), ..AccountStatus::default() };
        status.accounts.insert("default".parse().unwrap(), account);
        let origin = Some(OriginFinding::Answered { path: "/".to_owned(), status: 200 });
        Self { intended: intended(), status, origin, fresh: None, public: None }
    }

    fn look(&self, hostname: &str, path: &str) -> Diagnosis {
        let hostname = hostname.parse().unwrap();
        let found = find(&self.intended, &self.status, &|_| true, &hostname, path);
        diagnose(Facts {
            hostname: &hostname,
            path,
            at: at(100),
            intended: &self.intended,
            status: &self.status,
            mistakes: 0,
            found: &found,
            origin: self.origin.as_ref(),
            fresh: self.fresh.as_ref(),
            public: self.public.as_ref(),
        })
    }

    fn provisioned(&mut self) -> &mut ProvisionedTunnel {
        Arc::make_mut(self.status.tunnels.get_mut(&name("web")).unwrap().provisioned.as_mut().unwrap())
    }

    fn connector(&mut self) -> &mut ConnectorStatus {
        self.status.tunnels.get_mut(&name("web")).unwrap().connectors.get_mut(&0).unwrap()
    }

    fn hold(&mut self, code: HoldCode, scope: Scope) {
        let hold = Hold { scope, code, why: "it is held".to_owned() };
        self.status.accounts.get_mut(&"default".parse().unwrap()).unwrap().view.holds.push(hold);
    }

    /// The connector does this, for this reason, and carries nothing.
    fn fails(&mut self, state: State, code: &'static str, connections: u8) {
        let connector = self.connector();
        (connector.state, connector.serving, connector.connections) = (state, connections > 0, connections);
        connector.reason = Reason::new(code, "it is so");
        if matches!(state, State::BackingOff | State::Blocked | State::Stopped) {
            connector.pid = None;
        }
    }

    fn fresh(&mut self) -> &mut Fresh {
        self.fresh.get_or_insert_default()
    }
}

fn route(hostname: &str) -> Scope {
    Scope::Route { tunnel: name("web"), hostname: hostname.parse().unwrap() }
}

#[test]
fn a_chain_in_order_says_so_with_the_age_of_what_is_known() {
    let diagnosis = World::serving().look("app.example.com", "/");
    assert_eq!((diagnosis.verdict.state, diagnosis.verdict.link), (LinkState::Ok, None), "{diagnosis:#?}");
    let age = |link| diagnosis.links.iter().find(|each| each.link == link).unwrap().seen_at;
    assert_eq!((age(Link::Dns), age(Link::Connectors), age(Link::PublicRequest)), (Some(at(50)), Some(at(100)), None));
    let order: Vec<Link> = diagnosis.links.iter().map(|link| link.link).collect();
    assert!(order.is_sorted() && order.len() == 9, "{order:?}");
}

#[test]
fn each_link_that_is_broken_is_the_first_that_is_named() {
    type Break = fn(&mut World);
    let cases: [(Link, &str, Break); 23] = [
        (Link::Configuration, "cannot be read", |world| {
            world.intended.held.insert(name("web"), "torn".to_owned());
        }),
        (Link::Dns, "it is held", |world| world.hold(HoldCode::NoZone, route("app.example.com"))),
        (Link::Dns, RECORD_CHANGES, |world| {
            let route = &mut world.provisioned().routes[0];
            (route.state, route.reason) = (RouteState::Pending, Some(RECORD_CHANGES.to_owned()));
        }),
        (Link::Dns, "still to be made", |world| world.provisioned().routes[0].record_id = None),
        (Link::Dns, "has no record", |world| world.fresh().records = Some(Ok(Vec::new()))),
        (Link::Dns, "leads elsewhere: A 192.0.2.1", |world| {
            let record = FreshRecord { kind: "A".to_owned(), content: "192.0.2.1".to_owned(), proxied: true };
            world.fresh().records = Some(Ok(vec![record]));
        }),
        (Link::Tunnel, "jane stopped tunnel web", |world| {
            world.intended.stops.insert(name("web"), Stop { by: "jane".to_owned(), at: at(9) });
        }),
        (Link::Tunnel, "it is held", |world| {
            world.provisioned().id = None;
            world.hold(HoldCode::NoCredential, Scope::Account);
        }),
        (Link::Tunnel, "not made at Cloudflare yet", |world| {
            world.status.tunnels.get_mut(&name("web")).unwrap().provisioned = None
        }),
        (Link::Tunnel, "somebody deleted it", |world| world.fresh().tunnel = Some(Ok(FreshTunnel::Gone))),
        (Link::Tunnel, "refuses the tunnel's connectors", |world| world.fails(State::Degraded, "registration-refused", 0)),
        (Link::ConfigurationVersion, "somebody else's", |world| {
            let hold = Hold { scope: Scope::Account, code: HoldCode::Edited, why: "edited".to_owned() };
            world.provisioned().holds.push(hold);
        }),
        (Link::ConfigurationVersion, "runs version 2 of the configuration, and 3 is written", |world| {
            world.connector().config_version = Some(2);
        }),
        (Link::ConfigurationVersion, "runs version 4 of the configuration, and Adit wrote 3", |world| {
            world.connector().config_version = Some(4);
        }),
        (Link::ConfigurationVersion, "has no rule", |world| {
            world.fresh().configuration = Some(Ok(FreshConfiguration { version: 5, has_rule: false }));
        }),
        (Link::Connectors, "has no connector on this host: cannot find it", |world| {
            world.status.tunnels.get_mut(&name("web")).unwrap().connectors.clear();
            world.status.program = Some(ProgramView {
                path: "/usr/bin/cloudflared".into(),
                version: None,
                state: crate::event::RolloutState::Settled,
                other_version: None,
                reason: Some(Reason::new("binary-missing", "cannot find it")),
            });
        }),
        (Link::Connectors, "connector web/0 is backing off: it is so", |world| world.fails(State::BackingOff, "exit", 0)),
        (Link::Connectors, "blocked", |world| world.fails(State::Blocked, "binary-missing", 0)),
        (Link::Connectors, "it is so", |world| world.fails(State::Degraded, "hung", 0)),
        (Link::EdgeConnections, "0 of 4 connections", |world| world.fails(State::Degraded, "lost-connections", 0)),
        (Link::EdgeConnections, "no way out", |world| {
            world.fails(State::Degraded, "lost-connections", 0);
            world.status.uplink.state = UplinkState::Lost;
            world.status.uplink.reason = Reason::new("no-uplink", "no way out");
        }),
        (Link::Origin, "takes no connection: refused", |world| world.origin = Some(OriginFinding::Refused("refused".to_owned()))),
        (Link::PublicRequest, "a visitor gets 530", |world| {
            let addresses = vec!["104.16.1.1".parse().unwrap()];
            world.public = Some(PublicFinding::Answered {
                addresses,
                status: 530,
                through_cloudflare: true,
                to_login: false,
                error_code: None,
            });
        }),
    ];
    for (link, words, break_it) in cases {
        let mut world = World::serving();
        break_it(&mut world);
        let diagnosis = world.look("app.example.com", "/");
        let verdict = &diagnosis.verdict;
        assert_eq!((verdict.state, verdict.link), (LinkState::Broken, Some(link)), "{words}: {diagnosis:#?}");
        assert!(verdict.sentence.contains(words) && verdict.action.is_some(), "{words}: {verdict:?}");
    }
}

#[test]
fn a_hold_is_told_with_what_ends_it() {
    for code in HoldCode::ALL {
        let mut world = World::serving();
        world.provisioned().id = None;
        world.hold(*code, Scope::Account);
        let action = world.look("app.example.com", "/").verdict.action.unwrap();
        assert!(code.action().to_lowercase().starts_with(&action.to_lowercase()) && !action.ends_with('.'), "{code}: {action}");
        assert!(action.starts_with(|first: char| first.is_lowercase() || first == '`'), "{code}: {action}");
    }
}

#[test]
fn an_origin_that_fails_by_itself_is_told_from_one_that_answers() {
    for (finding, state) in [
        (OriginFinding::Answered { path: "/".to_owned(), status: 404 }, LinkState::Ok),
        (OriginFinding::Answered { path: "/".to_owned(), status: 503 }, LinkState::Broken),
        (OriginFinding::Spoiled("the certificate is not valid".to_owned()), LinkState::Broken),
        (OriginFinding::Connected, LinkState::Ok),
    ] {
        let mut world = World::serving();
        world.origin = Some(finding.clone());
        assert_eq!(world.look("app.example.com", "/").verdict.state, state, "{finding:?}");
    }
}

#[test]
fn what_cloudflare_does_not_say_is_unknown_and_never_broken() {
    let mut world = World::serving();
    world.fresh().records = Some(Err("it answers 500".to_owned()));
    let verdict = world.look("app.example.com", "/").verdict;
    assert_eq!((verdict.state, verdict.link), (LinkState::Unknown, Some(Link::Dns)));

    let mut world = World::serving();
    world.status.accounts.clear();
    assert_eq!(world.look("app.example.com", "/").verdict.state, LinkState::Unknown);
}

#[test]
fn the_rule_is_the_one_that_dns_and_cloudflared_choose() {
    let intended = intended();
    let status = Status::new(at(0));
    for (hostname, path, expected) in [
        ("app.example.com", "/api/v1", Some(("web", "Record", Some(0)))),
        // cloudflared holds a rule against the path with its escapes undone, and without the query.
        ("app.example.com", "/%61pi", Some(("web", "Record", Some(0)))),
        ("app.example.com", "/a.js?x=1", Some(("web", "Record", Some(0)))),
        ("app.example.com", "/?file=a.js", Some(("web", "Record", Some(1)))),
        ("app.example.com", "/", Some(("web", "Record", Some(1)))),
        ("foreign.example.com", "/", Some(("web", "ForeignRecord", Some(2)))),
        ("b.dev.example.com", "/", Some(("web", "Record", Some(3)))),
        ("b.a.dev.example.com", "/", Some(("deep", "Record", Some(0)))),
        ("inside.example.com", "/", Some(("deep", "Private", None))),
        ("www.example.com", "/", Some(("east", "Balancer", Some(0)))),
        ("example.com", "/", None),
    ] {
        let hostname: Hostname = hostname.parse().unwrap();
        let found = match find(&intended, &status, &|_| true, &hostname, path) {
            Match::Tunnel { tunnel, way, rule, .. } => {
                let way = format!("{way:?}").split('(').next().unwrap().to_owned();
                Some((tunnel.name.to_string(), way, rule.map(|(index, _)| index)))
            }
            Match::Left(_) | Match::Nothing { .. } => None,
        };
        let found = found.as_ref().map(|(tunnel, way, rule)| (tunnel.as_str(), way.as_str(), *rule));
        assert_eq!(found, expected, "{hostname}{path}");
    }
}

#[test]
fn a_tunnel_that_may_not_be_seen_is_as_if_it_were_not_there() {
    let world = World::serving();
    let look = |hostname: &str| {
        let hostname = hostname.parse().unwrap();
        let found = find(&world.intended, &world.status, &|tunnel| *tunnel == name("deep"), &hostname, "/");
        assert!(matches!(found, Match::Nothing { similar: None }), "{found:?}");
    };
    look("app.example.com");
    look("xyz.example.net");
}

#[test]
fn a_hostname_of_a_tunnel_that_left_says_so() {
    let mut world = World::serving();
    let mut gone = world.status.tunnels[&name("web")].clone();
    let route = &mut Arc::make_mut(gone.provisioned.as_mut().unwrap()).routes[0];
    route.hostname = Some("old.example.com".parse().unwrap());
    route.reason = Some("its tunnel left the configuration".to_owned());
    world.status.tunnels.insert(name("old"), gone);
    let verdict = world.look("old.example.com", "/").verdict;
    assert_eq!(verdict.link, Some(Link::Configuration));
    assert!(verdict.sentence.contains("tunnel old had a rule") && verdict.sentence.contains("left the configuration"));
}
