//! A DNS record with all that Cloudflare says of it, for whoever keeps it.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::{dns::DnsRecord, pages::Identified};

/// A record and the whole document that it was read from: settings, tags and times as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordDocument {
    /// The record.
    pub record: DnsRecord,
    /// All that Cloudflare said of it.
    pub document: Value,
}

impl Identified for RecordDocument {
    fn identity(&self) -> &str {
        self.record.identity()
    }
}

impl<'de> Deserialize<'de> for RecordDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Value::deserialize(deserializer)?;
        let record = DnsRecord::deserialize(&document).map_err(D::Error::custom)?;
        Ok(Self { record, document })
    }
}
