//! An event as the feed keeps and shows it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, Level, Subject};

/// One entry of the feed: an event, written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Grows with every entry and never repeats, restarts included.
    pub id: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The stable word for the kind of event, such as `connector-exited`.
    pub kind: String,
    /// How loud it is.
    pub level: Level,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// The stable code of the reason, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// One sentence for a person.
    pub sentence: String,
}

impl Entry {
    /// Writes down `event`, which happened at `at`, under `id`.
    pub fn new(id: u64, at: Timestamp, event: &Event) -> Self {
        Self {
            id,
            at,
            kind: event.kind().as_str().to_owned(),
            level: event.level(),
            subject: event.subject(),
            reason: event.reason().map(str::to_owned),
            sentence: event.sentence(),
        }
    }
}
