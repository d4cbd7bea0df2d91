//! The permission groups that calls need, in the words of Cloudflare's dashboard.

use std::fmt;

/// What an API token must be allowed to do for a call. Cloudflare's API says `Write` where its dashboard says `Edit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Listing accounts. Which permission that needs is not published.
    AccountList,
    /// Reading tunnels, their configurations and their connections.
    TunnelRead,
    /// Changing tunnels, and reading their connector tokens.
    TunnelEdit,
    /// Listing zones.
    ZoneRead,
    /// Reading DNS records.
    DnsRead,
    /// Changing DNS records.
    DnsEdit,
    /// Reading private routes and virtual networks. `Cloudflare One Networks` is enough, too.
    NetworksRead,
    /// Changing private routes and virtual networks. `Cloudflare One Networks` is enough, too.
    NetworksEdit,
    /// Reading load-balancer pools and monitors.
    PoolsRead,
    /// Changing load-balancer pools and monitors.
    PoolsEdit,
    /// Reading load balancers.
    LoadBalancersRead,
    /// Changing load balancers.
    LoadBalancersEdit,
    /// Reading Access applications.
    AccessRead,
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::AccountList => "to list accounts (not needed with account_id in the configuration)",
            Self::TunnelRead => "Account > Cloudflare Tunnel > Read",
            Self::TunnelEdit => "Account > Cloudflare Tunnel > Edit",
            Self::ZoneRead => "Zone > Zone > Read",
            Self::DnsRead => "Zone > DNS > Read",
            Self::DnsEdit => "Zone > DNS > Edit",
            Self::NetworksRead => "Account > Cloudflare Tunnel > Read (or Cloudflare One Networks > Read)",
            Self::NetworksEdit => "Account > Cloudflare Tunnel > Edit (or Cloudflare One Networks > Edit)",
            Self::PoolsRead => "Account > Load Balancing: Monitors and Pools > Read",
            Self::PoolsEdit => "Account > Load Balancing: Monitors and Pools > Edit",
            Self::LoadBalancersRead => "Zone > Load Balancers > Read",
            Self::LoadBalancersEdit => "Zone > Load Balancers > Edit",
            Self::AccessRead => "Account > Access: Apps and Policies > Read",
        })
    }
}
