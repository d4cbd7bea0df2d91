//! The grammar for people: every key, for the manual page, and as a Markdown table.

use super::{
    check::expected,
    grammar::{FILE, Grammar, Kind, Presence},
};

/// One key of the configuration's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReference {
    /// Its path, such as `tunnels.NAME.replicas`.
    pub key: String,
    /// What its value may be, in words.
    pub value: String,
    /// The value that it has when it is left out, as TOML.
    pub default: Option<String>,
    /// Whether it must be there.
    pub required: bool,
    /// What it is for, in one sentence.
    pub meaning: &'static str,
}

/// Every key, in the order of the grammar.
pub fn keys() -> Vec<KeyReference> {
    let mut keys = Vec::new();
    table(&FILE, "", &mut keys);
    keys
}

/// Every key with its value, default and meaning, as a Markdown table.
pub fn reference() -> String {
    let mut rows = String::from("| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for KeyReference { key, value, default, required, meaning } in keys() {
        let default = match default {
            Some(default) => format!("`{default}`"),
            None if required => "required".to_owned(),
            None => String::new(),
        };
        rows += &format!("| `{key}` | {} | {default} | {} |\n", value.replace('|', "\\|"), meaning.replace('|', "\\|"));
    }
    rows
}

fn table(grammar: &Grammar, prefix: &str, keys: &mut Vec<KeyReference>) {
    for key in grammar.keys {
        let name = format!("{prefix}{}", key.name);
        let default = match key.presence {
            // An empty table only says that its keys have defaults.
            Presence::Required | Presence::Optional | Presence::Default("{}") => None,
            Presence::Default(literal) => Some(literal.replace('\'', "\"")),
        };
        let required = matches!(key.presence, Presence::Required);
        keys.push(KeyReference { key: name.clone(), value: expected(&key.kind), default, required, meaning: key.doc });
        inner(&key.kind, &name, keys);
    }
}

fn inner(kind: &Kind, name: &str, keys: &mut Vec<KeyReference>) {
    match kind {
        Kind::Table(grammar) => table(grammar, &format!("{name}."), keys),
        Kind::Map { of, .. } => inner(of, &format!("{name}.NAME"), keys),
        Kind::List(of) => inner(of, &format!("{name}[]"), keys),
        Kind::Either(kinds) => kinds.iter().for_each(|kind| inner(kind, name, keys)),
        Kind::Text(_) | Kind::Boolean | Kind::Off | Kind::Integer { .. } | Kind::Number { .. } | Kind::Word(_) => {}
    }
}
