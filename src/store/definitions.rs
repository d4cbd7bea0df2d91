//! `tunnels/NAME.toml`: tunnels made over the control socket, in the configuration's grammar.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Store, StoreError, durable};
use crate::{config::Source, name::TunnelName};

/// The tunnels made over the control socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definitions {
    /// Their files' texts.
    pub sources: BTreeMap<TunnelName, Source>,
    /// Tunnels whose file cannot be read, with why.
    pub held: BTreeMap<TunnelName, String>,
}

impl Store {
    /// Reads the tunnels made over the control socket.
    ///
    /// # Errors
    ///
    /// When their directory cannot be listed.
    pub fn definitions(&self) -> Result<Definitions, StoreError> {
        let mut definitions = Definitions::default();
        for (stem, path) in durable::list(&self.path("tunnels"), ".toml")? {
            let Ok(name) = stem.parse::<TunnelName>() else { continue };
            match durable::read(&path) {
                Ok(Some(text)) => {
                    definitions.sources.insert(name, Source { path, text });
                }
                Ok(None) => {}
                Err(error) => {
                    definitions.held.insert(name, format!("cannot read {path:?}: {error}"));
                }
            }
        }
        Ok(definitions)
    }

    /// Where the definition of a tunnel stands.
    pub fn definition_path(&self, name: &TunnelName) -> PathBuf {
        self.path("tunnels").join(format!("{name}.toml"))
    }

    /// Keeps the definition of a tunnel, as it was given.
    ///
    /// # Errors
    ///
    /// When it cannot be written; the one that was there stays.
    pub fn write_definition(&self, name: &TunnelName, text: &str) -> Result<(), StoreError> {
        self.check_writable()?;
        durable::write(&self.definition_path(name), text.as_bytes())
    }

    /// Removes the definition of a tunnel.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn remove_definition(&self, name: &TunnelName) -> Result<(), StoreError> {
        self.check_writable()?;
        durable::remove(&self.definition_path(name))
    }
}
