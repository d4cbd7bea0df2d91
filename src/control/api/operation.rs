//! What takes long, and how far it is.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Error;

/// A change that somebody asked for and that takes long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// Names it; never used twice, over restarts of the daemon too.
    pub id: String,
    /// What is done: the word that the audit log has for it, such as `apply` or `delete`.
    pub kind: String,
    /// The tunnel that it is about, if it is about one.
    pub tunnel: Option<String>,
    /// Who asked for it.
    pub by: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Whether it goes on, and how it ended.
    pub state: OperationState,
    /// How far it is.
    pub progress: OperationProgress,
    /// What the same request answers when nobody prefers not to wait for it; `None` before it is known, or where the caller may not
    /// see it. It is there beside an `error`, when the request was accepted and what follows from it did not come true.
    pub result: Option<serde_json::Value>,
    /// Why it failed; `None` if it did not, or where the caller may not see it.
    pub error: Option<Error>,
    /// Whether the caller may not see what it does and what came of it, only that it is there.
    pub withheld: bool,
}

/// Whether an operation goes on, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// It goes on.
    Running,
    /// It did what was asked for, as far as `result` says.
    Done,
    /// It did not; `error` says why.
    Failed,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationProgress {
    /// How many steps are done.
    pub done: u64,
    /// How many steps there are as far as is known; 0 while that is not known. It may grow: one step makes others possible.
    pub total: u64,
    /// What goes on at this moment, for a person. Text in it may come from Cloudflare.
    pub sentence: Option<String>,
}

impl OperationState {
    /// The state as it stands in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl Operation {
    /// Whether it goes on.
    pub fn is_running(&self) -> bool {
        match self.state {
            OperationState::Running => true,
            OperationState::Done | OperationState::Failed => false,
        }
    }
}
