//! One change of a private route or a virtual network.

use serde::Serialize;

use crate::{
    config::PrivateRoute,
    id::{RouteId, VirtualNetworkId},
    name::TunnelName,
    plan::{
        DriftKind, ForgetReason,
        step::{Facts, Rank},
    },
};

/// One change of a private route or a virtual network, at Cloudflare or in what is on record here. Every one may run twice.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum NetworkStep {
    /// Makes a virtual network for a tunnel, which is not the default one.
    CreateVirtualNetwork {
        /// The tunnel that needs it first.
        tunnel: TunnelName,
        /// Its name.
        name: String,
        /// Whether one that we made has gone.
        again: bool,
    },
    /// An earlier create whose answer was lost did make the virtual network. Changes only the record.
    TakeVirtualNetwork {
        /// The tunnel that it was made for.
        tunnel: TunnelName,
        /// Its name.
        name: String,
        /// The id that it got.
        virtual_network_id: VirtualNetworkId,
    },
    /// A virtual network of a tunnel that goes is another one's from here on, because that one has routes in it.
    HandVirtualNetwork {
        /// The tunnel that it was made for.
        from: TunnelName,
        /// The tunnel that stays.
        tunnel: TunnelName,
        /// Its name.
        name: String,
        /// Its id.
        virtual_network_id: VirtualNetworkId,
    },
    /// Deletes a virtual network of ours that no route needs.
    DeleteVirtualNetwork {
        /// The tunnel that it was made for.
        tunnel: TunnelName,
        /// Its name.
        name: String,
        /// Its id.
        virtual_network_id: VirtualNetworkId,
    },
    /// A virtual network is no longer ours to care for. Changes only the record.
    ForgetVirtualNetwork {
        /// The tunnel that it was made for.
        tunnel: TunnelName,
        /// Its name.
        name: String,
        /// Why.
        why: ForgetReason,
    },
    /// Makes a private route.
    CreateRoute {
        /// The tunnel that it leads to.
        tunnel: TunnelName,
        /// What it is for.
        route: PrivateRoute,
        /// The virtual network of a network's route; `None` when an earlier step makes it.
        virtual_network_id: Option<VirtualNetworkId>,
        /// Whether one that we made has gone.
        again: bool,
    },
    /// An earlier create whose answer was lost did make the private route. Changes only the record.
    TakeRoute {
        /// The tunnel that wants it.
        tunnel: TunnelName,
        /// What it is for.
        route: PrivateRoute,
        /// The id that it got.
        route_id: RouteId,
        /// The virtual network of a network's route.
        virtual_network_id: Option<VirtualNetworkId>,
    },
    /// Sets right a private route of ours that was changed.
    RepairRoute {
        /// The tunnel that it leads to.
        tunnel: TunnelName,
        /// What it is for.
        route: PrivateRoute,
        /// Its id.
        route_id: RouteId,
        /// The virtual network of a network's route; `None` when an earlier step makes it.
        virtual_network_id: Option<VirtualNetworkId>,
        /// What is not as it should be.
        drift: Vec<RouteDrift>,
    },
    /// Leads a private route of ours to another of our tunnels, in one call.
    MoveRoute {
        /// The tunnel that it led to.
        from: TunnelName,
        /// The tunnel that it is to lead to.
        tunnel: TunnelName,
        /// What it is for.
        route: PrivateRoute,
        /// Its id.
        route_id: RouteId,
        /// The virtual network of a network's route; `None` when an earlier step makes it.
        virtual_network_id: Option<VirtualNetworkId>,
    },
    /// Deletes a private route of ours.
    DeleteRoute {
        /// The tunnel that it was made for.
        tunnel: TunnelName,
        /// What it is for.
        route: PrivateRoute,
        /// Its id.
        route_id: RouteId,
    },
    /// A private route is no longer ours to care for. Changes only the record.
    ForgetRoute {
        /// The tunnel that it was made for.
        tunnel: TunnelName,
        /// What it is for.
        route: PrivateRoute,
        /// Why.
        why: ForgetReason,
    },
}

/// What of a private route is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteDrift {
    /// It leads to another tunnel.
    Tunnel,
    /// It is for another network or hostname, or stands in another virtual network.
    Place,
    /// Its marker names another of our tunnels.
    Comment,
}

impl NetworkStep {
    /// What is to be known of it. A virtual network is there before its routes, routes go before their tunnel, and virtual networks
    /// last.
    pub(in crate::plan) fn facts(&self) -> Facts<'_> {
        use Rank::{Delete, Lead, Make, Release};
        match self {
            Self::CreateVirtualNetwork { tunnel, again, .. } => {
                Facts::calling(1, Make, '+', "create-virtual-network", tunnel).repairing(DriftKind::Network, *again)
            }
            Self::TakeVirtualNetwork { tunnel, .. } => Facts::noting('~', "take-virtual-network", tunnel),
            Self::HandVirtualNetwork { from, tunnel, .. } => {
                Facts { from: Some(from), ..Facts::calling(1, Lead, '~', "hand-virtual-network", tunnel) }
            }
            Self::DeleteVirtualNetwork { tunnel, .. } => Facts::calling(1, Delete, '-', "delete-virtual-network", tunnel),
            Self::ForgetVirtualNetwork { tunnel, .. } => Facts::noting('-', "forget-virtual-network", tunnel),
            Self::CreateRoute { tunnel, again, .. } => {
                Facts::calling(1, Lead, '+', "create-private-route", tunnel).repairing(DriftKind::Network, *again)
            }
            Self::TakeRoute { tunnel, .. } => Facts::noting('~', "take-private-route", tunnel),
            Self::RepairRoute { tunnel, .. } => {
                Facts::calling(1, Lead, '~', "repair-private-route", tunnel).repairing(DriftKind::Network, true)
            }
            Self::MoveRoute { from, tunnel, .. } => {
                Facts { from: Some(from), ..Facts::calling(1, Lead, '~', "move-private-route", tunnel) }
            }
            Self::DeleteRoute { tunnel, .. } => Facts::calling(1, Release, '-', "delete-private-route", tunnel),
            Self::ForgetRoute { tunnel, .. } => Facts::noting('-', "forget-private-route", tunnel),
        }
    }

    /// The tunnel that it is about.
    pub fn tunnel(&self) -> &TunnelName {
        self.facts().tunnel
    }

    /// The private route that it is about.
    pub fn route(&self) -> Option<&PrivateRoute> {
        match self {
            Self::CreateRoute { route, .. }
            | Self::TakeRoute { route, .. }
            | Self::RepairRoute { route, .. }
            | Self::MoveRoute { route, .. }
            | Self::DeleteRoute { route, .. }
            | Self::ForgetRoute { route, .. } => Some(route),
            Self::CreateVirtualNetwork { .. }
            | Self::TakeVirtualNetwork { .. }
            | Self::HandVirtualNetwork { .. }
            | Self::DeleteVirtualNetwork { .. }
            | Self::ForgetVirtualNetwork { .. } => None,
        }
    }

    /// What it does and why, for a person, without its sign.
    pub fn describe(&self) -> String {
        let gone = |again: &bool| if *again { ": the one that was made is gone" } else { "" };
        match self {
            Self::CreateVirtualNetwork { tunnel, name, again } => {
                format!("virtual network {name:?} for {tunnel}{}", gone(again))
            }
            Self::TakeVirtualNetwork { tunnel, name, .. } => {
                format!("virtual network {name:?} for {tunnel}: an earlier create made it")
            }
            Self::HandVirtualNetwork { from, tunnel, name, .. } => {
                format!("virtual network {name:?}: is {tunnel}'s from here on, {from} goes")
            }
            Self::DeleteVirtualNetwork { tunnel, name, .. } => {
                format!("virtual network {name:?} of {tunnel}: no route needs it")
            }
            Self::ForgetVirtualNetwork { tunnel, name, why } => format!("virtual network {name:?} of {tunnel}: {why}"),
            Self::CreateRoute { tunnel, route, again, .. } => format!("private route {route} -> {tunnel}{}", gone(again)),
            Self::TakeRoute { tunnel, route, .. } => format!("private route {route} -> {tunnel}: an earlier create made it"),
            Self::RepairRoute { tunnel, route, drift, .. } => {
                let drift: Vec<&str> = drift.iter().map(|drift| drift.word()).collect();
                format!("private route {route} -> {tunnel}: set right its {}", drift.join(", "))
            }
            Self::MoveRoute { from, tunnel, route, .. } => format!("private route {route} -> {tunnel}: moves from {from}"),
            Self::DeleteRoute { tunnel, route, .. } => format!("private route {route} of {tunnel}"),
            Self::ForgetRoute { tunnel, route, why } => format!("private route {route} of {tunnel}: {why}"),
        }
    }

    /// Whether it makes a route again that was made before and is gone.
    pub(in crate::plan) fn makes_again(&self) -> bool {
        matches!(self, Self::CreateRoute { again: true, .. })
    }

    /// Whether it deletes a route.
    pub(in crate::plan) fn deletes_route(&self) -> bool {
        matches!(self, Self::DeleteRoute { .. })
    }
}

impl RouteDrift {
    fn word(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::Place => "place",
            Self::Comment => "comment",
        }
    }
}
