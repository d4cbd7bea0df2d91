//! Private routes and virtual networks as they stand in a tunnel's record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    config::{PrivateNetwork, PrivateRoute},
    id::{RouteId, VirtualNetworkId},
    record::PrivateRouteRef,
};

/// A private route: exactly one of `network` and `hostname`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRoute {
    network: Option<String>,
    virtual_network: Option<String>,
    hostname: Option<String>,
    id: Option<RouteId>,
    virtual_network_id: Option<VirtualNetworkId>,
}

/// A virtual network that Adit made.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenVirtualNetwork {
    pub(super) name: String,
    pub(super) id: Option<VirtualNetworkId>,
}

impl WrittenRoute {
    pub(super) fn of(route: &PrivateRoute, made: &PrivateRouteRef) -> Self {
        let (network, virtual_network, hostname) = match route {
            PrivateRoute::Network(PrivateNetwork { network, virtual_network }) => {
                (Some(network.to_string()), virtual_network.clone(), None)
            }
            PrivateRoute::Hostname { private_hostname } => (None, None, Some(private_hostname.to_string())),
        };
        let (id, virtual_network_id) = (made.route_id.clone(), made.virtual_network_id.clone());
        Self { network, virtual_network, hostname, id, virtual_network_id }
    }

    pub(super) fn read(self) -> Result<(PrivateRoute, PrivateRouteRef), String> {
        let route = match (self.network, self.hostname) {
            (Some(text), None) => {
                let network = text.parse().map_err(|error| format!("it has no network in {text:?}: {error}"))?;
                PrivateRoute::Network(PrivateNetwork { network, virtual_network: self.virtual_network })
            }
            (None, Some(text)) => {
                PrivateRoute::hostname(text.parse().map_err(|error| format!("it has no hostname in {text:?}: {error}"))?)
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err("a private route in it has not exactly one of network and hostname".to_owned());
            }
        };
        Ok((route, PrivateRouteRef { route_id: self.id, virtual_network_id: self.virtual_network_id }))
    }
}

impl WrittenVirtualNetwork {
    pub(super) fn all_of(made: &BTreeMap<String, Option<VirtualNetworkId>>) -> Vec<Self> {
        made.iter().map(|(name, id)| Self { name: name.clone(), id: id.clone() }).collect()
    }
}
