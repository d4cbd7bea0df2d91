//! What a start would run, without starting anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{FirstReading, NothingToRun, accepted, assemble, choose};
use crate::{config::Config, desired::Intended, event::Sink, store::Store};

/// What a start would run.
#[derive(Debug)]
pub struct WouldRun {
    /// The configuration with the tunnels made over the socket, and operators' stops.
    pub intended: Intended,
    /// What is wrong with the files, one problem each, when it is not they that would run but what was accepted last.
    pub refused: Vec<String>,
    /// Which parts of the state directory cannot be read, one each.
    pub unreadable: Vec<String>,
}

impl FirstReading {
    /// What a start with these files and this state directory would run. Nothing is written.
    ///
    /// # Errors
    ///
    /// When the files are bad and none was accepted before.
    pub fn would_run(self, store: Option<&Store>) -> Result<WouldRun, NothingToRun> {
        let accepted = store.map_or(Err(None), accepted);
        let (_, config, refused) = choose(self, accepted)?;
        let config = Arc::new(config);
        let (intended, unreadable) = match store {
            Some(store) => assemble::intended(&config, &BTreeSet::new(), None, store, &Sink::new(drop)),
            None => (Intended { config, stops: BTreeMap::new(), held: BTreeMap::new() }, Vec::new()),
        };
        Ok(WouldRun { intended, refused, unreadable })
    }
}

/// The configuration that was accepted last, if there is one that can be read.
pub fn last_accepted(store: &Store) -> Option<Config> {
    accepted(store).ok().map(|(_, config)| config)
}
