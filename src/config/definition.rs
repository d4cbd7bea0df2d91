//! A tunnel's definition as JSON, as it comes over the control socket, written as the file that keeps it.

use serde_json::{Map, Value as Json};

use crate::name::TunnelName;

/// Why a definition cannot be written as TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {key}: {reason}")]
pub struct DefinitionError {
    /// The key with dots, as in `ingress[0].service`.
    pub key: String,
    reason: &'static str,
}

/// The text of a file with the table `[tunnels.NAME]`. A null is as if the key was left out. The definition itself is judged by
/// [`super::parse_tunnel`], which reads this text.
pub fn tunnel_toml(name: &TunnelName, definition: &Map<String, Json>) -> Result<String, DefinitionError> {
    let tunnel = table(definition, "")?;
    let tunnels = toml::Table::from_iter([(name.to_string(), toml::Value::Table(tunnel))]);
    let file = toml::Table::from_iter([("tunnels".to_owned(), toml::Value::Table(tunnels))]);
    toml::to_string(&file).map_err(|_| DefinitionError { key: "it".to_owned(), reason: "it has no form in TOML" })
}

fn table(object: &Map<String, Json>, key: &str) -> Result<toml::Table, DefinitionError> {
    let given = object.iter().filter(|(_, json)| !json.is_null());
    given
        .map(|(name, json)| {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            Ok((name.clone(), value(json, &key)?))
        })
        .collect()
}

fn value(json: &Json, key: &str) -> Result<toml::Value, DefinitionError> {
    let error = |reason| Err(DefinitionError { key: key.to_owned(), reason });
    Ok(match json {
        Json::Null => return error("a list must not contain null"),
        Json::Bool(boolean) => toml::Value::Boolean(*boolean),
        Json::String(text) => toml::Value::String(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => toml::Value::Integer(integer),
            (None, Some(number)) if !json.is_u64() => toml::Value::Float(number),
            (None, Some(_) | None) => return error("an integer has at most 64 bits"),
        },
        Json::Array(items) => {
            let item = |(index, item)| value(item, &format!("{key}[{index}]"));
            toml::Value::Array(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        Json::Object(object) => toml::Value::Table(table(object, key)?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_becomes_a_file_of_its_own() {
        let definition = json!({
            "replicas": 2,
            "account": null,
            "ingress": [{ "hostname": "app.example.com", "service": "http://localhost:8080" }],
            "load_balancer": { "hostname": "www.example.com", "pool": "web", "weight": 0.5 },
        });
        let text = tunnel_toml(&"web".parse().unwrap(), definition.as_object().unwrap()).unwrap();
        let expected = "\
[tunnels.web]
replicas = 2

[[tunnels.web.ingress]]
hostname = \"app.example.com\"
service = \"http://localhost:8080\"

[tunnels.web.load_balancer]
hostname = \"www.example.com\"
pool = \"web\"
weight = 0.5
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_toml_cannot_say_is_refused_with_its_key() {
        for (definition, message) in [
            (json!({ "ingress": [null] }), "cannot use ingress[0]: a list must not contain null"),
            (json!({ "a": { "b": u64::MAX } }), "cannot use a.b: an integer has at most 64 bits"),
        ] {
            let error = tunnel_toml(&"web".parse().unwrap(), definition.as_object().unwrap()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn keys_and_values_cannot_leave_their_table() {
        let definition = json!({ "x]\n[daemon]\nstate_dir": "\"\n[access]\nadmin = ['eve']" });
        let text = tunnel_toml(&"web".parse().unwrap(), definition.as_object().unwrap()).unwrap();
        let read: toml::Table = text.parse().unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["tunnels"]);
    }
}
