//! What a look at the host and the daemon finds.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that was looked at: the answer to `GET /v1/doctor`, and with the client's own checks before it what
/// `adit doctor -o json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoctorReport {
    /// When.
    pub at: Timestamp,
    /// The worst of the results; `unknown` counts as better than `note`.
    pub result: DoctorResult,
    /// How many calls of the accounts' rate limits were spent on it.
    pub api_calls: u64,
    /// The checks, by their groups.
    pub checks: Vec<DoctorCheck>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoctorCheck {
    /// A stable word for it, such as `udp-buffers`. There is one check of an id for each subject.
    pub id: String,
    /// What it belongs to.
    pub group: DoctorGroup,
    /// What of several it is about, such as an account's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What came of it.
    pub result: DoctorResult,
    /// What was found, with the value that was measured, in one sentence without a full stop. It can quote foreign text.
    pub sentence: String,
    /// What to do, when something should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// What a check belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoctorGroup {
    /// The daemon, its socket and its service manager.
    Daemon,
    /// The configuration's files.
    Configuration,
    /// What the daemon keeps, and what waits.
    State,
    /// The `cloudflared` binary.
    Cloudflared,
    /// The kernel, its limits and its clock.
    Host,
    /// Name resolution and the way to Cloudflare's edge.
    Network,
    /// The API, its tokens and its rate limit.
    Cloudflare,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoctorResult {
    /// All is as it should be.
    Ok,
    /// It cannot be told, and the sentence says why.
    Unknown,
    /// Worth knowing; nothing has to be done.
    Note,
    /// It works, and will not for ever.
    Warning,
    /// Something does not work because of it.
    Failure,
}

impl DoctorGroup {
    /// The group as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Configuration => "configuration",
            Self::State => "state",
            Self::Cloudflared => "cloudflared",
            Self::Host => "host",
            Self::Network => "network",
            Self::Cloudflare => "Cloudflare",
        }
    }
}

impl DoctorResult {
    /// The result as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }

    /// Whether somebody should look at it.
    pub fn wants_attention(self) -> bool {
        match self {
            Self::Ok | Self::Unknown | Self::Note => false,
            Self::Warning | Self::Failure => true,
        }
    }

    /// How bad it is, from 0 on.
    pub fn badness(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unknown => 1,
            Self::Note => 2,
            Self::Warning => 3,
            Self::Failure => 4,
        }
    }
}
