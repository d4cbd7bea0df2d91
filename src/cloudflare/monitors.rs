//! Monitors: how Cloudflare checks the health of pools.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::id::{AccountId, MonitorId};

use super::{
    Client, Error, Permission,
    call::{Call, Method, Resource},
    lenient,
};

/// A monitor that exists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Monitor {
    /// Its id.
    pub id: MonitorId,
    /// What people, or we, wrote beside it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub description: String,
    /// `https`, `tcp`, ….
    #[serde(default, rename = "type", deserialize_with = "lenient::or_default")]
    pub kind: String,
    /// The path that is asked for.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub path: String,
    /// The status of a healthy answer.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub expected_codes: String,
    /// Seconds between two checks; 0 when it is not told.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub interval: u64,
    /// The port, when it is told.
    #[serde(default, deserialize_with = "lenient::known")]
    pub port: Option<u16>,
    /// The headers that are sent.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub header: BTreeMap<String, Vec<String>>,
}

/// A monitor as it is written: all that Adit says about one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewMonitor {
    /// `https`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whose it is.
    pub description: String,
    /// The path that is asked for.
    pub path: String,
    /// The port.
    pub port: u16,
    /// The status of a healthy answer.
    pub expected_codes: String,
    /// Seconds between two checks.
    pub interval: u64,
    /// The headers that are sent.
    pub header: BTreeMap<String, Vec<String>>,
}

impl Client {
    /// Every monitor of the account.
    pub async fn monitors(&self, account: &AccountId) -> Result<Vec<Monitor>, Error> {
        let call = all(Method::Get, account, format!("list the monitors of account {account}"));
        self.transport.list_whole(&call.needs(Permission::PoolsRead, format!("account {account}"))).await
    }

    /// One monitor.
    pub async fn monitor(&self, account: &AccountId, id: &MonitorId) -> Result<Monitor, Error> {
        let call = one(Method::Get, account, id, format!("read monitor {id}"));
        Ok(self.transport.call(&call.needs(Permission::PoolsRead, format!("account {account}"))).await?.value)
    }

    /// Makes a monitor. It is sent once; when [`Error::may_have_happened`], look for its description.
    pub async fn create_monitor(&self, account: &AccountId, monitor: &NewMonitor) -> Result<Monitor, Error> {
        let call = all(Method::Post, account, format!("create a monitor in account {account}")).edits_pools(account);
        Ok(self.transport.call(&call.body(monitor)).await?.value)
    }

    /// Changes what Adit says about a monitor, and leaves the rest.
    pub async fn patch_monitor(&self, account: &AccountId, id: &MonitorId, monitor: &NewMonitor) -> Result<Monitor, Error> {
        let call = one(Method::Patch, account, id, format!("change monitor {id}")).edits_pools(account);
        Ok(self.transport.call(&call.body(monitor)).await?.value)
    }

    /// Deletes a monitor. [`Error::is_gone`] is success.
    pub async fn delete_monitor(&self, account: &AccountId, id: &MonitorId) -> Result<(), Error> {
        let call = one(Method::Delete, account, id, format!("delete monitor {id}")).edits_pools(account);
        self.transport.call::<IgnoredAny>(&call).await?;
        Ok(())
    }
}

fn all(method: Method, account: &AccountId, task: String) -> Call {
    Call::new(method, Resource::LoadBalancing, ["accounts", account.as_str(), "load_balancers", "monitors"], task)
}

fn one(method: Method, account: &AccountId, id: &MonitorId, task: String) -> Call {
    let path = ["accounts", account.as_str(), "load_balancers", "monitors", id.as_str()];
    Call::new(method, Resource::LoadBalancing, path, task)
}

impl Call {
    /// The call needs to change pools or monitors of `account`.
    pub(super) fn edits_pools(self, account: &AccountId) -> Self {
        self.needs(Permission::PoolsEdit, format!("account {account}"))
    }
}
