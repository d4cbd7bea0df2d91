//! DNS records, one by one and in batches.

use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::id::{RecordId, TUNNEL_DOMAIN_SUFFIX, ZoneId};

use super::{
    Client, Error, Kind, Permission,
    call::{Call, Method, Resource},
    lenient,
    pages::Identified,
    record_document::RecordDocument,
};

/// A page of records. The schema allows far more, but others have been told that this is the most; a paid zone holds 3,500.
const PAGE: u64 = 5_000;

/// A record that exists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DnsRecord {
    /// Its id.
    pub id: RecordId,
    /// Its type, such as `CNAME`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its complete name, with the zone.
    pub name: String,
    /// What it points to; empty for types that keep it elsewhere.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub content: String,
    /// Whether Cloudflare's edge answers for it. A tunnel is reached only when it does.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub proxied: bool,
    /// Seconds; 1 means automatic, as do answers without one.
    #[serde(default = "automatic", deserialize_with = "ttl")]
    pub ttl: u32,
    /// What people, or we, wrote beside it.
    #[serde(default)]
    pub comment: Option<String>,
}

/// A record to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewRecord {
    /// Its type, such as `CNAME`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its complete name, with the zone, in Punycode.
    pub name: String,
    /// What it points to.
    pub content: String,
    /// Whether Cloudflare's edge answers for it.
    pub proxied: bool,
    /// Seconds, or 1 for automatic, as it must be when proxied.
    pub ttl: u32,
    /// One line, at most 100 characters in a Free zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What to change of a record; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordPatch {
    /// What it points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Whether Cloudflare's edge answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxied: Option<bool>,
    /// Seconds, or 1 for automatic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// The comment; an empty one takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Changes of one zone's records that are made all together or not at all, always in this order: deletes, patches, puts,
/// posts. [`Plan::batch_max`](super::Plan::batch_max) says how many it may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Records to delete.
    pub deletes: Vec<RecordId>,
    /// Records to change in part.
    pub patches: Vec<(RecordId, RecordPatch)>,
    /// Records to replace.
    pub puts: Vec<(RecordId, NewRecord)>,
    /// Records to create.
    pub posts: Vec<NewRecord>,
}

/// The records as a [`Batch`] left them, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct BatchAnswer {
    /// Records changed in part.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub patches: Vec<DnsRecord>,
    /// Records replaced.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub puts: Vec<DnsRecord>,
    /// Records created.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub posts: Vec<DnsRecord>,
}

impl Identified for DnsRecord {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

impl Batch {
    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.deletes.len() + self.patches.len() + self.puts.len() + self.posts.len()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Client {
    /// Every CNAME of the zone that leads to a tunnel, whoever made it.
    pub async fn tunnel_records(&self, zone: &ZoneId) -> Result<Vec<DnsRecord>, Error> {
        let call = records(Method::Get, zone, format!("list the tunnel records of zone {zone}"))
            .query("type", "CNAME")
            .query("content.endswith", TUNNEL_DOMAIN_SUFFIX);
        self.transport.list(&call.needs(Permission::DnsRead, format!("zone {zone}")), PAGE).await
    }

    /// Every record of exactly this name, of any type: what stands in the way of a new one.
    pub async fn records_named(&self, zone: &ZoneId, name: &str) -> Result<Vec<DnsRecord>, Error> {
        self.transport.list(&named(zone, name), PAGE).await
    }

    /// The same, each with all that Cloudflare says of it.
    pub async fn record_documents_named(&self, zone: &ZoneId, name: &str) -> Result<Vec<RecordDocument>, Error> {
        self.transport.list(&named(zone, name), PAGE).await
    }

    /// One record.
    pub async fn record(&self, zone: &ZoneId, id: &RecordId) -> Result<DnsRecord, Error> {
        let call = one(Method::Get, zone, id, format!("read DNS record {id} of zone {zone}"));
        Ok(self.transport.call(&call.needs(Permission::DnsRead, format!("zone {zone}"))).await?.value)
    }

    /// Creates a record. It is sent once; when [`Error::may_have_happened`], look for the name.
    pub async fn create_record(&self, zone: &ZoneId, record: &NewRecord) -> Result<DnsRecord, Error> {
        let task = format!("create the {} record of \"{}\" in zone {zone}", record.kind, record.name);
        Ok(self.transport.call(&records(Method::Post, zone, task).edits(zone).body(record)).await?.value)
    }

    /// Changes a record in part.
    pub async fn patch_record(&self, zone: &ZoneId, id: &RecordId, patch: &RecordPatch) -> Result<DnsRecord, Error> {
        let call = one(Method::Patch, zone, id, format!("change DNS record {id} of zone {zone}"));
        Ok(self.transport.call(&call.edits(zone).body(patch)).await?.value)
    }

    /// Deletes a record. [`Error::is_gone`] is success.
    pub async fn delete_record(&self, zone: &ZoneId, id: &RecordId) -> Result<(), Error> {
        let call = one(Method::Delete, zone, id, format!("delete DNS record {id} of zone {zone}"));
        self.transport.call::<IgnoredAny>(&call.edits(zone)).await?;
        Ok(())
    }

    /// Makes all changes of `batch` or none. It is sent once, and not at all when it is empty.
    ///
    /// The error does not say which change failed: split the batch to find out. When [`Error::may_have_happened`], list the
    /// records again.
    pub async fn batch_records(&self, zone: &ZoneId, batch: &Batch) -> Result<BatchAnswer, Error> {
        if batch.is_empty() {
            return Ok(BatchAnswer::default());
        }
        let task = format!("make {} changes of DNS records in zone {zone}", batch.len());
        let path = ["zones", zone.as_str(), "dns_records", "batch"];
        let call = Call::new(Method::Post, Resource::DnsRecords, path, task).edits(zone).body(&WrittenBatch::from(batch));
        let answer: BatchAnswer = self.transport.call(&call).await?.value;
        let counts = [answer.patches.len(), answer.puts.len(), answer.posts.len()];
        if counts != [batch.patches.len(), batch.puts.len(), batch.posts.len()] {
            let detail = "it holds another number of records than the batch";
            return Err(Error::of(Kind::Malformed, &call).perhaps_done(true).detail(detail));
        }
        Ok(answer)
    }
}

fn records(method: Method, zone: &ZoneId, task: String) -> Call {
    Call::new(method, Resource::DnsRecords, ["zones", zone.as_str(), "dns_records"], task)
}

fn named(zone: &ZoneId, name: &str) -> Call {
    records(Method::Get, zone, format!("look for DNS records of \"{name}\" in zone {zone}"))
        .query("name.exact", name)
        .needs(Permission::DnsRead, format!("zone {zone}"))
}

fn one(method: Method, zone: &ZoneId, id: &RecordId, task: String) -> Call {
    Call::new(method, Resource::DnsRecords, ["zones", zone.as_str(), "dns_records", id.as_str()], task)
}

impl Call {
    fn edits(self, zone: &ZoneId) -> Self {
        self.needs(Permission::DnsEdit, format!("zone {zone}"))
    }
}

/// A batch as it is sent; empty lists are left out.
#[derive(Serialize)]
struct WrittenBatch<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deletes: Vec<Identifier<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    patches: Vec<Numbered<'a, RecordPatch>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    puts: Vec<Numbered<'a, NewRecord>>,
    #[serde(skip_serializing_if = "<[NewRecord]>::is_empty")]
    posts: &'a [NewRecord],
}

#[derive(Serialize)]
struct Identifier<'a> {
    id: &'a RecordId,
}

#[derive(Serialize)]
struct Numbered<'a, T> {
    id: &'a RecordId,
    #[serde(flatten)]
    fields: &'a T,
}

impl<'a> From<&'a Batch> for WrittenBatch<'a> {
    fn from(batch: &'a Batch) -> Self {
        Self {
            deletes: batch.deletes.iter().map(|id| Identifier { id }).collect(),
            patches: batch.patches.iter().map(|(id, fields)| Numbered { id, fields }).collect(),
            puts: batch.puts.iter().map(|(id, fields)| Numbered { id, fields }).collect(),
            posts: &batch.posts,
        }
    }
}

/// Cloudflare's word for "automatic".
fn automatic() -> u32 {
    1
}

/// The schema says `number`, so that `1.0` may come.
fn ttl<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let seconds: Option<f64> = lenient::known(deserializer)?;
    Ok(seconds.map_or(automatic(), |seconds| seconds as u32))
}
