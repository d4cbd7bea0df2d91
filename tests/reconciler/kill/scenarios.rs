//! The operations in which the reconciler is killed.
//!
//! A scenario is a name, the configuration that it begins with (`""`: an installation that has never run) and what is done then, one
//! act after another. Every act ends when a pass finds nothing to do, and has to have an end that does not depend on chance. Names
//! of other installations and things without our marker stand in every account already.

use std::net::Ipv4Addr;

use axum::http::Method;
use serde_json::json;

use super::super::harness::{Harness, tunnel};
use adit::sandbox::{
    faults::{Fault, Matching, Times},
    world::{EdgeConnection, RecordKind},
};

/// One operation.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// The configuration in force before; leaked, because scenarios live as long as the test.
    pub(super) before: &'static str,
    pub(super) acts: Vec<Act>,
}

/// One thing that people do.
pub(super) enum Act {
    /// The files say this from here on.
    Want(String),
    /// A tunnel that has left the configuration is deleted.
    Delete(&'static str),
    /// The secret of a tunnel is replaced.
    Rotate(&'static str),
    /// The tunnel [`THEIRS`] becomes `web`, and the files say this from here on.
    Adopt(String),
    /// The files say this from here on, and the record at `app.example.com` becomes the one of `web`.
    AdoptRoute(String),
    /// A tunnel that has left the configuration is given up.
    Forget(&'static str),
    /// Something happens to the world.
    Do(fn(&Harness)),
}

/// The name of a tunnel that somebody else made and that becomes ours.
pub(super) const THEIRS: &str = "theirs";

use Act::{Adopt, AdoptRoute, Delete, Do, Forget, Rotate, Want};

/// Every scenario.
pub(super) fn scenarios() -> Vec<Scenario> {
    let two = || tunnel("web", &["a.example.com", "b.example.net"]);
    vec![
        scenario("a tunnel with two hostnames in two zones is made", "", vec![Want(two())]),
        scenario("a configuration changes", &two(), vec![Want(two().replace("8080", "9090"))]),
        scenario("a hostname is added", &two(), vec![Want(tunnel("web", &["a.example.com", "b.example.net", "c.example.com"]))]),
        scenario(
            "a hostname is removed",
            &three(),
            vec![Want(tunnel("web", &["a.example.com", "b.example.net", "c.example.com"]))],
        ),
        scenario(
            "a hostname moves to another tunnel",
            &(three() + &tunnel("api", &[])),
            vec![Want(tunnel("web", &["a.example.com", "b.example.net", "c.example.com"]) + &tunnel("api", &["d.example.com"]))],
        ),
        scenario(
            "a tunnel is renamed",
            &two(),
            vec![Want(tunnel("site", &["a.example.com", "b.example.net"]) + "renamed_from = \"web\"\n")],
        ),
        scenario("a tunnel leaves the configuration and is back", &with_api(), vec![Want(api()), Want(with_api())]),
        scenario("a tunnel is deleted", &with_api(), vec![Want(api()), Delete("web")]),
        scenario(
            "a tunnel is deleted while others are connected to it",
            &with_api(),
            vec![Do(connect), Want(api()), Delete("web")],
        ),
        scenario("a tunnel is deleted and made again", &with_api(), vec![Want(api()), Delete("web"), Want(with_api())]),
        scenario("a tunnel was deleted at Cloudflare", &with_api(), vec![Do(delete_in_the_dashboard)]),
        scenario("the answers to all that makes something are lost", "", vec![Do(lose_answers), Want(two())]),
        scenario("private networks, one in a network of its own, are made", "", vec![Want(private("web"))]),
        scenario(
            "private networks move to another tunnel",
            &(private("web") + &tunnel("api", &[])),
            vec![Want(tunnel("web", &[]) + &private("api"))],
        ),
        scenario("a tunnel with private networks is deleted", &private("web"), vec![Want(String::new()), Delete("web")]),
        scenario("a load balancer is made", "", vec![Want(balanced())]),
        scenario("a tunnel leaves its load balancer", &balanced(), vec![Want(tunnel("web", &[]))]),
        scenario("a tunnel with a load balancer is deleted", &balanced(), vec![Want(String::new()), Delete("web")]),
        scenario("a secret is replaced", &tunnel("web", &["app.example.com"]), vec![Rotate("web")]),
        scenario("a configuration goes from Cloudflare to this host", &tunnel("web", &["app.example.com"]), vec![Want(local())]),
        scenario("a configuration comes from this host to Cloudflare", &local(), vec![Want(tunnel("web", &["app.example.com"]))]),
        scenario("a tunnel is adopted", "", vec![Do(make_theirs), Adopt(tunnel("web", &["app.example.com", "b.example.net"]))]),
        scenario(
            "a hostname is adopted",
            &tunnel("web", &[]),
            vec![Do(take_the_hostname), AdoptRoute(tunnel("web", &["app.example.com"]))],
        ),
        scenario("a shared tunnel gets a rule", "", vec![Do(make_theirs), Adopt(shared(&["app.example.com"]))]),
        scenario(
            "the rules of a shared tunnel change, and it is withdrawn",
            "",
            vec![
                Do(make_theirs),
                Adopt(shared(&["app.example.com"])),
                Want(shared(&["app.example.com", "b.example.net"]).replace("8080", "9090")),
                Want(String::new()),
                Delete("web"),
            ],
        ),
        scenario("a tunnel is forgotten", &with_api(), vec![Want(api()), Forget("web")]),
    ]
}

fn scenario(name: &'static str, before: &str, acts: Vec<Act>) -> Scenario {
    Scenario { name, before: before.to_owned().leak(), acts }
}

fn three() -> String {
    tunnel("web", &["a.example.com", "b.example.net", "c.example.com", "d.example.com"])
}

fn api() -> String {
    tunnel("api", &["api.example.com"])
}

fn with_api() -> String {
    tunnel("web", &["a.example.com", "b.example.net"]) + &api()
}

fn local() -> String {
    tunnel("web", &["app.example.com"]).replace("ingress", "configuration = \"local\"\ningress")
}

/// A tunnel with a network, a network in a virtual network of its own, and a private hostname.
fn private(name: &str) -> String {
    tunnel(name, &[])
        + "private_networks = [{ network = \"10.0.0.0/8\" }, { network = \"10.20.0.0/16\", virtual_network = \"lab\" }]\n\
           hostname_routes = [\"wiki.internal.example\"]\n"
}

fn balanced() -> String {
    tunnel("web", &["www.example.com"]) + "load_balancer = { hostname = \"www.example.com\" }\n"
}

fn shared(hostnames: &[&str]) -> String {
    tunnel("web", hostnames).replace("ingress", "ownership = \"shared\"\ningress")
}

/// Somebody has a tunnel with a rule, to which one of our hostnames leads. Once: when this act is done again, it may be ours.
fn make_theirs(harness: &Harness) {
    if harness.world.snapshot().tunnels.values().any(|tunnel| tunnel.name == THEIRS) {
        return;
    }
    let dashboard = harness.world.dashboard();
    let id = dashboard.create_tunnel(&harness.world.account_id(), THEIRS).unwrap();
    let rules = json!([{ "hostname": "x.example.com", "service": "http://localhost:1" }, { "service": "http_status:503" }]);
    dashboard.put_configuration(&id, json!({ "ingress": rules })).unwrap();
    dashboard.create_record("app.example.com", RecordKind::Cname, &id.dns_target()).unwrap();
}

/// Somebody has a record at one of our hostnames.
fn take_the_hostname(harness: &Harness) {
    if harness.target("app.example.com").is_none() {
        harness.world.dashboard().create_record("app.example.com", RecordKind::A, "192.0.2.7").unwrap();
    }
}

/// A connector on another host is connected to every tunnel of `web`.
fn connect(harness: &Harness) {
    for id in harness.live("web") {
        let connection = EdgeConnection {
            connector: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
            index: 0,
            version: "2026.8.2".to_owned(),
            arch: "linux_amd64".to_owned(),
            colo: "fra01".to_owned(),
            origin_ip: Ipv4Addr::new(192, 0, 2, 44).into(),
        };
        harness.world.connection_opened(&id.parse().unwrap(), connection);
    }
}

fn delete_in_the_dashboard(harness: &Harness) {
    // Once: when this act is done again, the tunnel is there again.
    let deleted = harness.world.snapshot().tunnels.values().any(|tunnel| tunnel.deleted);
    for id in harness.live("web").iter().filter(|_| !deleted) {
        harness.world.dashboard().delete_tunnel(&id.parse().unwrap()).unwrap();
    }
}

fn lose_answers(harness: &Harness) {
    for resource in ["cfd_tunnel", "dns_records"] {
        harness.world.faults().add(Fault::AnswerLost, Matching::resource(resource).method(Method::POST), Times::Once);
    }
}
