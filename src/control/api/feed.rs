//! What happened: events, and the lines that connectors write.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that happened, as the feed keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Grows with every event and is never used twice, over restarts too.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// How loud it is.
    pub level: Level,
    /// A stable word for what happened, such as `connector-exited`.
    pub kind: String,
    /// What it is about.
    pub subject: Subject,
    /// A stable word for the reason, where there is one.
    pub reason: Option<String>,
    /// One sentence for a person, without a full stop.
    pub sentence: String,
}

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What an operator caused or would notice.
    Info,
    /// Unusual, still working.
    Warn,
    /// Something was given up.
    Error,
}

/// What an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// The tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    /// The replica of that tunnel, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u8>,
    /// The connector's generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// One line that a connector wrote. Its text is foreign: whoever shows it on a terminal strips it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// Grows with every line of the tunnel.
    pub id: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The replica that wrote it, counted from 0.
    pub replica: u8,
    /// The text, without its newline.
    pub text: String,
}

/// An element of a stream that is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Followed<T> {
    /// The next one.
    Item(T),
    /// At least so many were left out: the reader was too slow, or came back too late.
    Missed(u64),
}

/// The message `missed` of a stream: a gap before whatever comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Missed {
    /// At least so many were left out.
    pub count: u64,
    /// What can be done about it.
    pub hint: String,
}
