//! The chain from a public hostname to its origin, link by link.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of every link between a hostname and its origin: the answer to `GET /v1/diagnose`.
///
/// Its sentences can quote text from Cloudflare, connectors and origins, which is foreign: whoever shows them on a terminal strips
/// them first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The hostname that was asked about, in lower case.
    pub hostname: String,
    /// The path that was asked about, beginning with `/`.
    pub path: String,
    /// When the question was answered.
    pub at: Timestamp,
    /// The tunnel whose rule takes such a request, if there is one.
    pub tunnel: Option<String>,
    /// What it comes to: the first broken link, if there is one.
    pub verdict: DiagnosisVerdict,
    /// The links, in the order in which a request meets them after the configuration.
    pub links: Vec<DiagnosisLink>,
}

/// What a chain of links comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiagnosisVerdict {
    /// `broken` as soon as one link is; `unknown` when none is and one of those that matter cannot be told.
    pub state: LinkState,
    /// The first link that is broken, or else the first that is unknown.
    pub link: Option<Link>,
    /// One sentence for a person, without a full stop.
    pub sentence: String,
    /// What to do, when something can be done.
    pub action: Option<String>,
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiagnosisLink {
    /// Which.
    pub link: Link,
    /// How it is.
    pub state: LinkState,
    /// What is known of it, in one sentence without a full stop.
    pub sentence: String,
    /// What to do, when it is broken and something can be done.
    pub action: Option<String>,
    /// From when the knowledge is; `None` for what was not looked at.
    pub seen_at: Option<Timestamp>,
}

/// The links, from the configuration to the origin. Programs decide by them; they are never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// A tunnel's rule that takes the request.
    Configuration,
    /// The Access application that the rule demands.
    Access,
    /// The DNS record, load balancer or private route that leads to the tunnel.
    Dns,
    /// The tunnel at Cloudflare, and what keeps it from being changed.
    Tunnel,
    /// The version of the configuration that connectors run.
    ConfigurationVersion,
    /// The connectors on this host.
    Connectors,
    /// Their connections to Cloudflare's edge.
    EdgeConnections,
    /// The service that the rule names.
    Origin,
    /// A real request to the public hostname, through Cloudflare.
    PublicRequest,
}

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Requests get over it.
    Ok,
    /// They do not, or will not for long.
    Broken,
    /// It was looked at and cannot be told.
    Unknown,
    /// It was not looked at, because it does not exist for this hostname, or an earlier link or the caller made it pointless.
    NotChecked,
}

impl Link {
    /// The link as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Access => "access",
            Self::Dns => "dns",
            Self::Tunnel => "tunnel",
            Self::ConfigurationVersion => "version",
            Self::Connectors => "connectors",
            Self::EdgeConnections => "edge",
            Self::Origin => "origin",
            Self::PublicRequest => "public request",
        }
    }
}

impl LinkState {
    /// The state as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
            Self::NotChecked => "not checked",
        }
    }
}
