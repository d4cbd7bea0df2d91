//! Accounts and zones: what a token can see.

use serde::Deserialize;

use crate::{
    id::{AccountId, ZoneId},
    name::Hostname,
};

use super::{
    Client, Error, Permission,
    call::{Call, Method, Resource},
    lenient,
    pages::Identified,
};

/// The largest page of zones and of accounts.
const PAGE: u64 = 50;

/// An account that the token can see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The name that people gave it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
}

/// A zone that the token can see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "WrittenZone")]
pub struct Zone {
    /// Its id.
    pub id: ZoneId,
    /// Its name, such as `example.com`.
    pub name: String,
    /// The account that holds it. Its records can lead only to tunnels of the same account.
    pub account_id: AccountId,
    /// Whether Cloudflare serves it.
    pub status: ZoneStatus,
    /// What it may hold.
    pub plan: Plan,
    /// Whether someone paused it: DNS only, so that no tunnel is reached.
    pub paused: bool,
}

/// Whether Cloudflare serves a zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneStatus {
    /// It is being set up.
    Initializing,
    /// Its name servers do not point to Cloudflare yet.
    Pending,
    /// Cloudflare serves it.
    Active,
    /// Its name servers point elsewhere again.
    Moved,
    /// A word that this client does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A zone's plan, as far as it limits DNS changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Free, or not told: the smallest limits.
    Free,
    /// Any paid plan.
    Paid,
}

impl Plan {
    /// Changes that one [`Batch`](super::Batch) may hold ("Batch record changes" in Cloudflare's documentation).
    pub fn batch_max(self) -> usize {
        match self {
            Self::Free => 200,
            Self::Paid => 3_500,
        }
    }
}

impl Zone {
    /// The zone among `zones` that `hostname` stands in: of those whose name is its suffix, the longest.
    pub fn of<'a>(zones: &'a [Self], hostname: &Hostname) -> Option<&'a Self> {
        zones.iter().filter(|zone| hostname.is_in_zone(&zone.name)).max_by_key(|zone| zone.name.len())
    }
}

impl Identified for Account {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

impl Identified for Zone {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

impl Client {
    /// Every account that the token can see.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        let call = Call::new(Method::Get, Resource::Accounts, ["accounts"], "list accounts");
        self.transport.list(&call.needs(Permission::AccountList, "the account"), PAGE).await
    }

    /// Every zone that the token can see, whatever its state.
    pub async fn zones(&self) -> Result<Vec<Zone>, Error> {
        let call = Call::new(Method::Get, Resource::Zones, ["zones"], "list zones");
        self.transport.list(&call.needs(Permission::ZoneRead, "the zones of the routes"), PAGE).await
    }
}

#[derive(Deserialize)]
struct WrittenZone {
    id: ZoneId,
    name: String,
    account: WrittenAccount,
    #[serde(default, deserialize_with = "lenient::or_default")]
    status: ZoneStatus,
    #[serde(default, deserialize_with = "lenient::known")]
    plan: Option<WrittenPlan>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    paused: bool,
}

#[derive(Deserialize)]
struct WrittenAccount {
    id: AccountId,
}

#[derive(Deserialize)]
struct WrittenPlan {
    legacy_id: String,
}

impl From<WrittenZone> for Zone {
    fn from(zone: WrittenZone) -> Self {
        let WrittenZone { id, name, account, status, plan, paused } = zone;
        let plan = match plan.as_ref().map(|plan| plan.legacy_id.as_str()) {
            Some("pro" | "business" | "enterprise") => Plan::Paid,
            Some(_) | None => Plan::Free,
        };
        Self { id, name, account_id: account.id, status, plan, paused }
    }
}
