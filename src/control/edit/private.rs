//! Changes of a tunnel's private routes: pure functions over JSON in the configuration's grammar.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    control::api::{Error, ErrorKind},
    name::Hostname,
};

/// A private route as a request names it: a network, perhaps in a virtual network, or a private hostname.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum PrivateRoute {
    /// A network.
    Network(Network),
    /// A private hostname.
    Hostname(PrivateHostname),
}

/// A network, in the default virtual network when none is named.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "NetworkRoute")]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// The network, such as `10.20.0.0/16`.
    pub(in crate::control) network: String,
    /// The virtual network that it is in; when left out, the account's default one.
    pub(in crate::control) virtual_network: Option<String>,
}

/// A private hostname.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "PrivateHostnameRoute")]
#[serde(deny_unknown_fields)]
pub(crate) struct PrivateHostname {
    /// The hostname.
    pub(in crate::control) private_hostname: String,
}

impl PrivateRoute {
    /// The private route in the body of a request; `None` when it is an ingress rule.
    pub(crate) fn of_body(body: &Value) -> Option<Self> {
        serde_json::from_value(body.clone()).ok()
    }

    /// Adds it to `definition`, at the end. The same one again changes nothing.
    ///
    /// # Errors
    ///
    /// `invalid` when the definition's list is none.
    pub(crate) fn add_to(&self, definition: &mut Value) -> Result<(), Error> {
        let routes = self.list(definition)?;
        if !routes.iter().any(|route| self.is(route)) {
            routes.push(self.value());
        }
        Ok(())
    }

    /// Removes it from `definition`.
    ///
    /// # Errors
    ///
    /// `not_found` when it is not there.
    pub(crate) fn remove_from(&self, definition: &mut Value) -> Result<(), Error> {
        let routes = self.list(definition)?;
        let before = routes.len();
        routes.retain(|route| !self.is(route));
        if routes.len() == before {
            let message = format!("cannot remove the private route {}: the tunnel has no such route", self.describe());
            return Err(Error::new(ErrorKind::NotFound, message).with_hint("\"adit route list\" shows what leads to each tunnel"));
        }
        let is_empty = routes.is_empty();
        // An empty list is as if it was left out, and without it nobody needs to be an admin to change the rest.
        if let Some(table) = definition.as_object_mut().filter(|_| is_empty) {
            table.remove(self.key());
        }
        Ok(())
    }

    fn key(&self) -> &'static str {
        match self {
            Self::Network(_) => "private_networks",
            Self::Hostname(_) => "hostname_routes",
        }
    }

    fn list<'v>(&self, definition: &'v mut Value) -> Result<&'v mut Vec<Value>, Error> {
        let wrong =
            || Error::new(ErrorKind::Invalid, format!("cannot change the routes: the definition's {:?} is no list", self.key()));
        let table = definition.as_object_mut().ok_or_else(wrong)?;
        table.entry(self.key()).or_insert_with(|| Value::Array(Vec::new())).as_array_mut().ok_or_else(wrong)
    }

    /// As it stands in the configuration. What it says is judged there.
    fn value(&self) -> Value {
        match self {
            Self::Network(Network { network, virtual_network }) => {
                let mut table = Map::from_iter([("network".to_owned(), json!(network))]);
                table.extend(virtual_network.iter().map(|name| ("virtual_network".to_owned(), json!(name))));
                Value::Object(table)
            }
            Self::Hostname(PrivateHostname { private_hostname }) => json!(private_hostname),
        }
    }

    /// Whether an element of the definition's list is this one, in whichever spelling.
    fn is(&self, route: &Value) -> bool {
        match self {
            Self::Network(Network { network, virtual_network }) => {
                let text = |key| route.get(key).and_then(Value::as_str);
                let same = text("network").is_some_and(|other| same::<IpNet>(other, network));
                same && text("virtual_network") == virtual_network.as_deref()
            }
            Self::Hostname(PrivateHostname { private_hostname }) => {
                route.as_str().is_some_and(|other| same::<Hostname>(other, private_hostname))
            }
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Network(Network { network, virtual_network: Some(name) }) => format!("{network:?} in {name:?}"),
            Self::Network(Network { network, virtual_network: None }) => format!("{network:?}"),
            Self::Hostname(PrivateHostname { private_hostname }) => format!("{private_hostname:?}"),
        }
    }
}

/// Whether two texts are one value, or the very same text.
fn same<T: std::str::FromStr + PartialEq>(one: &str, other: &str) -> bool {
    one == other || matches!((one.parse::<T>(), other.parse::<T>()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(body: Value) -> PrivateRoute {
        PrivateRoute::of_body(&body).unwrap()
    }

    #[test]
    fn a_private_route_is_added_once_and_removed_in_any_spelling() {
        let mut definition = json!({ "account": "default" });
        let lab = private(json!({ "network": "10.20.0.0/16", "virtual_network": "lab" }));
        let wiki = private(json!({ "private_hostname": "wiki.internal.example" }));
        for _ in 0..2 {
            private(json!({ "network": "fd00::/8" })).add_to(&mut definition).unwrap();
            lab.add_to(&mut definition).unwrap();
            wiki.add_to(&mut definition).unwrap();
        }
        let networks = json!([{ "network": "fd00::/8" }, { "network": "10.20.0.0/16", "virtual_network": "lab" }]);
        let expected =
            json!({ "account": "default", "private_networks": networks, "hostname_routes": ["wiki.internal.example"] });
        assert_eq!(definition, expected);

        private(json!({ "network": "fd00:0::/8" })).remove_from(&mut definition).unwrap();
        lab.remove_from(&mut definition).unwrap();
        private(json!({ "private_hostname": "WIKI.internal.example." })).remove_from(&mut definition).unwrap();
        assert_eq!(definition, json!({ "account": "default" }));
    }

    #[test]
    fn a_network_in_another_virtual_network_is_another_route() {
        let mut definition = json!({ "private_networks": [{ "network": "10.0.0.0/8", "virtual_network": "lab" }] });
        let error = private(json!({ "network": "10.0.0.0/8" })).remove_from(&mut definition).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
    }

    #[test]
    fn an_ingress_rule_is_no_private_route() {
        for body in [
            json!({ "hostname": "a.example.com", "service": "http://localhost" }),
            json!({ "network": "10.0.0.0/8", "path": "/" }),
        ] {
            assert_eq!(PrivateRoute::of_body(&body), None);
        }
    }
}
