//! What Adit knows it made at Cloudflare: one record for each tunnel.
//!
//! A record is written before the call that it describes: a tunnel's name and secret are durable before the tunnel is asked for,
//! so that a lost answer can be settled later by looking for exactly that tunnel. `store` keeps records as versioned TOML files;
//! here are only the values.

mod balancing;
mod forgotten;
mod kept_document;
mod own_rules;
mod secret_life;

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use forgotten::Forgotten;
pub use kept_document::KeptDocument;
pub use own_rules::{OwnRule, RulePlace, SharedPart};

pub use balancing::{BalancerRef, BalancingRecord, MonitorRef, PoolRef};
pub use secret_life::{Rotation, RotationStage, SecretLife};

use crate::{
    config::PrivateRoute,
    id::{AccessAppId, AccountId, RecordId, RouteId, TunnelId, VirtualNetworkId, ZoneId},
    name::{Hostname, TunnelName},
    secret::Secret,
};

/// Eight characters that name this installation in everything it owns at Cloudflare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallId(String);

/// All that Adit knows it made, and what it cannot read of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// The installation that made them.
    pub install: InstallId,
    /// The records that can be read, by tunnel.
    pub tunnels: BTreeMap<TunnelName, TunnelRecord>,
    /// Tunnels whose record cannot be read, with why: nothing of theirs is changed at Cloudflare.
    pub held: BTreeMap<TunnelName, String>,
    /// Why nothing at all may be changed.
    pub seal: Option<Seal>,
}

/// Why the whole state is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// It was made on another machine: a restored backup or a clone. No connector starts either, because the original may run.
    OtherMachine,
    /// What says which installation this is cannot be read, with why. Tunnels on record run.
    Unreadable(String),
}

/// One tunnel that Adit made (or is about to make, or is about to delete).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelRecord {
    /// The tunnel's name in Adit.
    pub name: TunnelName,
    /// The account it belongs to; pinned when the record is made.
    pub account_id: AccountId,
    /// Its name at Cloudflare: `NAME.adit-INSTALL`, or what an adopted tunnel was called.
    pub cloudflare_name: String,
    /// The tunnel secret, base64, as sent to Cloudflare. Connector tokens are computed from it.
    pub secret: Secret,
    /// How old that secret is, and the change to another one while it goes on.
    pub secret_life: SecretLife,
    /// Where its configuration lives; it cannot change in place.
    pub source: ConfigurationSource,
    /// The id, once Cloudflare answered. `None`: the intent is durable, the tunnel may or may not exist.
    pub id: Option<TunnelId>,
    /// The configuration that Adit wrote last, if any.
    pub written: Option<WrittenConfiguration>,
    /// DNS records that Adit made for this tunnel, by hostname.
    pub dns: BTreeMap<Hostname, DnsRecordRef>,
    /// Private routes that Adit made, or is about to make, for this tunnel.
    pub private_routes: BTreeMap<PrivateRoute, PrivateRouteRef>,
    /// Virtual networks that Adit made for this tunnel, by name. `None`: the intent is durable, the network may or may not exist.
    pub virtual_networks: BTreeMap<String, Option<VirtualNetworkId>>,
    /// What of load balancing Adit made for this tunnel.
    pub balancing: BalancingRecord,
    /// The Access applications that covered the hostnames that demand one when they were last seen.
    pub access: BTreeMap<Hostname, AccessAppId>,
    /// What is to become of it.
    pub fate: Fate,
    /// Whether others made it, and it was adopted before anything defined it: until a definition is in force it is nobody's to
    /// clean up.
    pub awaits_definition: bool,
    /// The name that its connectors run under; `None` for its own. It had that name before, or another tunnel had its own.
    pub slots: Option<TunnelName>,
    /// The configuration that was put in force last: written to Cloudflare, or handed to the connectors. Its rules outlive the
    /// configuration while hostnames leave.
    pub document: Option<KeptDocument>,
    /// Hostnames that went over to another tunnel, and when: their rules and the connectors stay a while longer.
    pub parting: BTreeMap<Hostname, Timestamp>,
    /// Since when its connectors finish their requests, of a tunnel whose hostnames went over to others and that is to go.
    pub draining_since: Option<Timestamp>,
    /// For a tunnel whose configuration others edit too: what of it is ours. `None`: all of it is.
    pub shared: Option<SharedPart>,
}

/// Where a tunnel's configuration lives (`config_src` at Cloudflare).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigurationSource {
    /// At Cloudflare, pushed to the connectors.
    Remote,
    /// In a file beside the connector.
    Local,
}

/// A configuration as Adit wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenConfiguration {
    /// The version that Cloudflare gave it.
    pub version: i64,
    /// The fingerprint of the document that was sent: SHA-256 over canonical JSON, in hexadecimal.
    pub sha256: String,
    /// The fingerprint of the document as Cloudflare then stored it, which may have gained defaults. An edit differs from this.
    pub stored_sha256: String,
}

/// A DNS record that Adit made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecordRef {
    /// The zone it stands in.
    pub zone_id: ZoneId,
    /// Its id.
    pub record_id: RecordId,
}

/// A private route that Adit made, or is about to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivateRouteRef {
    /// Its id. `None`: the intent is durable, the route may or may not exist.
    pub route_id: Option<RouteId>,
    /// The virtual network that a network's route stands in.
    pub virtual_network_id: Option<VirtualNetworkId>,
}

/// What is to become of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It stays.
    Keep,
    /// It left the configuration: its connectors are stopped, and what it has at Cloudflare waits for a confirmed clean-up.
    Orphaned,
    /// An operator asked for its deletion, which goes on from wherever it stopped until nothing is left.
    Delete,
    /// Another tunnel takes its place, because its configuration came to live elsewhere: it goes on until that one serves all of
    /// its hostnames, and a while longer; then it is deleted.
    Retiring,
}

impl Fate {
    /// Whether the tunnel is to be deleted in the end: what leads to it is moved or released.
    pub fn is_ending(self) -> bool {
        match self {
            Self::Retiring | Self::Delete => true,
            Self::Keep | Self::Orphaned => false,
        }
    }
}

impl fmt::Display for ConfigurationSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Remote => "remote",
            Self::Local => "local",
        })
    }
}

impl Records {
    /// The records of an installation that has made nothing.
    pub fn new(install: InstallId) -> Self {
        Self { install, tunnels: BTreeMap::new(), held: BTreeMap::new(), seal: None }
    }

    /// The records of the tunnels in one account.
    pub fn in_account<'a>(&'a self, account_id: &'a AccountId) -> impl Iterator<Item = &'a TunnelRecord> {
        self.tunnels.values().filter(move |record| record.account_id == *account_id)
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherMachine => formatter.write_str(
                "the state directory was made on another machine (a restored backup or a clone): `adit identity take-over` if that machine is gone, `adit identity new` if this is a clone",
            ),
            Self::Unreadable(why) => formatter.write_str(why),
        }
    }
}

impl TunnelRecord {
    /// The record of a tunnel that is about to be made: what must be durable before Cloudflare is asked.
    pub fn intent(
        install: &InstallId,
        name: TunnelName,
        account_id: AccountId,
        source: ConfigurationSource,
        secret: Secret,
    ) -> Self {
        Self {
            cloudflare_name: install.cloudflare_name(&name),
            name,
            account_id,
            secret,
            secret_life: SecretLife::default(),
            source,
            id: None,
            written: None,
            dns: BTreeMap::new(),
            private_routes: BTreeMap::new(),
            virtual_networks: BTreeMap::new(),
            balancing: BalancingRecord::default(),
            access: BTreeMap::new(),
            fate: Fate::Keep,
            awaits_definition: false,
            shared: None,
            slots: None,
            document: None,
            parting: BTreeMap::new(),
            draining_since: None,
        }
    }

    /// The name that its connectors run under.
    pub fn slots(&self) -> &TunnelName {
        self.slots.as_ref().unwrap_or(&self.name)
    }

    /// The time of a hostname that went over to another tunnel ended at `now`. With the last one the connectors of a tunnel that is
    /// to be deleted have nobody left to serve.
    pub fn end_parting(&mut self, hostname: &Hostname, now: Timestamp) {
        self.parting.remove(hostname);
        if self.parting.is_empty() && self.fate == Fate::Delete {
            self.draining_since.get_or_insert(now);
        }
    }

    /// A hostname went over to another tunnel at `now`.
    pub fn part_with(&mut self, hostname: &Hostname, now: Timestamp) {
        if self.dns.remove(hostname).is_some() {
            self.parting.insert(hostname.clone(), now);
        }
    }
}

impl InstallId {
    /// How many characters an install id has.
    pub const LENGTH: usize = 8;

    /// Checks that `text` is eight of `a-z` and `0-9`.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        (text.len() == Self::LENGTH && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a tunnel made by this installation is called at Cloudflare.
    pub fn cloudflare_name(&self, name: &TunnelName) -> String {
        format!("{name}.adit-{}", self.0)
    }

    /// What a tunnel is called that takes the place of one with the same name, which still lives: `NAME.NUMBER.adit-INSTALL`.
    pub fn later_cloudflare_name(&self, name: &TunnelName, number: u64) -> String {
        format!("{name}.{number}.adit-{}", self.0)
    }

    /// The comment that marks a DNS record, route or pool of this installation: at most 61 characters, of the 100 that a free
    /// zone allows.
    pub fn marker(&self, name: &TunnelName) -> String {
        format!("adit:{}:{name}", self.0)
    }

    /// Whether a comment is a marker of this installation, whichever tunnel it names.
    pub fn has_marked(&self, comment: &str) -> bool {
        self.marked(comment).is_some()
    }

    /// What the comment names as its tunnel, if it is a marker of this installation.
    pub fn marked<'c>(&self, comment: &'c str) -> Option<&'c str> {
        comment.strip_prefix("adit:")?.strip_prefix(&self.0)?.strip_prefix(':')
    }
}
