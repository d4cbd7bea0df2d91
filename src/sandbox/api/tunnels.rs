//! `/accounts/{account_id}/cfd_tunnel`: tunnels, their connector tokens, tokens for log streaming.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    call::{Call, optional_time, time},
    failure::Failure,
    query::PageSizes,
    tunnel_filter::TunnelFilter,
};
use crate::{
    sandbox::world::{
        state::State,
        tunnel::{Cascade, ConfigSource, NewTunnel, Tunnel},
    },
    secret::Secret,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    name: String,
    config_src: Option<String>,
    tunnel_secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchBody {
    name: Option<String>,
    tunnel_secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManagementBody {
    resources: Vec<String>,
}

pub(super) fn list(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let page = call.query.page(PageSizes::MANY)?;
    let filter = TunnelFilter::parse(&call.query)?;
    let account = call.account();
    let mut tunnels: Vec<&Tunnel> = state.tunnels.values().filter(|tunnel| tunnel.account == account).collect();
    tunnels.retain(|tunnel| filter.matches(tunnel));
    tunnels.sort_by_key(|tunnel| tunnel.number);
    Ok(page.cut(&tunnels, |tunnel| render(tunnel)))
}

/// Answers with the connector token and the credentials file, too.
pub(super) fn create(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let body: CreateBody = call.body()?;
    let source = match body.config_src.as_deref() {
        None | Some("local") => ConfigSource::Local,
        Some("cloudflare") => ConfigSource::Cloudflare,
        Some(other) => return Err(Failure::invalid(format!("config_src must be local or cloudflare, not {other}"))),
    };
    let new = NewTunnel { name: body.name, source, secret: body.tunnel_secret.map(Secret::new) };
    let tunnel = state.create_tunnel(&call.account(), new, call.now)?;
    let mut result = render(tunnel);
    result["token"] = json!(tunnel.token());
    result["credentials_file"] = json!({
        "AccountTag": tunnel.account,
        "TunnelID": tunnel.id,
        "TunnelName": tunnel.name,
        "TunnelSecret": tunnel.secret.expose(),
    });
    Ok(Answer::one(result))
}

pub(super) fn get(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    Ok(Answer::one(render(state.tunnel(&call.account(), &call.tunnel())?)))
}

pub(super) fn patch(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    call.patch()?;
    let body: PatchBody = call.body()?;
    let secret = body.tunnel_secret.map(Secret::new);
    Ok(Answer::one(render(state.patch_tunnel(&call.account(), &call.tunnel(), body.name, secret)?)))
}

pub(super) fn delete(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let cascade = if call.query.flag("cascade")? == Some(true) { Cascade::Yes } else { Cascade::No };
    Ok(Answer::one(render(state.delete_tunnel(&call.account(), &call.tunnel(), cascade, call.now)?)))
}

pub(super) fn token(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    Ok(Answer::one(json!(state.live_tunnel(&call.account(), &call.tunnel())?.token())))
}

/// A token for log streaming, in the form of a JWT that nobody can verify.
pub(super) fn management(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let body: ManagementBody = call.body()?;
    if body.resources.is_empty() || body.resources.iter().any(|resource| resource != "logs") {
        return Err(Failure::invalid("resources must be [\"logs\"]"));
    }
    let tunnel = state.live_tunnel(&call.account(), &call.tunnel())?;
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({ "alg": "ES256", "typ": "JWT" }));
    let claims = part(json!({ "tun": { "id": tunnel.id, "account_tag": tunnel.account }, "resources": body.resources }));
    Ok(Answer::one(json!(format!("{head}.{claims}.{}", part(json!("unsigned"))))))
}

/// The tunnel object. `connections` stays empty, as announced: health is `status`, details are in `/connections`.
fn render(tunnel: &Tunnel) -> Value {
    json!({
        "id": tunnel.id,
        "account_tag": tunnel.account,
        "name": tunnel.name,
        "config_src": tunnel.source.as_str(),
        "remote_config": tunnel.source == ConfigSource::Cloudflare,
        "status": tunnel.status().as_str(),
        "tun_type": "cfd_tunnel",
        "created_at": time(tunnel.created),
        "deleted_at": optional_time(tunnel.deleted),
        "conns_active_at": optional_time(tunnel.active_since),
        "conns_inactive_at": optional_time(tunnel.inactive_since),
        "connections": [],
        "metadata": {},
    })
}
