//! `records/NAME.toml`: what Adit made at Cloudflare for one tunnel.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    StoreError,
    balancing::{WrittenBalancing, by_hostname, written_apps},
    durable,
    private_routes::{WrittenRoute, WrittenVirtualNetwork},
    versioned,
};
use crate::{
    id::{AccessAppId, AccountId, TunnelId},
    name::TunnelName,
    record::{
        ConfigurationSource, DnsRecordRef, Fate, KeptDocument, Records, Rotation, RotationStage, SecretLife, SharedPart,
        TunnelRecord, WrittenConfiguration,
    },
    secret::Secret,
};

/// A record as it stands in its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    account_id: AccountId,
    cloudflare_name: String,
    id: Option<TunnelId>,
    secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_since: Option<Timestamp>,
    source: ConfigurationSource,
    fate: Fate,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    awaits_definition: bool,
    written: Option<WrittenConfiguration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slots: Option<TunnelName>,
    /// JSON: TOML has no null, and keeps no order of keys that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    draining_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parting: BTreeMap<String, Timestamp>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    dns: BTreeMap<String, DnsRecordRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    private_routes: Vec<WrittenRoute>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    virtual_networks: Vec<WrittenVirtualNetwork>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shared: Option<SharedPart>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    balancing: Option<WrittenBalancing>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    access: BTreeMap<String, AccessAppId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation: Option<WrittenRotation>,
}

/// The change of a secret, as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRotation {
    stage: RotationStage,
    other_secret: String,
    #[serde(default)]
    emergency: bool,
    by: Option<String>,
    began_at: Timestamp,
}

impl WrittenRotation {
    fn of(rotation: &Rotation) -> Self {
        Self {
            stage: rotation.stage,
            other_secret: rotation.other.expose().to_owned(),
            emergency: rotation.emergency,
            by: rotation.by.clone(),
            began_at: rotation.began_at,
        }
    }

    fn read(self) -> Result<Rotation, String> {
        let Self { stage, other_secret, emergency, by, began_at } = self;
        let other = Secret::new(other_secret);
        if other.is_empty() {
            return Err("its rotation has no secret".to_owned());
        }
        Ok(Rotation { stage, other, emergency, by, began_at })
    }
}

pub(super) fn render(record: &TunnelRecord) -> Zeroizing<String> {
    let mut written = Written {
        name: record.name.to_string(),
        account_id: record.account_id.clone(),
        cloudflare_name: record.cloudflare_name.clone(),
        id: record.id.clone(),
        secret: record.secret.expose().to_owned(),
        secret_since: record.secret_life.since,
        rotation: record.secret_life.rotation.as_ref().map(WrittenRotation::of),
        source: record.source,
        fate: record.fate,
        awaits_definition: record.awaits_definition,
        written: record.written.clone(),
        slots: record.slots.clone(),
        document: record.document.as_ref().map(|document| document.as_str().to_owned()),
        draining_since: record.draining_since,
        parting: record.parting.iter().map(|(hostname, since)| (hostname.to_string(), *since)).collect(),
        dns: record.dns.iter().map(|(hostname, dns)| (hostname.to_string(), dns.clone())).collect(),
        private_routes: record.private_routes.iter().map(|(route, made)| WrittenRoute::of(route, made)).collect(),
        virtual_networks: WrittenVirtualNetwork::all_of(&record.virtual_networks),
        shared: record.shared.clone(),
        balancing: WrittenBalancing::of(&record.balancing),
        access: written_apps(&record.access),
    };
    let text = versioned::render(&written);
    drop(Zeroizing::new(std::mem::take(&mut written.secret)));
    drop(written.rotation.take().map(|rotation| Zeroizing::new(rotation.other_secret)));
    text
}

/// Reads every record; those that cannot be trusted are held.
pub(super) fn read_all(directory: &Path, records: &mut Records) -> Result<(), StoreError> {
    for (stem, path) in durable::list(directory, ".toml")? {
        // What has no tunnel's name is no record, and nothing is ever written in its place.
        let Ok(name) = TunnelName::try_from(stem) else { continue };
        let read = match durable::read(&path) {
            Ok(Some(text)) => parse(&name, &Zeroizing::new(text)),
            Ok(None) => continue,
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(record) => {
                records.tunnels.insert(name, record);
            }
            Err(why) => {
                records.held.insert(name, format!("cannot read {path:?}: {why}"));
            }
        }
    }
    Ok(())
}

pub(super) fn parse(name: &TunnelName, text: &str) -> Result<TunnelRecord, String> {
    let written: Written = versioned::parse(text)?;
    let secret = Secret::new(written.secret);
    if written.name != name.as_str() {
        return Err(format!("it is the record of {:?}, not of this tunnel", written.name));
    }
    if secret.is_empty() {
        return Err("it has no secret".to_owned());
    }
    let document = written.document.map(|text| KeptDocument::read(&text));
    Ok(TunnelRecord {
        name: name.clone(),
        account_id: written.account_id,
        cloudflare_name: written.cloudflare_name,
        secret,
        secret_life: SecretLife {
            since: written.secret_since,
            rotation: written.rotation.map(WrittenRotation::read).transpose()?,
        },
        source: written.source,
        id: written.id,
        written: written.written,
        dns: by_hostname(written.dns)?,
        private_routes: written.private_routes.into_iter().map(WrittenRoute::read).collect::<Result<_, _>>()?,
        virtual_networks: written.virtual_networks.into_iter().map(|made| (made.name, made.id)).collect(),
        balancing: written.balancing.unwrap_or_default().read()?,
        access: by_hostname(written.access)?,
        fate: written.fate,
        awaits_definition: written.awaits_definition,
        slots: written.slots,
        document: document.transpose().map_err(|_| "its document is no JSON".to_owned())?,
        parting: by_hostname(written.parting)?,
        draining_since: written.draining_since,
        shared: written.shared,
    })
}
