//! Tunnels, and the connectors that Cloudflare's edge sees of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::json;

use crate::{
    id::{AccountId, ConnectorId, TunnelId},
    secret::Secret,
};

use super::{
    Client, Error, Kind, Permission,
    call::{Call, Method, Resource},
    lenient,
    pages::Identified,
};

/// The largest page of tunnels: all that an account may have, unless its limit was raised.
const PAGE: u64 = 1_000;

/// A tunnel as Cloudflare knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tunnel {
    /// Its id.
    pub id: TunnelId,
    /// Its name, unique among the live tunnels of the account.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
    /// Where its configuration is kept; `None` when the answer does not say.
    #[serde(default, deserialize_with = "lenient::known")]
    pub config_src: Option<ConfigSource>,
    /// Its health.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub status: TunnelStatus,
    /// When it was made.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it was deleted; `None` for a live tunnel.
    #[serde(default, deserialize_with = "lenient::deletion")]
    pub deleted_at: Option<Timestamp>,
}

/// Where a tunnel's configuration is kept. It is chosen at creation and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigSource {
    /// In a file beside the connector.
    Local,
    /// At Cloudflare, which sends it to the connectors.
    Cloudflare,
}

/// A tunnel's health as Cloudflare sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelStatus {
    /// No connector was ever connected.
    Inactive,
    /// All connections stand.
    Healthy,
    /// It serves, with a connection missing.
    Degraded,
    /// It served once, and has no connection.
    Down,
    /// A word that this client does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl TunnelStatus {
    /// Cloudflare's word for it; empty for one that this client does not know.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "",
        }
    }
}

/// One run of a connector, as the edge sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EdgeConnector {
    /// The id that cloudflared made at its start.
    pub id: ConnectorId,
    /// cloudflared's version; empty when it is not told.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub version: String,
    /// The version of the configuration that it runs.
    #[serde(default, deserialize_with = "lenient::known")]
    pub config_version: Option<i64>,
    /// When it started.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub run_at: Option<Timestamp>,
    /// Its connections; four when all is well.
    #[serde(default, rename = "conns", deserialize_with = "lenient::or_default")]
    pub connections: Vec<EdgeConnection>,
}

/// One connection of a connector to the edge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EdgeConnection {
    /// The data centre, such as `fra08`; empty when it is not told.
    #[serde(default, rename = "colo_name", deserialize_with = "lenient::or_default")]
    pub location: String,
    /// The address that the connector comes from; empty when it is not told.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub origin_ip: String,
    /// Since when it stands.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub opened_at: Option<Timestamp>,
}

impl Identified for Tunnel {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

impl Client {
    /// Every live tunnel of the account that the token can see.
    ///
    /// Cloudflare filters the list by what the token may read: a tunnel that is not in it may still exist.
    pub async fn tunnels(&self, account: &AccountId) -> Result<Vec<Tunnel>, Error> {
        self.live_tunnels(&list(account, format!("list the tunnels of account {account}"))).await
    }

    /// The live tunnels of exactly this name: one or none, unless Cloudflare's name check was outrun.
    pub async fn tunnels_named(&self, account: &AccountId, name: &str) -> Result<Vec<Tunnel>, Error> {
        let call = list(account, format!("look for a tunnel named \"{name}\"")).query("name", name);
        let mut tunnels = self.live_tunnels(&call).await?;
        // Whether the filter is exact is not published.
        tunnels.retain(|tunnel| tunnel.name == name);
        Ok(tunnels)
    }

    /// One tunnel. A deleted one comes back with `deleted_at`.
    pub async fn tunnel(&self, account: &AccountId, id: &TunnelId) -> Result<Tunnel, Error> {
        let call = one(Method::Get, account, id, format!("read tunnel {id}")).reads(account);
        Ok(self.transport.call(&call).await?.value)
    }

    /// Makes a tunnel whose secret is `secret`: base64 of at least 32 bytes. It is sent once.
    ///
    /// When [`Error::may_have_happened`], look for the name and compare the secret before anything else.
    pub async fn create_tunnel(
        &self,
        account: &AccountId,
        name: &str,
        source: ConfigSource,
        secret: &Secret,
    ) -> Result<Tunnel, Error> {
        let path = ["accounts", account.as_str(), "cfd_tunnel"];
        let call = Call::new(Method::Post, Resource::Tunnels, path, format!("create tunnel \"{name}\""))
            .changes(account)
            .body(&json!({ "name": name, "config_src": source, "tunnel_secret": secret.expose() }))
            .hiding(secret)
            // The answer holds the connector token.
            .answering_with_secret();
        Ok(self.transport.call(&call).await?.value)
    }

    /// Deletes a tunnel that has neither connections nor private routes. [`Error::is_gone`] is success.
    pub async fn delete_tunnel(&self, account: &AccountId, id: &TunnelId) -> Result<(), Error> {
        let call = one(Method::Delete, account, id, format!("delete tunnel {id}")).changes(account);
        self.transport.call::<IgnoredAny>(&call).await?;
        Ok(())
    }

    /// The connector token of a tunnel. Cloudflare asks for the right to edit tunnels here.
    pub async fn tunnel_token(&self, account: &AccountId, id: &TunnelId) -> Result<Secret, Error> {
        let path = ["accounts", account.as_str(), "cfd_tunnel", id.as_str(), "token"];
        let call = Call::new(Method::Get, Resource::Tunnels, path, format!("read the connector token of tunnel {id}"))
            .changes(account)
            .answering_with_secret();
        let token: String = self.transport.call(&call).await?.value;
        let token = Secret::new(token);
        if token.is_empty() {
            return Err(Error::of(Kind::Malformed, &call).detail("the token is empty"));
        }
        Ok(token)
    }

    /// The connectors that the edge has connections of.
    pub async fn connectors(&self, account: &AccountId, tunnel: &TunnelId) -> Result<Vec<EdgeConnector>, Error> {
        let call = connections(Method::Get, account, tunnel, format!("list the connectors of tunnel {tunnel}")).reads(account);
        self.transport.list_whole(&call).await
    }

    /// Drops every connection of a tunnel; connectors that still run come back.
    pub async fn delete_connections(&self, account: &AccountId, tunnel: &TunnelId) -> Result<(), Error> {
        let call = connections(Method::Delete, account, tunnel, format!("drop the connections of tunnel {tunnel}"));
        self.transport.call::<IgnoredAny>(&call.changes(account)).await?;
        Ok(())
    }

    async fn live_tunnels(&self, call: &Call) -> Result<Vec<Tunnel>, Error> {
        // Left out, it would mean live and deleted ones together.
        let call = call.clone().query("is_deleted", "false");
        let mut tunnels: Vec<Tunnel> = self.transport.list(&call, PAGE).await?;
        tunnels.retain(|tunnel| tunnel.deleted_at.is_none());
        Ok(tunnels)
    }
}

fn list(account: &AccountId, task: String) -> Call {
    Call::new(Method::Get, Resource::Tunnels, ["accounts", account.as_str(), "cfd_tunnel"], task).reads(account)
}

fn one(method: Method, account: &AccountId, id: &TunnelId, task: String) -> Call {
    Call::new(method, Resource::Tunnels, ["accounts", account.as_str(), "cfd_tunnel", id.as_str()], task)
}

fn connections(method: Method, account: &AccountId, id: &TunnelId, task: String) -> Call {
    let path = ["accounts", account.as_str(), "cfd_tunnel", id.as_str(), "connections"];
    Call::new(method, Resource::Connections, path, task)
}

impl Call {
    /// The call needs to read tunnels of `account`.
    pub(super) fn reads(self, account: &AccountId) -> Self {
        self.needs(Permission::TunnelRead, format!("account {account}"))
    }

    /// The call needs to change tunnels of `account`.
    pub(super) fn changes(self, account: &AccountId) -> Self {
        self.needs(Permission::TunnelEdit, format!("account {account}"))
    }
}
