//! The private side of the account in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::{Model, account_id};
use crate::{
    config::{PrivateNetwork, PrivateRoute},
    desired::Desired,
    id::{RouteId, TunnelId, VirtualNetworkId},
    name::TunnelName,
    observed::{Gap, ObservedNetworks, ObservedRoute, ObservedVirtualNetwork, Part, Presence, RoutePlace},
    plan::{NetworkStep, networks_needed},
    record::PrivateRouteRef,
};

/// Routes and virtual networks, and which of them were deleted.
#[derive(Debug, Clone)]
pub(in crate::plan) struct ModelNetworks {
    pub(in crate::plan) virtual_networks: BTreeMap<VirtualNetworkId, ObservedVirtualNetwork>,
    pub(in crate::plan) routes: BTreeMap<RouteId, ObservedRoute>,
    deleted: BTreeSet<String>,
}

/// The id of the default virtual network.
pub(in crate::plan) fn default_network() -> VirtualNetworkId {
    "vn-default".parse().unwrap()
}

/// A private route in the words of the configuration: `10.0.0.0/8`, `10.0.0.0/8 lab` or `wiki.internal.example`.
pub(in crate::plan) fn private(text: &str) -> PrivateRoute {
    if !text.contains('/') {
        return PrivateRoute::hostname(text.parse().unwrap());
    }
    let (network, name) = text.split_once(' ').map_or((text, None), |(network, name)| (network, Some(name)));
    let virtual_network = name.map(str::to_owned);
    PrivateRoute::Network(PrivateNetwork { network: network.parse().unwrap(), virtual_network })
}

impl ModelNetworks {
    /// Nothing but the default virtual network.
    pub(super) fn new() -> Self {
        let default = ObservedVirtualNetwork { name: "default".to_owned(), is_default: true, comment: String::new() };
        let virtual_networks = BTreeMap::from([(default_network(), default)]);
        Self { virtual_networks, routes: BTreeMap::new(), deleted: BTreeSet::new() }
    }

    pub(super) fn presence_of_route(&self, id: &RouteId) -> Presence {
        self.presence(id.as_str(), self.routes.contains_key(id))
    }

    pub(super) fn presence_of_network(&self, id: &VirtualNetworkId) -> Presence {
        self.presence(id.as_str(), self.virtual_networks.contains_key(id))
    }

    fn presence(&self, id: &str, lives: bool) -> Presence {
        if lives {
            Presence::Live
        } else if self.deleted.contains(id) {
            Presence::Deleted
        } else {
            Presence::NotFound
        }
    }

    /// How many routes lead to a tunnel.
    pub(super) fn routes_to(&self, id: &TunnelId) -> usize {
        self.routes.values().filter(|route| route.tunnel_id.as_ref() == Some(id)).count()
    }

    /// The route at a place in the default virtual network, or of a hostname.
    pub(in crate::plan) fn route_at(&mut self, text: &str) -> Option<(&RouteId, &mut ObservedRoute)> {
        let place = self.place(&private(text))?;
        self.routes.iter_mut().find(|(_, route)| route.place.as_ref() == Some(&place))
    }

    /// Where a private route would stand; `None` when its virtual network does not exist.
    pub(in crate::plan) fn place(&self, route: &PrivateRoute) -> Option<RoutePlace> {
        Some(match route {
            PrivateRoute::Hostname { private_hostname } => RoutePlace::Hostname(private_hostname.to_string()),
            PrivateRoute::Network(network) => {
                let named = |(id, _): (&VirtualNetworkId, _)| id.clone();
                let fits = |(_, there): &(&VirtualNetworkId, &ObservedVirtualNetwork)| match &network.virtual_network {
                    None => there.is_default,
                    Some(name) => there.name == *name,
                };
                let virtual_network_id = self.virtual_networks.iter().find(fits).map(named)?;
                RoutePlace::Network { virtual_network_id, network: network.network }
            }
        })
    }

    pub(in crate::plan) fn delete_route(&mut self, id: &RouteId) {
        self.routes.remove(id);
        self.deleted.insert(id.to_string());
    }

    pub(in crate::plan) fn delete_virtual_network(&mut self, id: &VirtualNetworkId) {
        let is_in = |route: &ObservedRoute| matches!(&route.place, Some(RoutePlace::Network { virtual_network_id, .. }) if virtual_network_id == id);
        assert!(!self.routes.values().any(is_in), "Cloudflare refuses to delete a virtual network with routes");
        assert!(self.virtual_networks.get(id).is_none_or(|network| !network.is_default), "it is the default one");
        self.virtual_networks.remove(id);
        self.deleted.insert(id.to_string());
    }

    /// A tunnel that somebody deletes in the dashboard takes its routes along.
    pub(in crate::plan) fn cascade(&mut self, tunnel: &TunnelId) {
        let routes: Vec<RouteId> =
            self.routes.iter().filter(|(_, route)| route.tunnel_id.as_ref() == Some(tunnel)).map(|(id, _)| id.clone()).collect();
        routes.iter().for_each(|id| self.delete_route(id));
    }
}

impl Model {
    /// Somebody makes a private route, if its place is free.
    pub(in crate::plan) fn add_foreign_route(&mut self, text: &str, tunnel: &TunnelId, comment: &str) -> Option<RouteId> {
        let place = self.networks.place(&private(text))?;
        if self.networks.routes.values().any(|route| route.place.as_ref() == Some(&place)) {
            return None;
        }
        let id: RouteId = self.next_id().parse().unwrap();
        let route = ObservedRoute {
            place: Some(place),
            tunnel_id: Some(tunnel.clone()),
            tunnel_name: Some("other".to_owned()),
            comment: comment.to_owned(),
        };
        self.networks.routes.insert(id.clone(), route);
        Some(id)
    }

    /// Somebody makes a virtual network.
    pub(in crate::plan) fn add_foreign_network(&mut self, name: &str) -> VirtualNetworkId {
        let id: VirtualNetworkId = self.next_id().parse().unwrap();
        let network = ObservedVirtualNetwork { name: name.to_owned(), is_default: false, comment: String::new() };
        self.networks.virtual_networks.insert(id.clone(), network);
        id
    }

    pub(super) fn observe_networks(&self, desired: &Desired) -> ObservedNetworks {
        let needed = networks_needed(desired, &self.records, &account_id());
        let gap = |what: &str| Gap { what: what.to_owned(), why: "connection refused".to_owned() };
        let mut seen = ObservedNetworks::not_asked();
        let is_network = |route: &ObservedRoute| matches!(route.place, Some(RoutePlace::Network { .. }));
        let routes = |networks: bool| {
            let routes = self.networks.routes.iter().filter(|(_, route)| is_network(route) == networks);
            Part::Complete(routes.map(|(id, route)| (id.clone(), route.clone())).collect())
        };
        if needed.networks {
            seen.virtual_networks = Part::Complete(self.networks.virtual_networks.clone());
            seen.network_routes = routes(true);
        }
        if needed.hostnames {
            seen.hostname_routes = routes(false);
        }
        if self.unreadable.contains("virtual networks") {
            seen.virtual_networks = Part::Gap(gap("the virtual networks"));
        }
        if self.unreadable.contains("private routes") {
            seen.network_routes = Part::Gap(gap("the private network routes"));
            seen.hostname_routes = Part::Gap(gap("the hostname routes"));
        }
        seen
    }

    /// Does to Cloudflare what the step says, and puts nothing on record but what is durable before.
    pub(in crate::plan) fn apply_network_and_lose_the_answer(&mut self, step: &NetworkStep) {
        match step {
            NetworkStep::CreateVirtualNetwork { tunnel, name, .. } => {
                self.ours(tunnel).virtual_networks.insert(name.clone(), None);
                if !self.networks.virtual_networks.values().any(|network| network.name == *name) {
                    let id = self.add_foreign_network(name);
                    let marker = self.records.install.marker(tunnel);
                    self.networks.virtual_networks.get_mut(&id).unwrap().comment = marker;
                }
            }
            NetworkStep::CreateRoute { tunnel, route, virtual_network_id, .. } => {
                let Some(place) = self.place_of(route, virtual_network_id.as_ref()) else { return };
                let made = self.made(None, &place);
                self.ours(tunnel).private_routes.insert(route.clone(), made);
                if !self.networks.routes.values().any(|there| there.place.as_ref() == Some(&place)) {
                    let id: RouteId = self.next_id().parse().unwrap();
                    let made = self.our_route(tunnel, place);
                    self.networks.routes.insert(id, made);
                }
            }
            NetworkStep::RepairRoute { tunnel, route, route_id, virtual_network_id, .. }
            | NetworkStep::MoveRoute { tunnel, route, route_id, virtual_network_id, .. } => {
                let Some(place) = self.place_of(route, virtual_network_id.as_ref()) else { return };
                let taken = |(id, there): (&RouteId, &ObservedRoute)| id != route_id && there.place.as_ref() == Some(&place);
                if !self.networks.routes.iter().any(taken) {
                    let changed = self.our_route(tunnel, place);
                    *self.networks.routes.get_mut(route_id).expect("a route that is changed is there") = changed;
                }
            }
            NetworkStep::HandVirtualNetwork { tunnel, virtual_network_id, .. } => {
                let marker = self.records.install.marker(tunnel);
                self.networks.virtual_networks.get_mut(virtual_network_id).unwrap().comment = marker;
            }
            NetworkStep::DeleteRoute { route_id, .. } => self.networks.delete_route(route_id),
            NetworkStep::DeleteVirtualNetwork { virtual_network_id, .. } => {
                self.networks.delete_virtual_network(virtual_network_id);
            }
            NetworkStep::TakeVirtualNetwork { .. }
            | NetworkStep::ForgetVirtualNetwork { .. }
            | NetworkStep::TakeRoute { .. }
            | NetworkStep::ForgetRoute { .. } => {}
        }
    }

    pub(super) fn apply_network(&mut self, step: &NetworkStep) {
        self.apply_network_and_lose_the_answer(step);
        let tunnel = step.tunnel().clone();
        match step {
            NetworkStep::CreateVirtualNetwork { name, .. } => {
                let marker = self.records.install.marker(&tunnel);
                let made =
                    self.networks.virtual_networks.iter().find(|(_, there)| there.name == *name && there.comment == marker);
                if let Some(id) = made.map(|(id, _)| id.clone()) {
                    self.ours(&tunnel).virtual_networks.insert(name.clone(), Some(id));
                }
            }
            NetworkStep::TakeVirtualNetwork { name, virtual_network_id, .. } => {
                self.ours(&tunnel).virtual_networks.insert(name.clone(), Some(virtual_network_id.clone()));
            }
            NetworkStep::HandVirtualNetwork { from, name, virtual_network_id, .. } => {
                self.ours(&tunnel).virtual_networks.insert(name.clone(), Some(virtual_network_id.clone()));
                self.ours(from).virtual_networks.remove(name);
            }
            NetworkStep::DeleteVirtualNetwork { name, .. } | NetworkStep::ForgetVirtualNetwork { name, .. } => {
                self.ours(&tunnel).virtual_networks.remove(name);
            }
            NetworkStep::CreateRoute { route, virtual_network_id, .. } => {
                let Some(place) = self.place_of(route, virtual_network_id.as_ref()) else { return };
                let marker = self.records.install.marker(&tunnel);
                let made = self
                    .networks
                    .routes
                    .iter()
                    .find(|(_, there)| there.place.as_ref() == Some(&place) && there.comment == marker);
                if let Some(id) = made.map(|(id, _)| id.clone()) {
                    let made = self.made(Some(id), &place);
                    self.ours(&tunnel).private_routes.insert(route.clone(), made);
                }
            }
            NetworkStep::TakeRoute { route, route_id, virtual_network_id, .. } => {
                let made = PrivateRouteRef { route_id: Some(route_id.clone()), virtual_network_id: virtual_network_id.clone() };
                self.ours(&tunnel).private_routes.insert(route.clone(), made);
            }
            NetworkStep::RepairRoute { route, route_id, .. } | NetworkStep::MoveRoute { route, route_id, .. } => {
                let place = self.networks.routes[route_id].place.clone().unwrap();
                let made = self.made(Some(route_id.clone()), &place);
                self.ours(&tunnel).private_routes.insert(route.clone(), made);
                if let NetworkStep::MoveRoute { from, .. } = step {
                    self.ours(from).private_routes.retain(|_, made| made.route_id.as_ref() != Some(route_id));
                }
            }
            NetworkStep::DeleteRoute { route, .. } | NetworkStep::ForgetRoute { route, .. } => {
                self.ours(&tunnel).private_routes.remove(route);
            }
        }
    }

    /// Where a step leads a route: into the virtual network that it names by id, or into the one that was made before.
    fn place_of(&self, route: &PrivateRoute, virtual_network_id: Option<&VirtualNetworkId>) -> Option<RoutePlace> {
        match (route, virtual_network_id) {
            (PrivateRoute::Network(network), Some(id)) => {
                Some(RoutePlace::Network { virtual_network_id: id.clone(), network: network.network })
            }
            (PrivateRoute::Network(_), None) | (PrivateRoute::Hostname { .. }, _) => self.networks.place(route),
        }
    }

    fn our_route(&self, tunnel: &TunnelName, place: RoutePlace) -> ObservedRoute {
        let tunnel_id = self.records.tunnels[tunnel].id.clone();
        assert!(tunnel_id.is_some(), "a route leads to a tunnel that exists");
        ObservedRoute { place: Some(place), tunnel_id, tunnel_name: None, comment: self.records.install.marker(tunnel) }
    }

    fn made(&self, route_id: Option<RouteId>, place: &RoutePlace) -> PrivateRouteRef {
        let virtual_network_id = match place {
            RoutePlace::Network { virtual_network_id, .. } => Some(virtual_network_id.clone()),
            RoutePlace::Hostname(_) => None,
        };
        PrivateRouteRef { route_id, virtual_network_id }
    }
}
