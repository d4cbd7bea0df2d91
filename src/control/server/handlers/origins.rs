//! Whether origins answer.

use axum::{extract::State, response::Response};

use super::App;
use crate::control::{
    api::{CheckOrigins, Error},
    backend::Backend,
    server::{answer, body::Document},
};

pub(in crate::control::server) async fn check_origins<B: Backend>(
    State(shared): App<B>,
    Document(request): Document<CheckOrigins>,
) -> Result<Response, Error> {
    Ok(answer::json(&shared.backend.check_origins(&request).await?))
}
