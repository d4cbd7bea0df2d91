//! What a line of cloudflared's log says that the supervisor wants to know at once (`facts/cloudflared.md` 5.3).
//!
//! Every line of every connector comes by here, so most are told by their message alone, before anything is parsed. What is torn,
//! unknown or known noise says nothing: the twenty errors of a clean stop, the buffer sizes that quic-go dislikes, errors of
//! origins.

use serde_json::{Map, Value};

use super::split::LINE_MAX;
use crate::{
    connector::{Generation, Protocol, Said, SlotId},
    foreign_text::plain,
};

/// Things that the log of a connector says, for the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The slot.
    pub slot: SlotId,
    /// The generation.
    pub generation: Generation,
    /// What it says, oldest first, at most [`SAID_MAX`].
    pub said: Vec<Said>,
}

/// How much of what a connector says at once is passed on. What a connector says beyond that within one reading it repeats.
pub const SAID_MAX: usize = 64;

/// The longest of cloudflared's texts that is passed on, in characters.
const TEXT_MAX: usize = 200;

/// What a line of the log file says, if it says anything.
pub(super) fn said(line: &[u8]) -> Option<Said> {
    let line = &line[..line.len().min(LINE_MAX)];
    let topic = match topic(line) {
        Some(topic) => topic,
        // The line that tells of a configuration holds all of it, and its message stands behind that.
        None if line.len() >= LINE_MAX && contains(&line[..HEAD], CONFIGURATION) => return Some(Said::Configured),
        None => return None,
    };
    // A map keeps the last of duplicate keys, which cloudflared writes at times; a struct would refuse them.
    let object: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    match topic {
        Topic::Configured => Some(Said::Configured),
        Topic::ConfigurationRefused => {
            let version = object.get("version").and_then(Value::as_u64);
            Some(Said::ConfigurationRefused { version, why: quoted(text("error").unwrap_or("it does not say why")) })
        }
        Topic::Registered => Some(Said::Registered { protocol: text("protocol").and_then(protocol) }),
        Topic::Lost => Some(Said::Lost),
        // A connection that ended on a stop says so without an error.
        Topic::Terminated => text("error").map(|_| Said::Lost),
        Topic::Prechecked => {
            let nothing = object.get("hard_fail").and_then(Value::as_bool).unwrap_or(false);
            let suggested = text("suggested_protocol").and_then(protocol).filter(|_| !nothing);
            Some(Said::Prechecked { suggested })
        }
        Topic::QuicDialFailed => Some(Said::QuicDialFailed),
        Topic::FellBack => Some(Said::FellBack),
        Topic::Refused => Some(Said::Refused { why: quoted(text("error")?) }),
        // The same message tells of other ends of a connection.
        Topic::NotServed => text("error")
            .filter(|error| error.starts_with("control stream encountered a failure"))
            .map(|_| Said::RegistrationFailed),
    }
}

#[derive(Clone, Copy)]
enum Topic {
    Configured,
    ConfigurationRefused,
    Registered,
    Lost,
    Terminated,
    Prechecked,
    QuicDialFailed,
    FellBack,
    Refused,
    NotServed,
}

/// cloudflared's messages, word for word.
const TOPICS: [(&str, Topic); 10] = [
    ("Updated to new configuration", Topic::Configured),
    ("Failed to deserialize new configuration", Topic::ConfigurationRefused),
    ("Registered tunnel connection", Topic::Registered),
    ("Lost connection with the edge", Topic::Lost),
    ("Connection terminated", Topic::Terminated),
    ("precheck complete", Topic::Prechecked),
    ("Failed to dial a quic connection", Topic::QuicDialFailed),
    ("Switching to fallback protocol http2", Topic::FellBack),
    ("Register tunnel error from server side", Topic::Refused),
    ("failed to serve tunnel connection", Topic::NotServed),
];

/// Where the field of a configuration begins, in a line that was cut.
const HEAD: usize = 256;
const CONFIGURATION: &[u8] = br#""config":"{"#;

/// What the message of a line is about. Within a text of another field the quotes would be escaped.
fn topic(line: &[u8]) -> Option<Topic> {
    const NAME: &[u8] = br#""message":""#;
    let start = line.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let is_it = |message: &str| line[start..].strip_prefix(message.as_bytes()).is_some_and(|rest| rest.starts_with(b"\""));
    TOPICS.iter().find(|(message, _)| is_it(message)).map(|(_, topic)| *topic)
}

fn protocol(word: &str) -> Option<Protocol> {
    match word {
        "quic" => Some(Protocol::Quic),
        "http2" => Some(Protocol::Http2),
        _ => None,
    }
}

/// Foreign text, short and harmless to a terminal.
fn quoted(text: &str) -> String {
    plain(text).chars().take(TEXT_MAX).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_by(line: &str) -> Option<Said> {
        said(line.as_bytes())
    }

    #[test]
    fn what_cloudflared_writes_is_understood() {
        let refusal = Said::Refused { why: "Unauthorized: Invalid tunnel secret".into() };
        let configuration = Said::ConfigurationRefused { version: Some(2), why: "nope is an invalid address".into() };
        for (line, expected) in [
            (
                r#"{"connIndex":0,"connection":"1a1f458f-2784-4d2c-ae70-7759d9cc63ef","event":0,"ip":"127.0.0.1","level":"info","location":"fak00","message":"Registered tunnel connection","protocol":"quic","time":"2026-08-20T10:00:00Z"}"#,
                Said::Registered { protocol: Some(Protocol::Quic) },
            ),
            (
                r#"{"config":"{\"ingress\":[]}","level":"info","message":"Updated to new configuration","version":1}"#,
                Said::Configured,
            ),
            (
                r#"{"config":"{}","error":"nope is an invalid address","level":"error","message":"Failed to deserialize new configuration","version":2}"#,
                configuration,
            ),
            (r#"{"connIndex":0,"level":"info","message":"Lost connection with the edge"}"#, Said::Lost),
            (
                r#"{"connIndex":1,"error":"connection with edge closed","level":"error","message":"Connection terminated"}"#,
                Said::Lost,
            ),
            (
                r#"{"connIndex":0,"error":"failed to dial to edge with quic: timeout: no recent network activity","event":0,"event":0,"level":"error","message":"Failed to dial a quic connection"}"#,
                Said::QuicDialFailed,
            ),
            (r#"{"connIndex":0,"level":"info","message":"Switching to fallback protocol http2"}"#, Said::FellBack),
            (
                r#"{"connIndex":0,"error":"Unauthorized: Invalid tunnel secret","level":"error","message":"Register tunnel error from server side"}"#,
                refusal,
            ),
            (
                r#"{"connIndex":0,"error":"control stream encountered a failure while serving","level":"error","message":"failed to serve tunnel connection"}"#,
                Said::RegistrationFailed,
            ),
            (
                r#"{"hard_fail":false,"level":"info","message":"precheck complete","run_id":"x","suggested_protocol":"http2"}"#,
                Said::Prechecked { suggested: Some(Protocol::Http2) },
            ),
            (
                r#"{"level":"info","run_id":"x","hard_fail":true,"time":"2026-08-20T10:00:00Z","message":"precheck complete"}"#,
                Said::Prechecked { suggested: None },
            ),
            (
                r#"{"hard_fail":true,"level":"info","message":"precheck complete","run_id":"x","suggested_protocol":"http2"}"#,
                Said::Prechecked { suggested: None },
            ),
        ] {
            assert_eq!(said_by(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn noise_torn_lines_and_words_in_foreign_texts_say_nothing() {
        for line in [
            "",
            "not json: Registered tunnel connection",
            r#"{"message":"Registered tunnel conn"#,
            r#"{"message":"Request failed","dest":"http://x/Registered tunnel connection"}"#,
            r#"{"level":"error","message":"no more connections active and exiting"}"#,
            r#"{"connIndex":0,"level":"error","message":"Connection terminated"}"#,
            r#"{"connIndex":0,"error":"context canceled","level":"error","message":"failed to serve tunnel connection"}"#,
            r#"{"level":"info","message":"Initiating graceful shutdown due to signal terminated ..."}"#,
            r#"{"connIndex":0,"event":0,"level":"info","message":"Retrying connection in up to 1m4s"}"#,
            "[\"precheck complete\"]",
        ] {
            assert_eq!(said_by(line), None, "{line}");
        }
    }

    #[test]
    fn a_configuration_that_is_longer_than_any_line_is_noticed_all_the_same() {
        let line = format!(r#"{{"level":"info","version":7,"config":"{{{}"#, "x".repeat(LINE_MAX));
        assert_eq!(said(&line.as_bytes()[..LINE_MAX]), Some(Said::Configured));
        assert_eq!(said(&vec![b'x'; LINE_MAX]), None);
    }

    #[test]
    fn a_refusal_is_cleaned_and_cut() {
        let line =
            format!("{{\"message\":\"Register tunnel error from server side\",\"error\":\"a\\u001b[31m{}\"}}", "x".repeat(500));
        let Some(Said::Refused { why }) = said_by(&line) else { panic!("it is no refusal") };
        assert!(why.starts_with("a[31mx") && why.chars().count() == TEXT_MAX, "{why}");
    }
}
