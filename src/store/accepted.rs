//! `accepted/sources.toml`: the configuration in force, kept for a start with files that are bad.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, durable, versioned};
use crate::config::Source;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "source")]
    sources: Vec<WrittenSource>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    path: PathBuf,
    text: String,
}

impl Store {
    /// The files of the configuration that was in force last; `None` when there was none.
    ///
    /// # Errors
    ///
    /// In one sentence why they cannot be read.
    pub fn accepted(&self) -> Result<Option<Vec<Source>>, String> {
        let path = self.accepted_path();
        let text = durable::read(&path).map_err(|error| format!("cannot read {path:?}: {error}"))?;
        let Some(text) = text else { return Ok(None) };
        let written: Written = versioned::parse(&text).map_err(|why| format!("cannot read {path:?}: {why}"))?;
        let sources = written.sources.into_iter().map(|source| Source { path: source.path, text: source.text });
        Ok(Some(sources.collect()))
    }

    /// Keeps the files of the configuration that is in force.
    ///
    /// # Errors
    ///
    /// When they cannot be written; those of the last one stay.
    pub fn write_accepted(&self, sources: &[Source]) -> Result<(), StoreError> {
        self.check_writable()?;
        let sources = sources.iter().map(|source| WrittenSource { path: source.path.clone(), text: source.text.clone() });
        durable::write(&self.accepted_path(), versioned::render(&Written { sources: sources.collect() }).as_bytes())
    }

    fn accepted_path(&self) -> PathBuf {
        self.path("accepted").join("sources.toml")
    }
}
