//! YAML as a tree that knows its lines, within bounds.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{FILE_BYTES_MAX, Refusal, Remark};

/// How deep lists and tables may stand in each other; cloudflared's file needs five.
const DEPTH_MAX: usize = 16;

/// The most values of a file: a thousand rules with a dozen settings each.
const NODES_MAX: usize = 50_000;

/// A value and where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A text, number or word. `plain` when it stands without quotes, so that it may mean more than its text.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order of the file; no key twice.
    Table(Vec<(String, Node)>),
}

impl Node {
    /// Whether nothing is written there, which is as if the key was left out.
    pub(super) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain } => *plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Value::List(_) | Value::Table(_) => false,
        }
    }

    /// The text, if it is one value.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::List(_) | Value::Table(_) => None,
        }
    }

    /// The boolean, in the words that cloudflared's YAML knows.
    pub(super) fn boolean(&self) -> Option<bool> {
        match &self.value {
            Value::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
                "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
                _ => None,
            },
            Value::Scalar { plain: false, .. } | Value::List(_) | Value::Table(_) => None,
        }
    }

    /// The whole number.
    pub(super) fn integer(&self) -> Option<i64> {
        match &self.value {
            Value::Scalar { text, plain: true } => text.parse().ok(),
            Value::Scalar { plain: false, .. } | Value::List(_) | Value::Table(_) => None,
        }
    }
}

/// A list or table that is not complete yet.
enum Open {
    List(usize, Vec<Node>),
    Table(usize, Vec<(String, Node)>, Option<String>),
}

/// Reads a file's only document. Anchors and tags are refused: cloudflared's own examples have none, and they can make a small file
/// huge.
pub(super) fn read(text: &str) -> Result<Node, Refusal> {
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(refusal(1, format!("the file is larger than {FILE_BYTES_MAX} bytes")));
    }
    let (mut open, mut root, mut nodes): (Vec<Open>, Option<Node>, usize) = (Vec::new(), None, 0);
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| refusal(error.marker().line(), format!("it is no YAML here: {}", error.info())))?;
        let line = span.start.line();
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.is_some())
            }
            Event::Alias(anchor) => (*anchor, false),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => (0, false),
        };
        if anchor != 0 || tag {
            return Err(refusal(line, "anchors, aliases and tags are not read: write the value itself".to_owned()));
        }
        nodes += 1;
        if nodes > NODES_MAX {
            return Err(refusal(line, format!("the file has more than {NODES_MAX} values")));
        }
        let complete = match event {
            Event::Scalar(text, style, _, _) => {
                let plain = style == ScalarStyle::Plain;
                Node { line, value: Value::Scalar { text: text.into_owned(), plain } }
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEPTH_MAX => {
                return Err(refusal(line, format!("values stand more than {DEPTH_MAX} deep in each other")));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(line, Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Table(line, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(line, items)) => Node { line, value: Value::List(items) },
                Some(Open::Table(line, entries, _)) => Node { line, value: Value::Table(entries) },
                None => return Err(refusal(line, "it ends something that did not begin".to_owned())),
            },
            Event::DocumentStart(_) if root.is_some() => {
                return Err(refusal(line, "there is more than one document in the file".to_owned()));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Alias(_) => continue,
        };
        match open.last_mut() {
            None => root = Some(complete),
            Some(Open::List(_, items)) => items.push(complete),
            Some(Open::Table(_, entries, key @ None)) => {
                let Some(name) = complete.text() else {
                    return Err(refusal(line, "a key must be a text".to_owned()));
                };
                if entries.iter().any(|(other, _)| other == name) {
                    return Err(Refusal(vec![Remark { line, key: name.to_owned(), why: "the key stands twice".to_owned() }]));
                }
                *key = Some(name.to_owned());
            }
            Some(Open::Table(_, entries, key)) => entries.extend(key.take().map(|key| (key, complete))),
        }
    }
    root.ok_or_else(|| refusal(1, "the file is empty".to_owned()))
}

fn refusal(line: usize, why: String) -> Refusal {
    Refusal(vec![Remark { line: line.max(1), key: String::new(), why }])
}
