//! The world at one moment, to compare with another.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{record::RecordKind, state::State};
use crate::id::{AccountId, RecordId, TunnelId};

/// What lasts: tunnels, records and stored objects, but neither connections nor times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Every tunnel by id, deleted ones included.
    pub tunnels: BTreeMap<TunnelId, TunnelSnapshot>,
    /// Every record by id.
    pub records: BTreeMap<RecordId, RecordSnapshot>,
    /// Load balancing, private networks and Access: by kind, then by id.
    pub objects: BTreeMap<String, BTreeMap<String, Map<String, Value>>>,
}

/// A tunnel in a [`Snapshot`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TunnelSnapshot {
    /// Its id.
    pub id: TunnelId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// `local` or `cloudflare`.
    pub config_src: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The version and document of its stored configuration.
    pub configuration: Option<(i64, Value)>,
}

/// A record in a [`Snapshot`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordSnapshot {
    /// Its id.
    pub id: RecordId,
    /// The name of the zone that it is in.
    pub zone: String,
    /// Its complete name.
    pub name: String,
    /// Its type.
    pub kind: RecordKind,
    /// What it points to.
    pub content: String,
    /// Whether Cloudflare stands in front of it.
    pub proxied: bool,
    /// 1 is automatic, otherwise seconds.
    pub ttl: u32,
    /// The comment, if it has one.
    pub comment: Option<String>,
}

impl Snapshot {
    /// The live tunnel of this name.
    pub fn tunnel(&self, name: &str) -> Option<&TunnelSnapshot> {
        self.tunnels.values().find(|tunnel| tunnel.name == name && !tunnel.deleted)
    }

    /// The records of this name.
    pub fn records_named(&self, name: &str) -> Vec<&RecordSnapshot> {
        self.records.values().filter(|record| record.name == name).collect()
    }
}

impl State {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let tunnels = self.tunnels.values().map(|tunnel| {
            let configuration = tunnel.configuration.as_ref();
            let tunnel = TunnelSnapshot {
                id: tunnel.id.clone(),
                account: tunnel.account.clone(),
                name: tunnel.name.clone(),
                config_src: tunnel.source.as_str().to_owned(),
                deleted: !tunnel.is_live(),
                configuration: configuration.map(|stored| (stored.version, stored.document.clone())),
            };
            (tunnel.id.clone(), tunnel)
        });
        let records = self.zones.values().flat_map(|zone| {
            zone.records().into_iter().map(|record| {
                let record = RecordSnapshot {
                    id: record.id.clone(),
                    zone: zone.name.clone(),
                    name: record.body.name.clone(),
                    kind: record.body.kind,
                    content: record.body.content.clone(),
                    proxied: record.body.proxied,
                    ttl: record.body.ttl,
                    comment: record.body.comment.clone(),
                };
                (record.id.clone(), record)
            })
        });
        let mut objects: BTreeMap<String, BTreeMap<String, Map<String, Value>>> = BTreeMap::new();
        for (collection, document) in self.documents.every_live() {
            objects.entry(collection.name().to_owned()).or_default().insert(document.id.clone(), document.body.clone());
        }
        Snapshot { tunnels: tunnels.collect(), records: records.collect(), objects }
    }
}
