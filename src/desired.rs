//! What is wanted at Cloudflare.
//!
//! [`Intended`] is what people want; [`desired`] says what one account has to hold for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    config::{AccessDemand, Config, ConfigurationMode, LoadBalancer, OnDrift, Ownership, PrivateRoute, Tunnel},
    connector::Stop,
    hexadecimal::hexadecimal,
    name::{AccountName, Hostname, TunnelName},
    record::ConfigurationSource,
};

/// What people want.
#[derive(Debug, Clone)]
pub struct Intended {
    /// The configuration: the files and the tunnels made over the socket.
    pub config: Arc<Config>,
    /// Operators' stops.
    pub stops: BTreeMap<TunnelName, Stop>,
    /// Tunnels whose definition cannot be read, with why: what exists of theirs is neither changed nor orphaned.
    pub held: BTreeMap<TunnelName, String>,
}

/// What one account has to hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Desired {
    /// The tunnels, by name.
    pub tunnels: BTreeMap<TunnelName, DesiredTunnel>,
    /// Tunnels that may be wanted: their definition cannot be read, with why.
    pub held: BTreeMap<TunnelName, String>,
    /// Tunnels that are wanted in another account, by its name.
    pub elsewhere: BTreeMap<TunnelName, AccountName>,
}

/// One tunnel that the account has to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredTunnel {
    /// Where its configuration lives.
    pub source: ConfigurationSource,
    /// The configuration, in Cloudflare's form when it lives there and in cloudflared's when it is local.
    pub document: Value,
    /// [`fingerprint`] of the document.
    pub sha256: String,
    /// Hostnames that need a DNS record of ours.
    pub hostnames: BTreeSet<Hostname>,
    /// What leads into it from the private side.
    pub private_routes: BTreeSet<PrivateRoute>,
    /// Hostnames whose DNS is somebody else's (`dns = false`).
    pub foreign_hostnames: BTreeSet<Hostname>,
    /// Whose its configuration is.
    pub ownership: Ownership,
    /// The load balancer that the tunnel is a part of; its hostname is in neither list.
    pub load_balancer: Option<LoadBalancer>,
    /// Hostnames that an Access application must cover before they are public, with the paths of their rules; `None` for a rule
    /// that takes every path.
    pub protected: BTreeMap<Hostname, BTreeSet<Option<String>>>,
    /// Whether what the balancer leads to is an origin of this host alone: connectors elsewhere would reach another one.
    pub balanced_here: bool,
    /// Connectors on this host.
    pub replicas: u8,
    /// What becomes of others' edits.
    pub on_drift: OnDrift,
    /// The name that the tunnel had before.
    pub renamed_from: Option<TunnelName>,
}

impl Desired {
    /// The hostnames of load balancers.
    pub fn balanced_hostnames(&self) -> impl Iterator<Item = &Hostname> {
        self.tunnels.values().filter_map(|tunnel| tunnel.load_balancer.as_ref()).map(|balancer| &balancer.hostname)
    }

    /// Whether a hostname demands an Access application.
    pub fn demands_access(&self) -> bool {
        self.tunnels.values().any(|tunnel| !tunnel.protected.is_empty())
    }
}

/// What `account` has to hold.
pub fn desired(intended: &Intended, account: &AccountName) -> Desired {
    let tunnels = intended.config.tunnels.values();
    let (here, elsewhere): (Vec<&Tunnel>, Vec<&Tunnel>) = tunnels.partition(|tunnel| tunnel.account == *account);
    Desired {
        tunnels: here.into_iter().map(|tunnel| (tunnel.name.clone(), desired_tunnel(tunnel))).collect(),
        elsewhere: elsewhere.into_iter().map(|tunnel| (tunnel.name.clone(), tunnel.account.clone())).collect(),
        held: intended.held.clone(),
    }
}

/// What `tunnel` has to be at Cloudflare.
pub fn desired_tunnel(tunnel: &Tunnel) -> DesiredTunnel {
    let (source, document) = match tunnel.configuration {
        ConfigurationMode::Remote => (ConfigurationSource::Remote, tunnel.document()),
        ConfigurationMode::Local => (ConfigurationSource::Local, tunnel.local_document()),
    };
    let hostnames: BTreeSet<Hostname> = tunnel.public_hostnames().into_iter().cloned().collect();
    let all = tunnel.ingress.iter().filter_map(|rule| rule.hostname.clone());
    let all = all.filter(|hostname| !tunnel.is_balanced(hostname));
    let mut protected: BTreeMap<Hostname, BTreeSet<Option<String>>> = BTreeMap::new();
    for rule in tunnel.ingress.iter().filter(|rule| tunnel.access_of(rule) == AccessDemand::Required) {
        if let Some(hostname) = &rule.hostname {
            protected.entry(hostname.clone()).or_default().insert(rule.path.clone());
        }
    }
    // Whoever comes by the balancer reaches the same services, so its hostname needs the same application.
    if let Some(balancer) = &tunnel.load_balancer {
        for rule in tunnel.balanced_rules().filter(|rule| tunnel.access_of(rule) == AccessDemand::Required) {
            protected.entry(balancer.hostname.clone()).or_default().insert(rule.path.clone());
        }
    }
    DesiredTunnel {
        source,
        sha256: fingerprint(&document),
        document,
        private_routes: tunnel.private_routes().collect(),
        foreign_hostnames: all.filter(|hostname| !hostnames.contains(hostname)).collect(),
        hostnames,
        ownership: tunnel.ownership,
        load_balancer: tunnel.load_balancer.clone(),
        protected,
        balanced_here: tunnel.balanced_rules().any(|rule| rule.service.is_on_this_host()),
        replicas: tunnel.replicas,
        on_drift: tunnel.on_drift,
        renamed_from: tunnel.renamed_from.clone(),
    }
}

/// The hash of a configuration document that goes on record: SHA-256, in hexadecimal, over its canonical JSON. Canonical means
/// that keys are sorted and that what says nothing is left out: nulls, empty objects, and `warp-routing`, which Cloudflare adds
/// by itself and cloudflared ignores.
pub fn fingerprint(document: &Value) -> String {
    let canonical = canonical(document);
    hexadecimal(&Sha256::digest(canonical.to_string()))
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(&String, Value)> = object
                .iter()
                .filter(|(key, _)| *key != "warp-routing")
                .map(|(key, value)| (key, canonical(value)))
                .filter(|(_, value)| !says_nothing(value))
                .collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), value)).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn says_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{self, Source};

    #[test]
    fn the_order_of_keys_does_not_change_the_fingerprint() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":{"c":2,"d":3}}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"b":{"d":3,"c":2},"a":1}"#).unwrap();
        assert_eq!(fingerprint(&one), fingerprint(&two));
        assert_eq!(fingerprint(&one).len(), 64);
    }

    #[test]
    fn what_says_nothing_does_not_change_the_fingerprint() {
        let written = json!({ "ingress": [{ "service": "http_status:404" }] });
        let read = json!({
            "ingress": [{ "service": "http_status:404", "originRequest": {} }],
            "warp-routing": { "enabled": false },
            "originRequest": null,
        });
        assert_eq!(fingerprint(&written), fingerprint(&read));
    }

    #[test]
    fn who_comes_by_a_balancer_needs_the_application_that_the_rule_demands() {
        let text = "[accounts.default]\napi_token = { credential = 'token' }\n[tunnels.web]\naccess = 'required'\ningress = [{ hostname = 'app.example.com', service = 'http://localhost:1' }]\n\
                    load_balancer = { hostname = 'www.example.com' }\n";
        let source = Source { path: "adit.toml".into(), text: text.to_owned() };
        let config = config::parse(&[source]).unwrap();
        let want = desired_tunnel(&config.tunnels[&"web".parse().unwrap()]);
        let protected: Vec<&str> = want.protected.keys().map(Hostname::as_str).collect();
        assert_eq!(protected, ["app.example.com", "www.example.com"]);
    }

    #[test]
    fn the_order_of_rules_changes_the_fingerprint() {
        let one = json!({ "ingress": [{ "service": "a" }, { "service": "b" }] });
        let two = json!({ "ingress": [{ "service": "b" }, { "service": "a" }] });
        assert_ne!(fingerprint(&one), fingerprint(&two));
    }
}
