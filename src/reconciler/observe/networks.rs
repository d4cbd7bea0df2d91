//! Reads private routes and virtual networks: what of them is wanted or on record.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::not_asked;
use crate::{
    cloudflare::{Client, Error, HostnameRoute, NetworkRoute, VirtualNetwork},
    desired::Desired,
    id::{AccountId, RouteId, VirtualNetworkId},
    name::{Hostname, TunnelName},
    observed::{ObservedNetworks, ObservedRoute, ObservedVirtualNetwork, Part, Presence, RoutePlace},
    plan::networks_needed,
    reconciler::worker::Worker,
    record::Fate,
};

impl Worker {
    /// Reads the private side of the account as far as these wishes and the records need it: one call for each list.
    pub(super) async fn observe_networks(&mut self, client: &Client, id: &AccountId, desired: &[&Desired]) -> ObservedNetworks {
        let records = self.shared.ledger.records();
        let needed: Vec<_> = desired.iter().map(|desired| networks_needed(desired, &records, id)).collect();
        let dying = |tunnel: &TunnelName| records.tunnels.get(tunnel).is_some_and(|record| record.fate == Fate::Delete);
        self.memory.routed.retain(dying);
        let all = !self.memory.routed.is_empty();
        let mut networks = ObservedNetworks::not_asked();
        if all || needed.iter().any(|needed| needed.networks) {
            let found = self.read("the virtual networks", client.virtual_networks(id)).await;
            networks.virtual_networks = found.map(|found| found.into_iter().map(seen_virtual_network).collect());
            let default = networks.default_network().cloned();
            let found = self.read("the private network routes", client.network_routes(id)).await;
            networks.network_routes =
                found.map(|found| found.into_iter().map(|route| seen_network_route(route, default.as_ref())).collect());
        }
        if all || needed.iter().any(|needed| needed.hostnames) {
            let found = self.read("the hostname routes", client.hostname_routes(id)).await;
            networks.hostname_routes = found.map(|found| found.into_iter().map(seen_hostname_route).collect());
        }
        networks
    }

    /// Reads again a list in which somebody else's route must be; what cannot be read leaves it as it was.
    pub(in crate::reconciler) async fn look_again(
        &mut self,
        client: &Client,
        id: &AccountId,
        hostnames: bool,
        networks: &mut ObservedNetworks,
    ) {
        let routes: Option<BTreeMap<RouteId, ObservedRoute>> = if hostnames {
            client.hostname_routes(id).await.ok().map(|found| found.into_iter().map(seen_hostname_route).collect())
        } else {
            let default = networks.default_network().cloned();
            let found = client.network_routes(id).await.ok();
            found.map(|found| found.into_iter().map(|route| seen_network_route(route, default.as_ref())).collect())
        };
        let list = if hostnames { &mut networks.hostname_routes } else { &mut networks.network_routes };
        if let Some(routes) = routes {
            *list = Part::Complete(routes);
        }
    }

    /// Whether an object exists, read by its id.
    pub(super) async fn presence<T>(
        &mut self,
        what: &str,
        call: impl Future<Output = Result<T, Error>>,
        is_deleted: impl Fn(&T) -> bool,
    ) -> Part<Presence> {
        if self.progress.has_ended() {
            return not_asked(what);
        }
        match call.await {
            Ok(found) => {
                self.progress.answered();
                Part::Complete(if is_deleted(&found) { Presence::Deleted } else { Presence::Live })
            }
            Err(error) if error.is_gone() => Part::Complete(Presence::NotFound),
            Err(error) => self.gap(what, &error),
        }
    }
}

/// A network's route as the planner sees it. One that names no virtual network stands in the default one.
pub(in crate::reconciler) fn seen_network_route(
    route: NetworkRoute,
    default: Option<&VirtualNetworkId>,
) -> (RouteId, ObservedRoute) {
    let network = route.network.parse::<IpNet>().ok().map(|network| network.trunc());
    let place = network.zip(route.virtual_network_id.or_else(|| default.cloned()));
    let place = place.map(|(network, virtual_network_id)| RoutePlace::Network { virtual_network_id, network });
    let seen = ObservedRoute { place, tunnel_id: route.tunnel_id, tunnel_name: route.tunnel_name, comment: route.comment };
    (route.id, seen)
}

/// A private hostname's route as the planner sees it. Hostnames ignore case.
pub(in crate::reconciler) fn seen_hostname_route(route: HostnameRoute) -> (RouteId, ObservedRoute) {
    let hostname = match route.hostname.parse::<Hostname>() {
        Ok(hostname) => hostname.as_str().to_owned(),
        // Such as a single label, which Adit routes none of.
        Err(_) => route.hostname.to_lowercase(),
    };
    let place = (!hostname.is_empty()).then_some(RoutePlace::Hostname(hostname));
    let seen = ObservedRoute { place, tunnel_id: route.tunnel_id, tunnel_name: route.tunnel_name, comment: route.comment };
    (route.id, seen)
}

/// A virtual network as the planner sees it.
pub(in crate::reconciler) fn seen_virtual_network(network: VirtualNetwork) -> (VirtualNetworkId, ObservedVirtualNetwork) {
    let seen = ObservedVirtualNetwork { name: network.name, is_default: network.is_default_network, comment: network.comment };
    (network.id, seen)
}
