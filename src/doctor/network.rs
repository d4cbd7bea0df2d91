//! The way to Cloudflare's edge: names, addresses, TCP.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{Advised, check};
use crate::control::api::{
    DoctorCheck,
    DoctorGroup::Network,
    DoctorResult::{Failure, Note, Ok as Fine, Unknown, Warning},
};

/// How long a name server may take.
const RESOLVE_TIME_MAX: Duration = Duration::from_secs(3);

/// How long an address may take to accept a connection. A SYN that was lost is sent again after one second.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);

/// Of a longer list the rest is not tried.
const ADDRESSES_MAX: usize = 8;

/// A name server that takes longer than this makes every start of a connector slow.
const RESOLVE_SLOW: Duration = Duration::from_secs(1);

/// What the way to the edge is like.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Each address of the edge that was tried.
    pub edges: Vec<Edge>,
    /// Whether the host has an IPv6 address that reaches beyond its own link.
    pub ipv6: Option<bool>,
    /// Connectors that had to fall back to HTTP/2, and those that serve.
    pub fallen_back: Option<(usize, usize)>,
}

/// One address of the edge.
#[derive(Debug, Clone)]
pub struct Edge {
    /// `HOST:PORT`.
    pub address: String,
    /// What its name resolved to, in how long; or why not.
    pub resolved: Result<(Vec<IpAddr>, Duration), String>,
    /// How long the first connection took; or why there is none. `None` when there was nothing to connect to.
    pub connected: Option<Result<Duration, String>>,
}

/// Tries these addresses (`HOST:PORT`) at once. It takes six seconds at most.
pub async fn look(addresses: &[String]) -> Facts {
    let edges = join_all(addresses.iter().take(ADDRESSES_MAX).map(|address| edge(address))).await;
    let ipv6 = std::fs::read_to_string("/proc/net/if_inet6").ok().map(|text| has_global(&text));
    Facts { edges, ipv6, fallen_back: None }
}

async fn edge(address: &str) -> Edge {
    let started = Instant::now();
    let resolved = match timeout(RESOLVE_TIME_MAX, tokio::net::lookup_host(address.to_owned())).await {
        Ok(Ok(found)) => Ok(found.collect::<Vec<SocketAddr>>()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", RESOLVE_TIME_MAX.as_secs())),
    };
    let took = started.elapsed();
    let connected = match &resolved {
        Ok(found) if !found.is_empty() => Some(connect(found).await.map_err(|error| error.to_string())),
        Ok(_) | Err(_) => None,
    };
    let ips = |found: Vec<SocketAddr>| found.iter().map(SocketAddr::ip).collect();
    Edge { address: address.to_owned(), resolved: resolved.map(|found| (ips(found), took)), connected }
}

/// Connects to one address of each family, as a host may have a route for only one of them.
async fn connect(found: &[SocketAddr]) -> io::Result<Duration> {
    let started = Instant::now();
    let first = |is_wanted: fn(&SocketAddr) -> bool| found.iter().copied().find(is_wanted);
    let tries = [first(SocketAddr::is_ipv4), first(SocketAddr::is_ipv6)].into_iter().flatten();
    let tries = tries.map(|address| timeout(CONNECT_TIME_MAX, TcpStream::connect(address)));
    let mut failure = io::Error::other("its name has no address");
    for outcome in join_all(tries).await {
        match outcome {
            Ok(Ok(_)) => return Ok(started.elapsed()),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::Error::other(format!("no answer within {} s", CONNECT_TIME_MAX.as_secs())),
        }
    }
    Err(failure)
}

/// Whether `/proc/net/if_inet6` has an address of global scope, other than a unique local one.
fn has_global(text: &str) -> bool {
    text.lines().any(|line| {
        let mut fields = line.split_whitespace();
        let (address, scope) = (fields.next().unwrap_or_default(), fields.nth(2));
        scope == Some("00") && !address.starts_with("fc") && !address.starts_with("fd")
    })
}

/// What that means.
pub fn judge(facts: &Facts) -> Vec<DoctorCheck> {
    let mut checks = names(facts);
    checks.extend(tcp(facts));
    checks.push(match facts.ipv6 {
        Some(true) => check(Network, "ipv6", Fine, "the host has a public IPv6 address"),
        Some(false) | None => check(Network, "ipv6", Fine, "the host has no public IPv6 address: connectors use IPv4"),
    });
    if let Some((fallen_back, all)) = facts.fallen_back {
        checks.push(quic(fallen_back, all));
    }
    checks
}

fn names(facts: &Facts) -> Vec<DoctorCheck> {
    if facts.edges.is_empty() {
        return vec![
            check(Network, "edge-dns", Note, "cloudflared.edge_probe names no address, so the way to the edge is not tried")
                .advised("leave edge_probe out of the configuration: its default is Cloudflare's edge"),
        ];
    }
    let any = facts.edges.iter().any(|edge| edge.resolved.is_ok());
    let of = |edge: &Edge| match &edge.resolved {
        Ok((found, took)) if *took > RESOLVE_SLOW => {
            let sentence = format!("{} resolved to {} addresses, but it took {} ms", edge.address, found.len(), took.as_millis());
            check(Network, "edge-dns", Warning, sentence).advised("look at the name servers in /etc/resolv.conf")
        }
        Ok((found, took)) => {
            let sentence = format!("{} resolves to {} addresses (in {} ms)", edge.address, found.len(), took.as_millis());
            check(Network, "edge-dns", Fine, sentence)
        }
        Err(why) => {
            let result = if any { Warning } else { Failure };
            check(Network, "edge-dns", result, format!("{} cannot be resolved: {why}", edge.address))
                .advised("look at the name servers in /etc/resolv.conf; a connector resolves the same names when it starts")
        }
    };
    facts.edges.iter().map(|edge| of(edge).about(&edge.address)).collect()
}

fn tcp(facts: &Facts) -> Vec<DoctorCheck> {
    let any = facts.edges.iter().any(|edge| matches!(edge.connected, Some(Ok(_))));
    let of = |edge: &Edge| {
        let found = match edge.connected.as_ref()? {
            Ok(took) => {
                let sentence = format!("{} takes TCP connections (in {} ms)", edge.address, took.as_millis());
                check(Network, "edge-tcp", Fine, sentence)
            }
            Err(why) => {
                let result = if any { Warning } else { Failure };
                check(Network, "edge-tcp", result, format!("{} takes no TCP connection: {why}", edge.address))
                    .advised("let TCP and UDP port 7844 through to the outside; without UDP, HTTP/2 over TCP is used")
            }
        };
        Some(found.about(&edge.address))
    };
    facts.edges.iter().filter_map(of).collect()
}

/// UDP answers nobody but a connector, so what those found out is all that is known of it.
fn quic(fallen_back: usize, all: usize) -> DoctorCheck {
    match (fallen_back, all) {
        (_, 0) => check(Network, "quic", Unknown, "no connector is connected that could tell whether UDP gets through"),
        (0, _) => check(Network, "quic", Fine, "no connector had to fall back to HTTP/2"),
        (fallen_back, all) => {
            let sentence =
                format!("{fallen_back} of {all} connectors use HTTP/2, because QUIC (UDP port 7844) does not get through");
            check(Network, "quic", Warning, sentence).advised("let UDP port 7844 through to the outside")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::DoctorResult;

    fn edge(number: u8, resolves: bool, connects: bool) -> Edge {
        let address = format!("region{number}.example.com:7844");
        let connected = resolves.then(|| if connects { Ok(Duration::from_millis(9)) } else { Err("refused".to_owned()) });
        let resolved = if resolves {
            Ok((vec!["192.0.2.1".parse().unwrap()], Duration::from_millis(3)))
        } else {
            Err("no such name".to_owned())
        };
        Edge { address, resolved, connected }
    }

    fn results(edges: Vec<Edge>) -> Vec<(String, DoctorResult)> {
        let facts = Facts { edges, ipv6: Some(false), fallen_back: Some((0, 2)) };
        judge(&facts).into_iter().filter(|check| check.result != Fine).map(|check| (check.id, check.result)).collect()
    }

    #[test]
    fn one_region_that_fails_is_a_warning_and_all_of_them_a_failure() {
        let named = |id: &str, result| (id.to_owned(), result);
        assert_eq!(results(vec![edge(1, true, true), edge(2, true, true)]), []);
        assert_eq!(results(vec![edge(1, true, true), edge(2, true, false)]), [named("edge-tcp", Warning)]);
        assert_eq!(results(vec![edge(1, true, true), edge(2, false, false)]), [named("edge-dns", Warning)]);
        let all = results(vec![edge(1, false, false), edge(2, false, false)]);
        assert_eq!(all, [named("edge-dns", Failure), named("edge-dns", Failure)]);
        assert_eq!(results(vec![edge(1, true, false)]), [named("edge-tcp", Failure)]);
        assert_eq!(results(vec![]), [named("edge-dns", Note)]);
    }

    #[test]
    fn connectors_tell_whether_udp_gets_through() {
        for (fallen_back, all, result) in [(0, 0, Unknown), (0, 3, Fine), (1, 3, Warning)] {
            assert_eq!(quic(fallen_back, all).result, result);
        }
    }

    #[test]
    fn a_public_ipv6_address_is_told_from_others() {
        let line = |address: &str, scope: &str| format!("{address} 02 40 {scope} 80     eth0\n");
        let loopback = line("00000000000000000000000000000001", "10");
        assert!(!has_global(&loopback));
        assert!(!has_global(&line("fd000000000000000000000000000001", "00")));
        assert!(has_global(&format!("{loopback}{}", line("2a010000000000000000000000000001", "00"))));
    }

    #[tokio::test]
    async fn an_address_is_resolved_and_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let facts = look(&[format!("localhost:{port}")]).await;
        assert!(matches!(facts.edges[0].connected, Some(Ok(_))), "{facts:?}");
        let facts = look(&["no port at all".to_owned()]).await;
        assert!(facts.edges[0].resolved.is_err() && facts.edges[0].connected.is_none(), "{facts:?}");
    }
}
