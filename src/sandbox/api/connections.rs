//! `/accounts/{account_id}/cfd_tunnel/{tunnel_id}/connections` and `…/connectors/{connector_id}`.

use serde_json::{Value, json};

use super::{
    answer::Answer,
    call::{Call, time},
    failure::Failure,
};
use crate::{
    id::ConnectorId,
    sandbox::world::{Connection, Connector, Error, state::State},
};

pub(super) fn list(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let tunnel = state.live_tunnel(&call.account(), &call.tunnel())?;
    Ok(Answer::all(tunnel.connectors.iter().map(|(id, connector)| render(id, connector)).collect()))
}

/// Forces connections off: those of `client_id`, or all.
pub(super) fn delete(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let id = call.query.text("client_id").map(str::parse::<ConnectorId>).transpose();
    let only = id.map_err(|_| Failure::invalid("client_id must be a connector's id"))?;
    state.clean_connections(&call.account(), &call.tunnel(), only.as_ref(), call.now)?;
    Ok(Answer::one(Value::Null))
}

pub(super) fn get_connector(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let tunnel = state.live_tunnel(&call.account(), &call.tunnel())?;
    let id = call.connector();
    let connector = tunnel.connectors.get(&id).ok_or(Error::ConnectorNotFound)?;
    Ok(Answer::one(render(&id, connector)))
}

fn render(id: &ConnectorId, connector: &Connector) -> Value {
    let connections = connector.connections.values().map(|connection| render_connection(id, connector, connection));
    let mut result = json!({
        "id": id,
        "version": connector.version,
        "arch": connector.arch,
        "features": ["allow_remote_config", "serialized_headers", "support_datagram_v2"],
        "run_at": time(connector.run_at),
        "conns": connections.collect::<Vec<_>>(),
    });
    if let Some(version) = connector.config_version {
        result["config_version"] = json!(version);
    }
    result
}

fn render_connection(id: &ConnectorId, connector: &Connector, connection: &Connection) -> Value {
    json!({
        "id": connection.id,
        "uuid": connection.id,
        "client_id": id,
        "client_version": connector.version,
        "colo_name": connection.colo,
        "is_pending_reconnect": false,
        "opened_at": time(connection.opened),
        "origin_ip": connection.origin_ip,
    })
}
