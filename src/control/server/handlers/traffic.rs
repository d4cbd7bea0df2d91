//! What connectors carry.

use axum::{extract::State, response::Response};

use super::App;
use crate::control::{
    backend::Backend,
    server::{answer, gate::Caller},
};

pub(in crate::control::server) async fn traffic<B: Backend>(State(shared): App<B>, caller: Caller) -> Response {
    let mut traffic = shared.backend.traffic().await;
    if !caller.sees_all() {
        let seen = caller.seen_names(&shared.backend);
        traffic.retain(|connector| seen.contains(&connector.tunnel));
    }
    answer::json(&traffic)
}
