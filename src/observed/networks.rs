//! What is there of private networks: routes, and the virtual networks that they stand in.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{Gap, Part};
use crate::id::{RouteId, TunnelId, VirtualNetworkId};

/// The private side of an account. What nothing wants and nothing on record needs is not asked for, and then a gap.
#[derive(Debug, Clone)]
pub struct ObservedNetworks {
    /// The live virtual networks, by id.
    pub virtual_networks: Part<BTreeMap<VirtualNetworkId, ObservedVirtualNetwork>>,
    /// The live routes of networks, whoever made them, by id.
    pub network_routes: Part<BTreeMap<RouteId, ObservedRoute>>,
    /// The live routes of private hostnames, whoever made them, by id.
    pub hostname_routes: Part<BTreeMap<RouteId, ObservedRoute>>,
}

/// A virtual network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedVirtualNetwork {
    /// Its name.
    pub name: String,
    /// Whether it is the account's default one.
    pub is_default: bool,
    /// The comment on it; empty when there is none.
    pub comment: String,
}

/// A private route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRoute {
    /// What it is for; `None` when Cloudflare does not say it in words that Adit knows.
    pub place: Option<RoutePlace>,
    /// The tunnel that it leads to.
    pub tunnel_id: Option<TunnelId>,
    /// That tunnel's name at Cloudflare, if it was told.
    pub tunnel_name: Option<String>,
    /// The comment on it; empty when there is none.
    pub comment: String,
}

/// What an account has at most one live private route for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoutePlace {
    /// A network in a virtual network.
    Network {
        /// The virtual network.
        virtual_network_id: VirtualNetworkId,
        /// The network.
        network: IpNet,
    },
    /// A private hostname, in lower case.
    Hostname(String),
}

/// What a read by id found of an object that a list lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It lives, so the list was not whole, or it is younger than the list.
    Live,
    /// It carries the mark of its deletion: that is proof.
    Deleted,
    /// Cloudflare knows no such id, which is proof only while other objects of the account can be read.
    NotFound,
}

impl ObservedNetworks {
    /// Nothing of it was read.
    pub fn unread(why: &str) -> Self {
        let gap = |what: &str| Gap { what: what.to_owned(), why: why.to_owned() };
        Self {
            virtual_networks: Part::Gap(gap("the virtual networks")),
            network_routes: Part::Gap(gap("the private network routes")),
            hostname_routes: Part::Gap(gap("the hostname routes")),
        }
    }

    /// Nothing of it was asked for.
    pub fn not_asked() -> Self {
        Self::unread("they were not asked for")
    }

    /// The account's default virtual network, if it was read.
    pub fn default_network(&self) -> Option<&VirtualNetworkId> {
        self.virtual_networks.complete()?.iter().find(|(_, network)| network.is_default).map(|(id, _)| id)
    }
}
