//! Holds a tree against the grammar: unknown keys, wrong types and missing keys are reported, and what stays fits the grammar.

use super::{
    grammar::{Grammar, Kind, Presence},
    problem::{alternatives, join, quoted},
    report::Report,
    tree::{Node, Place, Table, Value},
};

use crate::suggestion::question;

/// The part of `table` that fits `grammar`.
pub(super) fn check(table: Table, place: &Place, grammar: &Grammar, report: &mut Report<'_>) -> Table {
    for key in grammar.keys {
        let required = match key.presence {
            Presence::Required => true,
            Presence::Optional | Presence::Default(_) => false,
        };
        // What a broken file seems to lack may stand in a part that could not be read.
        if required && !table.contains_key(key.name) && !report.has_syntax_errors() {
            report.error(place, format!("the key {:?} is missing: {}", key.name, expected(&key.kind)));
        }
    }
    let mut result = Table::new();
    for (name, node) in table {
        match grammar.key(&name) {
            Some(key) => result.extend(fit(node, &key.kind, report).map(|node| (name, node))),
            None => unknown_key(&name, &node, grammar, report),
        }
    }
    result
}

fn unknown_key(name: &str, node: &Node, grammar: &Grammar, report: &mut Report<'_>) {
    let known = || grammar.keys.iter().map(|key| key.name);
    if let Some((_, help)) = grammar.refused.iter().find(|(refused, _)| *refused == name) {
        report.error_with_help(&node.place, format!("Cloudflare's API does not take {}", quoted(name)), *help);
        return;
    }
    let message = format!("unknown key {}", quoted(name));
    let help = question(name, known()).unwrap_or_else(|| format!("known here: {}", known().collect::<Vec<_>>().join(", ")));
    report.error_with_help(&node.place, message, help);
}

/// `node`, if it is of this kind; what does not fit inside it is taken away.
fn fit(node: Node, kind: &Kind, report: &mut Report<'_>) -> Option<Node> {
    let Node { place, value } = node;
    let value = match (kind, value) {
        (Kind::Either(kinds), value) => {
            let Some(kind) = kinds.iter().find(|kind| has_type(kind, &value)) else {
                return wrong_type(&place, &value, &Kind::Either(kinds), report);
            };
            return fit(Node { place, value }, kind, report);
        }
        (kind, value) if !has_type(kind, &value) => return wrong_type(&place, &value, kind, report),
        (Kind::Integer { min, max }, Value::Integer(integer)) if !(min..=max).contains(&&integer) => {
            report.error(&place, format!("cannot use {integer}: it must be from {min} to {max}"));
            return None;
        }
        (Kind::Number { min, max }, value) => {
            let number = as_number(&value)?;
            if !(*min..=*max).contains(&number) {
                report.error(&place, format!("cannot use {number}: it must be from {min} to {max}"));
                return None;
            }
            Value::Number(number)
        }
        (Kind::Word(words), Value::Text(text)) if !words.contains(&text.as_str()) => {
            let message = format!("cannot use {}: it must be {}", quoted(&text), alternatives(words.iter().copied()));
            match question(&text, words.iter().copied()) {
                Some(help) => report.error_with_help(&place, message, help),
                None => report.error(&place, message),
            };
            return None;
        }
        (Kind::List(kind), Value::List(items)) => {
            Value::List(items.into_iter().filter_map(|item| fit(item, kind, report)).collect())
        }
        (Kind::Map { of, .. }, Value::Table(table)) => {
            Value::Table(table.into_iter().filter_map(|(name, node)| fit(node, of, report).map(|node| (name, node))).collect())
        }
        (Kind::Table(grammar), Value::Table(table)) => Value::Table(check(table, &place, grammar, report)),
        (_, value) => value,
    };
    Some(Node { place, value })
}

/// Whether a value has the TOML type of a kind, whatever is in it.
fn has_type(kind: &Kind, value: &Value) -> bool {
    match kind {
        Kind::Text(_) | Kind::Word(_) => matches!(value, Value::Text(_)),
        Kind::Boolean => matches!(value, Value::Boolean(_)),
        Kind::Off => matches!(value, Value::Boolean(false)),
        Kind::Integer { .. } => matches!(value, Value::Integer(_)),
        Kind::Number { .. } => as_number(value).is_some(),
        Kind::List(_) => matches!(value, Value::List(_)),
        Kind::Map { .. } | Kind::Table(_) => matches!(value, Value::Table(_)),
        Kind::Either(kinds) => kinds.iter().any(|kind| has_type(kind, value)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "only compared with small limits")]
fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(integer) => Some(*integer as f64),
        Value::Number(number) => Some(*number),
        Value::Text(_) | Value::Boolean(_) | Value::Date | Value::List(_) | Value::Table(_) => None,
    }
}

fn wrong_type(place: &Place, value: &Value, kind: &Kind, report: &mut Report<'_>) -> Option<Node> {
    let found = match value {
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Text(_) | Value::Integer(_) | Value::Number(_) | Value::Date | Value::List(_) | Value::Table(_) => {
            value.kind().to_owned()
        }
    };
    report.error(place, format!("expected {}, found {found}", expected(kind)));
    None
}

/// What a kind is, in words.
pub(super) fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Text(form) => form.words.to_owned(),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Off => "false".to_owned(),
        Kind::Integer { min, max } => format!("an integer from {min} to {max}"),
        Kind::Number { min, max } => format!("a number from {min} to {max}"),
        Kind::Word(words) => alternatives(words.iter().copied()),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map { .. } | Kind::Table(_) => "a table".to_owned(),
        Kind::Either(kinds) => join(kinds.iter().map(expected), "or"),
    }
}
