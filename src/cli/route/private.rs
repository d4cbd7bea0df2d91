//! Private networks and private hostnames as arguments.

use clap::Args;
use serde_json::{Map, Value};

/// A private route, by the keys of the control interface.
pub(super) type Route = Vec<(&'static str, String)>;

/// A private network or a private hostname.
#[derive(Debug, Clone, Args)]
pub(super) struct Arguments {
    /// A private network that is reached through the tunnel, such as 10.20.0.0/16.
    #[arg(long, value_name = "CIDR", conflicts_with_all = ["hostname", "path", "private_hostname"])]
    network: Option<String>,
    /// The virtual network that the private network is in. When left out, the default one.
    #[arg(long, value_name = "NAME", requires = "network")]
    virtual_network: Option<String>,
    /// A private hostname that leads through the tunnel, such as wiki.internal.example.
    #[arg(long, value_name = "HOSTNAME", conflicts_with_all = ["hostname", "path"])]
    private_hostname: Option<String>,
}

impl Arguments {
    /// The private route; `None` when none was given.
    pub(super) fn route(&self) -> Option<Route> {
        let keys = [
            ("network", &self.network),
            ("virtual_network", &self.virtual_network),
            ("private_hostname", &self.private_hostname),
        ];
        let given: Route = keys.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
        (!given.is_empty()).then_some(given)
    }
}

/// The private route as the control interface takes it.
pub(super) fn value(route: &Route) -> Value {
    Value::Object(route.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.clone()))).collect::<Map<_, _>>())
}

/// The private route as a person reads it.
pub(super) fn describe(route: &Route) -> String {
    route.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" in ")
}
