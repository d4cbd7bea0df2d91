//! Whether origins answer, seen from the daemon.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of `POST /v1/origins/check`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckOrigins {
    /// Services as an ingress rule names them: at most 50.
    pub services: Vec<String>,
}

/// What came of a connection to one of them, as the daemon's user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OriginCheck {
    /// The service as it was asked for.
    pub service: String,
    /// Whether it took a connection; `None` for what is no server, such as `http_status:404`.
    pub reachable: Option<bool>,
    /// What came of it, for a person.
    pub answer: String,
}
