//! Whether arguments are as a tool's schema says, with every mistake told by the field that it is in.
//!
//! The schema that clients are shown is the one that is checked, so that the two cannot differ. It knows the keywords that our own
//! schemas have.

use regex::Regex;
use serde_json::{Map, Value};

use super::foreign;
use crate::{control::api::Problem, foreign_text::visible};

/// Every way in which `arguments` are not as `schema` says; empty when they are.
pub(super) fn check(arguments: &Map<String, Value>, schema: &Map<String, Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    let known = |name: &str| properties.and_then(|properties| properties.get(name)?.as_object());
    for (name, value) in arguments {
        let found = match known(name) {
            Some(schema) => wrong(value, schema),
            None => Some(unknown(properties)),
        };
        problems.extend(found.map(|problem| Problem { at: Some(visible(name).into_owned()), problem }));
    }
    for name in required(schema).filter(|name| !arguments.contains_key(*name)) {
        let of = known(name).map(|schema| format!(": {}", expected(schema))).unwrap_or_default();
        problems.push(Problem { at: Some(name.to_owned()), problem: format!("it is missing{of}") });
    }
    problems
}

fn required(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn unknown(properties: Option<&Map<String, Value>>) -> String {
    let names: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    match names.as_slice() {
        [] => "there is no such argument: this tool takes none".to_owned(),
        names => format!("there is no such argument: this tool takes {}", names.join(", ")),
    }
}

/// What is wrong with `value`, with what would be right.
fn wrong(value: &Value, schema: &Map<String, Value>) -> Option<String> {
    let number = |key| schema.get(key).and_then(Value::as_f64);
    let fits = types(schema).any(|name| is_of(value, name))
        && match value {
            Value::String(text) => {
                let length = text.chars().count() as f64;
                let pattern = schema.get("pattern").and_then(Value::as_str).and_then(|pattern| Regex::new(pattern).ok());
                number("minLength").is_none_or(|min| length >= min)
                    && number("maxLength").is_none_or(|max| length <= max)
                    && pattern.is_none_or(|pattern| pattern.is_match(text))
                    && words(schema).is_none_or(|words| words.contains(value))
            }
            Value::Number(given) => {
                let given = given.as_f64().unwrap_or(f64::NAN);
                number("minimum").is_none_or(|min| given >= min) && number("maximum").is_none_or(|max| given <= max)
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => true,
        };
    (!fits).then(|| format!("{} does not fit: {}", shown(value), expected(schema)))
}

fn types(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let (one, several) = match schema.get("type") {
        Some(Value::Array(names)) => (None, names.as_slice()),
        other => (other, [].as_slice()),
    };
    one.into_iter().chain(several).filter_map(Value::as_str)
}

fn words(schema: &Map<String, Value>) -> Option<&Vec<Value>> {
    schema.get("enum").and_then(Value::as_array)
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// What a field takes, for whoever got it wrong.
fn expected(schema: &Map<String, Value>) -> String {
    if let Some(words) = words(schema) {
        let words: Vec<String> = words.iter().filter(|word| !word.is_null()).map(Value::to_string).collect();
        return format!("it is one of {}", words.join(", "));
    }
    let kind: Vec<&str> = types(schema).filter(|name| *name != "null").collect();
    let mut text = format!("it is of type {}", kind.join(" or "));
    for (key, words) in [
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("minLength", "with at least this many characters:"),
        ("maxLength", "with at most this many characters:"),
        ("pattern", "matching"),
    ] {
        if let Some(bound) = schema.get(key) {
            text.push_str(&format!(", {words} {}", bound.as_str().map_or_else(|| bound.to_string(), str::to_owned)));
        }
    }
    text
}

/// The value as it stands in a sentence: short, and harmless.
fn shown(value: &Value) -> String {
    foreign::one_line(&value.to_string(), 80)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(arguments: Value) -> Vec<String> {
        let schema = json!({
            "type": "object",
            "properties": {
                "tunnel": { "type": "string", "pattern": "^[a-z]+$", "maxLength": 5 },
                "lines": { "type": ["integer", "null"], "minimum": 1, "maximum": 10 },
                "kind": { "type": "string", "enum": ["a", "b"] },
                "definition": { "type": "object" },
            },
            "required": ["tunnel"],
            "additionalProperties": false,
        });
        let found = check(arguments.as_object().unwrap(), schema.as_object().unwrap());
        found.into_iter().map(|problem| format!("{}: {}", problem.at.unwrap(), problem.problem)).collect()
    }

    #[test]
    fn what_fits_has_no_problems() {
        assert!(problems(json!({ "tunnel": "web", "lines": null, "kind": "b", "definition": { "x": 1 } })).is_empty());
        assert!(problems(json!({ "tunnel": "web", "lines": 10 })).is_empty());
    }

    #[test]
    fn every_mistake_is_told_with_its_field_and_what_is_right() {
        insta::assert_snapshot!(
            problems(json!({ "tunnel": "WEB", "lines": 11, "kind": "c", "definition": [], "tunel": 1 })).join("\n"),
            @r#"
        definition: [] does not fit: it is of type object
        kind: "c" does not fit: it is one of "a", "b"
        lines: 11 does not fit: it is of type integer, at least 1, at most 10
        tunel: there is no such argument: this tool takes definition, kind, lines, tunnel
        tunnel: "WEB" does not fit: it is of type string, with at most this many characters: 5, matching ^[a-z]+$
        "#
        );
        insta::assert_snapshot!(
            problems(json!({ "lines": 1.5 })).join("\n"),
            @r"
        lines: 1.5 does not fit: it is of type integer, at least 1, at most 10
        tunnel: it is missing: it is of type string, with at most this many characters: 5, matching ^[a-z]+$
        "
        );
    }

    #[test]
    fn a_foreign_value_is_shown_short_and_harmless() {
        let told = problems(json!({ "tunnel": format!("\u{202e}{}", "x".repeat(1000)) })).join("");
        assert!(told.len() < 300 && !told.contains('\u{202e}'), "{told}");
    }
}
