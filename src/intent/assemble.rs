//! Files, definitions made over the socket and operators' stops, put together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    config::{self, Config, Origin, Source},
    desired::Intended,
    error_text::with_causes,
    event::{DaemonEvent, Sink},
    name::TunnelName,
    store::Store,
};

/// Why a tunnel whose connectors run is neither wanted nor stopped.
const NO_CONFIGURATION: &str = "no configuration can be used, and none was accepted before; its connectors run on";

/// What is wanted by the files' `config` and by what the state directory holds, and which parts of that cannot be read. `before` is what
/// was wanted until now, if anything was. What cannot be read of one tunnel is held, never left out; and so are the tunnels that are
/// `running` without any configuration. Stops that cannot be read stay as they were.
pub(super) fn intended(
    files: &Arc<Config>,
    running: &BTreeSet<TunnelName>,
    before: Option<&Intended>,
    store: &Store,
    events: &Sink,
) -> (Intended, Vec<String>) {
    let mut unreadable = Vec::new();
    let mut config = (**files).clone();
    let mut held: BTreeMap<_, _> = running.iter().map(|name| (name.clone(), NO_CONFIGURATION.to_owned())).collect();
    match store.definitions() {
        Ok(definitions) => {
            held.extend(definitions.held);
            for (name, source) in definitions.sources {
                if let Err(why) = add(&mut config, &name, &source) {
                    held.insert(name, why);
                }
            }
        }
        Err(error) => {
            let error = with_causes(&error);
            let names = perhaps_defined(before, store).into_iter().filter(|name| !config.tunnels.contains_key(name));
            held.extend(names.map(|name| (name, error.clone())));
            unreadable.push(error);
        }
    }
    let stops = store.stops().unwrap_or_else(|error| match before {
        Some(before) => {
            unreadable.push(format!("{error}; operators' stops stay as they were"));
            before.stops.clone()
        }
        None => {
            unreadable.push(format!("{error}; operators' stops are not in force"));
            BTreeMap::new()
        }
    });
    for error in &unreadable {
        events.tell(DaemonEvent::StateNotRead { error: error.clone() });
    }
    (Intended { config: Arc::new(config), stops, held }, unreadable)
}

/// The tunnels that may have a definition where the definitions cannot be listed: those that had one until now, and at a start all that
/// have anything at Cloudflare.
fn perhaps_defined(before: Option<&Intended>, store: &Store) -> BTreeSet<TunnelName> {
    match before {
        Some(before) => {
            let made = before.config.tunnels.values().filter(|tunnel| tunnel.origin == Origin::Api);
            made.map(|tunnel| tunnel.name.clone()).chain(before.held.keys().cloned()).collect()
        }
        None => {
            // Without the records nothing is done for any tunnel.
            let records = store.records().ok();
            records.into_iter().flat_map(|records| records.tunnels.into_keys().chain(records.held.into_keys())).collect()
        }
    }
}

/// Each definition is judged with those before it, so that two of them never clash unseen. The files win over all of them.
fn add(config: &mut Config, name: &TunnelName, source: &Source) -> Result<(), String> {
    let tunnel = config::parse_tunnel(source, name, config).map_err(|problems| problems.to_string())?;
    config.tunnels.insert(name.clone(), tunnel);
    Ok(())
}
