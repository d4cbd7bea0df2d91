//! What is left over at Cloudflare of this installation, and whether it may be deleted. Pure.
//!
//! ```text
//!  family    what it is                                                          may be deleted while
//!  records   a CNAME with our marker that nothing here has on record             it leads to a tunnel of ours that was deleted
//!  pools     a pool with our marker that nothing here has on record              no load balancer uses it
//!  monitors  a monitor with our marker that nothing here has on record           it checks no pool
//!  routes    a private route with our marker that nothing here has on record     its tunnel is deleted, or a leftover and idle
//!  networks  a virtual network with our marker that nothing here has on record   no route stands in it
//!  left      a tunnel on record that left the configuration, with its records    nothing is connected to it
//!  tunnels   a tunnel whose name ends in our installation, and no state of it    nothing is connected to it
//! ```
//!
//! A tunnel that was adopted and never was in the configuration has not left it: it is shown, and stays.
//!
//! What carries the mark of another installation is counted and never touched; what carries no mark is not even looked at. A
//! further family is a function that gives [`Orphan`]s, and an [`Object`].

mod balancing;
mod networks;

use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use balancing::{is_stray_monitor, is_stray_pool};
pub use networks::{LeadsTo, RouteList, is_stray_route, is_stray_virtual_network};

use crate::{
    hexadecimal::hexadecimal,
    id::{AccountId, MonitorId, PoolId, RecordId, RouteId, TUNNEL_DOMAIN_SUFFIX, TunnelId, VirtualNetworkId, ZoneId},
    name::TunnelName,
    observed::{Observed, ObservedRecord, Part, Zone},
    record::{Fate, InstallId, Records, TunnelRecord},
};

/// One thing that is left over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Orphan {
    /// Names exactly this thing as it was seen: twelve hexadecimal digits.
    pub item: String,
    /// What would be deleted.
    pub object: Object,
    /// What it is called.
    pub name: String,
    /// Why it is ours, and left over.
    pub why: String,
    /// Since when it has been left over, or when it was made.
    pub since: Option<Timestamp>,
    /// Why it is not deleted; `None`: it can be.
    pub kept: Option<String>,
}

/// What a deletion would be about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Object {
    /// A DNS record.
    Record {
        /// Its zone's id.
        zone_id: ZoneId,
        /// Its zone's name.
        zone: String,
        /// Its id.
        record_id: RecordId,
        /// The tunnel that it leads to.
        target: TunnelId,
    },
    /// A load-balancer pool.
    Pool {
        /// Its id.
        id: PoolId,
    },
    /// A monitor of load-balancer pools.
    Monitor {
        /// Its id.
        id: MonitorId,
    },
    /// The route of a private network.
    NetworkRoute {
        /// Its id.
        id: RouteId,
    },
    /// The route of a private hostname.
    HostnameRoute {
        /// Its id.
        id: RouteId,
    },
    /// A virtual network.
    VirtualNetwork {
        /// Its id.
        id: VirtualNetworkId,
    },
    /// A tunnel that nothing here knows.
    Tunnel {
        /// Its id.
        id: TunnelId,
    },
    /// A tunnel on record that left the configuration.
    Left {
        /// Its name here.
        tunnel: TunnelName,
    },
}

/// All that is left over in one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Orphans {
    /// The things, in the order in which they are deleted.
    pub orphans: Vec<Orphan>,
    /// What could not be read, with why: there may be more.
    pub unread: Vec<String>,
    /// How many things carry the mark of each other installation. They are left alone.
    pub others: BTreeMap<String, usize>,
}

/// The name here of a tunnel that is called `name` at Cloudflare, when that has our form.
pub fn given_name(records: &Records, name: &str) -> Option<TunnelName> {
    name.strip_suffix(&own_ending(&records.install)).and_then(|name| name.parse().ok())
}

/// What became of the tunnel that a leftover record leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// It lives, with this name.
    Live(String),
    /// It was deleted, with the name that it had.
    Deleted {
        /// Its name at Cloudflare.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// Cloudflare knows no such id, which says nothing about whose it was.
    Unknown,
    /// It could not be read, with why.
    Unread(String),
}

/// Who is connected to a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connected {
    /// So many connectors; a tunnel without one has 0.
    Connectors(usize),
    /// That could not be read, with why.
    Unread(String),
}

impl Orphan {
    fn new(object: Object, name: String, why: String, since: Option<Timestamp>, kept: Option<String>) -> Self {
        let seen = serde_json::to_vec(&(&object, &name, &why)).expect("an object has a JSON form");
        Self { item: hexadecimal(&Sha256::digest(seen)[..6]), object, name, why, since, kept }
    }

    /// A record that carries our marker and is not on record. `target` is what became of the tunnel that it leads to.
    pub fn record(records: &Records, zone: &Zone, record: &ObservedRecord, id: TunnelId, target: &Target) -> Self {
        let (since, kept) = target.obstacle(records, &id);
        let comment = record.comment.as_deref().unwrap_or_default();
        let kept = held(records, tunnel_of_marker(records, comment)).or(kept);
        let why = format!("it carries our marker {comment:?}, is not on record here, and leads to {}", record.content);
        let object =
            Object::Record { zone_id: zone.id.clone(), zone: zone.name.clone(), record_id: record.id.clone(), target: id };
        Self::new(object, record.name.clone(), why, since, kept)
    }

    /// A live tunnel whose name says that it is ours, and of which nothing is on record. One that was `given_up` is not deleted: an
    /// operator said so.
    pub fn tunnel(
        records: &Records,
        (id, name): (TunnelId, String),
        made: Option<Timestamp>,
        given_up: bool,
        connected: &Connected,
    ) -> Self {
        let ours = given_name(records, &name);
        let given_up = ours.as_ref().filter(|_| given_up).map(|ours| {
            format!("`adit tunnel forget {ours}` gave it up; `adit tunnel adopt {ours} --id {id}` makes it ours again")
        });
        let kept = held(records, ours).or(given_up).or_else(|| connected.obstacle());
        let why = "its name ends in our installation, and nothing is on record here".to_owned();
        Self::new(Object::Tunnel { id }, name, why, made, kept)
    }

    /// A tunnel on record that left the configuration.
    pub fn left(record: &TunnelRecord, connected: &Connected) -> Self {
        let records = match record.dns.len() {
            0 => String::new(),
            1 => ", with 1 DNS record".to_owned(),
            count => format!(", with {count} DNS records"),
        };
        let (why, kept) = if record.awaits_definition {
            let why = format!("it was adopted and never was in the configuration{records}");
            let kept = format!("define it, or `adit tunnel forget {}` gives it up as it is", record.name);
            (why, Some(kept))
        } else {
            (format!("it is on record here and left the configuration{records}"), connected.obstacle())
        };
        Self::new(Object::Left { tunnel: record.name.clone() }, record.cloudflare_name.clone(), why, None, kept)
    }

    /// Whether it can be deleted.
    pub fn is_deletable(&self) -> bool {
        self.kept.is_none()
    }
}

impl Target {
    /// Since when what leads there is left over, and why it stays.
    fn obstacle(&self, records: &Records, id: &TunnelId) -> (Option<Timestamp>, Option<String>) {
        match self {
            Self::Deleted { name, at } if is_own_name(&records.install, name) || on_record(records, id).is_some() => {
                (Some(*at), None)
            }
            Self::Deleted { name, at } => {
                (Some(*at), Some(format!("the tunnel that it led to was called {name:?}, which is not our form")))
            }
            Self::Live(name) => (None, Some(format!("the tunnel {name:?} that it leads to lives"))),
            Self::Unknown => {
                (None, Some("Cloudflare does not know the tunnel that it leads to, so nothing says whose it was".to_owned()))
            }
            Self::Unread(why) => (None, Some(why.clone())),
        }
    }
}

impl Connected {
    /// Why a tunnel stays.
    fn obstacle(&self) -> Option<String> {
        match self {
            Self::Connectors(0) => None,
            Self::Connectors(1) => Some("a connector is connected to it".to_owned()),
            Self::Connectors(count) => Some(format!("{count} connectors are connected to it")),
            Self::Unread(why) => Some(why.clone()),
        }
    }
}

impl fmt::Display for Orphan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Object::Record { zone, .. } => write!(formatter, "record {} in {zone}", self.name),
            Object::Pool { id } => write!(formatter, "load-balancer pool {:?} ({id})", self.name),
            Object::Monitor { id } => write!(formatter, "monitor {id} of {:?}", self.name),
            Object::NetworkRoute { .. } => write!(formatter, "private network route {}", self.name),
            Object::HostnameRoute { .. } => write!(formatter, "hostname route {}", self.name),
            Object::VirtualNetwork { .. } => write!(formatter, "virtual network {:?}", self.name),
            Object::Tunnel { id } => write!(formatter, "tunnel {:?} ({id})", self.name),
            Object::Left { tunnel } => write!(formatter, "tunnel {tunnel}"),
        }
    }
}

impl Orphans {
    /// Counts a thing by its name and its comment, if it is marked with another installation.
    pub fn count_other(&mut self, records: &Records, name: &str, comment: Option<&str>) {
        if let Some(other) = other_installation(&records.install, name, comment) {
            *self.others.entry(other).or_default() += 1;
        }
    }
}

/// What names a list of leftovers: sixteen hexadecimal digits over the items that can be deleted.
pub fn hash<'a>(orphans: impl IntoIterator<Item = &'a Orphan>) -> String {
    let mut items: Vec<&str> =
        orphans.into_iter().filter(|orphan| orphan.is_deletable()).map(|orphan| orphan.item.as_str()).collect();
    items.sort_unstable();
    hexadecimal(&Sha256::digest(items.join(" "))[..8])
}

/// How many things are left over in an account, as far as an ordinary pass sees it: in the zones that it read, and without proof.
pub fn count(records: &Records, account_id: &AccountId, observed: &Observed) -> usize {
    let listed = observed.tunnels.complete();
    // Nearly everything is on record and alive, which is found at once; only what is left is looked for among all records.
    let ours: BTreeSet<&TunnelId> = records.tunnels.values().filter_map(|record| record.id.as_ref()).collect();
    let others = listed.into_iter().flatten().filter(|(id, _)| !ours.contains(id));
    let tunnels = others.filter(|(id, tunnel)| is_stray_tunnel(records, id, &tunnel.name)).count();
    let is_dead = |record: &&ObservedRecord| {
        let target = target(record);
        target.is_some_and(|target| listed.is_some_and(|listed| !listed.contains_key(&target)))
    };
    let dead = observed.records.values().filter_map(Part::complete).flatten().filter(is_dead);
    // Nearly always nothing is dead.
    let on_record = LazyCell::new(|| dns_on_record(records));
    let strays = dead.filter(|record| stray_target(records, &on_record, record).is_some()).count();
    left(records.in_account(account_id)).count() + tunnels + strays
}

/// The tunnels of `records` that left the configuration.
pub fn left<'a>(records: impl Iterator<Item = &'a TunnelRecord>) -> impl Iterator<Item = &'a TunnelRecord> {
    records.filter(|record| record.fate == Fate::Orphaned)
}

/// The DNS records that tunnels here have on record.
pub fn dns_on_record(records: &Records) -> BTreeSet<&RecordId> {
    records.tunnels.values().flat_map(|tunnel| tunnel.dns.values()).map(|dns| &dns.record_id).collect()
}

/// The tunnel id that a record with our marker leads to, if it is none of those `on_record`.
pub fn stray_target(records: &Records, on_record: &BTreeSet<&RecordId>, record: &ObservedRecord) -> Option<TunnelId> {
    let marked = records.install.has_marked(record.comment.as_deref()?);
    target(record).filter(|_| marked && record.kind == "CNAME" && !on_record.contains(&record.id))
}

/// The tunnel id that a record leads to.
fn target(record: &ObservedRecord) -> Option<TunnelId> {
    record.content.to_ascii_lowercase().strip_suffix(TUNNEL_DOMAIN_SUFFIX)?.parse().ok()
}

/// Whether a tunnel is called as one of ours, and nothing of it is on record: not even that it was about to be made.
pub fn is_stray_tunnel(records: &Records, id: &TunnelId, name: &str) -> bool {
    let begun = records.tunnels.values().any(|record| record.id.is_none() && record.cloudflare_name == name);
    is_own_name(&records.install, name) && on_record(records, id).is_none() && !begun
}

/// The other installation that a tunnel's name or a record's comment is marked with.
fn other_installation(own: &InstallId, name: &str, comment: Option<&str>) -> Option<String> {
    let marked = comment.and_then(|comment| comment.strip_prefix("adit:")).and_then(|rest| rest.split(':').next());
    let named = || name.rsplit_once(".adit-").map(|(_, install)| install);
    let install = marked.or_else(named).and_then(InstallId::new)?;
    (install != *own).then(|| install.as_str().to_owned())
}

fn own_ending(install: &InstallId) -> String {
    format!(".adit-{}", install.as_str())
}

fn is_own_name(install: &InstallId, name: &str) -> bool {
    name.ends_with(&own_ending(install))
}

fn on_record<'a>(records: &'a Records, id: &TunnelId) -> Option<&'a TunnelRecord> {
    records.tunnels.values().find(|record| record.id.as_ref() == Some(id))
}

/// The tunnel that our marker names; `None` when a comment or description is not our marker.
pub fn tunnel_of_marker(records: &Records, comment: &str) -> Option<TunnelName> {
    records.install.marked(comment)?.parse().ok()
}

/// Why something of a tunnel whose record cannot be read stays: it may be on record after all.
fn held(records: &Records, tunnel: Option<TunnelName>) -> Option<String> {
    let why = records.held.get(&tunnel?)?;
    Some(format!("what is on record of its tunnel cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::InstallId;

    fn records() -> Records {
        Records::new(InstallId::new("a1b2c3d4").unwrap())
    }

    fn record(comment: Option<&str>) -> ObservedRecord {
        ObservedRecord {
            id: "r1".parse().unwrap(),
            name: "a.example.com".to_owned(),
            kind: "CNAME".to_owned(),
            content: "T1.cfargotunnel.com".to_owned(),
            proxied: true,
            comment: comment.map(str::to_owned),
        }
    }

    #[test]
    fn only_our_own_marker_makes_a_record_ours() {
        for (comment, ours) in [
            (Some("adit:a1b2c3d4:web"), true),
            (Some("adit:zzzzzzzz:web"), false),
            (Some("adit:a1b2c3d4"), false),
            (Some("printer"), false),
            (None, false),
        ] {
            let record = record(comment);
            assert_eq!(stray_target(&records(), &BTreeSet::new(), &record).is_some(), ours, "{comment:?}");
            assert_eq!(stray_target(&records(), &BTreeSet::from([&record.id]), &record), None, "it is on record");
        }
    }

    #[test]
    fn a_record_goes_only_when_the_tunnel_that_it_led_to_was_ours_and_is_deleted() {
        let zone =
            Zone { id: "z".parse().unwrap(), name: "example.com".into(), account_id: "a".parse().unwrap(), batch_max: 200 };
        let deleted = |name: &str| Target::Deleted { name: name.to_owned(), at: Timestamp::UNIX_EPOCH };
        for (target, deletable) in [
            (deleted("web.adit-a1b2c3d4"), true),
            (deleted("by-hand"), false),
            (Target::Live("web.adit-a1b2c3d4".to_owned()), false),
            (Target::Unknown, false),
            (Target::Unread("Cloudflare failed".to_owned()), false),
        ] {
            let record = record(Some("adit:a1b2c3d4:web"));
            let orphan = Orphan::record(&records(), &zone, &record, "t1".parse().unwrap(), &target);
            assert_eq!(orphan.is_deletable(), deletable, "{target:?}");
        }
    }

    #[test]
    fn a_tunnel_goes_only_when_nobody_is_connected() {
        let tunnel = |connected| {
            Orphan::tunnel(&records(), ("t1".parse().unwrap(), "web.adit-a1b2c3d4".to_owned()), None, false, &connected)
        };
        assert!(tunnel(Connected::Connectors(0)).is_deletable());
        assert!(!tunnel(Connected::Connectors(1)).is_deletable());
        assert!(!tunnel(Connected::Unread("Cloudflare failed".to_owned())).is_deletable());
    }

    #[test]
    fn what_cannot_be_read_here_is_not_left_over_there() {
        let mut records = records();
        records.held.insert("web".parse().unwrap(), "it is torn".to_owned());
        let orphan = Orphan::tunnel(
            &records,
            ("t1".parse().unwrap(), "web.adit-a1b2c3d4".to_owned()),
            None,
            false,
            &Connected::Connectors(0),
        );
        assert!(!orphan.is_deletable());
    }

    #[test]
    fn a_hash_names_what_can_be_deleted_in_any_order() {
        let tunnel = |id: &str, count| {
            Orphan::tunnel(
                &records(),
                (id.parse().unwrap(), "web.adit-a1b2c3d4".to_owned()),
                None,
                false,
                &Connected::Connectors(count),
            )
        };
        let (one, two, used) = (tunnel("t1", 0), tunnel("t2", 0), tunnel("t3", 1));
        assert_eq!(hash([&one, &two]), hash([&two, &used, &one]));
        assert_ne!(hash([&one]), hash([&one, &two]));
    }

    #[test]
    fn other_installations_are_told_apart() {
        let own = InstallId::new("a1b2c3d4").unwrap();
        assert_eq!(other_installation(&own, "web.adit-zzzzzzzz", None).as_deref(), Some("zzzzzzzz"));
        assert_eq!(other_installation(&own, "a.example.com", Some("adit:zzzzzzzz:web")).as_deref(), Some("zzzzzzzz"));
        assert_eq!(other_installation(&own, "web.adit-a1b2c3d4", None), None);
        assert_eq!(other_installation(&own, "a.example.com", Some("printer")), None);
    }

    #[test]
    fn a_tunnel_that_was_given_up_stays_and_says_how_it_comes_back() {
        let tunnel = ("t1".parse().unwrap(), "web.adit-a1b2c3d4".to_owned());
        let orphan = Orphan::tunnel(&records(), tunnel, None, true, &Connected::Connectors(0));
        assert!(!orphan.is_deletable());
        assert!(orphan.kept.unwrap().contains("adit tunnel adopt web --id t1"));
    }
}
