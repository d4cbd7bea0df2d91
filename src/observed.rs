//! What is at Cloudflare: one read of an account.
//!
//! Every part of a read is either complete or a [`Gap`]. A gap is never taken for "nothing is there": the planner changes nothing
//! in what was not read. A plan needs a few single reads beyond the lists (what the state knows and a list lacks, who holds a
//! name, a document that somebody edited); they arrive as [`Answers`].

mod balancing;
mod networks;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use balancing::{
    Balancing, BalancingObject, Found, ObservedApp, ObservedBalancer, ObservedMonitor, ObservedOrigin, ObservedPool,
};
pub use networks::{ObservedNetworks, ObservedRoute, ObservedVirtualNetwork, Presence, RoutePlace};

use crate::{
    id::{AccessAppId, AccountId, RecordId, RouteId, TunnelId, VirtualNetworkId, ZoneId},
    name::{Hostname, TunnelName},
    record::ConfigurationSource,
    secret::Secret,
};

/// One read of an account.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The live tunnels that the credential may see, by id.
    pub tunnels: Part<BTreeMap<TunnelId, ObservedTunnel>>,
    /// The active zones of the account.
    pub zones: Part<Vec<Zone>>,
    /// The active zones of other accounts that the credential sees.
    pub elsewhere: Vec<Zone>,
    /// For each zone that matters, every CNAME whose target is a tunnel.
    pub records: BTreeMap<ZoneId, Part<Vec<ObservedRecord>>>,
    /// Private routes and virtual networks.
    pub networks: ObservedNetworks,
    /// Load balancing; `None` when nothing of it is wanted or on record, and so it is not read.
    pub balancing: Option<Balancing>,
    /// The Access applications; `None` when no hostname demands one.
    pub access_apps: Option<Part<Vec<ObservedApp>>>,
    /// Single reads that the lists gave reason for.
    pub answers: Answers,
}

/// A part of a read: all of it, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<T> {
    /// Everything that was asked for.
    Complete(T),
    /// It could not be read, so nothing is known.
    Gap(Gap),
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What: `the tunnels`, `the DNS records of example.com`, ….
    pub what: String,
    /// Why, in one sentence.
    pub why: String,
}

/// The answers to single reads. What is missing here was not asked.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// Tunnels read by id.
    pub tunnels: BTreeMap<TunnelId, Part<Existence>>,
    /// The tunnel secret inside a tunnel's connector token.
    pub secrets: BTreeMap<TunnelId, Part<Secret>>,
    /// Every record of any type that stands at a name.
    pub names: BTreeMap<Hostname, Part<Vec<ObservedRecord>>>,
    /// Configurations, by tunnel.
    pub configurations: BTreeMap<TunnelName, Part<ObservedConfiguration>>,
    /// Private routes read by id.
    pub routes: BTreeMap<RouteId, Part<Presence>>,
    /// Virtual networks read by id.
    pub virtual_networks: BTreeMap<VirtualNetworkId, Part<Presence>>,
    /// Whether parts of load balancing are there.
    pub balancing: BTreeMap<BalancingObject, Part<Found<()>>>,
    /// Access applications read by id.
    pub apps: BTreeMap<AccessAppId, Part<Found<ObservedApp>>>,
    /// The addresses that the connectors of a tunnel come from, each connector's once.
    pub connectors: BTreeMap<TunnelId, Part<Vec<String>>>,
}

/// What a read by id found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existence {
    /// It lives.
    Live(ObservedTunnel),
    /// It carries the mark of its deletion: that is proof.
    Deleted,
    /// Cloudflare knows no such id, which is proof only while other objects of the account can be read.
    NotFound,
}

/// A tunnel as Cloudflare lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedTunnel {
    /// Its name at Cloudflare.
    pub name: String,
    /// `inactive`, `healthy`, `degraded` or `down`, in Cloudflare's words.
    pub status: String,
    /// Where its configuration lives, when Cloudflare says so.
    pub source: Option<ConfigurationSource>,
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its id.
    pub id: ZoneId,
    /// Its name, such as `example.com`.
    pub name: String,
    /// The account that it belongs to.
    pub account_id: AccountId,
    /// How many operations one DNS batch may have on the zone's plan: 200 on a free one, 3,500 on others.
    pub batch_max: usize,
}

/// A DNS record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedRecord {
    /// Its id.
    pub id: RecordId,
    /// The whole name, as Cloudflare gives it.
    pub name: String,
    /// `CNAME`, `A`, ….
    #[serde(rename = "type")]
    pub kind: String,
    /// What it points to.
    pub content: String,
    /// Whether Cloudflare's edge answers for it.
    pub proxied: bool,
    /// The comment on it.
    pub comment: Option<String>,
}

/// A tunnel's configuration as it is stored at Cloudflare.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedConfiguration {
    /// The version, which grows with every change.
    pub version: i64,
    /// The document; `Null` before the first one was written.
    pub document: Value,
}

impl<T> Part<T> {
    /// The part in another form.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Part<U> {
        match self {
            Self::Complete(part) => Part::Complete(form(part)),
            Self::Gap(gap) => Part::Gap(gap),
        }
    }

    /// Why the part is not complete.
    pub fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Complete(_) => None,
            Self::Gap(gap) => Some(gap),
        }
    }

    /// The part when it is complete.
    pub fn complete(&self) -> Option<&T> {
        match self {
            Self::Complete(part) => Some(part),
            Self::Gap(_) => None,
        }
    }
}

impl Observed {
    /// A read that did not happen.
    pub fn unread(why: &str) -> Self {
        let gap = |what: &str| Gap { what: what.to_owned(), why: why.to_owned() };
        Self {
            tunnels: Part::Gap(gap("the tunnels")),
            zones: Part::Gap(gap("the zones")),
            elsewhere: Vec::new(),
            records: BTreeMap::new(),
            networks: ObservedNetworks::unread(why),
            balancing: Some(Balancing::unread(why)),
            access_apps: Some(Part::Gap(gap("the Access applications"))),
            answers: Answers::default(),
        }
    }

    /// The zone that `hostname` stands in: of the zones whose name is its suffix, the longest.
    pub fn zone_of(&self, hostname: &Hostname) -> Option<&Zone> {
        zone_of(self.zones.complete()?, hostname)
    }
}

/// The zone among `zones` that `hostname` stands in: of those whose name is its suffix, the longest.
pub fn zone_of<'a>(zones: &'a [Zone], hostname: &Hostname) -> Option<&'a Zone> {
    zones.iter().filter(|zone| hostname.is_in_zone(&zone.name)).max_by_key(|zone| zone.name.len())
}

impl ObservedRecord {
    /// Whether it stands at `hostname`. DNS names ignore case, and Cloudflare shows some in Unicode.
    pub fn stands_at(&self, hostname: &Hostname) -> bool {
        self.name == hostname.as_str() || self.name.parse::<Hostname>().is_ok_and(|name| name == *hostname)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone { id: name.replace('.', "-").parse().unwrap(), name: name.into(), account_id: "a".parse().unwrap(), batch_max: 200 }
    }

    #[test]
    fn the_longest_zone_wins() {
        let zones = [zone("example.com"), zone("dev.example.com"), zone("ample.com")];
        let find = |hostname: &str| zone_of(&zones, &hostname.parse().unwrap()).map(|zone| zone.name.as_str());
        assert_eq!(find("app.dev.example.com"), Some("dev.example.com"));
        assert_eq!(find("app.example.com"), Some("example.com"));
        assert_eq!(find("*.example.com"), Some("example.com"));
        assert_eq!(find("app.example.org"), None);
    }
}
