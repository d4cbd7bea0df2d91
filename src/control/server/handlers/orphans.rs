//! What is left over at Cloudflare.

use axum::{extract::State, response::Response};

use super::App;
use crate::control::{
    api::{DeleteOrphans, Error},
    backend::Backend,
    progress::Progress,
    server::{answer, body::Document, gate::Caller},
};

pub(in crate::control::server) async fn orphans<B: Backend>(State(shared): App<B>) -> Result<Response, Error> {
    Ok(answer::json(&shared.backend.orphans().await?))
}

pub(in crate::control::server) async fn delete_orphans<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    progress: Progress,
    Document(request): Document<DeleteOrphans>,
) -> Response {
    let deleted = shared.backend.delete_orphans(&caller.principal, &request, &progress).await;
    answer::about(Some(request.hash), deleted.map(|deleted| answer::json(&deleted)))
}
