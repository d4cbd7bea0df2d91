//! Which installation the state directory is of.

use axum::{extract::State, response::Response};

use super::App;
use crate::control::{
    api::Error,
    backend::Backend,
    server::{answer, gate::Caller},
};

pub(in crate::control::server) async fn identity<B: Backend>(State(shared): App<B>) -> Response {
    answer::json(&shared.backend.identity())
}

pub(in crate::control::server) async fn take_over_identity<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
) -> Result<Response, Error> {
    Ok(answer::json(&shared.backend.take_over_identity(&caller.principal).await?))
}

pub(in crate::control::server) async fn new_identity<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
) -> Result<Response, Error> {
    Ok(answer::json(&shared.backend.new_identity(&caller.principal).await?))
}
