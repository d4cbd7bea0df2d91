//! `replaced/NAME.VERSION.json`: what others wrote and Adit wrote over: configurations of tunnels by their version, DNS records
//! by their hostname and a number.

use std::{fs, path::PathBuf, time::SystemTime};

use serde_json::Value;

use super::{Store, StoreError, durable};
use crate::name::{Hostname, TunnelName};

/// How many replaced documents of one tunnel or hostname are kept: enough to find an edit of this week, few enough to never
/// matter.
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
        self.keep(tunnel.as_str(), Some(version), document)
    }

    /// Keeps the DNS records of a hostname, as Cloudflare gave them, that are about to be replaced, and says where.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn keep_records(&self, hostname: &Hostname, records: &[Value]) -> Result<PathBuf, StoreError> {
        // A star in a file's name is a trap for whoever removes it with a shell. No tunnel's name has a dot.
        let subject = format!("dns.{}", hostname.as_str().replace('*', "_"));
        self.keep(&subject, None, &Value::Array(records.to_vec()))
    }

    /// Keeps a document under `version`, or the next number.
    fn keep(&self, subject: &str, version: Option<i64>, document: &Value) -> Result<PathBuf, StoreError> {
        self.check_writable()?;
        let directory = self.path("replaced");
        let files = durable::list(&directory, ".json")?;
        let mut kept: Vec<(i64, PathBuf)> = files
            .iter()
            .filter_map(|(stem, path)| {
                let (name, version) = stem.rsplit_once('.')?;
                (name == subject).then_some((version.parse().ok()?, path.clone()))
            })
            .collect();
        let version = version.unwrap_or_else(|| kept.iter().map(|(version, _)| version + 1).max().unwrap_or(1));
        let path = directory.join(format!("{subject}.{version}.json"));
        let text = serde_json::to_vec_pretty(document).expect("a JSON value has a JSON text");
        durable::write(&path, &text)?;
        // A tunnel that was made anew counts its versions from 1: what was just written never counts as the oldest.
        kept.retain(|(_, other)| *other != path);
        kept.sort();
        for (_, oldest) in kept.iter().rev().skip(KEPT_MAX - 1) {
            durable::remove(oldest)?;
        }
        let others: Vec<&PathBuf> = files.iter().map(|(_, other)| other).filter(|other| **other != path).collect();
        if others.len() >= KEPT_IN_ALL_MAX {
            let written =
                |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            let mut all: Vec<(SystemTime, &PathBuf)> = others.into_iter().map(|path| (written(path), path)).collect();
            all.sort();
            let surplus = all.len() + 1 - KEPT_IN_ALL_MAX;
            for (_, path) in all.iter().take(surplus) {
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
