//! Which installation the state directory is of.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reason;

/// Which installation this is: the answer to `GET /v1/identity`, and to a change of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Eight characters that stand in everything that this installation owns at Cloudflare; `None` when they cannot be read.
    pub install: Option<String>,
    /// Since when the state is of the machine that it is bound to; unknown for state of an early release.
    pub since: Option<Timestamp>,
    /// Why nothing is written, and what may be done about it; `None` when the state is this machine's own.
    pub seal: Option<Reason>,
    /// How many tunnels are on record.
    pub tunnels: usize,
    /// What `adit identity take-over` would do; `None` when it is not possible.
    pub take_over: Option<String>,
    /// What `adit identity new` would do; `None` when it is not possible.
    pub new: Option<String>,
}
