//! Which tunnel, and which of its rules, takes a request.
//!
//! Between tunnels DNS decides: a record of the very hostname goes before one with a `*`, and of those the longest. Within a tunnel
//! cloudflared decides: the first rule that matches hostname and path.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::{
    config::{IngressRule, Tunnel},
    desired::Intended,
    name::{Hostname, TunnelName},
    status::Status,
    suggestion::nearest,
};

/// What takes a request.
#[derive(Debug)]
pub enum Match<'a> {
    /// A tunnel that is configured.
    Tunnel {
        /// Which.
        tunnel: &'a Tunnel,
        /// What leads to it.
        way: Way,
        /// The rule and its place, from 0; `None` when its path is that of no rule.
        rule: Option<(usize, &'a IngressRule)>,
        /// Other tunnels behind the same load balancer.
        beside: Vec<&'a TunnelName>,
    },
    /// A tunnel that is not configured any more.
    Left(Left),
    /// Nothing that whoever asks may see.
    Nothing {
        /// A hostname that is similar.
        similar: Option<Hostname>,
    },
}

/// What leads to a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A DNS record of this name that Adit keeps, perhaps a wildcard.
    Record(Hostname),
    /// A DNS record of this name that somebody else keeps (`dns = false`).
    ForeignRecord(Hostname),
    /// The load balancer of this hostname.
    Balancer(Hostname),
    /// A private hostname, for devices of the organisation.
    Private(Hostname),
}

/// A tunnel that left the configuration and has the hostname still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Which.
    pub tunnel: TunnelName,
    /// Why its route is no more.
    pub reason: String,
}

impl Way {
    /// The name that leads there.
    pub fn hostname(&self) -> &Hostname {
        match self {
            Self::Record(hostname) | Self::ForeignRecord(hostname) | Self::Balancer(hostname) | Self::Private(hostname) => {
                hostname
            }
        }
    }

    /// How far it goes before others: its own name, and of wildcards the longest; what we keep before what we do not.
    fn precedence(&self) -> (bool, usize, bool) {
        let name = self.hostname();
        let ours = !matches!(self, Self::ForeignRecord(_));
        (!name.is_wildcard(), name.as_str().len(), ours)
    }
}

/// Finds what takes a request for `hostname` and `path`, among the tunnels that are `seen`.
pub fn find<'a>(
    intended: &'a Intended,
    status: &Status,
    seen: &dyn Fn(&TunnelName) -> bool,
    hostname: &Hostname,
    path: &str,
) -> Match<'a> {
    let tunnels = || intended.config.tunnels.values().filter(|tunnel| seen(&tunnel.name));
    let mut ways: Vec<(Way, &Tunnel)> =
        tunnels().flat_map(|tunnel| ways(tunnel, hostname).map(move |way| (way, tunnel))).collect();
    // Stable: of equals the first by name goes first.
    ways.sort_by_key(|(way, _)| std::cmp::Reverse(way.precedence()));
    let mut ways = ways.into_iter();
    let path = matched_path(path);
    if let Some((way, tunnel)) = ways.next() {
        let beside = match way {
            Way::Balancer(_) => ways.filter(|(other, _)| *other == way).map(|(_, tunnel)| &tunnel.name).collect(),
            Way::Record(_) | Way::ForeignRecord(_) | Way::Private(_) => Vec::new(),
        };
        let rule = tunnel.ingress.iter().enumerate().find(|(_, rule)| rule.takes(hostname) && rule.takes_path(&path));
        return Match::Tunnel { tunnel, way, rule, beside };
    }
    match left(intended, status, seen, hostname) {
        Some(left) => Match::Left(left),
        None => Match::Nothing { similar: similar(tunnels(), hostname) },
    }
}

/// What cloudflared holds against the path of a rule: what is asked for without its query, and with its escapes undone.
pub(super) fn matched_path(asked: &str) -> Cow<'_, str> {
    let path = asked.split_once('?').map_or(asked, |(path, _)| path);
    percent_decode_str(path).decode_utf8_lossy()
}

/// Everything by which a tunnel is reached under `hostname`.
fn ways<'a>(tunnel: &'a Tunnel, hostname: &'a Hostname) -> impl Iterator<Item = Way> + 'a {
    let reaches = move |own: &Hostname| own == hostname || own.matches(hostname.as_str());
    let rules = tunnel.ingress.iter().filter_map(move |rule| {
        let own = rule.hostname.as_ref().filter(|own| reaches(own) && !tunnel.is_balanced(own))?;
        Some(if rule.dns { Way::Record(own.clone()) } else { Way::ForeignRecord(own.clone()) })
    });
    let balancer = tunnel.load_balancer.as_ref().map(|balancer| &balancer.hostname).filter(move |own| reaches(own));
    let private = tunnel.hostname_routes.iter().filter(move |own| reaches(own));
    rules.chain(balancer.cloned().map(Way::Balancer)).chain(private.cloned().map(Way::Private))
}

/// A tunnel that left the configuration and of which a route of that hostname is still there.
fn left(intended: &Intended, status: &Status, seen: &dyn Fn(&TunnelName) -> bool, hostname: &Hostname) -> Option<Left> {
    let gone = status.tunnels.iter().filter(|(name, _)| !intended.config.tunnels.contains_key(*name) && seen(name));
    gone.flat_map(|(name, known)| {
        known.provisioned.as_deref().into_iter().flat_map(|known| &known.routes).map(move |route| (name, route))
    })
    .find(|(_, route)| route.hostname.as_ref() == Some(hostname))
    .map(|(name, route)| Left { tunnel: name.clone(), reason: route.reason.clone().unwrap_or_default() })
}

/// The most similar hostname of those tunnels, if one is similar.
fn similar<'a>(tunnels: impl Iterator<Item = &'a Tunnel>, hostname: &Hostname) -> Option<Hostname> {
    let hostnames = tunnels.flat_map(|tunnel| {
        let balancer = tunnel.load_balancer.iter().map(|balancer| &balancer.hostname);
        tunnel.ingress.iter().filter_map(|rule| rule.hostname.as_ref()).chain(balancer).chain(&tunnel.hostname_routes)
    });
    nearest(hostname.as_str(), hostnames.map(Hostname::as_str))?.parse().ok()
}
