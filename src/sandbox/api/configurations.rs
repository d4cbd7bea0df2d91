//! `/accounts/{account_id}/cfd_tunnel/{tunnel_id}/configurations`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    call::{Call, time},
    failure::Failure,
};
use crate::sandbox::world::{state::State, tunnel::Tunnel};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutBody {
    config: Value,
}

pub(super) fn get(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    Ok(Answer::one(render(state.live_tunnel(&call.account(), &call.tunnel())?)))
}

/// Replaces the whole document; there is no precondition.
pub(super) fn put(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let body: PutBody = call.body()?;
    Ok(Answer::one(render(state.put_configuration(&call.account(), &call.tunnel(), body.config, call.now)?)))
}

/// Before the first `PUT`: version 0 and no document.
fn render(tunnel: &Tunnel) -> Value {
    let stored = tunnel.configuration.as_ref();
    json!({
        "account_id": tunnel.account,
        "tunnel_id": tunnel.id,
        "version": stored.map_or(0, |stored| stored.version),
        "config": stored.map_or(&Value::Null, |stored| &stored.document),
        "source": tunnel.source.as_str(),
        "created_at": time(stored.map_or(tunnel.created, |stored| stored.saved)),
    })
}
