//! The operations in which the reconciler is killed.
//!
//! A scenario is a name, the configuration that it begins with (`""`: an installation that has never run) and what is done then, one
//! act after another. Every act ends when a pass finds nothing to do, and has to have an end that does not depend on chance. Names
//! of other installations and things without our marker stand in every account already.

use std::net::Ipv4Addr;

use axum::http::Method;

use super::super::harness::{Harness, tunnel};
use adit::sandbox::{
    faults::{Fault, Matching, Times},
    world::EdgeConnection,
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
    /// Something happens to the world.
    Do(fn(&Harness)),
}

use Act::{Delete, Do, Want};

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
