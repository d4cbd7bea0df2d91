//! Leftover private routes and virtual networks.
//!
//! A route may be deleted while it leads to a tunnel of ours that was deleted, or to one that nothing here knows and nobody is
//! connected to; a virtual network while no route stands in it. Who deletes both looks twice.

use super::{Connected, Object, Orphan, Target, held, tunnel_of_marker};
use crate::{
    id::{RouteId, TunnelId, VirtualNetworkId},
    observed::{ObservedRoute, ObservedVirtualNetwork, RoutePlace},
    record::Records,
};

/// Which list a private route stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteList {
    /// That of networks.
    Networks,
    /// That of private hostnames.
    Hostnames,
}

/// Where a leftover private route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadsTo {
    /// Cloudflare does not say.
    Untold,
    /// A tunnel of ours that lives, and that nothing here knows.
    Stray {
        /// Its name at Cloudflare.
        name: String,
        /// Who is connected to it.
        connected: Connected,
    },
    /// Another tunnel.
    Tunnel(TunnelId, Target),
}

impl Orphan {
    /// A private route that carries our marker and is not on record.
    pub fn route(records: &Records, list: RouteList, id: RouteId, route: &ObservedRoute, leads_to: &LeadsTo) -> Self {
        let (since, kept) = match leads_to {
            LeadsTo::Untold => (None, Some("Cloudflare does not say which tunnel it leads to".to_owned())),
            LeadsTo::Stray { name, connected } => {
                let obstacle = connected.obstacle();
                (None, obstacle.map(|obstacle| format!("it leads to the tunnel {name:?}: {obstacle}")))
            }
            LeadsTo::Tunnel(id, target) => target.obstacle(records, id),
        };
        let kept = held(records, tunnel_of_marker(records, &route.comment)).or(kept);
        let target = route.tunnel_id.as_ref().map_or("an unknown tunnel".to_owned(), |id| format!("tunnel {id}"));
        let why = format!("it carries our marker {:?}, is not on record here, and leads to {target}", route.comment);
        let (name, place) = match &route.place {
            Some(RoutePlace::Network { network, .. }) => (network.to_string(), None),
            Some(RoutePlace::Hostname(hostname)) => (hostname.clone(), None),
            None => (id.to_string(), Some("Cloudflare does not say what it is for".to_owned())),
        };
        let object = match list {
            RouteList::Networks => Object::NetworkRoute { id },
            RouteList::Hostnames => Object::HostnameRoute { id },
        };
        Self::new(object, name, why, since, place.or(kept))
    }

    /// A virtual network that carries our marker and is not on record. `stays` is why it is needed, or may be.
    pub fn virtual_network(
        records: &Records,
        id: VirtualNetworkId,
        network: &ObservedVirtualNetwork,
        stays: Option<String>,
    ) -> Self {
        let default = network.is_default.then(|| "it is the default one of the account".to_owned());
        let kept = held(records, tunnel_of_marker(records, &network.comment)).or(default).or(stays);
        let why = format!("it carries our marker {:?} and is not on record here", network.comment);
        Self::new(Object::VirtualNetwork { id }, network.name.clone(), why, None, kept)
    }
}

/// Whether a private route carries our marker, and nothing of it is on record. While any route of its tunnel was begun and is not
/// settled, it may be that one.
pub fn is_stray_route(records: &Records, id: &RouteId, comment: &str) -> bool {
    let Some(tunnel) = tunnel_of_marker(records, comment) else { return false };
    let mut known = records.tunnels.values().flat_map(|record| record.private_routes.values());
    let mut begun = records.tunnels.get(&tunnel).into_iter().flat_map(|record| record.private_routes.values());
    !known.any(|route| route.route_id.as_ref() == Some(id)) && !begun.any(|route| route.route_id.is_none())
}

/// Whether a virtual network carries our marker, and nothing of it is on record: not even that it was about to be made.
pub fn is_stray_virtual_network(records: &Records, id: &VirtualNetworkId, network: &ObservedVirtualNetwork) -> bool {
    let made = || records.tunnels.values().flat_map(|record| &record.virtual_networks);
    let known = made().any(|(_, known)| known.as_ref() == Some(id));
    let begun = made().any(|(name, known)| known.is_none() && *name == network.name);
    tunnel_of_marker(records, &network.comment).is_some() && !known && !begun
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::record::InstallId;

    #[test]
    fn a_route_goes_only_when_its_tunnel_is_dead_or_ours_and_idle() {
        let records = Records::new(InstallId::new("a1b2c3d4").unwrap());
        let route = ObservedRoute {
            place: Some(RoutePlace::Hostname("wiki.internal".to_owned())),
            tunnel_id: Some("t1".parse().unwrap()),
            tunnel_name: None,
            comment: "adit:a1b2c3d4:web".to_owned(),
        };
        let deleted = |name: &str| Target::Deleted { name: name.to_owned(), at: Timestamp::UNIX_EPOCH };
        let tunnel = |target| LeadsTo::Tunnel("t1".parse().unwrap(), target);
        let stray = |connected| LeadsTo::Stray { name: "web.adit-a1b2c3d4".to_owned(), connected };
        for (leads_to, deletable) in [
            (tunnel(deleted("web.adit-a1b2c3d4")), true),
            (tunnel(deleted("by-hand")), false),
            (tunnel(Target::Live("web.adit-a1b2c3d4".to_owned())), false),
            (tunnel(Target::Unknown), false),
            (tunnel(Target::Unread("no answer".to_owned())), false),
            (stray(Connected::Connectors(0)), true),
            (stray(Connected::Connectors(1)), false),
            (stray(Connected::Unread("no answer".to_owned())), false),
            (LeadsTo::Untold, false),
        ] {
            let orphan = Orphan::route(&records, RouteList::Hostnames, "r1".parse().unwrap(), &route, &leads_to);
            assert_eq!(orphan.is_deletable(), deletable, "{leads_to:?}");
        }
    }

    #[test]
    fn the_default_virtual_network_is_never_deleted() {
        let records = Records::new(InstallId::new("a1b2c3d4").unwrap());
        for (is_default, deletable) in [(false, true), (true, false)] {
            let comment = "adit:a1b2c3d4:web".to_owned();
            let network = ObservedVirtualNetwork { name: "lab".to_owned(), is_default, comment };
            let orphan = Orphan::virtual_network(&records, "v1".parse().unwrap(), &network, None);
            assert_eq!(orphan.is_deletable(), deletable);
        }
    }
}
