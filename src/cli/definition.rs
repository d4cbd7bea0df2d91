//! Definitions of tunnels, as they are typed or read from a file.

use std::{fs::File, io::Read, path::Path};

use serde_json::{Map, Value};

use super::{Ending, Failure, Terminal};

/// The largest definition that is read, in bytes: the most that the daemon takes.
const BYTES_MAX: u64 = 1024 * 1024;

/// Reads a definition from a file, or from stdin when it is called `-`: TOML or JSON, either the tunnel's table itself or a file
/// with the table `[tunnels.NAME]`.
pub(super) fn read(path: &Path, name: &str, terminal: &mut Terminal) -> Result<Value, Failure> {
    let text = if path == Path::new("-") { terminal.read_input(BYTES_MAX + 1) } else { read_file(path) };
    let text = text.map_err(|error| Failure::of(anyhow::Error::new(error).context(format!("cannot read {path:?}"))))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(Failure::new(Ending::Failed, format!("cannot read {path:?}: it is larger than {BYTES_MAX} bytes")));
    }
    let of = if path == Path::new("-") { "the definition on stdin".to_owned() } else { format!("{path:?}") };
    parse(&text, name).map_err(|why| Failure::new(Ending::Failed, format!("cannot read {of}: {why}")))
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str, name: &str) -> Result<Value, String> {
    let value: Value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        toml::from_str(text).map_err(|error| complaint(text, &error))?
    };
    match value.get("tunnels") {
        None => Ok(value),
        Some(tunnels) => tunnels.get(name).cloned().ok_or_else(|| format!("it has no table [tunnels.{name}]")),
    }
}

/// In one line: the parser draws the place below its message.
fn complaint(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!("line {line}: {}", error.message().trim_end())
}

/// A merge patch from `KEY=VALUE` and keys to remove. Keys have dots; a value is TOML, or else a text as it stands.
pub(super) fn patch(set: &[String], unset: &[String]) -> Result<Value, Failure> {
    let mut patch = Value::Object(Map::new());
    for assignment in set {
        let Some((key, value)) = assignment.split_once('=') else {
            let message = format!("cannot use {assignment:?}: it must be KEY=VALUE, such as replicas=2");
            return Err(Failure::new(Ending::Usage, message));
        };
        put(&mut patch, key, toml_value(value));
    }
    for key in unset {
        put(&mut patch, key, Value::Null);
    }
    Ok(patch)
}

fn put(patch: &mut Value, key: &str, value: Value) {
    let mut place = patch;
    for part in key.trim().split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = place.as_object_mut().expect("it was made an object above").entry(part).or_insert(Value::Null);
    }
    *place = value;
}

fn toml_value(text: &str) -> Value {
    let document = format!("value = {text}");
    let read = toml::from_str::<Map<String, Value>>(&document).ok().filter(|table| table.len() == 1);
    read.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_is_toml_or_json_alone_or_below_its_name() {
        let expected = json!({ "replicas": 2 });
        for text in
            ["replicas = 2", "[tunnels.web]\nreplicas = 2", "{\"replicas\": 2}", "{\"tunnels\": {\"web\": {\"replicas\": 2}}}"]
        {
            assert_eq!(parse(text, "web"), Ok(expected.clone()), "{text}");
        }
        assert_eq!(parse("[tunnels.api]\n", "web"), Err("it has no table [tunnels.web]".to_owned()));
        assert!(parse("replicas = ", "web").is_err());
    }

    #[test]
    fn assignments_become_a_merge_patch() {
        let set = ["replicas=3", "protocol=quic", "health.origin=\"off\"", "ingress=[]"].map(str::to_owned);
        let patch = patch(&set, &["load_balancer".to_owned()]).unwrap();
        let expected = json!({
            "replicas": 3, "protocol": "quic", "health": { "origin": "off" }, "ingress": [], "load_balancer": null,
        });
        assert_eq!(patch, expected);
        assert_eq!(super::patch(&["replicas".to_owned()], &[]).unwrap_err().ending, Ending::Usage);
    }

    #[test]
    fn what_cannot_be_read_is_told_in_one_line_with_its_place() {
        let why = parse("replicas = 2\n[[[", "web").unwrap_err();
        assert!(why.starts_with("line 2: ") && why.lines().count() == 1, "{why}");
    }
}
