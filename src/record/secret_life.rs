//! How old a tunnel's secret is, and the change to another one while that goes on.
//!
//! ```text
//!  (none) ─▶ Begun ─▶ Asked ─▶ Placed ─▶ (none)
//!             │         │         └─ Cloudflare has it: connectors are replaced, and those with the secret before it drain
//!             │         └─ Cloudflare may have it: the token that it gives out tells
//!             └─ the new secret is durable, and nobody was asked yet
//! ```
//!
//! Each stage is durable before what follows it, so that a crash anywhere leaves one secret that is known here and valid there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The life of the secret on record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretLife {
    /// Since when it is the tunnel's secret; `None` for one of which nobody has said so.
    pub since: Option<Timestamp>,
    /// The change to another one, while it goes on.
    pub rotation: Option<Rotation>,
}

/// The change of a tunnel's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// How far it is.
    pub stage: RotationStage,
    /// The secret that is not in force: the new one until it is placed, then the one before it.
    pub other: Secret,
    /// Whether everybody else who holds the tunnel is cut off.
    pub emergency: bool,
    /// Who asked for it; `None` for the schedule.
    pub by: Option<String>,
    /// When it began.
    pub began_at: Timestamp,
}

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RotationStage {
    /// The new secret is on record, and Cloudflare does not have it.
    Begun,
    /// Cloudflare was asked to take it, and may have.
    Asked,
    /// Cloudflare has it: connectors take it over.
    Placed,
}

impl SecretLife {
    /// The life of a secret that is made at this moment.
    pub fn new(now: Timestamp) -> Self {
        Self { since: Some(now), rotation: None }
    }

    /// Whether a rotation goes on that has got this far.
    pub fn is_at(&self, stage: RotationStage) -> bool {
        self.rotation.as_ref().is_some_and(|rotation| rotation.stage == stage)
    }
}

impl RotationStage {
    /// The stage as a word, as files and answers have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Asked => "asked",
            Self::Placed => "placed",
        }
    }
}
