//! A tunnel as the access rules see it.

use serde_json::Value;

use crate::{control::api, name::Hostname};

/// What access to a tunnel is decided by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control) struct Object {
    /// Its account's name.
    pub(in crate::control) account: String,
    /// Its name.
    pub(in crate::control) tunnel: String,
    /// The hostnames of its rules; empty text for a rule that takes every hostname.
    pub(in crate::control) hostnames: Vec<String>,
    /// The services of its rules that reach something: without `http_status:…` and `hello_world`.
    pub(in crate::control) origins: Vec<String>,
    /// The parts of its definition that only an admin may write, in their order.
    pub(in crate::control) for_admins: Vec<Part>,
}

/// A part of a definition that only an admin may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control) struct Part {
    /// What it is called, as in `"protocol"`.
    pub(in crate::control) name: String,
    /// The hostname and path of its rule, when it belongs to one: a rule may move.
    rule: Option<(Value, Value)>,
    /// What stands there.
    value: Value,
}

impl Part {
    /// Whether the same stands in the same place: then who wrote the rest did not write this.
    pub(in crate::control) fn is_kept_in(&self, others: &[Self]) -> bool {
        let key = |name: &str| name.rsplit(']').next().unwrap_or_default().to_owned();
        others.iter().any(|other| key(&other.name) == key(&self.name) && other.rule == self.rule && other.value == self.value)
    }
}

/// What an editor may write into a tunnel's definition. Whatever is not listed needs an admin, so that a key which the
/// configuration learns later is not open to everybody by accident.
const EDITOR_KEYS: [&str; 7] = ["account", "replicas", "configuration", "on_drift", "ingress", "health", "access"];

/// What an editor may write into a rule.
const EDITOR_RULE_KEYS: [&str; 6] = ["hostname", "path", "service", "originRequest", "dns", "access"];

/// What an editor may write into `originRequest`: nothing that names a file or sends requests elsewhere than the service says.
const EDITOR_ORIGIN_KEYS: [&str; 12] = [
    "connectTimeout",
    "tlsTimeout",
    "tcpKeepAlive",
    "noHappyEyeballs",
    "keepAliveConnections",
    "keepAliveTimeout",
    "httpHostHeader",
    "originServerName",
    "matchSNItoHost",
    "noTLSVerify",
    "disableChunkedEncoding",
    "http2Origin",
];

impl Object {
    /// A tunnel that exists.
    pub(in crate::control) fn of_tunnel(tunnel: &api::Tunnel) -> Self {
        let mut object = Self::new(&tunnel.account, &tunnel.name);
        // Private routes are an admin's alone, and publish nothing.
        for route in tunnel.routes.iter().filter(|route| route.kind == api::RouteKind::Hostname) {
            object.take_rule(route.hostname.as_deref(), route.service.as_deref().unwrap_or_default());
        }
        object
    }

    /// A tunnel as `definition` would make it. Values of a wrong type count as absent: the configuration refuses them.
    pub(in crate::control) fn of_definition(tunnel: &str, definition: &Value) -> Self {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let account = text(definition, "account").unwrap_or_else(|| "default".to_owned());
        let mut object = Self::new(&account, tunnel);
        object.for_admins = beyond(definition, &EDITOR_KEYS, "");
        let demanded = demands(definition);
        for (index, rule) in definition.get("ingress").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let place = format!("ingress[{index}].");
            let origin = rule.get("originRequest").unwrap_or(&Value::Null);
            let mut parts = beyond(rule, &EDITOR_RULE_KEYS, &place);
            parts.extend(beyond(origin, &EDITOR_ORIGIN_KEYS, &format!("{place}originRequest.")));
            let service = text(rule, "service").unwrap_or_default();
            if is_special(&service) {
                parts.push(Part { name: format!("service {service:?}"), rule: None, value: service.clone().into() });
            }
            // Demanding Access is for everybody, waiving what the whole tunnel demands is not.
            if let Some(access) = rule.get("access").filter(|_| demanded && !demands(rule)) {
                parts.push(Part { name: format!("\"{place}access\""), rule: None, value: access.clone() });
            }
            let at = |key| rule.get(key).cloned().unwrap_or_default();
            let placed = parts.into_iter().map(|part| Part { rule: Some((at("hostname"), at("path"))), ..part });
            object.for_admins.extend(placed);
            object.take_rule(text(rule, "hostname").as_deref(), &service);
        }
        object
    }

    fn new(account: &str, tunnel: &str) -> Self {
        Self {
            account: account.to_owned(),
            tunnel: tunnel.to_owned(),
            hostnames: Vec::new(),
            origins: Vec::new(),
            for_admins: Vec::new(),
        }
    }

    fn take_rule(&mut self, hostname: Option<&str>, service: &str) {
        let reaches_nothing = service.starts_with("http_status:") || service == "hello_world";
        if !reaches_nothing {
            self.origins.push(service.to_owned());
        }
        match hostname.filter(|hostname| !hostname.is_empty()) {
            Some(hostname) => {
                let plain = hostname.parse::<Hostname>().map(|hostname| hostname.as_str().to_owned());
                self.hostnames.push(plain.unwrap_or_else(|_| hostname.to_owned()));
            }
            None if reaches_nothing => {}
            None => self.hostnames.push(String::new()),
        }
    }
}

/// Whether only an admin may publish `service`: it reaches whatever the visitor names, or is written so that a pattern over its
/// text could match something else than what it reaches: another host by a user name or an encoded character, another socket by `..`.
fn is_special(service: &str) -> bool {
    let plain = |char: char| char.is_ascii_graphic() && !matches!(char, '@' | '\\' | '%');
    let climbs = service.split('/').any(|step| matches!(step, "." | ".."));
    service == "bastion" || service.starts_with("socks-proxy") || climbs || !service.chars().all(plain)
}

/// What of `before` demands an Access application and is still public in `after`, where nothing demands one any more.
pub(in crate::control) fn waived_access(before: &Value, after: &Value) -> Option<String> {
    if demands(before) && !demands(after) {
        return Some("removing \"access\"".to_owned());
    }
    let rules = |definition: &Value| definition.get("ingress").and_then(Value::as_array).cloned().unwrap_or_default();
    let after_rules = rules(after);
    let place = |rule: &Value| (rule.get("hostname").cloned(), rule.get("path").cloned());
    let waives = |former: &&Value| {
        demands(former) && !demands(after) && after_rules.iter().any(|rule| place(rule) == place(former) && !demands(rule))
    };
    let before_rules = rules(before);
    let former = before_rules.iter().find(waives)?;
    let hostname = former.get("hostname").and_then(Value::as_str).unwrap_or_default();
    Some(format!("removing \"access\" of {hostname}"))
}

/// Whether a rule or a tunnel demands an Access application.
fn demands(value: &Value) -> bool {
    value.get("access").and_then(Value::as_str) == Some("required")
}

fn beyond(value: &Value, allowed: &[&str], place: &str) -> Vec<Part> {
    let parts = value.as_object().into_iter().flatten().filter(|(key, _)| !allowed.contains(&key.as_str()));
    parts.map(|(key, value)| Part { name: format!("\"{place}{key}\""), rule: None, value: value.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_shows_what_it_publishes() {
        let definition = json!({ "account": "shop", "ingress": [
            { "hostname": "App.Web.example.com", "service": "http://localhost:8080" },
            { "service": "http_status:404" },
        ] });
        let object = Object::of_definition("web", &definition);
        assert_eq!(
            object,
            Object {
                account: "shop".to_owned(),
                tunnel: "web".to_owned(),
                hostnames: vec!["app.web.example.com".to_owned()],
                origins: vec!["http://localhost:8080".to_owned()],
                for_admins: Vec::new(),
            }
        );
    }

    #[test]
    fn an_editor_may_demand_access_and_not_waive_it() {
        let open = json!({ "ingress": [{ "hostname": "a.example.com", "service": "http://localhost:1" }] });
        let rule = |access: &str| json!({ "hostname": "a.example.com", "service": "http://localhost:1", "access": access });
        let by_rule = json!({ "ingress": [rule("required")] });
        let by_tunnel = json!({ "access": "required", "ingress": open["ingress"] });
        let waived = json!({ "access": "required", "ingress": [rule("off")] });
        for definition in [&open, &by_rule, &by_tunnel] {
            assert_eq!(Object::of_definition("web", definition).for_admins, [], "{definition}");
            assert_eq!(waived_access(&open, definition), None);
            assert_eq!(waived_access(definition, &by_tunnel), None);
        }
        assert_eq!(Object::of_definition("web", &waived).for_admins[0].name, "\"ingress[0].access\"");
        assert_eq!(waived_access(&by_tunnel, &open).as_deref(), Some("removing \"access\""));
        assert_eq!(waived_access(&by_rule, &open).as_deref(), Some("removing \"access\" of a.example.com"));
        assert_eq!(waived_access(&by_rule, &json!({ "ingress": [] })), None, "a route that goes is public no longer");
    }

    #[test]
    fn a_rule_for_every_hostname_counts_as_one() {
        let object = Object::of_definition("web", &json!({ "ingress": [{ "service": "http://localhost:1" }] }));
        assert_eq!(object.hostnames, [""]);
    }

    #[test]
    fn what_reaches_further_than_its_text_is_for_admins() {
        for (definition, part) in [
            (json!({ "protocol": "http2" }), "\"protocol\""),
            (json!({ "private_networks": [] }), "\"private_networks\""),
            (json!({ "hostname_routes": ["wiki.internal.example"] }), "\"hostname_routes\""),
            (json!({ "renamed_from": "other" }), "\"renamed_from\""),
            (json!({ "ingress": [{ "service": "bastion" }] }), "service \"bastion\""),
            (json!({ "ingress": [{ "service": "http://localhost:80@internal" }] }), "service \"http://localhost:80@internal\""),
            (json!({ "ingress": [{ "service": "http://%6cocalhost:80" }] }), "service \"http://%6cocalhost:80\""),
            (json!({ "ingress": [{ "service": "unix:/run/a/../b.sock" }] }), "service \"unix:/run/a/../b.sock\""),
            (
                json!({ "ingress": [{ "service": "https://localhost", "originRequest": { "caPool": "/etc/shadow" } }] }),
                "\"ingress[0].originRequest.caPool\"",
            ),
        ] {
            assert_eq!(Object::of_definition("web", &definition).for_admins[0].name, part);
        }
    }
}
