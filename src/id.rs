//! Identifiers that Cloudflare gives. They are opaque, but safe to put into a URL's path. Clones share the text.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is 1 to 64 of 0-9, a-z, A-Z, - and _")]
pub struct IdError;

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                check(&text)?;
                Ok(Self(text.into()))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    )*};
}

identifiers! {
    /// A Cloudflare account: 32 hexadecimal digits.
    AccountId;
    /// A tunnel: a UUID.
    TunnelId;
    /// A zone: 32 hexadecimal digits.
    ZoneId;
    /// A DNS record: at most 32 hexadecimal digits.
    RecordId;
    /// A private route, to a network or to a private hostname: a UUID.
    RouteId;
    /// A virtual network: a UUID.
    VirtualNetworkId;
    /// A load balancer: 32 hexadecimal digits.
    BalancerId;
    /// A load-balancer pool: 32 hexadecimal digits.
    PoolId;
    /// A monitor, which checks the health of pools: 32 hexadecimal digits.
    MonitorId;
    /// An Access application: a UUID.
    AccessAppId;
    /// One run of a connector: a UUID that cloudflared makes anew at every start.
    ConnectorId;
}

impl TunnelId {
    /// The name that a CNAME of this tunnel points to.
    pub fn dns_target(&self) -> String {
        format!("{}{TUNNEL_DOMAIN_SUFFIX}", self.0)
    }
}

/// What the target of every tunnel's CNAME ends in.
pub const TUNNEL_DOMAIN_SUFFIX: &str = ".cfargotunnel.com";

fn check(text: &str) -> Result<(), IdError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=64).contains(&text.len()) && text.bytes().all(allowed) { Ok(()) } else { Err(IdError) }
}
