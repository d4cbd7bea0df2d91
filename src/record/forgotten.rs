//! What is left at Cloudflare of a tunnel that is ours no longer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ConfigurationSource, DnsRecordRef, RulePlace, TunnelRecord};
use crate::id::{AccountId, TunnelId};

/// A tunnel that Adit gave up: where it is, and which of what Adit made stays with it. It holds no secret; who adopts the tunnel
/// again asks Cloudflare for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// The account.
    pub account_id: AccountId,
    /// The tunnel's id, if it was ever made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TunnelId>,
    /// Its name at Cloudflare.
    pub cloudflare_name: String,
    /// Where its configuration lives.
    pub source: ConfigurationSource,
    /// The rules that were ours in a configuration that others edit too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RulePlace>,
    /// The DNS records that lead to it, by hostname. They still carry our marker.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dns: BTreeMap<String, DnsRecordRef>,
}

impl From<&TunnelRecord> for Forgotten {
    fn from(record: &TunnelRecord) -> Self {
        let rules = record.shared.iter().flat_map(|shared| &shared.rules).map(|own| own.place.clone());
        Self {
            account_id: record.account_id.clone(),
            id: record.id.clone(),
            cloudflare_name: record.cloudflare_name.clone(),
            source: record.source,
            rules: rules.collect(),
            dns: record.dns.iter().map(|(hostname, dns)| (hostname.to_string(), dns.clone())).collect(),
        }
    }
}
