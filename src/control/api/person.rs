//! Who asks, and what they may.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The caller as the daemon sees them: the answer to `GET /v1/whoami`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhoAmI {
    /// The user's id.
    pub uid: u32,
    /// The user's name, when the id has one.
    pub user: Option<String>,
    /// The groups that the calling process is in, by id.
    pub groups: Vec<u32>,
    /// What the caller may everywhere; `None`: nothing.
    pub role: Option<String>,
    /// What the caller may beyond that for some tunnels.
    pub grants: Vec<GrantInEffect>,
}

/// A scoped grant that holds for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantInEffect {
    /// What the caller may there.
    pub role: String,
    /// Patterns of the tunnels that it is about; empty: all.
    pub tunnels: Vec<String>,
}
