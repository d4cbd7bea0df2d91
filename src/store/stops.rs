//! `stops.toml`: operators' stops, which outlive restarts and reboots.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, durable, versioned};
use crate::{connector::Stop, name::TunnelName};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    stops: BTreeMap<String, Stop>,
}

impl Store {
    /// The stops in force.
    ///
    /// # Errors
    ///
    /// In one sentence why they cannot be read.
    pub fn stops(&self) -> Result<BTreeMap<TunnelName, Stop>, String> {
        let path = self.path("stops.toml");
        let fail = |why: String| format!("cannot read {path:?}: {why}");
        let text = durable::read(&path).map_err(|error| fail(error.to_string()))?;
        let Some(text) = text else { return Ok(BTreeMap::new()) };
        let written: Written = versioned::parse(&text).map_err(fail)?;
        let stops = written.stops.into_iter().map(|(name, stop)| match name.parse() {
            Ok(name) => Ok((name, stop)),
            Err(error) => Err(fail(format!("it has no tunnel's name in {name:?}: {error}"))),
        });
        stops.collect()
    }

    /// Keeps the stops in force.
    ///
    /// # Errors
    ///
    /// When they cannot be written, and when those on disk cannot be read: they are left as they are.
    pub fn write_stops(&self, stops: &BTreeMap<TunnelName, Stop>) -> Result<(), StoreError> {
        self.check_writable()?;
        let path = self.path("stops.toml");
        if let Err(why) = self.stops() {
            return Err(StoreError::Held { path, why });
        }
        let stops = stops.iter().map(|(name, stop)| (name.to_string(), stop.clone())).collect();
        durable::write(&path, versioned::render(&Written { stops }).as_bytes())
    }
}
