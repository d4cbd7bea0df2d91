//! Where a run ended: the account and the records, without what differs between any two runs.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use super::super::harness::Harness;

/// Everything that there is in the end, one line each, in order. Ids are replaced by what they name, versions and secrets are left
/// out.
#[derive(Debug, PartialEq)]
pub(super) struct Place(Vec<String>);

impl Place {
    pub(super) fn of(harness: &Harness) -> Self {
        let snapshot = harness.world.snapshot();
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for tunnel in snapshot.tunnels.values() {
            let state = if tunnel.deleted { "deleted " } else { "" };
            names.insert(tunnel.id.to_string(), format!("<{state}tunnel {}>", tunnel.name));
        }
        for record in snapshot.records.values() {
            names.insert(record.id.to_string(), format!("<record {} {}>", record.name, record.kind.as_str()));
        }
        for zone in ["example.com", "example.net"] {
            names.insert(harness.world.zone_id(zone).unwrap().to_string(), format!("<zone {zone}>"));
        }
        for (kind, objects) in &snapshot.objects {
            for (id, body) in objects {
                let name = ["name", "network", "hostname", "description"].iter().find_map(|key| body.get(*key)?.as_str());
                names.insert(id.clone(), format!("<{kind} {}>", name.unwrap_or_default()));
            }
        }

        let mut lines = Vec::new();
        for tunnel in snapshot.tunnels.values() {
            let document = tunnel.configuration.as_ref().map(|(_, document)| document);
            // A deleted tunnel may have died with any configuration.
            let document = document.filter(|_| !tunnel.deleted);
            lines.push(json!({ "tunnel": tunnel.id, "source": tunnel.config_src, "document": document }));
        }
        lines.extend(snapshot.records.values().map(|record| serde_json::to_value(record).unwrap()));
        for (kind, objects) in &snapshot.objects {
            lines.extend(objects.iter().map(|(id, body)| json!({ "kind": kind, "id": id, "body": body })));
        }
        lines.extend(records(harness));
        let given_up = fs::read_dir(harness.directory.path().join("forgotten")).into_iter().flatten();
        lines.extend(given_up.map(|entry| json!({ "given up": entry.unwrap().file_name().to_str() })));
        let install = fs::read_to_string(harness.directory.path().join("install.toml")).unwrap();
        let install = install.parse::<toml::Table>().unwrap();
        let install = install["id"].as_str().unwrap();

        // The installation last: the names that take the place of ids have it in them.
        let named = |line: Value| names.iter().fold(line.to_string(), |line, (id, name)| line.replace(id.as_str(), name));
        let named = |line: Value| named(line).replace(install, "<install>");
        let mut lines: Vec<String> = lines.into_iter().map(named).collect();
        lines.sort();
        Self(lines)
    }

    /// What the other one lacks, and what it has besides.
    pub(super) fn difference(&self, other: &Self) -> String {
        let lacks = self.0.iter().filter(|line| !other.0.contains(line)).map(|line| format!("  - {line}\n"));
        let besides = other.0.iter().filter(|line| !self.0.contains(line)).map(|line| format!("  + {line}\n"));
        lacks.chain(besides).collect()
    }
}

/// What is on record, and that every secret on record opens its tunnel.
fn records(harness: &Harness) -> Vec<Value> {
    let mut records = Vec::new();
    for entry in fs::read_dir(harness.directory.path().join("records")).into_iter().flatten() {
        let path = entry.unwrap().path();
        assert_eq!(path.extension().and_then(|end| end.to_str()), Some("toml"), "{path:?} is left over");
        let text = fs::read_to_string(&path).unwrap();
        let mut record = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
        let secret = record.as_object_mut().unwrap().remove("secret").unwrap();
        record.as_object_mut().unwrap().remove("secret_since");
        // The fingerprints of what was written of load balancing are of texts with ids in them. That there are some matters.
        for object in ["monitor", "pool"] {
            if let Some(written) = record.pointer_mut(&format!("/balancing/{object}/written")) {
                *written = json!(written.is_string());
            }
        }
        if let Some(id) = record["id"].as_str() {
            let id = id.parse().unwrap();
            let opens = harness.world.tunnel_for_registration(&harness.world.account_id(), &id, secret.as_str().unwrap());
            assert!(opens.is_ok(), "the secret on record does not open {path:?}: {opens:?}");
        }
        if let Some(written) = record.get_mut("written").and_then(Value::as_object_mut) {
            written.remove("version");
        }
        records.push(record);
    }
    records
}
