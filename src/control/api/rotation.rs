//! The change of a tunnel's secret.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of `POST /v1/tunnels/{name}/rotate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// Whether everybody else who holds the tunnel is cut off.
    #[serde(default)]
    pub emergency: bool,
}

/// How old a tunnel's secret is, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TunnelSecret {
    /// Since when it is the tunnel's secret, if that is known.
    pub since: Option<Timestamp>,
    /// When the schedule replaces it, if there is one.
    pub due_at: Option<Timestamp>,
    /// Its change to another one, while that goes on.
    pub rotation: Option<Rotation>,
}

/// The change of a secret that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotation {
    /// How far it is: `begun`, `asked` (Cloudflare may have the new one) or `placed` (connectors take it over).
    pub stage: String,
    /// Since when it goes on.
    pub began_at: Timestamp,
    /// Whether everybody else is cut off.
    pub emergency: bool,
    /// Who asked for it; `None` for the schedule.
    pub by: Option<String>,
}
