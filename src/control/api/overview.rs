//! The daemon as a whole: its health, its accounts, its configuration.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Event, Reason, Tunnel};

/// The answer to `GET /v1/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// Adit's version.
    pub version: String,
}

/// Everything at one look: the answer to `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The daemon and its accounts.
    #[serde(flatten)]
    pub overview: Overview,
    /// The tunnels, by name.
    pub tunnels: Vec<Tunnel>,
}

/// The daemon without its tunnels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// The daemon.
    pub daemon: Daemon,
    /// The verdict over everything.
    pub health: Health,
    /// The program that connectors are; `None` before it was looked for.
    #[serde(default)]
    pub cloudflared: Option<Cloudflared>,
    /// Whether the host reaches Cloudflare's edge.
    pub uplink: Uplink,
    /// The accounts, by their names in the configuration.
    pub accounts: Vec<Account>,
    /// The last thing that changed.
    pub last_change: Option<Event>,
}

/// The daemon itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Daemon {
    /// Adit's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// The problems of the configuration's files, one each, while an older configuration is in force because of them.
    pub config_problems: Vec<String>,
}

/// The program that connectors are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cloudflared {
    /// Where it is looked for.
    pub path: String,
    /// The version that connectors are started with; `None` while there is none that can be used.
    pub version: Option<String>,
    /// How far the roll-out of another version is: `settled`, `waiting`, `canary`, `rolling` or `rolled_back`.
    pub rollout: String,
    /// The other version, while there is one.
    pub other_version: Option<String>,
    /// Why the file at `path` is not used, if it is not.
    pub reason: Option<Reason>,
}

/// Whether the host reaches Cloudflare's edge, as far as its connectors show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Uplink {
    /// What is known.
    pub state: UplinkState,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: Reason,
    /// Since when most connectors have trouble at the same time, so that none that lives is replaced for it; while they do.
    pub braked_since: Option<Timestamp>,
}

/// Whether the host reaches Cloudflare's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UplinkState {
    /// Nothing speaks against it.
    Up,
    /// No connector has a connection, and the edge does not answer.
    Lost,
}

/// The verdict over everything, with the reasons for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// The verdict.
    pub verdict: Verdict,
    /// What is wrong, worst first; empty when nothing is.
    pub reasons: Vec<Finding>,
}

impl Health {
    /// Leaves out what is not `shown`. The verdict is then about the rest: one without its reasons would help nobody.
    pub fn retain(&mut self, shown: impl FnMut(&Finding) -> bool) {
        self.reasons.retain(shown);
        self.verdict = self.reasons.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Healthy);
    }
}

/// How well it goes. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is as it should be.
    Healthy,
    /// Every tunnel serves, and something wants to be looked at.
    Attention,
    /// A tunnel or a route that should serve does not.
    Failing,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// A stable word for programs.
    pub code: String,
    /// One sentence for a person, without a full stop.
    pub sentence: String,
    /// The tunnel that it is about, if it is about one.
    pub tunnel: Option<String>,
    /// How bad it is by itself; the verdict over everything is the worst of these.
    #[serde(default = "attention")]
    pub verdict: Verdict,
}

/// What a finding of a daemon that does not tell is taken for.
fn attention() -> Verdict {
    Verdict::Attention
}

/// One Cloudflare account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Its name in the configuration.
    pub name: String,
    /// Its id at Cloudflare, once known.
    pub id: Option<String>,
    /// When everything at Cloudflare was last read and found or made as wanted.
    pub synced_at: Option<Timestamp>,
    /// Why changes in this account wait, if they do.
    pub holds: Vec<Reason>,
    /// How many things of this installation are left over there, as far as a pass sees it; `GET /v1/orphans` tells them.
    #[serde(default)]
    pub orphans: usize,
}

/// One account's API token, of which everything is told but the token: an element of `GET /v1/credentials`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// The account's name in the configuration.
    pub account: String,
    /// Where the token comes from, such as `credential:cloudflare-api-token` or `file:/etc/adit/token`.
    pub source: String,
    /// Whether it can be used.
    pub state: CredentialState,
    /// Why not, when it cannot; or what is to be done before it cannot any more.
    pub reason: Option<Reason>,
    /// Whose it is by its form: `user`, `account`, `unmarked` (an older one of either) or `global-key`, once it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// When it stops working, if it does and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Whether a token can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialState {
    /// Nobody tried yet.
    Unknown,
    /// Cloudflare takes it.
    Usable,
    /// It cannot be read, or Cloudflare refuses it.
    Unusable,
}

/// What a token is able to do: an element of the answer to `POST /v1/credentials/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialCheck {
    /// The account's name in the configuration.
    pub account: String,
    /// What was tried, in that order.
    pub checks: Vec<Check>,
}

/// One thing that was tried with a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What was tried, such as `list tunnels`.
    pub what: String,
    /// Whether it worked.
    pub passed: bool,
    /// What came of it, in one sentence: for a refusal, the permission that is missing.
    pub sentence: String,
}

/// The configuration in force: the answer to `GET /v1/config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// The files that it was read from, in that order.
    pub files: Vec<String>,
    /// The problems of the files as they are, when they are not what is in force.
    pub problems: Vec<String>,
    /// The configuration with every default filled in. Tokens are named by their source and never contained.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub value: serde_json::Value,
}
