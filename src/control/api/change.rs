//! What is asked of the daemon, and what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Replaced, TunnelDefinition};

/// The body of `POST /v1/tunnels`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTunnel {
    /// The name that the tunnel gets.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{0,39}$"))]
    pub name: String,
    /// Its definition, as in the configuration's `[tunnels.NAME]`.
    #[schemars(with = "TunnelDefinition")]
    pub definition: serde_json::Value,
}

/// What came of a request to change a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// The tunnel's name.
    pub tunnel: String,
    /// Whether anything had to change.
    pub change: Change,
    /// The connectors that are replaced, with what would be cut; empty where none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Replaced>,
}

/// Whether anything had to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was accepted and stored; what follows from it at Cloudflare and on this host is under way.
    Accepted,
    /// It was as asked for before.
    Unchanged,
}

/// The answer to `POST /v1/config/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// Whether the files differ from what was in force.
    pub change: Change,
    /// How many tunnels are configured, those made over the socket included.
    pub tunnels: usize,
}
