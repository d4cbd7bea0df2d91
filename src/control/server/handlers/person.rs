//! Who asks.

use axum::response::Response;

use crate::control::{
    api::{GrantInEffect, WhoAmI},
    server::{answer, gate::Caller},
};

pub(in crate::control::server) async fn who_am_i(caller: Caller) -> Response {
    let grants = caller.standing.grants.iter().map(|grant| GrantInEffect {
        role: grant.role.to_string(),
        tunnels: grant.tunnels.iter().flatten().map(ToString::to_string).collect(),
    });
    answer::json(&WhoAmI {
        uid: caller.principal.uid,
        user: caller.principal.user.clone(),
        groups: std::iter::once(caller.principal.gid).chain(caller.principal.groups.iter().copied()).collect(),
        role: caller.standing.role.map(|role| role.to_string()),
        grants: grants.collect(),
    })
}
