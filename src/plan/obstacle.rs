//! What a plan does not do, and why.

use std::fmt;

use serde::Serialize;

use crate::{
    config::PrivateRoute,
    id::{RecordId, RouteId, TunnelId},
    name::{Hostname, TunnelName},
    record::RulePlace,
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

/// Why something is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldCode {
    /// The state belongs to another machine, or cannot be read as a whole.
    StateSealed,
    /// The credential sees another account than the one that everything was made in.
    AccountChanged,
    /// No account could be found, or more than one.
    AccountUnknown,
    /// There is no usable credential.
    NoCredential,
    /// Cloudflare could not be read.
    Unread,
    /// What is on record cannot be read.
    RecordUnreadable,
    /// The tunnel belongs to another account than the configuration says.
    OtherAccount,
    /// A tunnel of that name is still being deleted.
    BeingDeleted,
    /// The configuration moved between remote and local, which Cloudflare cannot change in place.
    SourceChanged,
    /// A known object is in no list, and its absence is not proven.
    Unproven,
    /// Somebody else edited it, and the configuration says to report that only.
    Edited,
    /// No zone of the account has the hostname.
    NoZone,
    /// Zones of two accounts have the hostname.
    TwoAccounts,
    /// The tunnel that takes over a hostname does not serve yet.
    NotReady,
    /// So much would be deleted or made again that an operator has to confirm it.
    NeedsConfirmation,
    /// The configuration waits for `adit apply`.
    WaitsForApply,
    /// A hostname went over to another tunnel, and this one keeps rule and connectors for a while.
    GracePeriod,
    /// A tunnel that is to be deleted waits for its connectors on this host to finish their requests.
    Draining,
    /// Cloudflare took a configuration that the ready connectors do not run.
    NotApplied,
    /// Two tunnels want one private route: the virtual network that one names is the default one.
    WantedTwice,
    /// The account has no default virtual network.
    NoVirtualNetwork,
    /// Routes that are not ours lead to a tunnel that is to be deleted.
    RoutesOfOthers,
    /// The configuration shares the tunnel with others, or says so otherwise than when it was adopted.
    NotAdopted,
    /// The change of a tunnel's secret failed, and is tried again later.
    RotationFailed,
    /// Connectors do not get ready with a tunnel's new secret.
    RotationSlow,
    /// No Access application covers a hostname that demands one.
    AccessMissing,
    /// The load balancer that may be joined is not there.
    BalancerMissing,
    /// Something that is not ours uses a pool or monitor of ours.
    PoolInUse,
    /// Connectors of a tunnel run elsewhere, while its origin is this host's.
    RunsElsewhere,
    /// The configuration says that Adit looks and writes nothing.
    ObserveOnly,
    /// Two accounts of the configuration are one at Cloudflare, so that each would undo what the other does.
    AccountTwice,
    /// A tunnel cannot be deleted, because private routes that Adit does not know lead to it.
    RoutesLeft,
    /// A tunnel cannot be deleted, because connectors elsewhere connect again as often as they are cut off.
    StillConnected,
    /// Cloudflare took a deletion and shows the tunnel as live all the same.
    NotDeleted,
}

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

impl HoldCode {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 34] = [
        Self::StateSealed,
        Self::AccountChanged,
        Self::AccountUnknown,
        Self::NoCredential,
        Self::Unread,
        Self::RecordUnreadable,
        Self::OtherAccount,
        Self::BeingDeleted,
        Self::SourceChanged,
        Self::Unproven,
        Self::Edited,
        Self::NoZone,
        Self::TwoAccounts,
        Self::NotReady,
        Self::NeedsConfirmation,
        Self::WaitsForApply,
        Self::GracePeriod,
        Self::Draining,
        Self::NotApplied,
        Self::WantedTwice,
        Self::NoVirtualNetwork,
        Self::RoutesOfOthers,
        Self::NotAdopted,
        Self::RotationFailed,
        Self::RotationSlow,
        Self::AccessMissing,
        Self::BalancerMissing,
        Self::PoolInUse,
        Self::RunsElsewhere,
        Self::ObserveOnly,
        Self::AccountTwice,
        Self::RoutesLeft,
        Self::StillConnected,
        Self::NotDeleted,
    ];

    /// The code as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StateSealed => "state-sealed",
            Self::AccountChanged => "account-changed",
            Self::AccountUnknown => "account-unknown",
            Self::NoCredential => "no-credential",
            Self::Unread => "unread",
            Self::RecordUnreadable => "record-unreadable",
            Self::OtherAccount => "other-account",
            Self::BeingDeleted => "being-deleted",
            Self::SourceChanged => "source-changed",
            Self::Unproven => "unproven",
            Self::Edited => "edited",
            Self::NoZone => "no-zone",
            Self::TwoAccounts => "two-accounts",
            Self::NotReady => "not-ready",
            Self::NeedsConfirmation => "needs-confirmation",
            Self::WaitsForApply => "waits-for-apply",
            Self::RotationFailed => "rotation-failed",
            Self::RotationSlow => "rotation-slow",
            Self::AccessMissing => "access-missing",
            Self::BalancerMissing => "balancer-missing",
            Self::PoolInUse => "pool-in-use",
            Self::RunsElsewhere => "runs-elsewhere",
            Self::ObserveOnly => "observe-only",
            Self::AccountTwice => "account-twice",
            Self::RoutesLeft => "routes-left",
            Self::StillConnected => "still-connected",
            Self::NotDeleted => "not-deleted",
            Self::NotAdopted => "not-adopted",
            Self::WantedTwice => "wanted-twice",
            Self::NoVirtualNetwork => "no-virtual-network",
            Self::RoutesOfOthers => "routes-of-others",
            Self::GracePeriod => "grace-period",
            Self::Draining => "draining",
            Self::NotApplied => "not-applied",
        }
    }

    /// Whether it is part of a planned change and ends by itself: nobody has to look at it.
    pub fn ends_by_itself(self) -> bool {
        match self {
            Self::GracePeriod | Self::Draining => true,
            Self::StateSealed
            | Self::AccountChanged
            | Self::AccountUnknown
            | Self::NoCredential
            | Self::Unread
            | Self::RecordUnreadable
            | Self::OtherAccount
            | Self::BeingDeleted
            | Self::SourceChanged
            | Self::Unproven
            | Self::Edited
            | Self::NoZone
            | Self::TwoAccounts
            | Self::NotReady
            | Self::NeedsConfirmation
            | Self::WaitsForApply
            | Self::NotAdopted
            | Self::ObserveOnly
            | Self::AccountTwice
            | Self::RoutesLeft
            | Self::StillConnected
            | Self::NotDeleted
            | Self::RotationFailed
            | Self::RotationSlow
            | Self::AccessMissing
            | Self::BalancerMissing
            | Self::PoolInUse
            | Self::RunsElsewhere
            | Self::WantedTwice
            | Self::NoVirtualNetwork
            | Self::RoutesOfOthers
            | Self::NotApplied => false,
        }
    }
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

impl fmt::Display for HoldCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
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
