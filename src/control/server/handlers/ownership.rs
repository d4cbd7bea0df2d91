//! What becomes ours and what is given up.

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    response::Response,
};

use super::{App, bad_query, tunnel_name};
use crate::{
    control::{
        api::{AdoptRoute, AdoptTunnel, Error, ErrorKind},
        backend::Backend,
        progress::Progress,
        server::{
            answer::{self, AnswerTunnel},
            body::Document,
            gate::Caller,
        },
    },
    name::TunnelName,
};

pub(in crate::control::server) async fn look_at_tunnel<B: Backend>(
    State(shared): App<B>,
    Path(name): Path<String>,
    query: Result<Query<AdoptTunnel>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(asked) = query.map_err(|error| bad_query(&error))?;
    Ok(answer::json(&shared.backend.look_at_tunnel(&name_to_be(&name)?, &asked).await?))
}

pub(in crate::control::server) async fn adopt_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    progress: Progress,
    Document(asked): Document<AdoptTunnel>,
) -> Result<Response, Error> {
    let name = name_to_be(&name)?;
    let adopted = shared.backend.adopt_tunnel(&caller.principal, &name, &asked, &progress).await;
    Ok(answer::about(asked.id, adopted.map(|adopted| answer::json(&adopted))))
}

pub(in crate::control::server) async fn forget_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    progress: Progress,
) -> Result<Response, Error> {
    let name = tunnel_name(&shared, &caller, &name)?;
    Ok(answer::json(&shared.backend.forget_tunnel(&caller.principal, &name, &progress).await?))
}

pub(in crate::control::server) async fn look_at_route<B: Backend>(
    State(shared): App<B>,
    query: Result<Query<AdoptRoute>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(asked) = query.map_err(|error| bad_query(&error))?;
    Ok(answer::json(&shared.backend.look_at_route(&asked).await?))
}

pub(in crate::control::server) async fn adopt_route<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    progress: Progress,
    Document(asked): Document<AdoptRoute>,
) -> Response {
    let result = shared.backend.adopt_route(&caller.principal, &asked, &progress).await;
    let named = result.as_ref().ok().map(|adopted| AnswerTunnel(adopted.tunnel.clone()));
    let mut response = answer::about(Some(asked.hostname.clone()), result.map(|adopted| answer::json(&adopted)));
    if let Some(named) = named.or(asked.tunnel.map(AnswerTunnel)) {
        response.extensions_mut().insert(named);
    }
    response
}

/// A name that a tunnel may get.
fn name_to_be(text: &str) -> Result<TunnelName, Error> {
    text.parse().map_err(|error| Error::new(ErrorKind::Invalid, format!("cannot adopt a tunnel as {text:?}: {error}")))
}
