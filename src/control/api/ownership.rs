//! What becomes ours and what is given up: shown first, then done to exactly what was shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Change, TunnelDefinition};

/// Which tunnel is to become ours: the query of `GET /v1/tunnels/{name}/adoption` and the body of `POST` there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdoptTunnel {
    /// Its id at Cloudflare.
    #[schemars(extend("format" = "uuid"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name at Cloudflare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudflare_name: Option<String>,
    /// For one that the configuration does not have: its account's name there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whether its definition is made from what is stored at Cloudflare.
    pub from_cloudflare: bool,
    /// Whether its definition comes later: until then nothing of it runs or changes.
    pub define_later: bool,
    /// The installation of Adit whose tunnel it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_install: Option<String>,
    /// What was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// What would become ours: the answer to `GET /v1/tunnels/{name}/adoption`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TunnelAdoption {
    /// Names exactly what is shown here.
    pub hash: String,
    /// The name that it gets here.
    pub tunnel: String,
    /// The account's name in the configuration.
    pub account: String,
    /// Its id.
    pub id: String,
    /// Its name at Cloudflare, which it keeps.
    pub cloudflare_name: String,
    /// `inactive`, `healthy`, `degraded` or `down`; empty when Cloudflare does not say.
    pub cloudflare_status: String,
    /// Where its configuration lives: `remote` or `local`.
    pub configuration: String,
    /// Whose its configuration is from then on: `owned` or `shared`.
    pub ownership: String,
    /// The connectors that run it, on whichever host.
    pub connectors: Vec<FoundConnector>,
    /// The version of its stored configuration.
    pub version: Option<i64>,
    /// Its stored configuration; null when nothing is stored.
    pub document: Value,
    /// What Adit changes of it: lines that begin with `+`, `~`, `-`, with `=` for what stays and becomes ours, and with `!` for a
    /// conflict.
    pub changes: Vec<String>,
    /// The DNS records that lead to it.
    pub records: Vec<FoundRecord>,
    /// The other installation of Adit that made it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
    /// What else there is to say, one sentence each.
    pub notes: Vec<String>,
    /// The definition that is made from what is stored, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TunnelDefinition")]
    pub definition: Option<Value>,
    /// Whether it is ours already, just so, and nothing is to be done.
    pub is_ours: bool,
}

/// A connector that somebody runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundConnector {
    /// The id of this run of it.
    pub id: String,
    /// cloudflared's version.
    pub version: String,
    /// Where it comes from.
    pub addresses: Vec<String>,
}

/// A DNS record at Cloudflare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundRecord {
    /// Its name.
    pub name: String,
    /// `CNAME`, `A`, ….
    #[serde(rename = "type")]
    pub kind: String,
    /// What it points to.
    pub content: String,
    /// Whether Cloudflare's edge answers for it.
    pub proxied: bool,
    /// The comment on it.
    pub comment: Option<String>,
    /// What becomes of it: `taken`, `ours`, `unwanted`, `other-install`, `replaced` or `stays`.
    pub fate: String,
}

/// What became ours: the answer to `POST /v1/tunnels/{name}/adoption`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TunnelAdopted {
    /// The tunnel's name.
    pub tunnel: String,
    /// Whether anything had to change.
    pub change: Change,
    /// Its id.
    pub id: String,
    /// The files in the state directory that keep what was there.
    pub kept: Vec<String>,
    /// DNS records that could not be marked as ours, each with why.
    pub left: Vec<String>,
}

/// Which hostname's records are to give way: the query of `GET /v1/routes/adoption` and the body of `POST` there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptRoute {
    /// The hostname.
    pub hostname: String,
    /// The tunnel that it leads to; when left out, the one that has a route for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    /// The installation of Adit whose record it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_install: Option<String>,
    /// What was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// What stands at a hostname: the answer to `GET /v1/routes/adoption`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteAdoption {
    /// Names exactly what is shown here.
    pub hash: String,
    /// The hostname.
    pub hostname: String,
    /// The tunnel that it is to lead to.
    pub tunnel: String,
    /// The zone of the hostname.
    pub zone: String,
    /// What it is to point to.
    pub target: String,
    /// What stands there.
    pub records: Vec<FoundRecord>,
    /// Other installations of Adit that say that it is theirs.
    pub installs: Vec<String>,
    /// Whether the tunnel's connectors would serve it at once.
    pub serves: bool,
    /// Whether the record is ours already, and nothing is to be done.
    pub is_ours: bool,
}

/// What gave way: the answer to `POST /v1/routes/adoption`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteAdopted {
    /// The hostname.
    pub hostname: String,
    /// The tunnel that it leads to.
    pub tunnel: String,
    /// Whether anything had to change.
    pub change: Change,
    /// The file in the state directory that keeps what was there.
    pub kept: Option<String>,
}

/// What was given up: the answer to `POST /v1/tunnels/{name}/forget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forgotten {
    /// The tunnel's name.
    pub tunnel: String,
    /// Whether it was known until then.
    pub change: Change,
    /// Its id, which stays at Cloudflare.
    pub id: Option<String>,
    /// Its name at Cloudflare.
    pub cloudflare_name: String,
    /// Where its configuration lives: `remote` or `local`.
    pub configuration: String,
    /// The hostnames whose DNS records stay and lead to it.
    pub records: Vec<String>,
    /// The rules of ours that stay in a configuration that others edit too.
    pub rules: Vec<String>,
}
