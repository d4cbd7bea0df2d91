//! What two tunnels must not both have.

use std::collections::BTreeMap;

use crate::name::{AccountName, Hostname, TunnelName};

use super::{
    ingress::IngressRule,
    private_route::PrivateNetwork,
    problem::quoted,
    read_tunnel::ReadTunnel,
    report::{Report, Reported},
    tree::Place,
    tunnel::{Origin, Tunnel},
};

/// Reports what two tunnels of the files both claim; the second one, in order of file and line, has the problem.
pub(super) fn between(tunnels: &BTreeMap<TunnelName, ReadTunnel<'_>>, report: &mut Report<'_>) {
    let mut rules: Vec<(&TunnelName, &Place, &IngressRule)> = tunnels
        .values()
        .flat_map(|tunnel| tunnel.rules.iter().map(|(place, rule)| (&tunnel.name, place, rule)))
        .filter(|(_, _, rule)| rule.hostname.is_some())
        .collect();
    rules.sort_by(|a, b| (&a.2.hostname, a.1.file, a.1.offset).cmp(&(&b.2.hostname, b.1.file, b.1.offset)));
    for same_hostname in rules.chunk_by(|a, b| a.2.hostname == b.2.hostname) {
        for (index, (name, place, rule)) in same_hostname.iter().enumerate() {
            let share = |other: &TunnelName| share_balancer(&tunnels[other], &tunnels[*name], rule);
            let first =
                same_hostname[..index].iter().find(|(other, _, earlier)| other != name && clash(earlier, rule) && !share(other));
            if let Some((_, first, _)) = first {
                let at = format!("{} ({})", first.key, report.location(first));
                report.error(place, message(rule, &at));
            }
        }
    }
    parts_claimed_twice(tunnels.values(), report);
    balancers(tunnels, report);
    renames(tunnels, report);
}

/// Reports what `tunnel` claims although a tunnel in `others` has it. A tunnel of the same name that was made over the socket
/// is the one that `tunnel` replaces.
pub(super) fn with_existing(tunnel: &ReadTunnel<'_>, others: &BTreeMap<TunnelName, Tunnel>, report: &mut Report<'_>) {
    if let Some(Tunnel { origin: Origin::File(path), .. }) = others.get(&tunnel.name) {
        let message = format!("there is already a tunnel {:?} in {}", tunnel.name.as_str(), path.display());
        report.error(tunnel.section.place, message);
    }
    for (place, rule) in tunnel.rules.iter().filter(|(_, rule)| rule.hostname.is_some()) {
        let first = others.values().filter(|other| other.name != tunnel.name).find_map(|other| {
            let share = tunnel.tunnel.as_ref().is_ok_and(|tunnel| in_one_balancer(other, tunnel, rule));
            let index =
                other.ingress.iter().position(|earlier| earlier.hostname == rule.hostname && clash(earlier, rule) && !share)?;
            Some(format!("tunnels.{}.ingress[{index}] ({})", other.name, other.origin))
        });
        if let Some(at) = first {
            report.error(place, message(rule, &at));
        }
    }
    parts_claimed_twice([tunnel], report);
    for (claim, place) in placed_claims(tunnel) {
        let claimed = |other: &Tunnel| claims(other).into_iter().find(|(earlier, _)| *earlier == claim).map(|(_, key)| key);
        let mut others = others.values().filter(|other| other.name != tunnel.name);
        if let Some((other, key)) = others.find_map(|other| Some((other, claimed(other)?))) {
            let message = format!("{} is also in tunnels.{}.{key} ({}): it has one tunnel", claim.what, other.name, other.origin);
            report.error(place, message);
        }
    }
    if let (Ok(tunnel), Some(node)) = (&tunnel.tunnel, tunnel.section.get("load_balancer"))
        && let Some((other, what)) = others.values().find_map(|other| Some((other, disagreement(other, tunnel)?)))
    {
        report.error(&node.place, format!("{what} is another one in tunnels.{}.load_balancer ({})", other.name, other.origin));
    }
    if let Ok(Tunnel { renamed_from: Some(old), .. }) = &tunnel.tunnel
        && let Some(existing) = others.get(old)
    {
        let place = tunnel.section.get("renamed_from").map_or(tunnel.section.place, |node| &node.place);
        let message = format!("cannot use {:?}: there is still a tunnel of this name ({})", old.as_str(), existing.origin);
        report.error(place, message);
    }
}

/// Whether two rules with the same hostname cannot stand in two tunnels: a hostname's one DNS record leads to one tunnel.
fn clash(a: &IngressRule, b: &IngressRule) -> bool {
    (a.dns && b.dns) || a.path == b.path
}

/// Whether both tunnels are parts of the load balancer of the rule's hostname, which leads to all of them.
fn in_one_balancer(a: &Tunnel, b: &Tunnel, rule: &IngressRule) -> bool {
    let hostname = rule.hostname.as_ref();
    a.account == b.account && hostname.is_some_and(|hostname| a.is_balanced(hostname) && b.is_balanced(hostname))
}

fn share_balancer(a: &ReadTunnel<'_>, b: &ReadTunnel<'_>, rule: &IngressRule) -> bool {
    match (&a.tunnel, &b.tunnel) {
        (Ok(a), Ok(b)) => in_one_balancer(a, b, rule),
        // With a mistake in it, it may still be meant so.
        (Err(Reported), _) | (_, Err(Reported)) => [a, b].iter().all(|read| read.section.get("load_balancer").is_some()),
    }
}

/// What two tunnels say differently about the load balancer that both are a part of.
fn disagreement(a: &Tunnel, b: &Tunnel) -> Option<&'static str> {
    let (one, other) = (a.load_balancer.as_ref()?, b.load_balancer.as_ref()?);
    if a.name == b.name || a.account != b.account || one.hostname != other.hostname {
        return None;
    }
    let steering = (one.steering_policy != other.steering_policy).then_some("the steering_policy of this balancer");
    steering.or((one.session_affinity != other.session_affinity).then_some("the session_affinity of this balancer"))
}

/// One load balancer has one way to steer, whichever tunnel says it.
fn balancers(tunnels: &BTreeMap<TunnelName, ReadTunnel<'_>>, report: &mut Report<'_>) {
    let mut parts: Vec<(&Tunnel, &Place)> = tunnels
        .values()
        .filter_map(|read| Some((read.tunnel.as_ref().ok()?, &read.section.get("load_balancer")?.place)))
        .collect();
    parts.sort_by_key(|(_, place)| (place.file, place.offset));
    for (index, (tunnel, place)) in parts.iter().enumerate() {
        let first = parts[..index].iter().find_map(|(other, at)| Some((at, disagreement(other, tunnel)?)));
        if let Some((at, what)) = first {
            report.error(place, format!("{what} is another one in {} ({})", at.key, report.location(at)));
        }
    }
}

fn message(rule: &IngressRule, at: &str) -> String {
    let hostname = rule.hostname.as_ref().map_or("", |hostname| hostname.as_str());
    format!("the hostname {hostname:?} is also in {at}: a hostname leads to one tunnel")
}

/// What an account has once and a tunnel claims for itself: its private networks, its private hostnames and its pool.
fn claims(tunnel: &Tunnel) -> Vec<(Claim, String)> {
    let network = |(index, network): (usize, &PrivateNetwork)| {
        let within = network.virtual_network.as_deref().map_or("the default virtual network".to_owned(), quoted);
        (format!("the network {} in {within}", network.network), format!("private_networks[{index}]"))
    };
    let networks = tunnel.private_networks.iter().enumerate().map(network);
    let hostname = |(index, hostname): (usize, &Hostname)| {
        (format!("the private hostname {:?}", hostname.as_str()), format!("hostname_routes[{index}]"))
    };
    let hostnames = tunnel.hostname_routes.iter().enumerate().map(hostname);
    let pool = tunnel.load_balancer.iter().map(|balancer| {
        // Left out, the name is made of the tunnel's own.
        let name =
            balancer.pool.as_deref().map_or_else(|| format!("the pool of {}", tunnel.name), |pool| format!("the pool {pool:?}"));
        (name, "load_balancer".to_owned())
    });
    networks.chain(hostnames).chain(pool).map(|(what, key)| (Claim { account: tunnel.account.clone(), what }, key)).collect()
}

/// Something that an account has once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    account: AccountName,
    what: String,
}

/// The claims of a tunnel that was just read, with their places.
fn placed_claims<'a>(read: &ReadTunnel<'a>) -> Vec<(Claim, &'a Place)> {
    let routes = read.section.items("private_networks").iter().chain(read.section.items("hostname_routes"));
    let nodes = routes.chain(read.section.get("load_balancer"));
    let claims = read.tunnel.as_ref().map_or(Vec::new(), claims);
    claims.into_iter().zip(nodes).map(|((claim, _), node)| (claim, &node.place)).collect()
}

fn parts_claimed_twice<'a>(tunnels: impl IntoIterator<Item = &'a ReadTunnel<'a>>, report: &mut Report<'_>) {
    let mut claims: Vec<(Claim, &Place)> = tunnels.into_iter().flat_map(placed_claims).collect();
    claims.sort_by(|a, b| (&a.0, a.1.file, a.1.offset).cmp(&(&b.0, b.1.file, b.1.offset)));
    for same in claims.chunk_by(|a, b| a.0 == b.0) {
        let first = same[0].1;
        for (claim, place) in &same[1..] {
            let message = format!("{} is also in {} ({}): it has one tunnel", claim.what, first.key, report.location(first));
            report.error(place, message);
        }
    }
}

/// A tunnel is renamed once, and its old name is free.
fn renames(tunnels: &BTreeMap<TunnelName, ReadTunnel<'_>>, report: &mut Report<'_>) {
    let mut taken: BTreeMap<&TunnelName, &Place> = BTreeMap::new();
    for read in tunnels.values() {
        let Ok(tunnel) = &read.tunnel else { continue };
        let (Some(old), Some(node)) = (&tunnel.renamed_from, read.section.get("renamed_from")) else { continue };
        let place = &node.place;
        if let Some(existing) = tunnels.get(old) {
            let at = report.location(existing.section.place);
            report.error(place, format!("cannot use {:?}: there is still a tunnel of this name in {at}", old.as_str()));
        } else if let Some(first) = taken.insert(old, place) {
            let at = format!("{} ({})", first.key, report.location(first));
            report.error(place, format!("cannot use {:?}: it is also in {at}", old.as_str()));
        }
    }
}
