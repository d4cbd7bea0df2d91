//! Names that somebody else holds.

use std::fmt;

use serde::Serialize;

use crate::{
    config::PrivateRoute,
    id::{RecordId, RouteId, TunnelId},
    name::{Hostname, TunnelName},
    record::RulePlace,
};

/// A name that somebody else holds. It is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "conflict", rename_all = "lowercase")]
pub enum Conflict {
    /// A tunnel of the name that ours would have.
    Tunnel {
        /// The tunnel that cannot be made.
        tunnel: TunnelName,
        /// What it would be called at Cloudflare.
        cloudflare_name: String,
        /// The id of the one that is there.
        id: TunnelId,
        /// Why it is not ours.
        why: String,
    },
    /// A DNS record at a hostname of ours.
    Record {
        /// The tunnel whose route waits.
        tunnel: TunnelName,
        /// The hostname.
        hostname: Hostname,
        /// The id of the record that is there.
        record_id: RecordId,
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
        /// What it points to.
        content: String,
        /// Its comment.
        comment: Option<String>,
        /// Why it is not ours.
        why: String,
    },
    /// A private route for a network or hostname of ours.
    #[serde(rename = "private-route")]
    PrivateRoute {
        /// The tunnel whose route waits.
        tunnel: TunnelName,
        /// What it would be for.
        route: PrivateRoute,
        /// The id of the route that is there.
        route_id: RouteId,
        /// The tunnel that it leads to, by its name or id.
        leads_to: String,
        /// Its comment.
        comment: Option<String>,
        /// Why it is not ours.
        why: String,
    },
    /// An ingress rule in a configuration that others edit too.
    Rule {
        /// The tunnel.
        tunnel: TunnelName,
        /// Where our rule would stand.
        place: RulePlace,
        /// The text of the rule in its way.
        theirs: String,
        /// Why it is in its way.
        why: String,
    },
    /// A load balancer at a hostname of ours, or a pool with the name that ours would have.
    Balancing {
        /// The tunnel whose part waits.
        tunnel: TunnelName,
        /// The hostname.
        hostname: Hostname,
        /// `load balancer`, `pool` or `monitor`.
        object: String,
        /// The id of the one that is there.
        id: String,
        /// Its description.
        description: String,
        /// Why it is not ours, and the way out.
        why: String,
    },
}

impl Conflict {
    /// The tunnel that waits.
    pub fn tunnel(&self) -> &TunnelName {
        match self {
            Self::Tunnel { tunnel, .. }
            | Self::Record { tunnel, .. }
            | Self::Rule { tunnel, .. }
            | Self::PrivateRoute { tunnel, .. }
            | Self::Balancing { tunnel, .. } => tunnel,
        }
    }

    /// The place of the rule, when it is about one.
    pub fn rule(&self) -> Option<&RulePlace> {
        match self {
            Self::Tunnel { .. } | Self::Record { .. } | Self::PrivateRoute { .. } | Self::Balancing { .. } => None,
            Self::Rule { place, .. } => Some(place),
        }
    }

    /// Whether it is about the tunnel as a whole.
    pub fn is_of_tunnel(&self) -> bool {
        matches!(self, Self::Tunnel { .. })
    }

    /// The hostname, when it is about a DNS record.
    pub fn hostname(&self) -> Option<&Hostname> {
        match self {
            Self::Tunnel { .. } | Self::Rule { .. } | Self::PrivateRoute { .. } => None,
            Self::Record { hostname, .. } | Self::Balancing { hostname, .. } => Some(hostname),
        }
    }

    /// The private route, when it is about one.
    pub fn private_route(&self) -> Option<&PrivateRoute> {
        match self {
            Self::Tunnel { .. } | Self::Record { .. } | Self::Rule { .. } | Self::Balancing { .. } => None,
            Self::PrivateRoute { route, .. } => Some(route),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tunnel { tunnel, cloudflare_name, id, why } => {
                write!(formatter, "tunnel {tunnel}: {cloudflare_name:?} exists at Cloudflare as {id} and {why}")?;
                write!(formatter, " (`adit tunnel adopt {tunnel}` shows it and takes it over)")
            }
            Self::Record { tunnel, hostname, kind, content, comment, why, .. } => {
                write!(formatter, "{hostname} of {tunnel}: a record {kind} {content:?}")?;
                match comment {
                    Some(comment) => write!(formatter, " with the comment {comment:?}")?,
                    None => formatter.write_str(" without a comment")?,
                }
                write!(formatter, " stands there; {why} (`adit route adopt {hostname}` shows it and takes it over)")
            }
            Self::Rule { tunnel, place, theirs, why } => {
                write!(formatter, "rule {place} of {tunnel}: {why}: {theirs}")
            }
            Self::PrivateRoute { tunnel, route, leads_to, comment, why, .. } => {
                write!(formatter, "{route} of {tunnel}: a private route to tunnel {leads_to}")?;
                match comment {
                    Some(comment) => write!(formatter, " with the comment {comment:?}")?,
                    None => formatter.write_str(" without a comment")?,
                }
                write!(formatter, " stands there; {why}")
            }
            Self::Balancing { tunnel, hostname, object, id, description, why } => {
                write!(
                    formatter,
                    "{hostname} of {tunnel}: the {object} {id} with the description {description:?} is there; {why}"
                )
            }
        }
    }
}
