//! `cache/zones-NAME.toml`: an account's zones, so that a pass does not have to list them.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, durable, versioned};
use crate::{name::AccountName, observed::Zone};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    read_at: Timestamp,
    #[serde(default, rename = "zone")]
    zones: Vec<Zone>,
}

impl Store {
    /// The zones of an account and when they were listed. A cache that cannot be read is no cache.
    pub fn cached_zones(&self, account: &AccountName) -> Option<(Timestamp, Vec<Zone>)> {
        let text = durable::read(&self.zones_path(account)).ok()??;
        let written: Written = versioned::parse(&text).ok()?;
        Some((written.read_at, written.zones))
    }

    /// Keeps the zones of an account, listed at `read_at`.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn cache_zones(&self, account: &AccountName, read_at: Timestamp, zones: &[Zone]) -> Result<(), StoreError> {
        self.check_writable()?;
        let written = Written { read_at, zones: zones.to_vec() };
        durable::write(&self.zones_path(account), versioned::render(&written).as_bytes())
    }

    fn zones_path(&self, account: &AccountName) -> PathBuf {
        self.path("cache").join(format!("zones-{account}.toml"))
    }
}
