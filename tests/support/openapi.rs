//! An OpenAPI document: what stands behind a path, and whether something is as a schema says.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a document that cannot be read fails every test")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jsonschema::Validator;
use serde_json::{Value, json};

/// A document with the validators that were needed until now.
pub(crate) struct Document {
    value: Value,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

impl Document {
    pub(crate) fn new(value: Value) -> Self {
        Self { value, validators: Mutex::default() }
    }

    /// All of it.
    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// The template that a path fits, and what stands there; fixed words win over parameters.
    pub(crate) fn at(&self, path: &str) -> Option<(&str, &Value)> {
        let templates = self.value["paths"].as_object()?.iter().filter(|(template, _)| fits(template, path));
        let (template, item) = templates.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((template, item))
    }

    /// Itself, or what it refers to.
    pub(crate) fn followed<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.value.pointer(reference.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    /// Whether bytes are JSON, and as the schema says.
    pub(crate) fn check_json(&self, schema: &Value, bytes: &[u8]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
        self.check(schema, &value)
    }

    /// Whether a value is as the schema says.
    pub(crate) fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let validator = self.validator(schema);
        let reasons = validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path()));
        let reasons: Vec<String> = reasons.collect();
        if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
    }

    /// The schema stands in a document of its own beside the components that it refers to.
    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let validator = validators.entry(schema.to_string()).or_insert_with(|| {
            let document = json!({ "allOf": [schema], "components": self.value["components"] });
            Arc::new(jsonschema::options().should_validate_formats(true).build(&document).unwrap())
        });
        Arc::clone(validator)
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(&path).all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
}
