//! The document is what it says that it is: OpenAPI 3.1 of exactly this table.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    super::table::{ENDPOINTS, Need},
    ErrorKind, openapi,
};

fn operations() -> Vec<(String, String, &'static Value)> {
    let paths = openapi()["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &'static Value)| {
        let path = path.clone();
        item.as_object().unwrap().iter().map(move |(method, operation)| (method.clone(), path.clone(), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

fn each(value: &'static Value, look: &mut impl FnMut(&'static serde_json::Map<String, Value>)) {
    match value {
        Value::Object(keys) => {
            look(keys);
            keys.values().for_each(|value| each(value, look));
        }
        Value::Array(items) => items.iter().for_each(|value| each(value, look)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_operations_are_exactly_those_of_the_table() {
    let described: BTreeSet<_> = operations().into_iter().map(|(method, path, _)| (method.to_uppercase(), path)).collect();
    let table: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| (endpoint.method.to_string(), endpoint.path.to_owned())).collect();
    assert_eq!(described, table);
}

#[test]
fn every_operation_has_an_id_of_its_own_and_says_what_it_is_and_answers() {
    let mut ids = BTreeSet::new();
    let tags: Vec<_> = openapi()["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (method, path, operation) in operations() {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}: its operationId is taken");
        assert!(tags.contains(&&operation["tags"][0]), "{method} {path}: its tag is not in the list of tags");
        let summary = operation["summary"].as_str().unwrap();
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{method} {path}: {summary:?}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path} has no success");
        assert!(responses.contains_key("403") && responses.contains_key("503"), "{method} {path}: {responses:?}");
    }
}

#[test]
fn the_role_and_the_place_where_it_is_needed_are_those_of_the_table() {
    for endpoint in &ENDPOINTS {
        let operation = &openapi()["paths"][endpoint.path][endpoint.method.to_string().to_lowercase()];
        let role = endpoint.need.role().map(|role| Value::String(role.to_string())).unwrap_or_default();
        assert_eq!(operation["x-adit-role"], role, "{} {}", endpoint.method, endpoint.path);
        assert_eq!(operation["x-adit-audit"], json!(endpoint.audit), "{} {}", endpoint.method, endpoint.path);
        let scope = match endpoint.need {
            Need::Nothing => "none",
            Need::Everywhere(_) => "everywhere",
            Need::ForTunnel(_) => "tunnel",
            Need::Anywhere(_) => "anywhere",
        };
        assert_eq!(operation["x-adit-scope"], scope, "{} {}", endpoint.method, endpoint.path);
    }
}

#[test]
fn parameters_in_a_path_are_described_and_no_others() {
    for (method, path, operation) in operations() {
        let parameters = operation["parameters"].as_array().unwrap();
        let in_path: Vec<_> = parameters.iter().filter(|parameter| parameter["in"] == "path").map(|it| &it["name"]).collect();
        let keys = path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'));
        let expected: Vec<Value> = keys.map(|key| json!(key)).collect();
        assert_eq!(in_path, expected.iter().collect::<Vec<_>>(), "{method} {path}");
        for parameter in parameters {
            let description = parameter["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{method} {path}: {} is not described", parameter["name"]);
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let mut count = 0;
    each(openapi(), &mut |keys| {
        if let Some(Value::String(reference)) = keys.get("$ref") {
            count += 1;
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leaves the document"));
            assert!(openapi().pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    });
    assert!(count > 100, "only {count} references");
}

#[test]
fn every_schema_is_a_json_schema_of_draft_2020_12() {
    let check = |place: &str, schema: &Value| {
        if let Err(error) = jsonschema::draft202012::meta::validate(schema) {
            panic!("{place}: {error}");
        }
    };
    for (name, schema) in openapi()["components"]["schemas"].as_object().unwrap() {
        check(name, schema);
    }
    each(openapi(), &mut |keys| {
        if let Some(schema) = keys.get("schema") {
            check("a schema of a parameter or a body", schema);
        }
    });
}

#[test]
fn the_document_has_the_form_that_openapi_demands() {
    let parameter = json!({
        "type": "object",
        "required": ["name", "in", "schema"],
        "properties": { "in": { "enum": ["path", "query", "header"] }, "required": { "type": "boolean" } },
        "if": { "properties": { "in": { "const": "path" } } },
        "then": { "properties": { "required": { "const": true } }, "required": ["required"] },
    });
    let media = json!({ "type": "object", "additionalProperties": { "type": "object", "required": ["schema"] } });
    let response = json!({
        "oneOf": [
            { "required": ["$ref"] },
            { "required": ["description"], "properties": { "content": media, "headers": { "type": "object" } } },
        ],
    });
    let operation = json!({
        "type": "object",
        "required": ["operationId", "responses", "summary", "tags"],
        "properties": {
            "parameters": { "type": "array", "items": parameter, "uniqueItems": true },
            "requestBody": { "required": ["content"], "properties": { "content": media } },
            "responses": { "minProperties": 1, "propertyNames": { "pattern": "^[1-5][0-9]{2}$" }, "additionalProperties": response },
        },
        "patternProperties": { "^x-": true },
    });
    let form = json!({
        "type": "object",
        "required": ["openapi", "info", "paths", "components"],
        "additionalProperties": false,
        "properties": {
            "openapi": { "pattern": "^3\\.1\\.\\d+$" },
            "jsonSchemaDialect": { "type": "string" },
            "info": { "required": ["title", "version"] },
            "servers": { "items": { "required": ["url"] } },
            "tags": { "items": { "required": ["name", "description"] }, "uniqueItems": true },
            "paths": {
                "propertyNames": { "pattern": "^/v1/" },
                "additionalProperties": {
                    "propertyNames": { "enum": ["get", "post", "put", "patch", "delete"] },
                    "additionalProperties": operation,
                },
            },
            "components": {
                "propertyNames": { "enum": ["schemas", "responses"] },
                "additionalProperties": { "propertyNames": { "pattern": "^[a-zA-Z0-9._-]+$" } },
            },
        },
    });
    let validator = jsonschema::validator_for(&form).unwrap();
    let errors: Vec<_> = validator.iter_errors(openapi()).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn keys_of_answers_are_documented() {
    let mut without = Vec::new();
    for (name, schema) in openapi()["components"]["schemas"].as_object().unwrap() {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["description"].as_str().is_none_or(str::is_empty) {
                without.push(format!("{name}.{key}"));
            }
        }
    }
    assert!(without.is_empty(), "not documented: {without:?}");
}

#[test]
fn the_document_speaks_of_json_and_not_of_rust() {
    let text = serde_json::to_string(openapi()).unwrap();
    for word in ["`None`", "`Some`", "[`", "Vec<", "\"uint", "\"int64\""] {
        assert!(!text.contains(word), "it contains {word}");
    }
}

#[test]
fn the_list_of_kinds_of_errors_is_complete() {
    let described: BTreeSet<_> = openapi()["components"]["schemas"]["ErrorKind"]["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["const"].as_str().unwrap())
        .collect();
    let listed: BTreeSet<_> = ErrorKind::ALL.into_iter().map(ErrorKind::word).collect();
    assert_eq!(described, listed);
}

#[test]
fn what_may_be_missing_is_never_null_in_an_answer() {
    let subject = &openapi()["components"]["schemas"]["Subject"];
    assert_eq!(subject["properties"]["tunnel"]["type"], "string");
    assert_eq!(subject["required"], Value::Null);
    let connector = &openapi()["components"]["schemas"]["Connector"];
    assert_eq!(connector["properties"]["pid"]["type"], json!(["integer", "null"]));
    assert!(connector["required"].as_array().unwrap().contains(&json!("pid")));
}

#[test]
fn bodies_take_no_key_that_they_do_not_know() {
    for name in
        ["CreateTunnel", "TunnelDefinition", "Apply", "Rotate", "AdoptTunnel", "AdoptRoute", "CheckOrigins", "DeleteOrphans"]
    {
        assert_eq!(openapi()["components"]["schemas"][name]["additionalProperties"], false, "{name}");
    }
}
