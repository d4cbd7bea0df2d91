//! Zones and the records in them: what may stand beside what, and how many.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    document::merge,
    error::Error,
    plan::Plan,
    record::{Record, RecordBody, RecordKind},
    state::new_hex,
};
use crate::id::{AccountId, RecordId, ZoneId};

/// Whether a zone's records are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneStatus {
    /// They are.
    Active,
    /// Not yet: the domain does not name Cloudflare's servers.
    Pending,
}

impl ZoneStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
        }
    }
}

/// A zone with its records. A clone of it is the scratch copy of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    pub(crate) id: ZoneId,
    pub(crate) name: String,
    pub(crate) account: AccountId,
    pub(crate) plan: Plan,
    pub(crate) status: ZoneStatus,
    pub(crate) created: Timestamp,
    records: BTreeMap<RecordId, Record>,
    by_name: BTreeMap<String, BTreeSet<RecordId>>,
    next_number: u64,
}

impl Zone {
    pub(crate) fn new(id: ZoneId, name: &str, account: AccountId, plan: Plan, created: Timestamp) -> Self {
        Self {
            id,
            name: name.to_lowercase(),
            account,
            plan,
            status: ZoneStatus::Active,
            created,
            records: BTreeMap::new(),
            by_name: BTreeMap::new(),
            next_number: 0,
        }
    }

    /// Every record in the order of creation.
    pub(crate) fn records(&self) -> Vec<&Record> {
        let mut records: Vec<&Record> = self.records.values().collect();
        records.sort_by_key(|record| record.number);
        records
    }

    pub(crate) fn record_count(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn record(&self, id: &RecordId) -> Result<&Record, Error> {
        self.records.get(id).ok_or(Error::RecordNotFound)
    }

    /// The records of exactly this name.
    pub(crate) fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Record> + use<'a> {
        self.by_name.get(name).into_iter().flatten().map(|id| &self.records[id])
    }

    pub(crate) fn create_record(&mut self, body: RecordBody, now: Timestamp) -> Result<Record, Error> {
        let body = body.checked(&self.name, self.plan)?;
        self.check_neighbours(&body, None)?;
        if self.records.len() >= self.plan.records_max() {
            return Err(Error::RecordQuota);
        }
        self.next_number += 1;
        let record = Record {
            id: new_hex().parse().expect("hexadecimal digits are an identifier"),
            comment_modified: body.comment.as_ref().map(|_| now),
            tags_modified: if body.tags.is_empty() { None } else { Some(now) },
            body,
            created: now,
            modified: now,
            number: self.next_number,
        };
        self.insert(record.clone());
        Ok(record)
    }

    /// Puts another body in the place of a record's own.
    pub(crate) fn overwrite_record(&mut self, id: &RecordId, body: RecordBody, now: Timestamp) -> Result<Record, Error> {
        let old = self.record(id)?.clone();
        let body = body.checked(&self.name, self.plan)?;
        self.check_neighbours(&body, Some(id))?;
        let record = Record {
            comment_modified: if old.body.comment == body.comment { old.comment_modified } else { Some(now) },
            tags_modified: if old.body.tags == body.tags { old.tags_modified } else { Some(now) },
            body,
            modified: now,
            ..old
        };
        self.remove(id);
        self.insert(record.clone());
        Ok(record)
    }

    /// Changes only the fields that are given; `null` returns one to its default.
    pub(crate) fn patch_record(&mut self, id: &RecordId, patch: Map<String, Value>, now: Timestamp) -> Result<Record, Error> {
        let invalid = |error: serde_json::Error| Error::InvalidRecord { code: None, message: error.to_string() };
        let body = serde_json::to_value(&self.record(id)?.body);
        let mut body: Map<String, Value> = body.and_then(serde_json::from_value).map_err(invalid)?;
        merge(&mut body, patch);
        self.overwrite_record(id, serde_json::from_value(Value::Object(body)).map_err(invalid)?, now)
    }

    pub(crate) fn delete_record(&mut self, id: &RecordId) -> Result<Record, Error> {
        self.remove(id).ok_or(Error::RecordNotFound)
    }

    /// Whether the records of the same name leave room for this one. Identical records have two codes, for clients have met
    /// both: the older one is given for TXT, the newer for the rest.
    fn check_neighbours(&self, body: &RecordBody, own: Option<&RecordId>) -> Result<(), Error> {
        let others: Vec<&Record> = self.named(&body.name).filter(|record| Some(&record.id) != own).collect();
        let same = others.iter().any(|other| other.body.kind == body.kind && other.body.content == body.content);
        let has = |kinds: &[RecordKind]| others.iter().any(|other| kinds.contains(&other.body.kind));
        match body.kind {
            RecordKind::Txt if same => Err(Error::RecordExists),
            RecordKind::A | RecordKind::Aaaa | RecordKind::Cname if same => Err(Error::IdenticalRecord),
            RecordKind::Cname if has(&[RecordKind::A, RecordKind::Aaaa, RecordKind::Cname]) => Err(Error::HostTaken),
            RecordKind::A | RecordKind::Aaaa if has(&[RecordKind::Cname]) => Err(Error::CnameTaken),
            RecordKind::A | RecordKind::Aaaa | RecordKind::Cname | RecordKind::Txt => Ok(()),
        }
    }

    fn insert(&mut self, record: Record) {
        self.by_name.entry(record.body.name.clone()).or_default().insert(record.id.clone());
        self.records.insert(record.id.clone(), record);
    }

    fn remove(&mut self, id: &RecordId) -> Option<Record> {
        let record = self.records.remove(id)?;
        if let Some(ids) = self.by_name.get_mut(&record.body.name) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_name.remove(&record.body.name);
            }
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sandbox::world::record::RecordSettings;

    #[derive(Debug, Clone)]
    enum Change {
        Create(RecordBody),
        Overwrite(usize, RecordBody),
        Delete(usize),
    }

    fn bodies() -> impl Strategy<Value = RecordBody> {
        let kinds = prop_oneof![Just(RecordKind::A), Just(RecordKind::Cname), Just(RecordKind::Txt)];
        (kinds, "[ab]", 1..3_u8).prop_map(|(kind, name, content)| RecordBody {
            kind,
            name,
            content: format!("192.0.2.{content}"),
            ttl: 1,
            proxied: false,
            comment: None,
            tags: Vec::new(),
            settings: RecordSettings::default(),
        })
    }

    fn changes() -> impl Strategy<Value = Change> {
        prop_oneof![
            3 => bodies().prop_map(Change::Create),
            2 => (0..8_usize, bodies()).prop_map(|(index, body)| Change::Overwrite(index, body)),
            1 => (0..8_usize).prop_map(Change::Delete),
        ]
    }

    proptest! {
        #[test]
        fn no_history_of_changes_leaves_records_that_exclude_each_other(history in prop::collection::vec(changes(), 1..40)) {
            let now = Timestamp::UNIX_EPOCH;
            let id = new_hex().parse().unwrap();
            let mut zone = Zone::new(id, "example.com", new_hex().parse().unwrap(), Plan::Free, now);
            for change in history {
                let existing = |index: usize| zone.records().get(index).map(|record| record.id.clone());
                // A refusal is as good as a success here: the law holds after both.
                let _ = match change {
                    Change::Create(body) => zone.create_record(body, now).map(drop),
                    Change::Overwrite(index, body) => match existing(index) {
                        Some(id) => zone.overwrite_record(&id, body, now).map(drop),
                        None => Ok(()),
                    },
                    Change::Delete(index) => match existing(index) {
                        Some(id) => zone.delete_record(&id).map(drop),
                        None => Ok(()),
                    },
                };
                for name in ["a.example.com", "b.example.com"] {
                    let mut found: Vec<&Record> = zone.named(name).collect();
                    found.sort_by_key(|record| record.number);
                    let expected: Vec<&Record> = zone.records().into_iter().filter(|record| record.body.name == name).collect();
                    prop_assert_eq!(ids(&found), ids(&expected));
                    let hosts = found.iter().filter(|record| record.body.kind != RecordKind::Txt);
                    let has_cname = found.iter().any(|record| record.body.kind == RecordKind::Cname);
                    prop_assert!(!has_cname || hosts.count() == 1);
                }
            }
        }
    }

    fn ids<'a>(records: &[&'a Record]) -> Vec<&'a str> {
        records.iter().map(|record| record.id.as_str()).collect()
    }
}
