//! `replaced/NAME.VERSION.json`: configurations that somebody else wrote and Adit wrote over.

use std::{fs, path::PathBuf, time::SystemTime};

use serde_json::Value;

use super::{Store, StoreError, durable};
use crate::name::TunnelName;

/// How many replaced configurations of one tunnel are kept: enough to find an edit of this week, few enough to never matter.
const KEPT_MAX: usize = 20;

/// How many are kept of all tunnels together, those that are gone included; the oldest go first.
const KEPT_IN_ALL_MAX: usize = 500;

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
        let files = durable::list(&directory, ".json")?;
        let of_tunnel = files.iter().filter_map(|(stem, path)| {
            let (name, version) = stem.rsplit_once('.')?;
            (name == tunnel.as_str()).then_some((version.parse::<i64>().ok()?, path))
        });
        let mut kept: Vec<_> = of_tunnel.collect();
        kept.sort();
        for (_, path) in kept.iter().rev().skip(KEPT_MAX) {
            durable::remove(path)?;
        }
        if files.len() > KEPT_IN_ALL_MAX {
            let written =
                |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            let mut all: Vec<(SystemTime, &PathBuf)> = files.iter().map(|(_, path)| (written(path), path)).collect();
            all.sort();
            let surplus = all.len() - KEPT_IN_ALL_MAX;
            for (_, path) in all.iter().filter(|(_, other)| **other != path).take(surplus) {
                durable::remove(path)?;
            }
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_is_kept_of_replaced_configurations_has_a_bound_for_each_tunnel_and_for_all() {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path(), None).unwrap();
        let count = || fs::read_dir(directory.path().join("replaced")).unwrap().count();
        let web: TunnelName = "web".parse().unwrap();
        for version in 1..=25 {
            store.keep_replaced(&web, version, &json!({})).unwrap();
        }
        assert_eq!(count(), KEPT_MAX);
        assert!(directory.path().join("replaced/web.25.json").exists() && !directory.path().join("replaced/web.5.json").exists());
        for index in 0..KEPT_IN_ALL_MAX {
            fs::write(directory.path().join(format!("replaced/t{index}.1.json")), "{}").unwrap();
        }
        let path = store.keep_replaced(&web, 26, &json!({})).unwrap();
        assert!(count() <= KEPT_IN_ALL_MAX && path.exists());
    }
}
