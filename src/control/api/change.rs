//! What is asked of the daemon, and what came of it.

use serde::{Deserialize, Serialize};

use super::Replaced;

/// The body of `POST /v1/tunnels`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTunnel {
    /// The name that the tunnel gets.
    pub name: String,
    /// Its definition, as in the configuration's `[tunnels.NAME]`.
    pub definition: serde_json::Value,
}

/// What came of a request to change a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was accepted and stored; what follows from it at Cloudflare and on this host is under way.
    Accepted,
    /// It was as asked for before.
    Unchanged,
}

/// The answer to `POST /v1/config/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Whether the files differ from what was in force.
    pub change: Change,
    /// How many tunnels are configured, those made over the socket included.
    pub tunnels: usize,
}
