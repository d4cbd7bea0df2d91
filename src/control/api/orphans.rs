//! What is left over at Cloudflare of this installation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reason;

/// Everything that is left over: the answer to `GET /v1/orphans`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Orphans {
    /// Names exactly what can be deleted, so that exactly this can be confirmed.
    pub hash: String,
    /// The things, in the order in which they are deleted.
    pub orphans: Vec<Orphan>,
    /// What could not be read, with why: there may be more.
    pub unread: Vec<String>,
    /// How many things carry the mark of each other installation of Adit. They are never deleted from here.
    pub other_installations: BTreeMap<String, usize>,
}

/// One thing that is left over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Orphan {
    /// Names exactly this thing as it was seen.
    pub item: String,
    /// The account, by its name in the configuration.
    pub account: String,
    /// `record`, `pool`, `monitor`, `network-route`, `hostname-route`, `virtual-network`, `tunnel`, or `left`: a tunnel on record
    /// that left the configuration, or was adopted and never was in it.
    pub kind: String,
    /// What it is, for people.
    pub what: String,
    /// Why it is ours, and left over.
    pub why: String,
    /// Since when it has been left over, or when it was made.
    pub since: Option<Timestamp>,
    /// Why it cannot be deleted; `None`: it can be.
    pub kept: Option<String>,
}

/// The body of `POST /v1/orphans`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteOrphans {
    /// The list that was looked at. When it is another by now, nothing is done and the answer is a conflict.
    pub hash: String,
    /// Which of it; none: all that can be deleted.
    #[serde(default)]
    pub items: Vec<String>,
}

/// What became of them: the answer to `POST /v1/orphans`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeletedOrphans {
    /// The items that are gone. Tunnels that left the configuration go step by step, by themselves where it takes longer.
    pub deleted: Vec<String>,
    /// What stays, and why.
    pub left: Vec<Reason>,
}
