//! Which connectors a change of a definition replaces or stops, as far as the definition tells.

use serde_json::Value;

use crate::control::api::Replaced;

/// The parts of a definition that a connector is started with: another value needs another connector.
const LAUNCH_KEYS: [&str; 5] = ["account", "configuration", "protocol", "memory_limit", "max_procs"];

/// The parts that a connector gets as a file when the configuration is local, and over its connections when it is remote.
const RULE_KEYS: [&str; 2] = ["ingress", "originRequest"];

/// What stands for itself when it is left out.
const DEFAULTS: [(&str, &str); 2] = [("configuration", "remote"), ("protocol", "auto")];

/// Why a connector is replaced or stopped, in the daemon's words.
const CONFIG: &str = "config";
const UNWANTED: &str = "unwanted";

/// All of `connectors`, stopped.
pub(super) fn all_stopped(connectors: Vec<Replaced>) -> Vec<Replaced> {
    connectors.into_iter().map(|connector| because(connector, UNWANTED)).collect()
}

/// Those of `connectors` that another definition replaces or stops.
pub(super) fn of_edit(before: &Value, after: &Value, connectors: Vec<Replaced>) -> Vec<Replaced> {
    let differs = |keys: &[&str]| keys.iter().any(|key| said(before, key) != said(after, key));
    let is_local = |definition: &Value| definition.get("configuration").and_then(Value::as_str) == Some("local");
    let replaced = differs(&LAUNCH_KEYS) || (is_local(before) && is_local(after) && differs(&RULE_KEYS));
    // One replica is what there is when nobody says how many.
    let replicas = after.get("replicas").and_then(Value::as_u64).unwrap_or(1);
    connectors
        .into_iter()
        .filter_map(|connector| match u64::from(connector.replica) < replicas {
            true if replaced => Some(because(connector, CONFIG)),
            true => None,
            false => Some(because(connector, UNWANTED)),
        })
        .collect()
}

/// What a definition says beyond what would be so anyway.
fn said<'d>(definition: &'d Value, key: &str) -> Option<&'d Value> {
    let is_default = |value: &Value| DEFAULTS.iter().any(|(name, word)| *name == key && value == word);
    definition.get(key).filter(|value| !value.is_null() && !is_default(value))
}

fn because(connector: Replaced, why: &str) -> Replaced {
    Replaced { why: why.to_owned(), ..connector }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connectors() -> Vec<Replaced> {
        let connector = |replica| Replaced {
            tunnel: "web".to_owned(),
            replica,
            pid: 40 + u32::from(replica),
            why: "operator".to_owned(),
            open_requests: Some(1),
            cut_after_millis: 30_000,
        };
        vec![connector(0), connector(1)]
    }

    fn effect(before: Value, after: Value) -> Vec<(u8, String)> {
        of_edit(&before, &after, connectors()).into_iter().map(|connector| (connector.replica, connector.why)).collect()
    }

    #[test]
    fn what_a_connector_is_started_with_replaces_it_and_what_it_is_sent_does_not() {
        let remote = |protocol: &str, service: &str| json!({ "replicas": 2, "configuration": "remote", "protocol": protocol, "ingress": [{ "service": service }] });
        let all = [(0, "config".to_owned()), (1, "config".to_owned())];
        assert_eq!(effect(remote("auto", "http://a"), remote("quic", "http://a")), all);
        assert_eq!(effect(remote("auto", "http://a"), remote("auto", "http://b")), []);
        let local = |service: &str| json!({ "replicas": 2, "configuration": "local", "ingress": [{ "service": service }] });
        assert_eq!(effect(local("http://a"), local("http://b")), all);
    }

    #[test]
    fn what_no_connector_is_told_and_what_is_so_anyway_replaces_none() {
        let local = |more: Value| {
            let mut definition = json!({ "replicas": 2, "configuration": "local", "ingress": [] });
            crate::control::merge(&mut definition, more);
            definition
        };
        let routed = json!({ "private_networks": [{ "network": "10.0.0.0/8" }], "hostname_routes": ["wiki.internal.example"] });
        assert_eq!(effect(local(json!({})), local(routed)), []);
        let as_default = json!({ "replicas": 2, "protocol": "auto", "configuration": "remote" });
        assert_eq!(effect(json!({ "replicas": 2 }), as_default.clone()), []);
        assert_eq!(effect(as_default, json!({ "replicas": 2 })), []);
    }

    #[test]
    fn a_replica_that_is_no_longer_wanted_is_stopped() {
        let unwanted = [(1, "unwanted".to_owned())];
        assert_eq!(effect(json!({ "replicas": 2 }), json!({ "replicas": 1 })), unwanted);
        assert_eq!(effect(json!({ "replicas": 2 }), json!({})), unwanted);
        assert_eq!(all_stopped(connectors()).len(), 2);
    }
}
