//! Files, definitions made over the socket and operators' stops, put together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    config::{self, Config, Source},
    desired::Intended,
    error_text::with_causes,
    event::{DaemonEvent, Sink},
    name::TunnelName,
    store::{Definitions, Store},
};

/// Why a tunnel whose connectors run is neither wanted nor stopped.
const NO_CONFIGURATION: &str = "no configuration can be used, and none was accepted before; its connectors run on";

/// What is wanted by the files' `config` and by what the state directory holds, and which parts of that cannot be read. What
/// cannot be read of one tunnel is held, never left out; and so are the tunnels that are `running` without any configuration.
pub(super) fn intended(
    files: &Arc<Config>,
    running: &BTreeSet<TunnelName>,
    store: &Store,
    events: &Sink,
) -> (Intended, Vec<String>) {
    let mut unreadable = Vec::new();
    let definitions = store.definitions().unwrap_or_else(|error| {
        unreadable.push(with_causes(&error));
        Definitions::default()
    });
    let stops = store.stops().unwrap_or_else(|error| {
        unreadable.push(format!("{error}; operators' stops are not in force"));
        BTreeMap::new()
    });
    for error in &unreadable {
        events.tell(DaemonEvent::StateNotRead { error: error.clone() });
    }
    let mut held = definitions.held;
    held.extend(running.iter().map(|name| (name.clone(), NO_CONFIGURATION.to_owned())));
    let mut config = (**files).clone();
    for (name, source) in definitions.sources {
        if let Err(why) = add(&mut config, &name, &source) {
            held.insert(name, why);
        }
    }
    (Intended { config: Arc::new(config), stops, held }, unreadable)
}

/// Each definition is judged with those before it, so that two of them never clash unseen. The files win over all of them.
fn add(config: &mut Config, name: &TunnelName, source: &Source) -> Result<(), String> {
    let tunnel = config::parse_tunnel(source, name, config).map_err(|problems| problems.to_string())?;
    config.tunnels.insert(name.clone(), tunnel);
    Ok(())
}
