//! Routes of tunnels.

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{App, bad_query, tunnels::edit};
use crate::control::{
    api::{Error, ErrorKind, TunnelRoute},
    backend::Backend,
    edit::{self, Network, PrivateHostname, PrivateRoute},
    server::{
        answer::{self, Tagged},
        body::Whole,
        gate::Caller,
    },
};

pub(in crate::control::server) async fn routes<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    headers: HeaderMap,
) -> Response {
    let bytes = answer::list(|each| {
        caller.each_seen(&shared.backend, &mut |tunnel| {
            for route in &tunnel.routes {
                each(&TunnelRoute { tunnel: tunnel.name.clone(), route: route.clone() });
            }
        });
    });
    answer::tagged(&headers, Tagged::new(bytes))
}

pub(in crate::control::server) async fn add_route<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    Whole(rule): Whole<Value>,
) -> Response {
    let text = |key: &str| rule.get(key).and_then(Value::as_str).map(str::to_owned);
    let object = text("hostname").or_else(|| text("network")).or_else(|| text("private_hostname"));
    let added = edit(&shared, &caller, &name, &headers, |value| match PrivateRoute::of_body(&rule) {
        Some(route) => route.add_to(value),
        None => edit::add_route(value, rule.clone()),
    });
    answer::about(object, added.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct RemoveRoute {
    /// The hostname of the ingress rule to remove.
    hostname: Option<String>,
    /// The path of that rule, if it has one.
    path: Option<String>,
    /// The private network to remove.
    network: Option<String>,
    /// The virtual network that it is in, if one is named.
    virtual_network: Option<String>,
    /// The private hostname to remove.
    private_hostname: Option<String>,
}

/// The one route that a request names.
enum Named {
    Rule(String, Option<String>),
    Private(PrivateRoute),
}

impl RemoveRoute {
    fn named(self) -> Result<Named, Error> {
        match self {
            Self { hostname: Some(hostname), path, network: None, virtual_network: None, private_hostname: None } => {
                Ok(Named::Rule(hostname, path))
            }
            Self { network: Some(network), virtual_network, hostname: None, path: None, private_hostname: None } => {
                Ok(Named::Private(PrivateRoute::Network(Network { network, virtual_network })))
            }
            Self {
                private_hostname: Some(private_hostname),
                hostname: None,
                path: None,
                network: None,
                virtual_network: None,
            } => Ok(Named::Private(PrivateRoute::Hostname(PrivateHostname { private_hostname }))),
            _ => {
                let rule =
                    "exactly one of hostname (perhaps with path), network (perhaps with virtual_network) and private_hostname";
                Err(Error::new(ErrorKind::Invalid, format!("cannot remove a route: the request's query has to name {rule}")))
            }
        }
    }
}

pub(in crate::control::server) async fn remove_route<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    query: Result<Query<RemoveRoute>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(route) = query.map_err(|error| bad_query(&error))?;
    let object = route.hostname.clone().or_else(|| route.network.clone()).or_else(|| route.private_hostname.clone());
    let route = route.named()?;
    let removed = edit(&shared, &caller, &name, &headers, |value| match &route {
        Named::Rule(hostname, path) => edit::remove_route(value, hostname, path.as_deref()),
        Named::Private(route) => route.remove_from(value),
    });
    Ok(answer::about(object, removed.await))
}
