//! The configuration that a connector runs (cloudflared `orchestration/orchestrator.go`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::{
    ingress::{self, Ingress, Source},
    log::{Level, Log},
};
use crate::sandbox::edge::wire::ConfigurationAnswer;

/// The version before any was pushed.
const NO_VERSION: i64 = -1;

/// The configuration and its version; requests in flight keep the rules they began with.
pub(super) struct Configuration {
    current: Mutex<Current>,
}

struct Current {
    version: i64,
    document: Value,
    ingress: Arc<Ingress>,
}

impl Configuration {
    /// Starts with the rules of a configuration file, or without any.
    ///
    /// # Errors
    ///
    /// When the file's rules are refused.
    pub(super) fn new(local: Option<&Value>) -> Result<Self, String> {
        let (document, ingress) = match local {
            Some(document) => (document.clone(), ingress::parse(document, Source::Local)?),
            None => (json!({}), Ingress::without_rules()),
        };
        Ok(Self { current: Mutex::new(Current { version: NO_VERSION, document, ingress: Arc::new(ingress) }) })
    }

    /// Takes a pushed document as a whole or not at all. One that is not newer is ignored.
    pub(super) fn update(&self, version: i64, text: &str, log: &Log) -> ConfigurationAnswer {
        let mut current = self.lock();
        if version <= current.version {
            log.event(Level::Debug)
                .with("current_version", current.version)
                .with("received_version", version)
                .write("Current version is equal or newer than received version");
            return ConfigurationAnswer { last_applied_version: current.version, err: None };
        }
        let parsed = serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
        match parsed.and_then(|document| Ok((ingress::parse(&document, Source::Remote)?, document))) {
            Ok((ingress, document)) => {
                *current = Current { version, document, ingress: Arc::new(ingress) };
                log.event(Level::Info).with("version", version).with("config", text).write("Updated to new configuration");
                ConfigurationAnswer { last_applied_version: version, err: None }
            }
            Err(error) => {
                log.event(Level::Error)
                    .with("error", error.as_str())
                    .with("version", version)
                    .with("config", text)
                    .write("Failed to deserialize new configuration");
                ConfigurationAnswer { last_applied_version: current.version, err: Some(error) }
            }
        }
    }

    /// The rules in force.
    pub(super) fn ingress(&self) -> Arc<Ingress> {
        Arc::clone(&self.lock().ingress)
    }

    /// The version in force; -1 when none was pushed.
    pub(super) fn version(&self) -> i64 {
        self.lock().version
    }

    /// What `/config` answers.
    pub(super) fn describe(&self) -> String {
        let current = self.lock();
        let part = |key: &str| current.document.get(key).filter(|value| !value.is_null());
        let ingress = part("ingress").cloned().unwrap_or_else(|| json!([{"service": "http_status:503"}]));
        let (warp_routing, origin_request) = (part("warp-routing").cloned(), part("originRequest").cloned());
        format!(
            r#"{{"version":{},"config":{{"ingress":{ingress},"warp-routing":{},"originRequest":{}}}}}"#,
            current.version,
            warp_routing.unwrap_or_else(|| json!({})),
            origin_request.unwrap_or_else(|| json!({})),
        )
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
