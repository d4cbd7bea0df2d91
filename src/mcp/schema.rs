//! JSON Schemas as clients of many makes understand them: complete in one piece, and without what only our own tools know.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// What a tool takes.
pub(super) fn input<T: JsonSchema>() -> Map<String, Value> {
    of::<T>(SchemaSettings::draft2020_12())
}

/// What a tool answers.
pub(super) fn output<T: JsonSchema>() -> Map<String, Value> {
    of::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn of<T: JsonSchema>(settings: SchemaSettings) -> Map<String, Value> {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let Value::Object(mut schema) = plain(schema.to_value()) else { unreachable!("a struct's schema is an object") };
    // Names and prose of a Rust type say nothing to a client.
    schema.remove("title");
    schema.remove("description");
    schema.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    schema
}

/// Without what only our own tools know: formats that name Rust's integers, words with a sentence each, and line ends in sentences.
fn plain(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut fields: Map<String, Value> = fields.into_iter().map(|(key, value)| (key, plain(value))).collect();
            let text = |key| fields.get(key).and_then(Value::as_str);
            if text("format").is_some_and(|format| format.trim_start_matches('u').starts_with("int")) {
                fields.remove("format");
            } else if let Some(description) = text("description").map(|text| text.replace('\n', " ")) {
                fields.insert("description".to_owned(), Value::String(description));
            }
            if let Some(words) = fields.get("oneOf").and_then(words) {
                fields.remove("oneOf");
                fields.insert("type".to_owned(), Value::String("string".to_owned()));
                fields.insert("enum".to_owned(), words);
            }
            Value::Object(fields)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema,
    }
}

/// The words of a choice between words.
fn words(choices: &Value) -> Option<Value> {
    let word = |choice: &Value| choice.get("const").filter(|word| word.is_string()).cloned();
    choices.as_array()?.iter().map(word).collect::<Option<Vec<_>>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_keeps_bounds_and_words_and_loses_what_others_do_not_know() {
        let schema = json!({
            "description": "Two\nlines",
            "properties": {
                "count": { "type": "integer", "format": "uint16", "minimum": 0 },
                "at": { "type": "string", "format": "date-time" },
                "state": { "oneOf": [{ "const": "up", "type": "string", "description": "x" }, { "const": "down" }] },
                "either": { "oneOf": [{ "type": "string" }, { "const": "x" }] },
            },
        });
        let expected = json!({
            "description": "Two lines",
            "properties": {
                "count": { "type": "integer", "minimum": 0 },
                "at": { "type": "string", "format": "date-time" },
                "state": { "type": "string", "enum": ["up", "down"] },
                "either": { "oneOf": [{ "type": "string" }, { "const": "x" }] },
            },
        });
        assert_eq!(plain(schema), expected);
    }
}
