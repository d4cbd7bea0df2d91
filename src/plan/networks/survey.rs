//! What was read of private routes, and what of it is on record: each found at once.

use std::collections::BTreeMap;

use crate::{
    config::PrivateRoute,
    id::{RouteId, VirtualNetworkId},
    name::TunnelName,
    observed::{ObservedNetworks, ObservedRoute, ObservedVirtualNetwork, Part, RoutePlace},
    record::{PrivateRouteRef, TunnelRecord},
};

/// What was read, by id, by place and by name, and what is on record.
pub(super) struct Survey<'a> {
    pub(super) networks: &'a ObservedNetworks,
    routes: BTreeMap<&'a RouteId, &'a ObservedRoute>,
    places: BTreeMap<&'a RoutePlace, &'a RouteId>,
    owned: BTreeMap<PrivateRoute, Vec<Owned>>,
    /// Whose each route on record is.
    owners: BTreeMap<RouteId, (TunnelName, PrivateRoute)>,
}

/// A private route on record.
#[derive(Debug, Clone)]
pub(super) struct Owned {
    pub(super) tunnel: TunnelName,
    pub(super) route: PrivateRoute,
    pub(super) made: PrivateRouteRef,
}

impl<'a> Survey<'a> {
    pub(super) fn of<'r>(networks: &'a ObservedNetworks, records: impl Iterator<Item = &'r TunnelRecord>) -> Self {
        let parts = [&networks.network_routes, &networks.hostname_routes];
        let routes: BTreeMap<_, _> = parts.into_iter().filter_map(|part| part.complete()).flatten().collect();
        let places = routes.iter().filter_map(|(id, route)| Some((route.place.as_ref()?, *id))).collect();
        let (mut owned, mut owners): (BTreeMap<_, Vec<Owned>>, _) = (BTreeMap::new(), BTreeMap::new());
        for record in records {
            for (route, made) in &record.private_routes {
                let one = Owned { tunnel: record.name.clone(), route: route.clone(), made: made.clone() };
                owned.entry(route.clone()).or_default().push(one);
                if let Some(id) = &made.route_id {
                    owners.insert(id.clone(), (record.name.clone(), route.clone()));
                }
            }
        }
        Self { networks, routes, places, owned, owners }
    }

    /// The listed route of this id.
    pub(super) fn route(&self, id: &RouteId) -> Option<&'a ObservedRoute> {
        self.routes.get(id).copied()
    }

    /// The listed route at this place.
    pub(super) fn at(&self, place: &RoutePlace) -> Option<(&'a RouteId, &'a ObservedRoute)> {
        let id = self.places.get(place).copied()?;
        Some((id, self.routes[id]))
    }

    /// Every listed route.
    pub(super) fn listed(&self) -> impl Iterator<Item = (&'a RouteId, &'a ObservedRoute)> {
        self.routes.iter().map(|(id, route)| (*id, *route))
    }

    /// Every route on record.
    pub(super) fn on_record(&self) -> impl Iterator<Item = &Owned> {
        self.owned.values().flatten()
    }

    /// What is on record for a private route of `tunnel`: its own, else another tunnel's of the same words, else whatever of ours
    /// stands at the place.
    pub(super) fn owner(&self, tunnel: &TunnelName, route: &PrivateRoute, place: Option<&RoutePlace>) -> Option<&Owned> {
        let same_words = self.owned.get(route).map(Vec::as_slice).unwrap_or_default();
        let own = same_words.iter().find(|owned| owned.tunnel == *tunnel && owned.made.route_id.is_some());
        let made = || same_words.iter().find(|owned| owned.made.route_id.is_some());
        own.or_else(made).or_else(|| self.owned_at(place?))
    }

    /// What is on record for the route that stands at a place.
    pub(super) fn owned_at(&self, place: &RoutePlace) -> Option<&Owned> {
        let (tunnel, route) = self.owners.get(self.at(place)?.0)?;
        self.owned.get(route)?.iter().find(|owned| owned.tunnel == *tunnel)
    }

    /// Whose a listed route is by our records.
    pub(super) fn owner_of(&self, id: &RouteId) -> Option<&TunnelName> {
        self.owners.get(id).map(|(tunnel, _)| tunnel)
    }

    /// The live virtual network of this id.
    pub(super) fn virtual_network(&self, id: &VirtualNetworkId) -> Option<&'a ObservedVirtualNetwork> {
        self.networks.virtual_networks.complete()?.get(id)
    }

    /// The live virtual network of this name.
    pub(super) fn named(&self, name: &str) -> Option<(&'a VirtualNetworkId, &'a ObservedVirtualNetwork)> {
        self.networks.virtual_networks.complete()?.iter().find(|(_, network)| network.name == name)
    }

    /// The list that a private route would be in.
    pub(super) fn list_of(&self, route: &PrivateRoute) -> &'a Part<BTreeMap<RouteId, ObservedRoute>> {
        match route {
            PrivateRoute::Network(_) => &self.networks.network_routes,
            PrivateRoute::Hostname { .. } => &self.networks.hostname_routes,
        }
    }

    /// Whether the list that a private route would be in was read.
    pub(super) fn is_complete(&self, route: &PrivateRoute) -> bool {
        self.list_of(route).complete().is_some()
    }

    /// Whether any private route or virtual network can be seen.
    pub(super) fn sees_anything(&self) -> bool {
        !self.routes.is_empty() || self.networks.virtual_networks.complete().is_some_and(|networks| !networks.is_empty())
    }
}
