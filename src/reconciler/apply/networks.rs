//! Private routes and virtual networks: made, changed and deleted one by one, as there is no batch for them.
//!
//! What is about to be made is on record before it is asked for: without an id, and a route with its virtual network. A lost answer
//! is settled by the next list.

use super::{StepError, There, gone_is_done};
use crate::{
    cloudflare::{self, Kind, NewHostnameRoute, NewNetworkRoute},
    config::{PrivateNetwork, PrivateRoute},
    id::{RouteId, VirtualNetworkId},
    name::{Hostname, TunnelName},
    observed::{Observed, ObservedRoute, Part},
    plan::NetworkStep,
    reconciler::{
        observe::networks::{seen_hostname_route, seen_network_route, seen_virtual_network},
        worker::Worker,
    },
    record::PrivateRouteRef,
};

/// A private route as it is sent.
enum New {
    Network(NewNetworkRoute),
    Hostname(NewHostnameRoute),
}

impl Worker {
    /// Changes a private route or a virtual network; `None` when that needs Cloudflare, and it is not `there`.
    pub(super) async fn apply_network(&mut self, step: &NetworkStep, there: Option<There<'_>>) -> Option<Result<(), StepError>> {
        Some(match step {
            NetworkStep::CreateVirtualNetwork { tunnel, name, .. } => self.create_virtual_network(there?, tunnel, name).await,
            NetworkStep::HandVirtualNetwork { from, tunnel, name, virtual_network_id } => {
                self.hand_virtual_network(there?, from, tunnel, name, virtual_network_id).await
            }
            NetworkStep::DeleteVirtualNetwork { tunnel, name, virtual_network_id } => {
                self.remove_virtual_network(there?, tunnel, name, virtual_network_id).await
            }
            NetworkStep::CreateRoute { tunnel, route, virtual_network_id, .. } => {
                self.create_route(there?, tunnel, route, virtual_network_id.as_ref()).await
            }
            NetworkStep::RepairRoute { tunnel, route, route_id, virtual_network_id, .. } => {
                self.change_route(there?, tunnel, route, route_id, virtual_network_id.as_ref()).await
            }
            NetworkStep::MoveRoute { from, tunnel, route, route_id, virtual_network_id } => {
                let moved = self.change_route(there?, tunnel, route, route_id, virtual_network_id.as_ref()).await;
                if moved.is_ok() {
                    // After what was gained: a crash in between leaves it with both tunnels, which the planner settles.
                    let loses = |made: &PrivateRouteRef| made.route_id.as_ref() == Some(route_id);
                    self.note(from, |record| record.private_routes.retain(|_, made| !loses(made))).await;
                }
                moved
            }
            NetworkStep::DeleteRoute { tunnel, route, route_id } => self.remove_route(there?, tunnel, route, route_id).await,
            NetworkStep::TakeVirtualNetwork { tunnel, name, virtual_network_id } => {
                let id = Some(virtual_network_id.clone());
                self.put(tunnel, |record| drop(record.virtual_networks.insert(name.clone(), id))).await
            }
            NetworkStep::ForgetVirtualNetwork { tunnel, name, .. } => {
                self.put(tunnel, |record| drop(record.virtual_networks.remove(name))).await
            }
            NetworkStep::TakeRoute { tunnel, route, route_id, virtual_network_id } => {
                let (route_id, virtual_network_id) = (Some(route_id.clone()), virtual_network_id.clone());
                let made = PrivateRouteRef { route_id, virtual_network_id };
                self.put(tunnel, |record| drop(record.private_routes.insert(route.clone(), made))).await
            }
            NetworkStep::ForgetRoute { tunnel, route, .. } => {
                self.put(tunnel, |record| drop(record.private_routes.remove(route))).await
            }
        })
    }

    async fn create_virtual_network(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        name: &str,
    ) -> Result<(), StepError> {
        let mut record = self.record_of(tunnel)?;
        record.virtual_networks.insert(name.to_owned(), None);
        self.shared.ledger.save(record).await?;
        let marker = self.shared.ledger.records().install.marker(tunnel);
        let made = place.client.create_virtual_network(place.account_id, name, &marker).await?;
        let id = Some(made.id.clone());
        self.note(tunnel, |record| drop(record.virtual_networks.insert(name.to_owned(), id))).await;
        if let Part::Complete(networks) = &mut observed.networks.virtual_networks {
            networks.extend([seen_virtual_network(made)]);
        }
        Ok(())
    }

    /// Writes the heir's marker, then puts it on record with the heir, and takes it from the tunnel that goes last of all.
    async fn hand_virtual_network(
        &mut self,
        There { place, observed }: There<'_>,
        from: &TunnelName,
        tunnel: &TunnelName,
        name: &str,
        id: &VirtualNetworkId,
    ) -> Result<(), StepError> {
        self.record_of(tunnel)?;
        let marker = self.shared.ledger.records().install.marker(tunnel);
        place.client.comment_virtual_network(place.account_id, id, &marker).await?;
        if let Part::Complete(networks) = &mut observed.networks.virtual_networks
            && let Some(network) = networks.get_mut(id)
        {
            network.comment = marker;
        }
        self.note(tunnel, |record| drop(record.virtual_networks.insert(name.to_owned(), Some(id.clone())))).await;
        self.note(from, |record| drop(record.virtual_networks.remove(name))).await;
        Ok(())
    }

    async fn remove_virtual_network(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        name: &str,
        id: &VirtualNetworkId,
    ) -> Result<(), StepError> {
        gone_is_done(place.client.delete_virtual_network(place.account_id, id).await)?;
        self.note(tunnel, |record| drop(record.virtual_networks.remove(name))).await;
        if let Part::Complete(networks) = &mut observed.networks.virtual_networks {
            networks.remove(id);
        }
        Ok(())
    }

    async fn create_route(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        route: &PrivateRoute,
        virtual_network_id: Option<&VirtualNetworkId>,
    ) -> Result<(), StepError> {
        let new = self.new_route(tunnel, route, virtual_network_id, observed)?;
        let mut record = self.record_of(tunnel)?;
        let virtual_network_id = new.virtual_network_id();
        let intent = PrivateRouteRef { route_id: None, virtual_network_id: virtual_network_id.clone() };
        record.private_routes.insert(route.clone(), intent);
        self.shared.ledger.save(record).await?;

        let (client, account) = (place.client, place.account_id);
        let made = match &new {
            New::Network(new) => {
                let made = client.create_network_route(account, new).await;
                made.map(|made| seen_network_route(made, virtual_network_id.as_ref()))
            }
            New::Hostname(new) => client.create_hostname_route(account, new).await.map(seen_hostname_route),
        };
        match made {
            Ok(made) => {
                self.take_route(tunnel, route, virtual_network_id, made, observed).await;
                Ok(())
            }
            Err(error) => {
                if matches!(error.kind(), Kind::Conflict(cloudflare::Conflict::PrivateRoute | cloudflare::Conflict::Other)) {
                    // Whose route it is shows in the list, and the plan then says so.
                    let hostnames = route.network().is_none();
                    self.look_again(client, account, hostnames, &mut observed.networks).await;
                }
                Err(error.into())
            }
        }
    }

    async fn change_route(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        route: &PrivateRoute,
        route_id: &RouteId,
        virtual_network_id: Option<&VirtualNetworkId>,
    ) -> Result<(), StepError> {
        let new = self.new_route(tunnel, route, virtual_network_id, observed)?;
        let virtual_network_id = new.virtual_network_id();
        let (client, account) = (place.client, place.account_id);
        let changed = match &new {
            New::Network(new) => {
                let changed = client.change_network_route(account, route_id, new).await?;
                seen_network_route(changed, virtual_network_id.as_ref())
            }
            New::Hostname(new) => seen_hostname_route(client.change_hostname_route(account, route_id, new).await?),
        };
        self.take_route(tunnel, route, virtual_network_id, changed, observed).await;
        Ok(())
    }

    async fn remove_route(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        route: &PrivateRoute,
        id: &RouteId,
    ) -> Result<(), StepError> {
        gone_is_done(match route {
            PrivateRoute::Network(_) => place.client.delete_network_route(place.account_id, id).await,
            PrivateRoute::Hostname { .. } => place.client.delete_hostname_route(place.account_id, id).await,
        })?;
        self.note(tunnel, |record| drop(record.private_routes.remove(route))).await;
        if let Part::Complete(routes) = list_of(observed, route) {
            routes.remove(id);
        }
        Ok(())
    }

    /// Puts on record, and among what was read, a route as Cloudflare answered it.
    async fn take_route(
        &mut self,
        tunnel: &TunnelName,
        route: &PrivateRoute,
        virtual_network_id: Option<VirtualNetworkId>,
        (id, seen): (RouteId, ObservedRoute),
        observed: &mut Observed,
    ) {
        let made = PrivateRouteRef { route_id: Some(id.clone()), virtual_network_id };
        self.note(tunnel, |record| drop(record.private_routes.insert(route.clone(), made))).await;
        if let Part::Complete(routes) = list_of(observed, route) {
            routes.insert(id, seen);
        }
    }

    /// What is sent for a private route of `tunnel`.
    fn new_route(
        &self,
        tunnel: &TunnelName,
        route: &PrivateRoute,
        virtual_network_id: Option<&VirtualNetworkId>,
        observed: &Observed,
    ) -> Result<New, StepError> {
        let comment = self.shared.ledger.records().install.marker(tunnel);
        let missing = || StepError::Other(format!("tunnel {tunnel} is not made yet"));
        let tunnel_id = self.record_of(tunnel)?.id.ok_or_else(missing)?;
        match route {
            PrivateRoute::Network(network) => {
                let virtual_network_id = match virtual_network_id {
                    Some(id) => id.clone(),
                    None => virtual_network_named(network, observed)?,
                };
                Ok(New::Network(NewNetworkRoute { network: network.network.to_string(), tunnel_id, virtual_network_id, comment }))
            }
            PrivateRoute::Hostname { private_hostname } => {
                let hostname = Hostname::as_str(private_hostname).to_owned();
                Ok(New::Hostname(NewHostnameRoute { hostname, tunnel_id, comment }))
            }
        }
    }
}

impl New {
    fn virtual_network_id(&self) -> Option<VirtualNetworkId> {
        match self {
            Self::Network(new) => Some(new.virtual_network_id.clone()),
            Self::Hostname(_) => None,
        }
    }
}

/// The virtual network that an earlier step of the plan made.
fn virtual_network_named(network: &PrivateNetwork, observed: &Observed) -> Result<VirtualNetworkId, StepError> {
    let name = network.virtual_network.as_deref().unwrap_or_default();
    let networks = observed.networks.virtual_networks.complete();
    let made = networks.and_then(|networks| networks.iter().find(|(_, network)| network.name == name));
    let missing = || StepError::Other(format!("its virtual network {name:?} could not be made"));
    made.map(|(id, _)| id.clone()).ok_or_else(missing)
}

fn list_of<'o>(
    observed: &'o mut Observed,
    route: &PrivateRoute,
) -> &'o mut Part<std::collections::BTreeMap<RouteId, ObservedRoute>> {
    match route {
        PrivateRoute::Network(_) => &mut observed.networks.network_routes,
        PrivateRoute::Hostname { .. } => &mut observed.networks.hostname_routes,
    }
}
