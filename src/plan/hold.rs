//! What a plan leaves as it is, and why.

use std::fmt;

use serde::Serialize;

use super::HoldCode;
use crate::{
    config::PrivateRoute,
    name::{Hostname, TunnelName},
};

/// Something that is left as it is until it can be known, or until an operator decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Hold {
    /// What is held.
    #[serde(flatten)]
    pub scope: Scope,
    /// The stable code of the reason.
    pub code: HoldCode,
    /// The reason, in one sentence.
    pub why: String,
}

/// What a hold covers. Everything else goes on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "scope", rename_all = "lowercase")]
pub enum Scope {
    /// Everything in the account.
    Account,
    /// The DNS records of one zone.
    Zone {
        /// Its name.
        zone: String,
    },
    /// One tunnel.
    Tunnel {
        /// Which.
        tunnel: TunnelName,
    },
    /// One hostname of a tunnel.
    Route {
        /// The tunnel.
        tunnel: TunnelName,
        /// The hostname.
        hostname: Hostname,
    },
    /// The private routes and virtual networks.
    Networks,
    /// One private route of a tunnel.
    #[serde(rename = "private-route")]
    PrivateRoute {
        /// The tunnel.
        tunnel: TunnelName,
        /// The route.
        route: PrivateRoute,
    },
}

impl Hold {
    /// The tunnel that it is about, when it is about one.
    pub fn tunnel(&self) -> Option<&TunnelName> {
        match &self.scope {
            Scope::Account | Scope::Zone { .. } | Scope::Networks => None,
            Scope::Tunnel { tunnel } | Scope::Route { tunnel, .. } | Scope::PrivateRoute { tunnel, .. } => Some(tunnel),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => formatter.write_str("the account"),
            Self::Zone { zone } => write!(formatter, "the records of {zone}"),
            Self::Tunnel { tunnel } => write!(formatter, "tunnel {tunnel}"),
            Self::Route { tunnel, hostname } => write!(formatter, "{hostname} of {tunnel}"),
            Self::Networks => formatter.write_str("the private routes"),
            Self::PrivateRoute { tunnel, route } => write!(formatter, "{route} of {tunnel}"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} ({})", self.scope, self.why, self.code)
    }
}
