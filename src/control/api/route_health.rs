//! How well it goes with a route.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reason;

/// What all that is known of a route comes to, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteHealth {
    /// The worst of the reasons' verdicts.
    pub verdict: RouteVerdict,
    /// What is wrong or not known, worst first; empty when all is well.
    pub reasons: Vec<RouteFinding>,
    /// How many of the tunnel's connectors on this host serve.
    pub serving: u8,
    /// The oldest version of the configuration that one of them runs, where they say.
    pub config_version: Option<i64>,
    /// The version that was written last, which they ought to run.
    pub written_version: Option<i64>,
    /// The check of its origin; `None` where there is none, as for a private network or with `health.origin = "off"`.
    pub origin: Option<RouteCheck>,
    /// The check of its public hostname as a visitor, where `health.outside` asks for it.
    pub outside: Option<RouteCheck>,
}

/// How well it goes with a route. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteVerdict {
    /// Requests get through, as far as it is checked.
    Healthy,
    /// It cannot be told: it was not checked yet, or too long ago.
    Unknown,
    /// Requests get through, and something wants to be looked at.
    Attention,
    /// Visitors get an error.
    Failing,
}

/// One thing that is wrong with a route, or not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteFinding {
    /// How bad it is.
    pub verdict: RouteVerdict,
    /// A stable word for programs, such as `origin-down`.
    pub code: String,
    /// One sentence for a person, without a full stop.
    pub sentence: String,
    /// Since when it is so, where that is known.
    pub since: Option<Timestamp>,
}

/// What regular checks found. The sentence can quote an origin, which is foreign text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteCheck {
    /// What is known.
    pub state: CheckState,
    /// What the last check found, or why nothing is known.
    pub reason: Reason,
    /// What is asked: an address, a service with a path, or a URL.
    pub asked: String,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// When it was last checked.
    pub checked_at: Option<Timestamp>,
    /// How long that took, in milliseconds.
    pub took_millis: Option<u64>,
}

/// What regular checks found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Nothing: it was not checked yet, or too long ago.
    Unknown,
    /// It is as it should be.
    Up,
    /// It is not, more than once in a row.
    Down,
    /// It is not yet: its record was just made.
    Pending,
}

impl RouteVerdict {
    /// The verdict as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Attention => "attention",
            Self::Failing => "failing",
        }
    }
}
