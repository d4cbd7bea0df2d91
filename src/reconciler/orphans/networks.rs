//! Leftover private routes and virtual networks: found, looked at again, deleted.

use super::{became, connected, gone_is_done, has_enough, not_ours, still};
use crate::{
    desired::desired,
    id::{RouteId, VirtualNetworkId},
    observed::{ObservedRoute, ObservedVirtualNetwork, RoutePlace},
    orphan::{LeadsTo, Orphan, Orphans, RouteList, Target, is_stray_route, is_stray_tunnel, is_stray_virtual_network},
    reconciler::{
        observe::networks::{seen_hostname_route, seen_network_route, seen_virtual_network},
        pass::Ground,
        trouble,
        worker::Worker,
    },
    record::TunnelRecord,
};

type Routes = Vec<(RouteId, ObservedRoute)>;

type Networks = Vec<(VirtualNetworkId, ObservedVirtualNetwork)>;

impl Worker {
    /// Private routes and virtual networks with our marker that nothing here has on record.
    pub(super) async fn stray_networks(&self, ground: &Ground, looks: &mut usize, found: &mut Orphans) {
        let records = self.shared.ledger.records();
        let hostnames = hostname_routes(ground).await;
        self.stray_routes(ground, RouteList::Hostnames, &hostnames, looks, found).await;
        let networks = match virtual_networks(ground).await {
            Ok(networks) => networks,
            Err(why) => {
                found.unread.push(format!("{why}; so neither virtual networks nor the routes in them were looked at"));
                return;
            }
        };
        let routes = network_routes(ground, &networks).await;
        self.stray_routes(ground, RouteList::Networks, &routes, looks, found).await;
        let Ok(routes) = routes else { return };
        for (id, network) in networks {
            found.count_other(&records, "", Some(&network.comment));
            if !is_stray_virtual_network(&records, &id, &network) || has_enough(looks, found) {
                continue;
            }
            let stays = self.user_of_network(&id, &network, &routes);
            found.orphans.push(Orphan::virtual_network(&records, id, &network, stays));
        }
    }

    async fn stray_routes(
        &self,
        ground: &Ground,
        list: RouteList,
        routes: &Result<Routes, String>,
        looks: &mut usize,
        found: &mut Orphans,
    ) {
        let records = self.shared.ledger.records();
        let routes = match routes {
            Ok(routes) => routes,
            Err(why) => return found.unread.push(why.clone()),
        };
        for (id, route) in routes {
            found.count_other(&records, "", Some(&route.comment));
            if !is_stray_route(&records, id, &route.comment) || has_enough(looks, found) {
                continue;
            }
            let leads_to = self.leads_to(ground, route).await;
            found.orphans.push(Orphan::route(&records, list, id.clone(), route, &leads_to));
        }
    }

    /// Where a route leads, by what is there now.
    async fn leads_to(&self, ground: &Ground, route: &ObservedRoute) -> LeadsTo {
        let Ground { client, account_id, .. } = ground;
        let Some(id) = &route.tunnel_id else { return LeadsTo::Untold };
        let target = became(client, account_id, id).await;
        if let Target::Live(name) = &target
            && is_stray_tunnel(&self.shared.ledger.records(), id, name)
        {
            return LeadsTo::Stray { name: name.clone(), connected: connected(client, account_id, id).await };
        }
        LeadsTo::Tunnel(id.clone(), target)
    }

    /// Why a virtual network stays: a route stands in it, or is to.
    fn user_of_network(&self, id: &VirtualNetworkId, network: &ObservedVirtualNetwork, routes: &Routes) -> Option<String> {
        let wanted = desired(&self.in_force.borrow().clone(), &self.account);
        let user = wanted.tunnels.iter().find(|(_, tunnel)| {
            let mut networks = tunnel.private_routes.iter().filter_map(|route| route.network());
            networks.any(|wanted| wanted.virtual_network.as_deref() == Some(network.name.as_str()))
        });
        if let Some((tunnel, _)) = user {
            return Some(format!("tunnel {tunnel} wants it"));
        }
        let records = self.shared.ledger.records();
        let made =
            |record: &&TunnelRecord| record.private_routes.values().any(|route| route.virtual_network_id.as_ref() == Some(id));
        if let Some(record) = records.tunnels.values().find(made) {
            return Some(format!("a route of tunnel {} stands in it by what is on record", record.name));
        }
        // A route whose place cannot be told may stand in any of them.
        let stands = |route: &ObservedRoute| match &route.place {
            Some(RoutePlace::Network { virtual_network_id, .. }) => virtual_network_id == id,
            Some(RoutePlace::Hostname(_)) | None => true,
        };
        match routes.iter().filter(|(_, route)| stands(route)).count() {
            0 => None,
            1 => Some("a route stands in it".to_owned()),
            count => Some(format!("{count} routes stand in it")),
        }
    }

    pub(super) async fn delete_network_route(&self, ground: &Ground, orphan: &Orphan, id: &RouteId) -> Result<(), String> {
        let Ground { client, account_id, .. } = ground;
        let route = match client.network_route(account_id, id).await {
            Ok(route) if route.deleted_at.is_some() => return Ok(()),
            Ok(route) => route,
            Err(error) if error.is_gone() => return Ok(()),
            Err(error) => return Err(trouble::with_causes(&error)),
        };
        let default = default_network(&virtual_networks(ground).await?);
        self.is_route_left(ground, orphan, RouteList::Networks, seen_network_route(route, default.as_ref())).await?;
        gone_is_done(client.delete_network_route(account_id, id).await)
    }

    pub(super) async fn delete_hostname_route(&self, ground: &Ground, orphan: &Orphan, id: &RouteId) -> Result<(), String> {
        let Ground { client, account_id, .. } = ground;
        let route = match client.hostname_route(account_id, id).await {
            Ok(route) if route.deleted_at.is_some() => return Ok(()),
            Ok(route) => route,
            Err(error) if error.is_gone() => return Ok(()),
            Err(error) => return Err(trouble::with_causes(&error)),
        };
        self.is_route_left(ground, orphan, RouteList::Hostnames, seen_hostname_route(route)).await?;
        gone_is_done(client.delete_hostname_route(account_id, id).await)
    }

    /// Whether a route that was just read is left over still.
    async fn is_route_left(
        &self,
        ground: &Ground,
        orphan: &Orphan,
        list: RouteList,
        (id, route): (RouteId, ObservedRoute),
    ) -> Result<(), String> {
        let records = self.shared.ledger.records();
        if !is_stray_route(&records, &id, &route.comment) {
            return Err(not_ours());
        }
        let leads_to = self.leads_to(ground, &route).await;
        still(orphan, &Orphan::route(&records, list, id, &route, &leads_to))
    }

    pub(super) async fn delete_virtual_network(
        &self,
        ground: &Ground,
        orphan: &Orphan,
        id: &VirtualNetworkId,
    ) -> Result<(), String> {
        let Ground { client, account_id, .. } = ground;
        let records = self.shared.ledger.records();
        let (_, network) = match client.virtual_network(account_id, id).await {
            Ok(network) if network.deleted_at.is_some() => return Ok(()),
            Ok(network) => seen_virtual_network(network),
            Err(error) if error.is_gone() => return Ok(()),
            Err(error) => return Err(trouble::with_causes(&error)),
        };
        if !is_stray_virtual_network(&records, id, &network) {
            return Err(not_ours());
        }
        let routes = network_routes(ground, &virtual_networks(ground).await?).await?;
        let stays = self.user_of_network(id, &network, &routes);
        still(orphan, &Orphan::virtual_network(&records, id.clone(), &network, stays))?;
        // Cloudflare refuses as well when a route has come to stand in it.
        gone_is_done(client.delete_virtual_network(account_id, id).await)
    }
}

async fn virtual_networks(ground: &Ground) -> Result<Networks, String> {
    let found = ground.client.virtual_networks(&ground.account_id).await;
    Ok(found.map_err(|error| trouble::with_causes(&error))?.into_iter().map(seen_virtual_network).collect())
}

async fn network_routes(ground: &Ground, networks: &Networks) -> Result<Routes, String> {
    let default = default_network(networks);
    let found = ground.client.network_routes(&ground.account_id).await.map_err(|error| trouble::with_causes(&error))?;
    Ok(found.into_iter().map(|route| seen_network_route(route, default.as_ref())).collect())
}

async fn hostname_routes(ground: &Ground) -> Result<Routes, String> {
    let found = ground.client.hostname_routes(&ground.account_id).await;
    Ok(found.map_err(|error| trouble::with_causes(&error))?.into_iter().map(seen_hostname_route).collect())
}

fn default_network(networks: &Networks) -> Option<VirtualNetworkId> {
    networks.iter().find(|(_, network)| network.is_default).map(|(id, _)| id.clone())
}
