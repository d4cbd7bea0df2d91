//! What connectors carry.

use std::collections::BTreeSet;

use axum::{extract::State, response::Response};

use super::App;
use crate::control::{
    backend::Backend,
    server::{answer, gate::Caller},
};

pub(in crate::control::server) async fn traffic<B: Backend>(State(shared): App<B>, caller: Caller) -> Response {
    let mut traffic = shared.backend.traffic().await;
    if !caller.sees_all() {
        let mut visible = BTreeSet::new();
        shared.backend.tunnels(&mut |tunnel| {
            if caller.sees(tunnel) {
                visible.insert(tunnel.name.clone());
            }
        });
        traffic.retain(|connector| visible.contains(&connector.tunnel));
    }
    answer::json(&traffic)
}
