//! Who changed what.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A change, or the refusal of one: an element of `GET /v1/audit`, and a line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// Grows with every entry and is never used twice, over restarts too.
    pub id: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Who: the user's name, or the uid when it has none. Without a `uid` it was nobody over the socket: `signal` is whoever sent
    /// SIGHUP, `start` the daemon's start with files that had changed.
    pub who: String,
    /// The user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The process that asked; 0 when it is outside the daemon's PID namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The highest role that they have for what it is about; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The least role that it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<String>,
    /// What was asked for: `create`, `stop`, `apply`, ….
    pub verb: String,
    /// Of which tunnel, as it was written: it may be no tunnel's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    /// `done`, or the kind of the error that was answered, or that came of it later.
    pub result: String,
    /// What else it is about: a hostname, a network, a plan's hash, or the file that a tunnel's definition was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The hash of the tunnel's definition before, or of the configuration; absent when there was none or it stayed the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The same behind it; that of a tunnel is the `ETag` of its definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Why it was refused; of what was accepted and did not come into force, why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many refusals of the same user were left out before this entry, because they came too fast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
}

impl AuditEntry {
    /// The result of what was done.
    pub const DONE: &'static str = "done";

    /// Whether it was refused.
    pub fn is_refused(&self) -> bool {
        self.result != Self::DONE
    }
}
