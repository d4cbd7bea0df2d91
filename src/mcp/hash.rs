//! The name of exactly one change to exactly one state.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::hexadecimal::hexadecimal;

/// How much of the digest is the name, in bytes: more than anybody can find another change for.
const HASH_BYTES: usize = 16;

/// Names what `tool` would do with `arguments` to what is as in `state`. It is made from these alone, so that nothing has to be
/// remembered between looking and doing.
pub(super) fn plan_hash(tool: &str, arguments: &Value, state: &Value) -> String {
    let named = canonical(&serde_json::json!({ "tool": tool, "arguments": arguments, "state": state }));
    hexadecimal(&Sha256::digest(named.to_string())[..HASH_BYTES])
}

/// The same value with its keys in order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            Value::Object(fields.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hash_names_one_change_of_one_state() {
        let hash = |tool, arguments, state| plan_hash(tool, &arguments, &state);
        let one = hash("stop_tunnel", json!({ "tunnel": "web", "a": { "b": 1, "c": 2 } }), json!({ "version": "1" }));
        assert_eq!(one.len(), 32);
        assert_eq!(one, hash("stop_tunnel", json!({ "a": { "c": 2, "b": 1 }, "tunnel": "web" }), json!({ "version": "1" })));
        for other in [
            hash("start_tunnel", json!({ "tunnel": "web", "a": { "b": 1, "c": 2 } }), json!({ "version": "1" })),
            hash("stop_tunnel", json!({ "tunnel": "web", "a": { "b": 1, "c": 3 } }), json!({ "version": "1" })),
            hash("stop_tunnel", json!({ "tunnel": "web", "a": { "b": 1, "c": 2 } }), json!({ "version": "2" })),
        ] {
            assert_ne!(one, other);
        }
    }
}
