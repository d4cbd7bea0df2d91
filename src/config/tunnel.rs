//! `[tunnels.NAME]`: a tunnel, its routes and how it is kept.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

use crate::name::{AccountName, Hostname, TunnelName};

use super::{
    bytes::Bytes,
    days,
    health::RouteHealth,
    ingress::IngressRule,
    load_balancer::LoadBalancer,
    origin_request,
    private_route::{PrivateNetwork, PrivateRoute},
    service::Service,
};

/// A tunnel as it is wanted. Serialized it is the table `[tunnels.NAME]`, without name and origin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tunnel {
    /// Its name in Adit.
    #[serde(skip)]
    pub name: TunnelName,
    /// Where it is defined.
    #[serde(skip)]
    pub origin: Origin,
    /// Its account; there is one of this name in the configuration.
    pub account: AccountName,
    /// Connectors on this host: 1 to 25.
    pub replicas: u8,
    /// Who keeps the routes.
    pub configuration: ConfigurationMode,
    /// Whose its configuration is.
    pub ownership: Ownership,
    /// What to do about an edit behind Adit's back.
    pub on_drift: OnDrift,
    /// What connectors speak to Cloudflare.
    pub protocol: Protocol,
    /// How much memory each connector is to use: cloudflared frees what it can before it takes more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<Bytes>,
    /// On how many processors at once each connector runs: 1 to 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_procs: Option<u16>,
    /// How old its secret gets at most; as `[cloudflared]` says when `None`.
    #[serde(serialize_with = "days::serialize", skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<Duration>,
    /// Its earlier name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<TunnelName>,
    /// Its routes, in order; perhaps without a catch-all.
    pub ingress: Vec<IngressRule>,
    /// How origins are asked, for all rules: cloudflared's keys, times in whole seconds.
    #[serde(rename = "originRequest", skip_serializing_if = "Option::is_none")]
    pub origin_request: Option<Map<String, Json>>,
    /// Networks reached through the tunnel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub private_networks: Vec<PrivateNetwork>,
    /// Private hostnames that lead through the tunnel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostname_routes: Vec<Hostname>,
    /// The load balancer that the tunnel is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<LoadBalancer>,
    /// Whether hostnames need an Access application before they are public; a rule may say otherwise.
    pub access: AccessDemand,
    /// How its routes are watched.
    pub health: RouteHealth,
}

/// Where a tunnel is defined. Displayed as `file:/etc/adit/adit.toml` or `api`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In this file: read-only over the control socket.
    File(PathBuf),
    /// Over the control socket.
    Api,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::Api => formatter.write_str("api"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Who keeps a tunnel's routes. Cannot change in place: the tunnel is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigurationMode {
    /// Cloudflare, which gives them to every connector.
    Remote,
    /// Adit, which hands each connector a file.
    Local,
}

/// Whose a tunnel's configuration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// Adit's: it writes the whole of it.
    Owned,
    /// Others edit it too: Adit touches only its own rules.
    Shared,
}

impl fmt::Display for Ownership {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Owned => "owned",
            Self::Shared => "shared",
        })
    }
}

/// What to do about an edit behind Adit's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDrift {
    /// Write again what is wanted.
    Repair,
    /// Only say so.
    Report,
}

/// What connectors speak to Cloudflare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// QUIC, and HTTP/2 where UDP is blocked.
    Auto,
    /// QUIC only.
    Quic,
    /// HTTP/2 only.
    Http2,
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Auto => "auto",
            Self::Quic => "quic",
            Self::Http2 => "http2",
        })
    }
}

/// Whether a hostname needs an Access application before it is public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessDemand {
    /// No.
    Off,
    /// Yes: without one it is not made public.
    Required,
}

impl AccessDemand {
    pub(super) const MEANINGS: &'static [(&'static str, Self)] = &[("off", Self::Off), ("required", Self::Required)];
}

/// What answers a request that no rule matches.
const NO_ROUTE: &str = "http_status:404";

impl Tunnel {
    /// The table `[tunnels.NAME]` as a person would write it: what is as it would be anyway is left out, so that whoever changes a
    /// part of it needs no right to the rest.
    pub fn definition(&self) -> Json {
        let mut table = serde_json::to_value(self).expect("a tunnel is made of strings, numbers, lists and tables");
        let defaults = json!({
            "configuration": ConfigurationMode::Remote,
            "ownership": Ownership::Owned,
            "on_drift": OnDrift::Repair,
            "protocol": Protocol::Auto,
            "health": RouteHealth::default(),
            "access": AccessDemand::Off,
        });
        let is_default = |key: &str, value: &Json| defaults.get(key) == Some(value);
        if let Some(table) = table.as_object_mut() {
            table.retain(|key, value| !is_default(key, value));
        }
        let rules = table.get_mut("ingress").and_then(Json::as_array_mut);
        for rule in rules.into_iter().flatten().filter_map(Json::as_object_mut) {
            rule.retain(|key, value| !(key == "dns" && *value == json!(true)));
        }
        table
    }

    /// The document that Cloudflare keeps for the tunnel (`config` of `PUT …/configurations`): the rules in order, a catch-all
    /// where there is none, times in whole seconds. The same tunnel always gives the same document.
    pub fn document(&self) -> Json {
        self.ingress_document(Clone::clone)
    }

    /// `ingress` and `originRequest` for the file of a tunnel whose configuration is local: as [`Tunnel::document`], but with
    /// times as `10s`, because cloudflared reads a bare number in a file as nanoseconds.
    pub fn local_document(&self) -> Json {
        self.ingress_document(origin_request::for_file)
    }

    /// The hostnames that a DNS record points to the tunnel, each once, in the order of the rules. A load balancer's hostname has
    /// none: the balancer would win over it.
    pub fn public_hostnames(&self) -> Vec<&Hostname> {
        let mut hostnames: Vec<&Hostname> = Vec::new();
        for hostname in self.ingress.iter().filter(|rule| rule.dns).filter_map(|rule| rule.hostname.as_ref()) {
            if !hostnames.contains(&hostname) && !self.is_balanced(hostname) {
                hostnames.push(hostname);
            }
        }
        hostnames
    }

    /// What leads into the tunnel from the private side: its networks, then its private hostnames.
    pub fn private_routes(&self) -> impl Iterator<Item = PrivateRoute> {
        let networks = self.private_networks.iter().cloned().map(PrivateRoute::Network);
        networks.chain(self.hostname_routes.iter().cloned().map(PrivateRoute::hostname))
    }

    /// Whether a load balancer leads `hostname` here.
    pub fn is_balanced(&self, hostname: &Hostname) -> bool {
        self.load_balancer.as_ref().is_some_and(|balancer| balancer.hostname == *hostname)
    }

    /// The rules that answer the load balancer's requests: those for its Host header up to the first that takes every path.
    pub fn balanced_rules(&self) -> impl Iterator<Item = &IngressRule> {
        let host = self.load_balancer.as_ref().map(|balancer| &balancer.host);
        let rules: Vec<&IngressRule> =
            host.into_iter().flat_map(|host| self.ingress.iter().filter(|rule| rule.takes(host))).collect();
        let count = rules.iter().position(|rule| rule.path.is_none()).map_or(rules.len(), |last| last + 1);
        rules.into_iter().take(count)
    }

    /// What a rule demands of Access: what it says, else what the tunnel says.
    pub fn access_of(&self, rule: &IngressRule) -> AccessDemand {
        rule.access.unwrap_or(self.access)
    }

    /// What cloudflared's Go runtime is told by its environment: names and values.
    pub fn runtime_variables(&self) -> Vec<(&'static str, String)> {
        let memory = self.memory_limit.map(|limit| ("GOMEMLIMIT", limit.to_string()));
        memory.into_iter().chain(self.max_procs.map(|processors| ("GOMAXPROCS", processors.to_string()))).collect()
    }

    /// The keys whose values only an admin may set, as in `ingress[0].service`: with them a connector reaches more than one
    /// origin, reads files, or speaks another protocol to Cloudflare.
    pub fn admin_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        if self.protocol != Protocol::Auto {
            keys.push("protocol".to_owned());
        }
        if !self.private_networks.is_empty() {
            keys.push("private_networks".to_owned());
        }
        if !self.hostname_routes.is_empty() {
            keys.push("hostname_routes".to_owned());
        }
        let reads_file = |origin_request: &Option<Map<String, Json>>| {
            origin_request.as_ref().is_some_and(|origin_request| origin_request.contains_key("caPool"))
        };
        if reads_file(&self.origin_request) {
            keys.push("originRequest.caPool".to_owned());
        }
        for (index, rule) in self.ingress.iter().enumerate() {
            if matches!(rule.service, Service::Bastion | Service::SocksProxy) {
                keys.push(format!("ingress[{index}].service"));
            }
            if reads_file(&rule.origin_request) {
                keys.push(format!("ingress[{index}].originRequest.caPool"));
            }
        }
        keys
    }

    fn ingress_document(&self, spell: impl Fn(&Map<String, Json>) -> Map<String, Json>) -> Json {
        let rule_document = |rule: &IngressRule| {
            let mut document = Map::new();
            if let Some(hostname) = &rule.hostname {
                document.insert("hostname".to_owned(), Json::from(hostname.as_str()));
            }
            if let Some(path) = &rule.path {
                document.insert("path".to_owned(), Json::from(path.as_str()));
            }
            document.insert("service".to_owned(), Json::from(rule.service.to_string()));
            if let Some(origin_request) = &rule.origin_request {
                document.insert("originRequest".to_owned(), Json::Object(spell(origin_request)));
            }
            Json::Object(document)
        };
        let mut ingress: Vec<Json> = self.ingress.iter().map(rule_document).collect();
        if !self.ingress.last().is_some_and(IngressRule::is_catch_all) {
            ingress.push(json!({ "service": NO_ROUTE }));
        }
        let mut document = Map::from_iter([("ingress".to_owned(), Json::Array(ingress))]);
        if let Some(origin_request) = &self.origin_request {
            document.insert("originRequest".to_owned(), Json::Object(spell(origin_request)));
        }
        Json::Object(document)
    }
}
