//! Load-balancer pools.

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json};

use crate::id::{AccountId, MonitorId, PoolId};

use super::{
    Client, Error, Permission,
    call::{Call, Method, Resource},
    lenient,
};

/// A pool that exists.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pool {
    /// Its id.
    pub id: PoolId,
    /// Its name, unique in the account.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
    /// What people, or we, wrote beside it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub description: String,
    /// Whether it takes requests.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The monitor that checks it.
    #[serde(default, deserialize_with = "lenient::known")]
    pub monitor: Option<MonitorId>,
    /// Where it leads.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub origins: Vec<PoolOrigin>,
}

/// One endpoint of a pool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PoolOrigin {
    /// Its address; for a tunnel its id and `.cfargotunnel.com`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub address: String,
    /// Its share among the endpoints of the pool: 0 to 1; 1 when it is not told.
    #[serde(default, deserialize_with = "lenient::known")]
    pub weight: Option<f64>,
    /// The headers that are sent, in Cloudflare's form: `{"Host": ["app.example.com"]}`.
    #[serde(default)]
    pub header: Value,
}

/// A pool as it is written: all that Adit says about one.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPool {
    /// Its name, unique in the account.
    pub name: String,
    /// Whose it is.
    pub description: String,
    /// The monitor that checks it.
    pub monitor: MonitorId,
    /// The name of its one endpoint.
    pub origin: String,
    /// The address of its one endpoint.
    pub address: String,
    /// The Host header that requests arrive with.
    pub host: String,
    /// The share of its one endpoint: 0 to 1.
    pub weight: f64,
}

impl PoolOrigin {
    /// The Host header that requests arrive with, if it is set.
    pub fn host(&self) -> Option<&str> {
        self.header.get("Host")?.get(0)?.as_str()
    }
}

impl Serialize for NewPool {
    /// `enabled` of the pool is left out: it is the switch with which people take a pool out of use.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let origin = json!({
            "name": self.origin,
            "address": self.address,
            "enabled": true,
            "weight": self.weight,
            "header": { "Host": [self.host] },
        });
        let pool = json!({
            "name": self.name,
            "description": self.description,
            "monitor": self.monitor,
            "origins": [origin],
        });
        pool.serialize(serializer)
    }
}

impl Client {
    /// Every pool of the account.
    pub async fn pools(&self, account: &AccountId) -> Result<Vec<Pool>, Error> {
        let call = all(Method::Get, account, format!("list the load-balancer pools of account {account}"));
        self.transport.list_whole(&call.needs(Permission::PoolsRead, format!("account {account}"))).await
    }

    /// One pool.
    pub async fn pool(&self, account: &AccountId, id: &PoolId) -> Result<Pool, Error> {
        let call = one(Method::Get, account, id, format!("read load-balancer pool {id}"));
        Ok(self.transport.call(&call.needs(Permission::PoolsRead, format!("account {account}"))).await?.value)
    }

    /// Makes a pool. It is sent once; when [`Error::may_have_happened`], look for its name.
    pub async fn create_pool(&self, account: &AccountId, pool: &NewPool) -> Result<Pool, Error> {
        let task = format!("create the load-balancer pool \"{}\" in account {account}", pool.name);
        Ok(self.transport.call(&all(Method::Post, account, task).edits_pools(account).body(pool)).await?.value)
    }

    /// Changes what Adit says about a pool, and leaves the rest.
    pub async fn patch_pool(&self, account: &AccountId, id: &PoolId, pool: &NewPool) -> Result<Pool, Error> {
        let call = one(Method::Patch, account, id, format!("change load-balancer pool {id}")).edits_pools(account);
        Ok(self.transport.call(&call.body(pool)).await?.value)
    }

    /// Deletes a pool, which Cloudflare refuses while a balancer uses it. [`Error::is_gone`] is success.
    pub async fn delete_pool(&self, account: &AccountId, id: &PoolId) -> Result<(), Error> {
        let call = one(Method::Delete, account, id, format!("delete load-balancer pool {id}")).edits_pools(account);
        self.transport.call::<IgnoredAny>(&call).await?;
        Ok(())
    }
}

fn all(method: Method, account: &AccountId, task: String) -> Call {
    Call::new(method, Resource::LoadBalancing, ["accounts", account.as_str(), "load_balancers", "pools"], task)
}

fn one(method: Method, account: &AccountId, id: &PoolId, task: String) -> Call {
    let path = ["accounts", account.as_str(), "load_balancers", "pools", id.as_str()];
    Call::new(method, Resource::LoadBalancing, path, task)
}

fn yes() -> bool {
    true
}
