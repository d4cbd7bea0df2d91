//! Another secret for a tunnel, and the end of connections that were made with the one before.

use serde::de::IgnoredAny;
use serde_json::json;

use crate::{
    id::{AccountId, ConnectorId, TunnelId},
    secret::Secret,
};

use super::{
    Client, Error,
    call::{Call, Method, Resource},
};

impl Client {
    /// Gives a tunnel another secret: base64 of at least 32 bytes. Connectors that are connected stay so; with the secret before,
    /// none connects any more. Doing it twice is doing it once.
    ///
    /// When [`Error::may_have_happened`], [`Client::tunnel_token`] tells which secret is valid.
    pub async fn replace_tunnel_secret(&self, account: &AccountId, id: &TunnelId, secret: &Secret) -> Result<(), Error> {
        let path = ["accounts", account.as_str(), "cfd_tunnel", id.as_str()];
        let call = Call::new(Method::Patch, Resource::Tunnels, path, format!("replace the secret of tunnel {id}"))
            .changes(account)
            .body(&json!({ "tunnel_secret": secret.expose() }))
            .hiding(secret)
            .answering_with_secret();
        self.transport.call::<IgnoredAny>(&call).await?;
        Ok(())
    }

    /// Drops the connections of one connector of a tunnel. It comes back if it runs and holds the tunnel's secret.
    pub async fn delete_connections_of(
        &self,
        account: &AccountId,
        tunnel: &TunnelId,
        connector: &ConnectorId,
    ) -> Result<(), Error> {
        let path = ["accounts", account.as_str(), "cfd_tunnel", tunnel.as_str(), "connections"];
        let task = format!("drop connector {connector} of tunnel {tunnel}");
        let call = Call::new(Method::Delete, Resource::Connections, path, task).query("client_id", connector.as_str());
        self.transport.call::<IgnoredAny>(&call.changes(account)).await?;
        Ok(())
    }
}
