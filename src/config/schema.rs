//! The grammar for machines: a JSON Schema of the file, for editors.

use serde_json::{Map, Value as Json, json};

use super::grammar::{FILE, Form, Grammar, Kind, Presence, RULE, TUNNEL};

/// A JSON Schema (draft 2020-12) of the configuration file. It knows keys, types and defaults; what the values mean is checked
/// when the file is read.
pub fn schema() -> Json {
    let Json::Object(mut schema) = table(&FILE) else { unreachable!("a table's schema is an object") };
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("Configuration of Adit"));
    Json::Object(schema)
}

/// A JSON Schema of one tunnel's definition: what stands in `[tunnels.NAME]`.
pub fn tunnel_schema() -> Json {
    table(&TUNNEL)
}

/// A JSON Schema of an ingress rule.
pub fn rule_schema() -> Json {
    table(&RULE)
}

fn table(grammar: &Grammar) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in grammar.keys {
        let mut schema = kind(&key.kind);
        schema["description"] = json!(key.doc);
        match key.presence {
            Presence::Required => required.push(key.name),
            Presence::Optional => {}
            Presence::Default(literal) => schema["default"] = default(literal),
        }
        properties.insert(key.name.to_owned(), schema);
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn kind(kind_of: &Kind) -> Json {
    match kind_of {
        Kind::Text(form) => text(form),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Off => json!({ "const": false }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::List(item) => json!({ "type": "array", "items": kind(item) }),
        Kind::Map { names, of } => {
            json!({ "type": "object", "propertyNames": text(names), "additionalProperties": kind(of) })
        }
        Kind::Table(grammar) => table(grammar),
        Kind::Either(kinds) => json!({ "anyOf": kinds.iter().map(kind).collect::<Vec<_>>() }),
    }
}

fn text(form: &Form) -> Json {
    match form.pattern {
        Some(pattern) => json!({ "type": "string", "pattern": pattern }),
        None => json!({ "type": "string" }),
    }
}

fn default(literal: &str) -> Json {
    let table: toml::Table = format!("default = {literal}").parse().expect("a default in the grammar is a TOML value");
    serde_json::to_value(&table["default"]).expect("a TOML value without dates is a JSON value")
}
