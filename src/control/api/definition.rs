//! What a tunnel is made from, as the description of the socket tells it: the configuration's own grammar.
//!
//! On the socket a definition is JSON as it was written, so that its mistakes can be told with their places. These types only name
//! its form.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::config;

/// A tunnel's definition: what stands in the configuration's `[tunnels.NAME]`.
pub(in crate::control) struct TunnelDefinition;

/// An ingress rule: an element of a definition's `ingress`.
pub(in crate::control) struct IngressRule;

impl JsonSchema for TunnelDefinition {
    fn schema_name() -> Cow<'static, str> {
        "TunnelDefinition".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        described(config::tunnel_schema(), "A tunnel's definition, as in the configuration's `[tunnels.NAME]`.")
    }
}

impl JsonSchema for IngressRule {
    fn schema_name() -> Cow<'static, str> {
        "IngressRule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        described(config::rule_schema(), "An ingress rule, as in the configuration.")
    }
}

fn described(mut schema: Value, description: &str) -> Schema {
    let_null_be_left_out(&mut schema);
    let mut schema = Schema::try_from(schema).expect("the grammar's schema of a table is an object");
    schema.insert("description".to_owned(), description.into());
    schema
}

/// TOML has no null: in JSON, a key that need not be there may be null, which is as if it was left out.
fn let_null_be_left_out(schema: &mut Value) {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    for (name, key) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let_null_be_left_out(key);
        if !required.iter().any(|required| required == name.as_str()) {
            let description = key.get("description").cloned().unwrap_or_default();
            *key = json!({ "description": description, "oneOf": [key.take(), { "type": "null" }] });
        }
    }
    if let Some(items) = schema.get_mut("items") {
        let_null_be_left_out(items);
    }
    for choice in schema.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
        let_null_be_left_out(choice);
    }
}
