//! The JSON Schemas of the types that serve, each once.

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value};

/// Where the document keeps the schemas that others refer to.
const PLACE: &str = "/components/schemas";

/// The types that were asked for so far. What the daemon reads and what it writes differ: a key with a default may be missing in
/// what is read and is always there in what is written.
pub(super) struct Types {
    asked: SchemaGenerator,
    told: SchemaGenerator,
}

impl Types {
    pub(super) fn new() -> Self {
        let settings = || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = PLACE.into());
        Self {
            asked: settings().for_deserialize().with_transform(Words).into_generator(),
            told: settings().for_serialize().with_transform(Words).with_transform(LeftOut).into_generator(),
        }
    }

    /// The schema of what a request carries, or a reference to it.
    pub(super) fn asked<T: JsonSchema>(&mut self) -> Value {
        self.asked.subschema_for::<T>().to_value()
    }

    /// The schema of what an answer carries, or a reference to it.
    pub(super) fn told<T: JsonSchema>(&mut self) -> Value {
        self.told.subschema_for::<T>().to_value()
    }

    /// The keys of a type that is read from a query, in their order: name, schema and whether it must be there.
    pub(super) fn keys<T: JsonSchema>() -> Vec<(String, Value, bool)> {
        let settings = SchemaSettings::draft2020_12().for_deserialize().with_transform(Words).with_transform(LeftOut);
        let schema = settings.with(|settings| settings.inline_subschemas = true).into_generator().into_root_schema_for::<T>();
        let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let keys = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        keys.into_iter().map(|(name, schema)| (name.clone(), schema, required.contains(&Value::String(name)))).collect()
    }

    /// Every schema that was referred to, by its name.
    pub(super) fn into_schemas(mut self) -> Map<String, Value> {
        let mut schemas = self.told.take_definitions(true);
        for (name, schema) in self.asked.take_definitions(true) {
            let former = schemas.insert(name.clone(), schema.clone());
            assert!(former.is_none_or(|former| former == schema), "{name} is read in another form than it is written");
        }
        schemas
    }
}

/// Says in JSON's words what the source says in Rust's, and drops the names of Rust's integers, which no reader of JSON knows.
#[derive(Debug, Clone)]
struct Words;

impl Transform for Words {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.replace("`None`", "null").replace('\n', " ").replace("  ", "\n\n");
        }
        let is_foreign = |format: &str| format.starts_with("uint") || format.starts_with("int");
        if schema.get("format").and_then(Value::as_str).is_some_and(is_foreign) {
            let bounds = schema.get("format").and_then(Value::as_str).and_then(bounds);
            schema.remove("format");
            if let Some((minimum, maximum)) = bounds {
                schema.as_object_mut().expect("it had a format").entry("minimum").or_insert(minimum.into());
                schema.as_object_mut().expect("it had a format").entry("maximum").or_insert(maximum.into());
            }
        }
        transform_subschemas(self, schema);
    }
}

/// What an unsigned integer of that width holds.
fn bounds(format: &str) -> Option<(u64, u64)> {
    match format {
        "uint8" => Some((0, u64::from(u8::MAX))),
        "uint16" => Some((0, u64::from(u16::MAX))),
        "uint32" => Some((0, u64::from(u32::MAX))),
        "uint64" => Some((0, u64::MAX)),
        _ => None,
    }
}

/// Says that a key that may be missing is missing when it has no value, and never null.
#[derive(Debug, Clone)]
struct LeftOut;

impl Transform for LeftOut {
    fn transform(&mut self, schema: &mut Schema) {
        let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            for (name, property) in properties {
                if !required.iter().any(|required| required == name.as_str()) {
                    without_null(property);
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

fn without_null(schema: &mut Value) {
    let Some(keys) = schema.as_object_mut() else { return };
    if let Some(Value::Array(kinds)) = keys.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            keys["type"] = kind.clone();
        }
    }
    if let Some(Value::Array(choices)) = keys.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            keys.remove("anyOf");
            for (key, value) in only {
                keys.entry(key).or_insert(value);
            }
        }
    }
}
