//! Plans: what would change, and what came of changing it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Reason, Replaced, Started};

/// What would change at Cloudflare and here: the answer to `GET /v1/plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Names exactly this plan, so that exactly this plan can be confirmed.
    pub hash: String,
    /// How many steps there are, those that wait for a confirmation included, and connectors that are started, replaced or stopped.
    pub changes: usize,
    /// How many things are left alone: what is on hold and does not end by itself, and what somebody else holds.
    pub left_alone: usize,
    /// The plan for people: one line for each step, what is left alone and why, and a sum. Its lines begin with `+`, `~`, `-` for
    /// steps and with `!`, `?`, `#` for the rest.
    pub text: String,
    /// The plan for programs: one for each account.
    #[schemars(with = "Vec<Map<String, Value>>")]
    pub plans: Vec<Value>,
    /// The connectors on this host that are replaced or stopped, with what would be cut.
    #[serde(default)]
    pub connectors: Vec<Replaced>,
    /// The connectors that are started on this host beside those that run, of tunnels that are on record.
    #[serde(default)]
    pub starts: Vec<Started>,
}

/// The body of `POST /v1/apply`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// The plan that was looked at. When the plan is another by now, nothing is done and the answer is a conflict.
    #[serde(default)]
    pub hash: Option<String>,
}

/// What came of a plan: the answer to `POST /v1/apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// The plan that was executed.
    pub hash: String,
    /// How many steps were done.
    pub done: usize,
    /// What was not done, and why.
    pub left: Vec<Reason>,
}
