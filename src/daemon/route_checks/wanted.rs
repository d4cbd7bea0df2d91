//! Which routes are to be checked: those of tunnels that run, as far as there is something to ask.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    config::{IngressRule, Tunnel},
    connector::State,
    desired::Intended,
    plan::{RouteState, RouteStatus},
    route_check::{Question, RouteKey, Wanted},
    status::{Status, TunnelStatus},
};

/// The part of a status that decides what is wanted, so that the rest may change as often as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signature(u64);

impl Signature {
    /// That of `status`.
    pub(super) fn of(intended: &Intended, status: &Status) -> Self {
        let mut hasher = DefaultHasher::new();
        for (name, tunnel) in running(intended, status) {
            name.name.as_str().hash(&mut hasher);
            serves(tunnel).hash(&mut hasher);
            for route in live(tunnel) {
                route.hostname.as_ref().map(|hostname| hostname.as_str()).hash(&mut hasher);
            }
        }
        Self(hasher.finish())
    }
}

/// Every question that is worth asking: none for a tunnel that somebody stopped or that has no connector yet, and none for a public
/// hostname before visitors can come.
pub(super) fn wanted(intended: &Intended, status: &Status) -> Wanted {
    let mut wanted = Wanted::default();
    for (tunnel, known) in running(intended, status) {
        for rule in &tunnel.ingress {
            let route = || RouteKey { hostname: rule.hostname.clone(), path: rule.path.clone() };
            if let Some(question) = Question::of_origin(tunnel, rule) {
                wanted.add(question, &tunnel.name, route());
            }
            if serves(known)
                && is_live(known, rule)
                && let Some(question) = Question::of_hostname(tunnel, rule)
            {
                wanted.add(question, &tunnel.name, route());
            }
        }
    }
    wanted
}

/// The tunnels that are wanted and have a connector that is not stopped.
fn running<'a>(intended: &'a Intended, status: &'a Status) -> impl Iterator<Item = (&'a Tunnel, &'a TunnelStatus)> {
    let wanted = intended.config.tunnels.values().filter(|tunnel| !intended.stops.contains_key(&tunnel.name));
    wanted.filter_map(|tunnel| {
        let known = status.tunnels.get(&tunnel.name)?;
        known.connectors.values().any(|connector| connector.state != State::Stopped).then_some((tunnel, known))
    })
}

fn serves(tunnel: &TunnelStatus) -> bool {
    tunnel.connectors.values().any(|connector| connector.serving)
}

fn is_live(tunnel: &TunnelStatus, rule: &IngressRule) -> bool {
    live(tunnel).any(|route| route.hostname == rule.hostname)
}

/// The routes that lead visitors to the tunnel.
fn live(tunnel: &TunnelStatus) -> impl Iterator<Item = &RouteStatus> {
    let routes = tunnel.provisioned.as_deref().into_iter().flat_map(|provisioned| &provisioned.routes);
    routes.filter(|route| route.state == RouteState::Live)
}
