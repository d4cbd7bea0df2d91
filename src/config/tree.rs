//! The files as one tree of values that know where they stand.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::report::Report;

/// Where a value stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The number of the file among the sources.
    pub(super) file: usize,
    /// In bytes from the start of the file: of the key, or of the value inside a list.
    pub(super) offset: usize,
    /// The key with dots.
    pub(super) key: String,
}

impl Place {
    /// The place of something inside, which has no position of its own.
    pub(super) fn inner(&self, name: &str) -> Place {
        Place { key: join_key(&self.key, name), ..self.clone() }
    }
}

/// One value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// Keys with their values.
pub(super) type Table = BTreeMap<String, Node>;

/// What TOML knows.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
}

impl Value {
    /// What kind of value this is, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Number(_) => "a number",
            Value::Boolean(_) => "a boolean",
            Value::Date => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// The most syntax errors of a file that are reported: for a repeated key the whole file is searched.
const SYNTAX_ERRORS_MAX: usize = 100;

/// Reads file number `file`. Syntax errors are reported and what could be understood is returned.
pub(super) fn read(file: usize, report: &mut Report<'_>) -> Table {
    let text = report.text(file);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors.into_iter().take(SYNTAX_ERRORS_MAX) {
        let offset = error.span().map_or(text.len(), |span| span.start);
        report.syntax_error(file, offset, syntax_message(text, offset, error.message()));
    }
    from_table(table.get_ref(), &Place { file, offset: 0, key: String::new() }, report)
}

fn from_table(table: &DeTable<'_>, parent: &Place, report: &mut Report<'_>) -> Table {
    let mut result = Table::new();
    for (key, value) in table.iter() {
        let place = Place { offset: key.span().start, ..parent.inner(key.get_ref()) };
        if let Some(value) = from_value(value.get_ref(), &place, report) {
            result.insert(key.get_ref().to_string(), Node { place, value });
        }
    }
    result
}

fn from_value(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Value::Integer(integer),
            Err(_) => {
                report.error(place, format!("cannot use {integer}: an integer has at most 64 bits"));
                return None;
            }
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Number(number),
            Ok(_) | Err(_) => {
                report.error(place, format!("cannot use {number}: a number must be finite"));
                return None;
            }
        },
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| {
                    let key = format!("{}[{index}]", place.key);
                    let place = Place { file: place.file, offset: item.span().start, key };
                    from_value(item.get_ref(), &place, report).map(|value| Node { place, value })
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(from_table(table, place, report)),
    })
}

/// `parent.name`, quoted where TOML needs it.
fn join_key(parent: &str, name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let name = if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { format!("{name:?}") };
    if parent.is_empty() { name } else { format!("{parent}.{name}") }
}

/// TOML's own message, in our words where ours say more.
fn syntax_message(text: &str, offset: usize, message: &str) -> String {
    if message != "duplicate key" {
        let unquoted = message.starts_with("string values must be quoted") || message.starts_with("invalid boolean");
        let message = if unquoted { "a string must stand in quotes, and a boolean is true or false" } else { message };
        return format!("cannot read as TOML: {message}");
    }
    match first_of_two(text, offset) {
        Some((what, line)) => format!("{what} stands here twice: it is also in line {line}"),
        None => "the same key stands here twice".to_owned(),
    }
}

/// The key or table header whose second appearance is at `offset`, and the line of the first.
fn first_of_two(text: &str, offset: usize) -> Option<(String, usize)> {
    let written = |line: &str| line.split_once('#').map_or(line, |(before, _)| before).trim().to_owned();
    let key_of = |line: &str| written(line).split_once('=').map(|(key, _)| key.trim().to_owned());
    let lines: Vec<&str> = text.lines().collect();
    let second = text.get(..offset)?.matches('\n').count();
    let here = written(lines.get(second)?);
    let earlier = lines[..second].iter().enumerate().rev();
    if here.starts_with('[') {
        let first = earlier.into_iter().find(|(_, line)| written(line) == here)?.0;
        return Some((format!("the table {here}"), first + 1));
    }
    let key = key_of(&here)?;
    let mut body = earlier.into_iter().take_while(|(_, line)| !line.trim_start().starts_with('['));
    let first = body.find(|(_, line)| key_of(line).as_deref() == Some(&key))?.0;
    Some((format!("the key {key}"), first + 1))
}
