//! Hostname routes: private hostnames that lead to tunnels.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::id::{AccountId, RouteId, TunnelId};

use super::{
    Client, Error,
    call::{Call, Method, Resource},
    lenient,
    networks::PAGE,
    pages::Identified,
};

/// A route of a private hostname.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HostnameRoute {
    /// Its id.
    pub id: RouteId,
    /// The hostname; empty when it is not told.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub hostname: String,
    /// The tunnel that it leads to, which may be no `cloudflared` tunnel.
    #[serde(default, deserialize_with = "lenient::known")]
    pub tunnel_id: Option<TunnelId>,
    /// That tunnel's name.
    #[serde(default, deserialize_with = "lenient::known")]
    pub tunnel_name: Option<String>,
    /// What people, or we, wrote beside it; empty when nobody did.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub comment: String,
    /// When it was deleted; `None` for a live one.
    #[serde(default, deserialize_with = "lenient::deletion")]
    pub deleted_at: Option<Timestamp>,
}

/// A route of a private hostname as it is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewHostnameRoute {
    /// The hostname.
    pub hostname: String,
    /// The tunnel that it leads to.
    pub tunnel_id: TunnelId,
    /// At most 100 characters.
    pub comment: String,
}

impl Identified for HostnameRoute {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

impl Client {
    /// Every live route of a private hostname in the account that the token can see.
    pub async fn hostname_routes(&self, account: &AccountId) -> Result<Vec<HostnameRoute>, Error> {
        let task = format!("list the hostname routes of account {account}");
        let call = Call::new(Method::Get, Resource::HostnameRoutes, routes(account), task).query("is_deleted", "false");
        let mut routes: Vec<HostnameRoute> = self.transport.list(&call.reads_networks(account), PAGE).await?;
        routes.retain(|route| route.deleted_at.is_none());
        Ok(routes)
    }

    /// One route of a private hostname. A deleted one comes back with `deleted_at`.
    pub async fn hostname_route(&self, account: &AccountId, id: &RouteId) -> Result<HostnameRoute, Error> {
        let call = route(Method::Get, account, id, format!("read hostname route {id}")).reads_networks(account);
        Ok(self.transport.call(&call).await?.value)
    }

    /// Makes a route of a private hostname. It is sent once; when [`Error::may_have_happened`], list the routes again.
    pub async fn create_hostname_route(&self, account: &AccountId, new: &NewHostnameRoute) -> Result<HostnameRoute, Error> {
        let task = format!("create the hostname route \"{}\"", new.hostname);
        let call = Call::new(Method::Post, Resource::HostnameRoutes, routes(account), task).changes_networks(account).body(new);
        Ok(self.transport.call(&call).await?.value)
    }

    /// Makes a route of a private hostname what `new` says.
    pub async fn change_hostname_route(
        &self,
        account: &AccountId,
        id: &RouteId,
        new: &NewHostnameRoute,
    ) -> Result<HostnameRoute, Error> {
        let task = format!("change hostname route {id} (\"{}\")", new.hostname);
        Ok(self.transport.call(&route(Method::Patch, account, id, task).changes_networks(account).body(new)).await?.value)
    }

    /// Deletes a route of a private hostname. [`Error::is_gone`] is success.
    pub async fn delete_hostname_route(&self, account: &AccountId, id: &RouteId) -> Result<(), Error> {
        let call = route(Method::Delete, account, id, format!("delete hostname route {id}"));
        self.transport.call::<IgnoredAny>(&call.changes_networks(account)).await?;
        Ok(())
    }
}

fn routes(account: &AccountId) -> [&str; 5] {
    ["accounts", account.as_str(), "zerotrust", "routes", "hostname"]
}

fn route(method: Method, account: &AccountId, id: &RouteId, task: String) -> Call {
    let path = ["accounts", account.as_str(), "zerotrust", "routes", "hostname", id.as_str()];
    Call::new(method, Resource::HostnameRoutes, path, task)
}
