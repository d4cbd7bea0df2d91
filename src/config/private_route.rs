//! What leads into a tunnel from the private side: an address range or a private hostname.

use std::fmt;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use crate::name::Hostname;

/// A network reached through a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PrivateNetwork {
    /// The network, without host bits.
    #[serde(serialize_with = "serialize_network")]
    pub network: IpNet,
    /// The virtual network's name; the account's default one when `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_network: Option<String>,
}

/// What leads into a tunnel from the private side. Displayed as `10.20.0.0/16 in "lab"`, `10.20.0.0/16` or
/// `wiki.internal.example`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum PrivateRoute {
    /// The addresses of a network.
    Network(PrivateNetwork),
    /// A hostname that only devices and networks of the organisation resolve.
    Hostname {
        /// The hostname.
        private_hostname: Hostname,
    },
}

impl PrivateRoute {
    /// The route of a private hostname.
    pub fn hostname(private_hostname: Hostname) -> Self {
        Self::Hostname { private_hostname }
    }

    /// The network, when it is one.
    pub fn network(&self) -> Option<&PrivateNetwork> {
        match self {
            Self::Network(network) => Some(network),
            Self::Hostname { .. } => None,
        }
    }
}

impl fmt::Display for PrivateNetwork {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.virtual_network {
            Some(name) => write!(formatter, "{} in {name:?}", self.network),
            None => write!(formatter, "{}", self.network),
        }
    }
}

impl fmt::Display for PrivateRoute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(formatter),
            Self::Hostname { private_hostname } => private_hostname.fmt(formatter),
        }
    }
}

fn serialize_network<S: Serializer>(network: &IpNet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(network)
}
