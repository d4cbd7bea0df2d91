//! One table of the tree, as the code that builds a type from it sees it. The tree fits the grammar by then, so a value is
//! there with its type or it was left out (or reported).

use std::fmt;

use super::{
    problem::quoted,
    report::{Report, Reported},
    tree::{Node, Place, Table, Value},
};

/// A table and its place.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    table: &'a Table,
    pub(super) place: &'a Place,
}

impl<'a> Section<'a> {
    /// `node` as a table; `None` if it is none.
    pub(super) fn of(node: &'a Node) -> Option<Self> {
        match &node.value {
            Value::Table(table) => Some(Self { table, place: &node.place }),
            Value::Text(_) | Value::Integer(_) | Value::Number(_) | Value::Boolean(_) | Value::Date | Value::List(_) => None,
        }
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key)
    }

    /// The table at `key`.
    pub(super) fn section(&self, key: &str) -> Option<Section<'a>> {
        self.get(key).and_then(Section::of)
    }

    /// All keys with their values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        self.table.iter().map(|(name, node)| (name.as_str(), node))
    }

    /// The string at `key`.
    pub(super) fn text(&self, key: &str) -> Option<(&'a str, &'a Place)> {
        self.get(key).and_then(as_text)
    }

    /// The boolean at `key`.
    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        match self.get(key)?.value {
            Value::Boolean(boolean) => Some(boolean),
            Value::Text(_) | Value::Integer(_) | Value::Number(_) | Value::Date | Value::List(_) | Value::Table(_) => None,
        }
    }

    /// The integer at `key`; its range was checked by the grammar.
    pub(super) fn integer<T: TryFrom<i64>>(&self, key: &str) -> Result<T, Reported> {
        match self.get(key).map(|node| &node.value) {
            Some(Value::Integer(integer)) => T::try_from(*integer).map_err(|_| Reported),
            Some(_) | None => Err(Reported),
        }
    }

    /// The number at `key`; its range was checked by the grammar.
    pub(super) fn number(&self, key: &str) -> Result<f64, Reported> {
        match self.get(key).map(|node| &node.value) {
            Some(Value::Number(number)) => Ok(*number),
            Some(_) | None => Err(Reported),
        }
    }

    /// What the word at `key` stands for; the grammar knows the same words.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<T, Reported> {
        let (text, _) = self.text(key).ok_or(Reported)?;
        words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or(Reported)
    }

    /// The items at `key`; none if it was left out.
    pub(super) fn items(&self, key: &str) -> &'a [Node] {
        match self.get(key).map(|node| &node.value) {
            Some(Value::List(items)) => items,
            Some(_) | None => &[],
        }
    }

    /// The string at `key` as a `T`; the key is required or has a default.
    pub(super) fn required<T, E: fmt::Display>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, Reported> {
        self.optional(key, report, parse)?.ok_or(Reported)
    }

    /// The string at `key` as a `T`, or `None` if it was left out.
    pub(super) fn optional<T, E: fmt::Display>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Reported> {
        self.get(key).map(|node| parsed(node, report, parse)).transpose()
    }

    /// The strings at `key`, each as a `T`. Every bad one is reported.
    pub(super) fn list<T, E: fmt::Display>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, Reported> {
        let items: Vec<_> = self.items(key).iter().map(|item| parsed(item, report, &parse)).collect();
        items.into_iter().collect()
    }
}

/// A string as a `T`.
pub(super) fn parsed<T, E: fmt::Display>(
    node: &Node,
    report: &mut Report<'_>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Reported> {
    let (text, place) = as_text(node).ok_or(Reported)?;
    parse(text).map_err(|error| report.error(place, format!("cannot use {}: {error}", quoted(text))))
}

/// A string and its place.
pub(super) fn as_text(node: &Node) -> Option<(&str, &Place)> {
    match &node.value {
        Value::Text(text) => Some((text, &node.place)),
        Value::Integer(_) | Value::Number(_) | Value::Boolean(_) | Value::Date | Value::List(_) | Value::Table(_) => None,
    }
}
