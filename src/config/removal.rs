//! What a merge patch takes away from a tunnel's definition.

use serde_json::{Map, Value};

use super::grammar::{Grammar, Kind, TUNNEL};
use crate::suggestion::question_or_list;

/// A key that a patch removes and that no definition can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownRemoval {
    /// The key with dots, as in `health.orgin`.
    pub key: String,
    /// What may have been meant.
    pub help: Option<String>,
}

/// The first key that `patch` (RFC 7396) removes although no tunnel can have it. Removing it changes nothing, so that nobody else would
/// notice the mistake; one that is set is an unknown key of the definition that comes of it.
pub fn unknown_removal(patch: &Value) -> Option<UnknownRemoval> {
    find(patch.as_object()?, &TUNNEL, "")
}

fn find(patch: &Map<String, Value>, grammar: &Grammar, path: &str) -> Option<UnknownRemoval> {
    patch.iter().find_map(|(name, value)| {
        let key = format!("{path}{name}");
        match (grammar.key(name), value) {
            (None, Value::Null) => {
                let help = question_or_list(name, grammar.keys.iter().map(|key| key.name));
                Some(UnknownRemoval { key, help })
            }
            (Some(known), Value::Object(inner)) => find(inner, table_of(&known.kind)?, &format!("{key}.")),
            (_, _) => None,
        }
    })
}

/// The keys of a value that may be a table.
fn table_of(kind: &Kind) -> Option<&'static Grammar> {
    match kind {
        Kind::Table(grammar) => Some(grammar),
        Kind::Either(kinds) => kinds.iter().find_map(table_of),
        Kind::Text(_)
        | Kind::Boolean
        | Kind::Off
        | Kind::Integer { .. }
        | Kind::Number { .. }
        | Kind::Word(_)
        | Kind::List(_)
        | Kind::Map { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_no_tunnel_can_have_cannot_be_taken_from_one() {
        for (patch, key, help) in [
            (json!({ "ingres": null }), Some("ingres"), Some("did you mean \"ingress\"?")),
            (json!({ "replicas": 2, "health": { "orgin": null } }), Some("health.orgin"), Some("did you mean \"origin\"?")),
            (json!({ "originRequest": { "access": { "zzz": null } } }), Some("originRequest.access.zzz"), Some("known are")),
            (
                json!({ "load_balancer": null, "health": { "origin": null }, "originRequest": { "noTLSVerify": null } }),
                None,
                None,
            ),
            // The definition that comes of it is judged.
            (json!({ "ingres": [] }), None, None),
            (json!({ "ingress": [{ "hostnam": null }] }), None, None),
            (json!("no object"), None, None),
        ] {
            let found = unknown_removal(&patch);
            assert_eq!(found.as_ref().map(|found| found.key.as_str()), key, "{patch}");
            let told = found.and_then(|found| found.help);
            assert!(help.is_none_or(|help| told.as_ref().is_some_and(|told| told.starts_with(help))), "{patch}: {told:?}");
        }
    }
}
