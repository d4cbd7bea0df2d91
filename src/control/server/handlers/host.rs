//! The daemon as a whole.

use std::collections::BTreeSet;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::App;
use crate::{
    control::{
        api::{Apply, Error, ErrorKind, Overview, UplinkState, Version},
        backend::Backend,
        progress::Progress,
        server::{
            Shared,
            answer::{self, Tagged},
            body::Document,
            gate::Caller,
        },
    },
    name::AccountName,
};

pub(in crate::control::server) async fn version<B: Backend>(State(shared): App<B>) -> Response {
    answer::json(&Version { version: shared.backend.version() })
}

pub(in crate::control::server) async fn health<B: Backend>(State(shared): App<B>, caller: Caller) -> Response {
    answer::json(&overview(&shared, &caller).health)
}

pub(in crate::control::server) async fn status<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    headers: HeaderMap,
) -> Response {
    let overview = serde_json::to_vec(&overview(&shared, &caller)).expect("the API's types are JSON");
    let tunnels = super::tunnels::seen(&shared, &caller).await;
    answer::tagged(&headers, tunnels.as_key("tunnels", overview))
}

/// The overview, without what it tells about tunnels and accounts that the caller may not see.
fn overview<B: Backend>(shared: &Shared<B>, caller: &Caller) -> Overview {
    let mut overview = shared.backend.overview();
    if caller.sees_all() {
        return overview;
    }
    let (mut tunnels, mut accounts) = (BTreeSet::new(), BTreeSet::new());
    caller.each_seen(&shared.backend, &mut |tunnel| {
        tunnels.insert(tunnel.name.clone());
        accounts.insert(tunnel.account.clone());
    });
    let visible = |name: &Option<String>| name.as_ref().is_some_and(|name| tunnels.contains(name));
    overview.health.retain(|finding| visible(&finding.tunnel));
    overview.accounts.retain(|account| accounts.contains(&account.name));
    overview.last_change = overview.last_change.filter(|event| visible(&event.subject.tunnel));
    overview.daemon.config_problems.clear();
    // Why another version failed names a connector.
    overview.cloudflared = None;
    if overview.uplink.state == UplinkState::Lost {
        // The whole sentence counts connectors of tunnels that the caller may not see.
        overview.uplink.reason.sentence = "no connector of this host reaches Cloudflare's edge".to_owned();
    }
    overview
}

pub(in crate::control::server) async fn plan<B: Backend>(State(shared): App<B>) -> Result<Response, Error> {
    Ok(answer::json(&shared.backend.plan().await?))
}

pub(in crate::control::server) async fn apply<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    progress: Progress,
    Document(request): Document<Apply>,
) -> Response {
    let applied = shared.backend.apply(&caller.principal, request.hash.as_deref(), &progress).await;
    let plan = request.hash.or_else(|| applied.as_ref().ok().map(|applied| applied.hash.clone()));
    answer::about(plan.filter(|hash| !hash.is_empty()), applied.map(|applied| answer::json(&applied)))
}

pub(in crate::control::server) async fn configuration<B: Backend>(State(shared): App<B>, headers: HeaderMap) -> Response {
    let configuration = serde_json::to_vec(&shared.backend.configuration()).expect("the API's types are JSON");
    answer::tagged(&headers, Tagged::new(configuration))
}

pub(in crate::control::server) async fn reload_configuration<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
) -> Result<Response, Error> {
    Ok(answer::json(&shared.backend.reload(&caller.principal).await?))
}

pub(in crate::control::server) async fn credentials<B: Backend>(State(shared): App<B>) -> Response {
    answer::json(&shared.backend.credentials())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct CheckCredentials {
    /// Only the token of this account.
    account: Option<String>,
}

pub(in crate::control::server) async fn check_credentials<B: Backend>(
    State(shared): App<B>,
    query: Result<Query<CheckCredentials>, QueryRejection>,
    progress: Progress,
) -> Result<Response, Error> {
    let Query(query) = query.map_err(|error| super::bad_query(&error))?;
    let account = match query.account {
        None => None,
        Some(name) => Some(
            name.parse::<AccountName>()
                .map_err(|error| Error::new(ErrorKind::NotFound, format!("cannot find account {name:?}: {error}")))?,
        ),
    };
    Ok(answer::json(&shared.backend.check_credentials(account.as_ref(), &progress).await?))
}
