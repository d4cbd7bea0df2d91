//! Tunnels, their connectors and their routes.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RouteHealth, TunnelDefinition, TunnelSecret};

/// One tunnel: what is wanted of it, what is at Cloudflare and what runs on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tunnel {
    /// Its name in Adit.
    pub name: String,
    /// Where its definition stands: `file:PATH` (read-only over the socket) or `api`.
    pub origin: String,
    /// The account's name in the configuration.
    pub account: String,
    /// Its id at Cloudflare, once it has one.
    pub id: Option<String>,
    /// What Cloudflare says of it: `inactive`, `healthy`, `degraded` or `down`; `None` before the first read.
    pub cloudflare_status: Option<String>,
    /// The worst state of its connectors, or what keeps it from having any.
    pub state: State,
    /// Why it is in that state, when it is not simply ready.
    pub reason: Option<Reason>,
    /// Whether everything that was accepted for it is in force, at Cloudflare and on this host. A change that was just accepted
    /// makes this false at once.
    pub settled: bool,
    /// How many connectors are wanted on this host.
    pub replicas: u8,
    /// Its connectors on this host, by replica.
    pub connectors: Vec<Connector>,
    /// Its routes: public hostnames in the order of the ingress rules, then private networks and private hostnames.
    pub routes: Vec<Route>,
    /// An operator's stop, while it lasts.
    pub stop: Option<Stop>,
    /// Why changes at Cloudflare wait, if they do.
    pub holds: Vec<Reason>,
    /// How what is at Cloudflare differs from what Adit wrote, if it does.
    pub drift: Option<Reason>,
    /// The version of the configuration that Adit wrote last.
    pub written_version: Option<i64>,
    /// How old its secret is, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<TunnelSecret>,
}

/// One tunnel with the definition that it was made from: the answer to `GET /v1/tunnels/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TunnelDetail {
    /// The tunnel.
    #[serde(flatten)]
    pub tunnel: Tunnel,
    /// Its definition, in the configuration's grammar; null for a tunnel that is being taken down or whose definition cannot be
    /// read.
    #[schemars(with = "Option<TunnelDefinition>")]
    pub definition: serde_json::Value,
    /// The definition's version, as `If-Match` takes it; it changes whenever the definition does.
    #[serde(default)]
    pub version: String,
}

/// The state of a connector, and of a tunnel as the worst of its connectors. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It serves with all four connections to the edge.
    Ready,
    /// An operator stopped it.
    Stopped,
    /// It finishes its requests and then stops.
    Draining,
    /// It was started and does not serve yet.
    Starting,
    /// It is to be made at Cloudflare first.
    Pending,
    /// It serves with fewer than four connections.
    Degraded,
    /// It failed and waits for its next start.
    BackingOff,
    /// A process that cannot be proved ours holds its place.
    Quarantined,
    /// Starting it again cannot help until something changes.
    Blocked,
}

/// Why something is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// A stable word for programs, such as `origin-down`.
    pub code: String,
    /// One sentence for a person, without a full stop.
    pub sentence: String,
}

/// One connector of a tunnel on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connector {
    /// Which of the tunnel's replicas, counted from 0.
    pub replica: u8,
    /// The how manieth process in that place.
    pub generation: u64,
    /// Its state.
    pub state: State,
    /// Why, when it is not simply ready.
    pub reason: Option<Reason>,
    /// Since when.
    pub since: Timestamp,
    /// The process, while there is one.
    pub pid: Option<u32>,
    /// The connector's id at Cloudflare, once it told.
    pub connector_id: Option<String>,
    /// Whether requests get through it.
    pub serving: bool,
    /// Its connections to the edge, of 4.
    pub connections: u8,
    /// The version of the configuration that it runs.
    pub config_version: Option<i64>,
    /// State, connections and version are what an earlier daemon knew last; the process has not answered this one yet.
    #[serde(default)]
    pub stale: bool,
    /// How often a process in this place was started again since the host was started.
    pub restarts_total: u64,
    /// When it is started next, while it waits for that.
    pub next_try_at: Option<Timestamp>,
    /// How the last process that was not told to stop ended.
    #[serde(default)]
    pub last_exit: Option<LastExit>,
}

/// The end of a process that nobody had asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastExit {
    /// When.
    pub at: Timestamp,
    /// Which process in that place.
    pub generation: u64,
    /// What it means.
    pub reason: Reason,
}

/// What leads into a tunnel: an ingress rule, a private network or a private hostname.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// Which of them.
    #[serde(default)]
    pub kind: RouteKind,
    /// The hostname; `None` for a rule that takes every hostname, and for a private network.
    pub hostname: Option<String>,
    /// The private network, such as `10.20.0.0/16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The virtual network that it is in, when one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_network: Option<String>,
    /// The path's pattern, if the rule has one.
    pub path: Option<String>,
    /// Where requests go; unknown for a route that nothing wants any more.
    pub service: Option<String>,
    /// Whether Adit keeps a DNS record for it.
    pub dns: bool,
    /// How far it is.
    pub state: RouteState,
    /// Why, when it is not live, in one sentence.
    pub reason: Option<String>,
    /// How well it goes with it; `None` for a tunnel that is stopped or not wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<RouteHealth>,
}

/// A route and the tunnel that it belongs to: an element of `GET /v1/routes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TunnelRoute {
    /// The tunnel's name.
    pub tunnel: String,
    /// The route.
    #[serde(flatten)]
    pub route: Route,
}

/// What kind of route it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// A public hostname, or every one.
    #[default]
    Hostname,
    /// A network, for devices of the organisation.
    Network,
    /// A hostname, for devices of the organisation.
    PrivateHostname,
    /// A load balancer, through the tunnel's pool.
    LoadBalancer,
}

/// How far a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteState {
    /// Requests reach the tunnel.
    Live,
    /// It is being made.
    Pending,
    /// Someone else's record stands in its place, and is left alone.
    Conflict,
    /// Nothing wants it; it waits for a confirmed clean-up.
    Orphaned,
    /// An operator stopped its tunnel.
    Off,
}

/// An operator's stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// Who: the user's name, or the uid when it has none.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl State {
    /// The state as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Stopped => "stopped",
            Self::Draining => "draining",
            Self::Starting => "starting",
            Self::Pending => "pending",
            Self::Degraded => "degraded",
            Self::BackingOff => "backing off",
            Self::Quarantined => "quarantined",
            Self::Blocked => "blocked",
        }
    }
}

impl Route {
    /// What leads into the tunnel, for a person: a hostname, `*` or a network with its virtual network.
    pub fn label(&self) -> String {
        match (&self.hostname, &self.network, &self.virtual_network) {
            (_, Some(network), Some(name)) => format!("{network} in {name:?}"),
            (_, Some(network), None) => network.clone(),
            (Some(hostname), None, _) => hostname.clone(),
            (None, None, _) => "*".to_owned(),
        }
    }

    /// Whether Adit keeps a DNS record for it, for a person; nothing for a private route, which has none.
    pub fn dns_word(&self) -> &'static str {
        match (self.kind, self.dns) {
            (RouteKind::Hostname, true) => "yes",
            (RouteKind::Hostname, false) => "no",
            (RouteKind::LoadBalancer, _) => "balancer",
            (RouteKind::Network | RouteKind::PrivateHostname, _) => "",
        }
    }
}

impl RouteKind {
    /// The kind as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::Network => "network",
            Self::PrivateHostname => "private hostname",
            Self::LoadBalancer => "load balancer",
        }
    }
}

impl RouteState {
    /// The state as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Pending => "pending",
            Self::Conflict => "conflict",
            Self::Orphaned => "orphaned",
            Self::Off => "off",
        }
    }
}
