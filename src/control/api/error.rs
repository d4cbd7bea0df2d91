//! Errors as the socket tells them: `{"error": {"kind", "message", "details", "hint"}}`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: Error,
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    /// A stable word for programs.
    pub kind: ErrorKind,
    /// What cannot be done, for a person.
    pub message: String,
    /// Every single problem, when there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Problem>,
    /// What would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// One problem of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Where in the definition, such as `ingress[0].hostname`.
    pub at: Option<String>,
    /// What is wrong there, and what would be right.
    pub problem: String,
}

/// The kinds of errors. Programs decide by them; they are never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request itself cannot be understood: not JSON, or not of the expected shape.
    Malformed,
    /// What was asked for breaks a rule; `details` names each.
    Invalid,
    /// There is no such tunnel, route or path.
    NotFound,
    /// That path exists and does not take that method.
    MethodNotAllowed,
    /// The caller's role does not reach that far.
    NotPermitted,
    /// Something else stands in its place, or a plan is another one by now.
    Conflict,
    /// It changed since the caller looked: `If-Match` or `If-None-Match` does not hold any more. The answer's `ETag` is what it is now.
    Changed,
    /// It is defined in a file and changes only there.
    ReadOnly,
    /// It waits until something is certain or confirmed.
    Hold,
    /// The request's body is too large.
    TooLarge,
    /// The request's body is of a kind that is not understood: it has to be JSON, and `Content-Type` to say so or nothing.
    UnsupportedMediaType,
    /// The client was too slow in sending its request.
    TooSlow,
    /// Too much is under way; later it may work.
    Busy,
    /// Something outside that is needed does not answer.
    Unavailable,
    /// A fault of Adit's own, or a kind that this client does not know.
    #[serde(other)]
    Internal,
}

impl Error {
    /// An error of `kind` that reads `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: Vec::new(), hint: None }
    }

    /// The same with a sentence about what would help.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with every single problem.
    pub fn with_details(mut self, details: Vec<Problem>) -> Self {
        self.details = details;
        self
    }

    /// There is no tunnel of that name.
    pub fn no_such_tunnel(name: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("cannot find tunnel {name:?}: no tunnel has that name"))
    }
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Malformed,
        Self::Invalid,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotPermitted,
        Self::Conflict,
        Self::Changed,
        Self::ReadOnly,
        Self::Hold,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::TooSlow,
        Self::Busy,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The kind as it stands in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotPermitted => "not_permitted",
            Self::Conflict => "conflict",
            Self::Changed => "changed",
            Self::ReadOnly => "read_only",
            Self::Hold => "hold",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::TooSlow => "too_slow",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
