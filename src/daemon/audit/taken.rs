//! Which tunnels are others by the files than they were.

use std::collections::BTreeSet;

use crate::{
    config::{Config, Origin, Tunnel},
    intent::definition_version,
    name::TunnelName,
};

/// A tunnel that the files make, change or take away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// `create`, `update` or `delete`.
    pub(super) verb: &'static str,
    pub(super) tunnel: TunnelName,
    /// The file that defines it, or did.
    pub(super) file: String,
    /// The version of its definition, if it had one.
    pub(super) before: Option<String>,
    /// The same behind it.
    pub(super) after: Option<String>,
}

/// What the files of `after` make of `before`; everything, when nothing was before. Tunnels made over the socket are none of theirs.
pub(super) fn taken(before: Option<&Config>, after: &Config) -> Vec<Taken> {
    let names: BTreeSet<&TunnelName> = before.into_iter().chain([after]).flat_map(|config| config.tunnels.keys()).collect();
    let changes = names.into_iter().map(|name| {
        let (old, new) = (before.and_then(|config| of_file(config, name)), of_file(after, name));
        let verb = match (old, new) {
            (None, Some(_)) => "create",
            (Some(_), Some(_)) => "update",
            (Some(_) | None, None) => "delete",
        };
        let file = new.or(old).map(|tunnel| tunnel.origin.to_string()).unwrap_or_default();
        let (before, after) = (old.map(definition_version), new.map(definition_version));
        Taken { verb, tunnel: name.clone(), file, before, after }
    });
    changes.filter(|taken| taken.before != taken.after).collect()
}

fn of_file<'a>(config: &'a Config, name: &TunnelName) -> Option<&'a Tunnel> {
    config.tunnels.get(name).filter(|tunnel| matches!(tunnel.origin, Origin::File(_)))
}
