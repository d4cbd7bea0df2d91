//! What a tunnel is made from, as the description of the socket tells it: the configuration's own grammar.
//!
//! On the socket a definition is JSON as it was written, so that its mistakes can be told with their places. These types only name
//! its form.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

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

fn described(schema: serde_json::Value, description: &str) -> Schema {
    let mut schema = Schema::try_from(schema).expect("the grammar's schema of a table is an object");
    schema.insert("description".to_owned(), description.into());
    schema
}
