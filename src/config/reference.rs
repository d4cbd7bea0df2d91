//! The grammar for people: a Markdown table of every key.

use super::{
    check::expected,
    grammar::{FILE, Grammar, Kind, Presence},
};

/// Every key with its value, default and meaning, as a Markdown table.
pub fn reference() -> String {
    let mut rows = String::from("| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
    table(&FILE, "", &mut rows);
    rows
}

fn table(grammar: &Grammar, prefix: &str, rows: &mut String) {
    for key in grammar.keys {
        let name = format!("{prefix}{}", key.name);
        let default = match key.presence {
            Presence::Required => "required".to_owned(),
            // An empty table only says that its keys have defaults.
            Presence::Optional | Presence::Default("{}") => String::new(),
            Presence::Default(literal) => format!("`{}`", literal.replace('\'', "\"")),
        };
        let value = expected(&key.kind).replace('|', "\\|");
        *rows += &format!("| `{name}` | {value} | {default} | {} |\n", key.doc.replace('|', "\\|"));
        inner(&key.kind, &name, rows);
    }
}

fn inner(kind: &Kind, name: &str, rows: &mut String) {
    match kind {
        Kind::Table(grammar) => table(grammar, &format!("{name}."), rows),
        Kind::Map { of, .. } => inner(of, &format!("{name}.NAME"), rows),
        Kind::List(of) => inner(of, &format!("{name}[]"), rows),
        Kind::Either(kinds) => kinds.iter().for_each(|kind| inner(kind, name, rows)),
        Kind::Text(_) | Kind::Boolean | Kind::Off | Kind::Integer { .. } | Kind::Number { .. } | Kind::Word(_) => {}
    }
}
