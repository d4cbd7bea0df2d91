//! Why an operator's wish about what is whose is not carried out.

use std::fmt;

/// Why it is not carried out; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of reason it is.
    pub kind: RefusalKind,
    /// What cannot be done, and why, in one sentence.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
}

/// Kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is nothing of that name or id.
    NotFound,
    /// It is not what was shown, or somebody else's.
    Conflict,
    /// Nothing is certain enough to act on.
    Hold,
    /// Cloudflare or the state directory does not do its part.
    Unavailable,
}

impl Refusal {
    /// A refusal that reads `message`.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same with a sentence about what would help.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
