//! `replaced/NAME.VERSION.json`: configurations that somebody else wrote and Adit wrote over.

use std::path::PathBuf;

use serde_json::Value;

use super::{Store, StoreError, durable};
use crate::name::TunnelName;

/// How many replaced configurations of one tunnel are kept: enough to find an edit of this week, few enough to never matter.
const KEPT_MAX: usize = 20;

impl Store {
    /// Keeps a configuration that is about to be written over, and says where.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn keep_replaced(&self, tunnel: &TunnelName, version: i64, document: &Value) -> Result<PathBuf, StoreError> {
        self.check_writable()?;
        let directory = self.path("replaced");
        let path = directory.join(format!("{tunnel}.{version}.json"));
        let text = serde_json::to_vec_pretty(document).expect("a JSON value has a JSON text");
        durable::write(&path, &text)?;
        let mut kept: Vec<(i64, PathBuf)> = durable::list(&directory, ".json")?
            .into_iter()
            .filter_map(|(stem, path)| {
                let (name, version) = stem.rsplit_once('.')?;
                (name == tunnel.as_str()).then_some((version.parse().ok()?, path))
            })
            .collect();
        kept.sort();
        for (_, path) in kept.iter().rev().skip(KEPT_MAX) {
            durable::remove(path)?;
        }
        Ok(path)
    }
}
