//! Tunnels and their routes.

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{App, bad_query, tunnel_name};
use crate::{
    control::{
        api::{Change, Changed, CreateTunnel, Error, ErrorKind, RestartPlan, Rotate, TunnelDetail, TunnelRoute},
        backend::Backend,
        edit::{self, Network, PrivateHostname, PrivateRoute},
        server::{
            Shared,
            answer::{self, AnswerBefore, AnswerTunnel},
            body::{Document, Whole},
            gate::Caller,
        },
    },
    name::TunnelName,
};

pub(in crate::control::server) async fn tunnels<B: Backend>(State(shared): App<B>, caller: Caller) -> Response {
    let bytes = answer::list(|each| {
        shared.backend.tunnels(&mut |tunnel| {
            if caller.sees(tunnel) {
                each(tunnel);
            }
        });
    });
    answer::written(StatusCode::OK, bytes)
}

pub(in crate::control::server) async fn routes<B: Backend>(State(shared): App<B>, caller: Caller) -> Response {
    let bytes = answer::list(|each| {
        shared.backend.tunnels(&mut |tunnel| {
            let routes = if caller.sees(tunnel) { tunnel.routes.as_slice() } else { &[] };
            for route in routes {
                each(&TunnelRoute { tunnel: tunnel.name.clone(), route: route.clone() });
            }
        });
    });
    answer::written(StatusCode::OK, bytes)
}

pub(in crate::control::server) async fn tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let name = tunnel_name(&shared, &caller, &name)?;
    let missing = || shared.no_such_tunnel(&caller, name.as_str());
    let tunnel = shared.backend.tunnel(&name).ok_or_else(missing)?;
    let definition = shared.backend.definition(&name).ok_or_else(missing)?;
    let tag = HeaderValue::try_from(format!("\"{}\"", definition.version)).expect("a version is letters, digits and -");
    let answer = answer::json(&TunnelDetail { tunnel, definition: definition.value });
    Ok(([(header::ETAG, tag)], answer).into_response())
}

pub(in crate::control::server) async fn create_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Document(request): Document<CreateTunnel>,
) -> Response {
    let named = AnswerTunnel(request.name.clone());
    let result = create(&shared, &caller, request).await;
    let mut response = result.into_response();
    response.extensions_mut().insert(named);
    response
}

async fn create<B: Backend>(shared: &Shared<B>, caller: &Caller, request: CreateTunnel) -> Result<Response, Error> {
    let CreateTunnel { name, definition } = request;
    let name: TunnelName =
        name.parse().map_err(|error| Error::new(ErrorKind::Invalid, format!("cannot create tunnel {name:?}: {error}")))?;
    caller.check_definition(&name, None, &with_account(shared, &definition))?;
    let change = shared.backend.create(&caller.principal, name.clone(), definition).await?;
    let status = match change {
        Change::Accepted => StatusCode::CREATED,
        Change::Unchanged => StatusCode::OK,
    };
    Ok((status, changed(&name, change)).into_response())
}

pub(in crate::control::server) async fn replace_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    Whole(definition): Whole<Value>,
) -> Result<Response, Error> {
    edit(&shared, &caller, &name, &headers, |value| {
        *value = definition;
        Ok(())
    })
    .await
}

pub(in crate::control::server) async fn patch_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    Document(patch): Document<Value>,
) -> Result<Response, Error> {
    edit(&shared, &caller, &name, &headers, |value| {
        edit::merge(value, patch);
        Ok(())
    })
    .await
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
        None => edit::add_route(value, rule),
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
    let removed = edit(&shared, &caller, &name, &headers, |value| match route {
        Named::Rule(hostname, path) => edit::remove_route(value, &hostname, path.as_deref()),
        Named::Private(route) => route.remove_from(value),
    });
    Ok(answer::about(object, removed.await))
}

/// Reads a tunnel's definition, lets `change` change it, and writes it if nobody else did meanwhile.
async fn edit<B: Backend>(
    shared: &Shared<B>,
    caller: &Caller,
    name: &str,
    headers: &HeaderMap,
    change: impl FnOnce(&mut Value) -> Result<(), Error>,
) -> Result<Response, Error> {
    let name = tunnel_name(shared, caller, name)?;
    let definition = shared.backend.definition(&name).ok_or_else(|| shared.no_such_tunnel(caller, name.as_str()))?;
    let expected = expected(headers).unwrap_or(&definition.version);
    let mut value = definition.value.clone();
    change(&mut value)?;
    caller.check_definition(&name, Some(&definition.value), &with_account(shared, &value))?;
    caller.check_access_kept(&name, &definition.value, &value)?;
    let change = shared.backend.replace(&caller.principal, &name, value, Some(expected)).await?;
    let mut response = changed(&name, change);
    // It was replaced only if it was this one still.
    response.extensions_mut().insert(AnswerBefore(expected.to_owned()));
    Ok(response)
}

/// A definition as it is judged: one without an account is for the only one that there is, as in the files.
fn with_account<B: Backend>(shared: &Shared<B>, definition: &Value) -> Value {
    let accounts = shared.backend.overview().accounts;
    let mut definition = definition.clone();
    if let (Some(definition), [only]) = (definition.as_object_mut(), accounts.as_slice()) {
        definition.entry("account").or_insert_with(|| Value::String(only.name.clone()));
    }
    definition
}

pub(in crate::control::server) async fn delete_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let name = existing(&shared, &caller, &name)?;
    // Whoever takes all of it away takes away what only an admin may write, too.
    if let Some(former) = shared.backend.definition(&name) {
        caller.check_deletion(&name, &former.value)?;
    }
    Ok(changed(&name, shared.backend.delete(&caller.principal, &name, expected(&headers)).await?))
}

pub(in crate::control::server) async fn start_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let name = existing(&shared, &caller, &name)?;
    Ok(changed(&name, shared.backend.start(&caller.principal, &name).await?))
}

pub(in crate::control::server) async fn stop_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let name = existing(&shared, &caller, &name)?;
    Ok(changed(&name, shared.backend.stop(&caller.principal, &name).await?))
}

pub(in crate::control::server) async fn restart_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let name = existing(&shared, &caller, &name)?;
    let replaces = shared.backend.restart_plan(&name).await;
    let change = shared.backend.restart(&caller.principal, &name).await?;
    Ok(answer::json(&Changed { tunnel: name.as_str().to_owned(), change, replaces }))
}

pub(in crate::control::server) async fn rotate_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    Document(Rotate { emergency }): Document<Rotate>,
) -> Result<Response, Error> {
    let name = existing(&shared, &caller, &name)?;
    Ok(changed(&name, shared.backend.rotate(&caller.principal, &name, emergency).await?))
}

pub(in crate::control::server) async fn plan_restart<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let name = existing(&shared, &caller, &name)?;
    let replaces = shared.backend.restart_plan(&name).await;
    Ok(answer::json(&RestartPlan { tunnel: name.as_str().to_owned(), replaces }))
}

fn existing<B: Backend>(shared: &Shared<B>, caller: &Caller, name: &str) -> Result<TunnelName, Error> {
    let name = tunnel_name(shared, caller, name)?;
    match shared.backend.tunnel(&name) {
        Some(_) => Ok(name),
        None => Err(shared.no_such_tunnel(caller, name.as_str())),
    }
}

fn changed(name: &TunnelName, change: Change) -> Response {
    answer::json(&Changed { tunnel: name.as_str().to_owned(), change, replaces: Vec::new() })
}

/// The version that a writer looked at: `If-Match`, as the `ETag` was given. `*` is any.
fn expected(headers: &HeaderMap) -> Option<&str> {
    let tag = headers.get(header::IF_MATCH)?.to_str().ok()?.trim();
    (tag != "*").then(|| tag.trim_matches('"'))
}
