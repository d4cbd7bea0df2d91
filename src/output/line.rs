//! One line of a connector's output. Its text is foreign: control characters are gone, nothing else is believed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    connector::{Generation, SlotId},
    foreign_text,
    name::TunnelName,
};

/// A line of a connector's output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogLine {
    /// The tunnel.
    pub tunnel: TunnelName,
    /// The replica.
    pub replica: u8,
    /// The generation.
    pub generation: Generation,
    /// Where it was written.
    pub stream: Stream,
    /// cloudflared's own time for a line of its log (whole seconds); otherwise when the line was found.
    pub at: Timestamp,
    /// How loud it is, where the line says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// The message, or the whole line where it has no known form.
    pub message: String,
    /// What else it says, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// cloudflared's log.
    Log,
    /// Its stderr or stdout: panics, usage, the last reason of an exit.
    Stderr,
}

/// cloudflared's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What it does.
    Info,
    /// What is unusual.
    Warn,
    /// What failed.
    Error,
    /// What ends it.
    Fatal,
}

impl LogLevel {
    /// The word as cloudflared writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// Reads a line of a log file; `None` for an empty one. A torn line, or one that is no JSON, is a message as it stands.
pub(super) fn parse_log(slot: &SlotId, generation: Generation, line: &[u8], found: Timestamp) -> Option<LogLine> {
    // A map keeps the last of duplicate keys, which cloudflared writes at times; a struct would refuse them.
    let Ok(mut object) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) else {
        return plain(slot, generation, Stream::Log, line, found);
    };
    let mut take = |name: &str| match object.remove(name) {
        Some(serde_json::Value::String(text)) => Some(text),
        Some(_) | None => None,
    };
    let at = take("time").and_then(|time| time.parse().ok()).unwrap_or(found);
    let level = take("level").and_then(|level| level_of(&level));
    let message = take("message").map(|message| foreign_text::plain(message.trim_end()).into_owned()).unwrap_or_default();
    let fields = object
        .into_iter()
        .map(|(name, value)| (foreign_text::plain(&name).into_owned(), foreign_text::plain(&text_of(value)).into_owned()))
        .collect();
    Some(LogLine {
        tunnel: slot.tunnel.clone(),
        replica: slot.replica,
        generation,
        stream: Stream::Log,
        at,
        level,
        message,
        fields,
    })
}

/// Reads a line of stderr; `None` for an empty one, and for one that stands in the log file too.
pub(super) fn parse_stderr(slot: &SlotId, generation: Generation, line: &[u8], found: Timestamp) -> Option<LogLine> {
    if is_log_line(line) { None } else { plain(slot, generation, Stream::Stderr, line, found) }
}

/// The line as text that can be shown.
pub(super) fn clean_line(line: &[u8]) -> String {
    foreign_text::plain(&String::from_utf8_lossy(line)).into_owned()
}

fn plain(slot: &SlotId, generation: Generation, stream: Stream, line: &[u8], at: Timestamp) -> Option<LogLine> {
    let message = clean_line(line);
    if message.trim().is_empty() {
        return None;
    }
    let (tunnel, replica) = (slot.tunnel.clone(), slot.replica);
    Some(LogLine { tunnel, replica, generation, stream, at, level: None, message, fields: BTreeMap::new() })
}

/// Whether cloudflared's console writer made the line: `2026-08-20T10:00:00Z INF Starting tunnel …`. Each of these is in the log
/// file as well.
fn is_log_line(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let mut words = text.split(' ');
    let time = words.next().unwrap_or_default();
    let level = words.next().unwrap_or_default();
    time.ends_with('Z') && time.parse::<Timestamp>().is_ok() && matches!(level, "DBG" | "INF" | "WRN" | "ERR" | "FTL" | "PNC")
}

fn level_of(word: &str) -> Option<LogLevel> {
    Some(match word {
        "debug" | "trace" => LogLevel::Debug,
        "info" => LogLevel::Info,
        "warn" => LogLevel::Warn,
        "error" => LogLevel::Error,
        "fatal" | "panic" => LogLevel::Fatal,
        _ => return None,
    })
}

fn text_of(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other @ (serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_)) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> SlotId {
        SlotId::new("web".parse().unwrap(), 0)
    }

    fn log(line: &str) -> Option<LogLine> {
        parse_log(&slot(), Generation(1), line.as_bytes(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_json_line_is_taken_apart() {
        let line = log(
            r#"{"level":"info","connIndex":0,"location":"ams07","time":"2026-08-20T10:00:00Z","message":"Registered tunnel connection"}"#,
        );
        let line = line.unwrap();
        assert_eq!((line.message.as_str(), line.level), ("Registered tunnel connection", Some(LogLevel::Info)));
        assert_eq!(line.at.to_string(), "2026-08-20T10:00:00Z");
        assert_eq!(line.fields, BTreeMap::from([("connIndex".into(), "0".into()), ("location".into(), "ams07".into())]));
    }

    #[test]
    fn duplicate_keys_and_missing_messages_are_no_trouble() {
        let line = log(r#"{"level":"error","event":1,"event":2,"error":"it failed"}"#).unwrap();
        assert_eq!((line.message.as_str(), line.fields["event"].as_str()), ("", "2"));
    }

    #[test]
    fn what_is_no_json_is_a_message_as_it_stands() {
        for text in ["{\"level\":\"info\",\"mess", "panic: oh", "[1]", "7"] {
            assert_eq!(log(text).unwrap().message, text);
        }
        assert_eq!(log("  "), None);
    }

    #[test]
    fn control_and_direction_characters_are_taken_out() {
        let line = log("{\"message\":\"a\\u001b[31mb\\u202ec\\td\\r\\n\"}").unwrap();
        assert_eq!(line.message, "a[31mbc d");
        let line = parse_log(&slot(), Generation(1), b"\xff\x1b]0;x\x07y", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(line.message, "\u{fffd}]0;xy");
    }

    #[test]
    fn stderr_shows_what_the_log_does_not_have() {
        let stderr = |line: &str| parse_stderr(&slot(), Generation(1), line.as_bytes(), Timestamp::UNIX_EPOCH);
        assert_eq!(stderr("2026-08-20T10:00:00Z INF Starting tunnel tunnelID=1"), None);
        assert_eq!(stderr("Provided Tunnel token is not valid.").unwrap().stream, Stream::Stderr);
        assert!(stderr("2026-08-20T10:00:00Z is when").is_some());
    }
}
