//! Several files as one: sections are joined key by key, tunnels and accounts by name, grants one after the other. Everything
//! else may stand in one file only.

use super::{
    check::check,
    grammar::{Grammar, Kind, Presence},
    report::Report,
    tree::{self, Node, Place, Table, Value},
};

/// Reads all files of `report` by `grammar` and joins them; keys that were left out have their defaults.
pub(super) fn read_all(files: usize, grammar: &'static Grammar, report: &mut Report<'_>) -> Node {
    let root = Place { file: 0, offset: 0, key: String::new() };
    let mut merged = Table::new();
    let read: Vec<Table> = (0..files).map(|file| tree::read(file, report)).collect();
    for (file, table) in read.into_iter().enumerate() {
        let checked = check(table, &Place { file, ..root.clone() }, grammar, report);
        merge_table(&mut merged, checked, grammar, report);
    }
    fill(&mut merged, &root, grammar);
    Node { place: root, value: Value::Table(merged) }
}

fn merge_table(into: &mut Table, from: Table, grammar: &Grammar, report: &mut Report<'_>) {
    for (name, node) in from {
        let Some(kind) = grammar.key(&name).map(|key| &key.kind) else { continue };
        match (into.get_mut(&name), node) {
            (Some(Node { value: Value::Table(into), .. }), Node { value: Value::Table(from), .. }) => match kind {
                Kind::Table(grammar) => merge_table(into, from, grammar, report),
                Kind::Map { .. } => merge_map(into, from, report),
                Kind::Text(_)
                | Kind::Boolean
                | Kind::Off
                | Kind::Integer { .. }
                | Kind::Number { .. }
                | Kind::Word(_)
                | Kind::List(_)
                | Kind::Either(_) => {}
            },
            (Some(Node { value: Value::List(into), .. }), Node { value: Value::List(from), .. }) if is_list_of_tables(kind) => {
                into.extend(from);
            }
            (Some(first), second) => given_twice(first, &second, report),
            (None, node) => {
                into.insert(name, node);
            }
        }
    }
}

fn merge_map(into: &mut Table, from: Table, report: &mut Report<'_>) {
    for (name, node) in from {
        match into.get(&name) {
            Some(first) => given_twice(first, &node, report),
            None => {
                into.insert(name, node);
            }
        }
    }
}

fn given_twice(first: &Node, second: &Node, report: &mut Report<'_>) {
    let message = format!("cannot be given twice: it is also in {}", report.location(&first.place));
    report.error(&second.place, message);
}

fn is_list_of_tables(kind: &Kind) -> bool {
    matches!(kind, Kind::List(Kind::Table(_)))
}

/// Puts the defaults where keys were left out, at every depth.
fn fill(table: &mut Table, place: &Place, grammar: &'static Grammar) {
    for key in grammar.keys {
        if let Presence::Default(literal) = key.presence
            && !table.contains_key(key.name)
        {
            let place = place.inner(key.name);
            table.insert(key.name.to_owned(), Node { value: default_value(literal, &place), place });
        }
        if let Some(node) = table.get_mut(key.name) {
            fill_node(node, &key.kind);
        }
    }
}

fn fill_node(node: &mut Node, kind: &'static Kind) {
    match (kind, &mut node.value) {
        (Kind::Table(grammar), Value::Table(table)) => fill(table, &node.place, grammar),
        (Kind::Map { of, .. }, Value::Table(table)) => table.values_mut().for_each(|node| fill_node(node, of)),
        (Kind::List(kind), Value::List(items)) => items.iter_mut().for_each(|item| fill_node(item, kind)),
        (Kind::Either(kinds), Value::Table(_)) => {
            for kind in kinds.iter().filter(|kind| matches!(kind, Kind::Table(_))) {
                fill_node(node, kind);
            }
        }
        (_, _) => {}
    }
}

fn default_value(literal: &str, place: &Place) -> Value {
    let value: toml::Value =
        format!("default = {literal}").parse::<toml::Table>().expect("a default in the grammar is a TOML value")["default"]
            .clone();
    from_toml(value, place)
}

fn from_toml(value: toml::Value, place: &Place) -> Value {
    match value {
        toml::Value::String(text) => Value::Text(text),
        toml::Value::Integer(integer) => Value::Integer(integer),
        toml::Value::Float(number) => Value::Number(number),
        toml::Value::Boolean(boolean) => Value::Boolean(boolean),
        toml::Value::Datetime(_) => Value::Date,
        toml::Value::Array(items) => {
            let node = |item| Node { value: from_toml(item, place), place: place.clone() };
            Value::List(items.into_iter().map(node).collect())
        }
        toml::Value::Table(table) => {
            let node = |(name, value): (String, toml::Value)| {
                let place = place.inner(&name);
                (name, Node { value: from_toml(value, &place), place })
            };
            Value::Table(table.into_iter().map(node).collect())
        }
    }
}
