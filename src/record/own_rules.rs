//! Which ingress rules of a configuration that others edit too are ours.
//!
//! A rule has no room for a marker, so what is on record here is all that says whose it is: its hostname and path, what was sent,
//! and what Cloudflare made of it. A rule that does not fit is somebody else's.

use serde::{Deserialize, Serialize};

/// What is on record about a shared tunnel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedPart {
    /// Whether a wanted rule is missing because somebody else's stands in its way.
    #[serde(default)]
    pub in_conflict: bool,
    /// The rules that are ours, in the order of the configuration.
    #[serde(default)]
    pub rules: Vec<OwnRule>,
}

/// One ingress rule of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnRule {
    /// Where it stands.
    #[serde(flatten)]
    pub place: RulePlace,
    /// The fingerprint of the rule that was sent.
    pub sha256: String,
    /// The fingerprint of the rule as Cloudflare stored it. `None` before that is known: the rule may or may not be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_sha256: Option<String>,
}

/// What an ingress rule matches, as it is written; two rules at one place are one and the same to a reader.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RulePlace {
    /// The hostname; every hostname when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The path's regular expression; every path when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl std::fmt::Display for RulePlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.hostname.as_deref().unwrap_or("*"))?;
        match &self.path {
            Some(path) => write!(formatter, " {path}"),
            None => Ok(()),
        }
    }
}
