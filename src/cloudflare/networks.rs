//! Private networks: routes of address ranges to tunnels, and the virtual networks that they stand in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::id::{AccountId, RouteId, TunnelId, VirtualNetworkId};

use super::{
    Client, Error, Permission,
    call::{Call, Method, Resource},
    lenient,
    pages::Identified,
};

/// The largest page of routes: as many as an account may have.
pub(super) const PAGE: u64 = 1_000;

/// A route of an address range.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NetworkRoute {
    /// Its id.
    pub id: RouteId,
    /// The range, such as `10.20.0.0/16`; empty when it is not told.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub network: String,
    /// The tunnel that it leads to, which may be no `cloudflared` tunnel.
    #[serde(default, deserialize_with = "lenient::known")]
    pub tunnel_id: Option<TunnelId>,
    /// That tunnel's name, in lists only.
    #[serde(default, deserialize_with = "lenient::known")]
    pub tunnel_name: Option<String>,
    /// The virtual network that it stands in; the default one when it is not told.
    #[serde(default, deserialize_with = "lenient::known")]
    pub virtual_network_id: Option<VirtualNetworkId>,
    /// What people, or we, wrote beside it; empty when nobody did.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub comment: String,
    /// When it was deleted; `None` for a live one.
    #[serde(default, deserialize_with = "lenient::deletion")]
    pub deleted_at: Option<Timestamp>,
}

/// A route of an address range as it is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewNetworkRoute {
    /// The range, without host bits.
    pub network: String,
    /// The tunnel that it leads to.
    pub tunnel_id: TunnelId,
    /// The virtual network that it stands in.
    pub virtual_network_id: VirtualNetworkId,
    /// At most 100 characters.
    pub comment: String,
}

/// A virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VirtualNetwork {
    /// Its id.
    pub id: VirtualNetworkId,
    /// Its name, unique among the live ones of the account.
    pub name: String,
    /// Whether routes stand in it that name none. It decides where they lead, so it must be told.
    pub is_default_network: bool,
    /// What people, or we, wrote beside it; empty when nobody did.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub comment: String,
    /// When it was deleted; `None` for a live one.
    #[serde(default, deserialize_with = "lenient::deletion")]
    pub deleted_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct NewVirtualNetwork<'a> {
    name: &'a str,
    comment: &'a str,
}

#[derive(Serialize)]
struct Comment<'a> {
    comment: &'a str,
}

impl Identified for NetworkRoute {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

impl Client {
    /// Every live route of an address range in the account that the token can see.
    pub async fn network_routes(&self, account: &AccountId) -> Result<Vec<NetworkRoute>, Error> {
        let task = format!("list the private network routes of account {account}");
        // Left out, it would mean live and deleted ones together.
        let call = Call::new(Method::Get, Resource::NetworkRoutes, routes(account), task).query("is_deleted", "false");
        let mut routes: Vec<NetworkRoute> = self.transport.list(&call.reads_networks(account), PAGE).await?;
        routes.retain(|route| route.deleted_at.is_none());
        Ok(routes)
    }

    /// One route of an address range. A deleted one comes back with `deleted_at`.
    pub async fn network_route(&self, account: &AccountId, id: &RouteId) -> Result<NetworkRoute, Error> {
        let call = route(Method::Get, account, id, format!("read private network route {id}")).reads_networks(account);
        Ok(self.transport.call(&call).await?.value)
    }

    /// Makes a route of an address range. It is sent once; when [`Error::may_have_happened`], list the routes again.
    pub async fn create_network_route(&self, account: &AccountId, new: &NewNetworkRoute) -> Result<NetworkRoute, Error> {
        let task = format!("create the private network route {}", new.network);
        let call = Call::new(Method::Post, Resource::NetworkRoutes, routes(account), task).changes_networks(account).body(new);
        Ok(self.transport.call(&call).await?.value)
    }

    /// Makes a route of an address range what `new` says.
    pub async fn change_network_route(
        &self,
        account: &AccountId,
        id: &RouteId,
        new: &NewNetworkRoute,
    ) -> Result<NetworkRoute, Error> {
        let task = format!("change private network route {id} ({})", new.network);
        Ok(self.transport.call(&route(Method::Patch, account, id, task).changes_networks(account).body(new)).await?.value)
    }

    /// Deletes a route of an address range. [`Error::is_gone`] is success.
    pub async fn delete_network_route(&self, account: &AccountId, id: &RouteId) -> Result<(), Error> {
        let call = route(Method::Delete, account, id, format!("delete private network route {id}"));
        self.transport.call::<IgnoredAny>(&call.changes_networks(account)).await?;
        Ok(())
    }

    /// Every live virtual network of the account that the token can see. The list has one page.
    pub async fn virtual_networks(&self, account: &AccountId) -> Result<Vec<VirtualNetwork>, Error> {
        let task = format!("list the virtual networks of account {account}");
        let call = Call::new(Method::Get, Resource::VirtualNetworks, virtual_networks(account), task)
            .query("is_deleted", "false")
            .reads_networks(account);
        let mut networks: Vec<VirtualNetwork> = self.transport.list_whole(&call).await?;
        networks.retain(|network| network.deleted_at.is_none());
        Ok(networks)
    }

    /// One virtual network. A deleted one comes back with `deleted_at`.
    pub async fn virtual_network(&self, account: &AccountId, id: &VirtualNetworkId) -> Result<VirtualNetwork, Error> {
        let call = virtual_network(Method::Get, account, id, format!("read virtual network {id}")).reads_networks(account);
        Ok(self.transport.call(&call).await?.value)
    }

    /// Makes a virtual network, which is not the default one. It is sent once; when [`Error::may_have_happened`], look for the
    /// name.
    pub async fn create_virtual_network(&self, account: &AccountId, name: &str, comment: &str) -> Result<VirtualNetwork, Error> {
        let task = format!("create virtual network {name:?}");
        let call = Call::new(Method::Post, Resource::VirtualNetworks, virtual_networks(account), task)
            .changes_networks(account)
            .body(&NewVirtualNetwork { name, comment });
        Ok(self.transport.call(&call).await?.value)
    }

    /// Writes something else beside a virtual network; its name and whether it is the default stay.
    pub async fn comment_virtual_network(&self, account: &AccountId, id: &VirtualNetworkId, comment: &str) -> Result<(), Error> {
        let call = virtual_network(Method::Patch, account, id, format!("mark virtual network {id}")).changes_networks(account);
        self.transport.call::<IgnoredAny>(&call.body(&Comment { comment })).await?;
        Ok(())
    }

    /// Deletes a virtual network that has no routes. [`Error::is_gone`] is success.
    pub async fn delete_virtual_network(&self, account: &AccountId, id: &VirtualNetworkId) -> Result<(), Error> {
        let call = virtual_network(Method::Delete, account, id, format!("delete virtual network {id}"));
        self.transport.call::<IgnoredAny>(&call.changes_networks(account)).await?;
        Ok(())
    }
}

fn routes(account: &AccountId) -> [&str; 4] {
    ["accounts", account.as_str(), "teamnet", "routes"]
}

fn route(method: Method, account: &AccountId, id: &RouteId, task: String) -> Call {
    Call::new(method, Resource::NetworkRoutes, ["accounts", account.as_str(), "teamnet", "routes", id.as_str()], task)
}

fn virtual_networks(account: &AccountId) -> [&str; 4] {
    ["accounts", account.as_str(), "teamnet", "virtual_networks"]
}

fn virtual_network(method: Method, account: &AccountId, id: &VirtualNetworkId, task: String) -> Call {
    let path = ["accounts", account.as_str(), "teamnet", "virtual_networks", id.as_str()];
    Call::new(method, Resource::VirtualNetworks, path, task)
}

impl Call {
    /// The call needs to read private networks of `account`.
    pub(super) fn reads_networks(self, account: &AccountId) -> Self {
        self.needs(Permission::NetworksRead, format!("account {account}"))
    }

    /// The call needs to change private networks of `account`.
    pub(super) fn changes_networks(self, account: &AccountId) -> Self {
        self.needs(Permission::NetworksEdit, format!("account {account}"))
    }
}
