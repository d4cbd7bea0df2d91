//! Load balancers of a zone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;

use crate::id::{BalancerId, PoolId, ZoneId};

use super::{
    Client, Error, Permission,
    call::{Call, Method, Resource},
    lenient,
};

/// A load balancer that exists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LoadBalancer {
    /// Its id.
    pub id: BalancerId,
    /// Its hostname.
    pub name: String,
    /// What people, or we, wrote beside it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub description: String,
    /// Whether it answers for its hostname.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its pools, in order. A balancer without this list is no balancer, so its absence is an error.
    pub default_pools: Vec<PoolId>,
    /// The pool of last resort.
    #[serde(default, deserialize_with = "lenient::known")]
    pub fallback_pool: Option<PoolId>,
    /// How it chooses among pools; empty when it is not told.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub steering_policy: String,
    /// How it keeps a visitor at one pool; empty when it is not told.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub session_affinity: String,
    /// All else that Cloudflare tells, which may name pools too: those of regions, of countries, and of rules.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

/// A load balancer to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewLoadBalancer {
    /// Its hostname.
    pub name: String,
    /// Whose it is.
    pub description: String,
    /// Its pools, in order: at least one.
    pub default_pools: Vec<PoolId>,
    /// The pool of last resort.
    pub fallback_pool: PoolId,
    /// Whether Cloudflare's edge answers for it. A tunnel is reached only when it does.
    pub proxied: bool,
    /// How it chooses among pools.
    pub steering_policy: &'static str,
    /// How it keeps a visitor at one pool.
    pub session_affinity: &'static str,
}

/// What to change of a load balancer; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LoadBalancerPatch {
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its pools, in order: at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_pools: Option<Vec<PoolId>>,
    /// The pool of last resort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_pool: Option<PoolId>,
    /// How it chooses among pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steering_policy: Option<&'static str>,
    /// How it keeps a visitor at one pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<&'static str>,
}

impl LoadBalancer {
    /// Whether it names a pool, wherever that is.
    pub fn names(&self, pool: &PoolId) -> bool {
        let elsewhere = || self.others.values().any(|value| holds(value, pool.as_str()));
        self.default_pools.contains(pool) || self.fallback_pool.as_ref() == Some(pool) || elsewhere()
    }
}

impl Client {
    /// Every load balancer of the zone.
    pub async fn load_balancers(&self, zone: &ZoneId) -> Result<Vec<LoadBalancer>, Error> {
        let call = all(Method::Get, zone, format!("list the load balancers of zone {zone}"));
        self.transport.list_whole(&call.needs(Permission::LoadBalancersRead, format!("zone {zone}"))).await
    }

    /// One load balancer.
    pub async fn load_balancer(&self, zone: &ZoneId, id: &BalancerId) -> Result<LoadBalancer, Error> {
        let call = one(Method::Get, zone, id, format!("read load balancer {id} of zone {zone}"));
        Ok(self.transport.call(&call.needs(Permission::LoadBalancersRead, format!("zone {zone}"))).await?.value)
    }

    /// Makes a load balancer. It is sent once; when [`Error::may_have_happened`], look for its name.
    pub async fn create_load_balancer(&self, zone: &ZoneId, balancer: &NewLoadBalancer) -> Result<LoadBalancer, Error> {
        let task = format!("create the load balancer \"{}\" in zone {zone}", balancer.name);
        let call = all(Method::Post, zone, task).needs(Permission::LoadBalancersEdit, format!("zone {zone}"));
        Ok(self.transport.call(&call.body(balancer)).await?.value)
    }

    /// Changes a load balancer in part. There is no precondition: whoever writes a list last wins, so read it right before.
    pub async fn patch_load_balancer(
        &self,
        zone: &ZoneId,
        id: &BalancerId,
        patch: &LoadBalancerPatch,
    ) -> Result<LoadBalancer, Error> {
        let call = one(Method::Patch, zone, id, format!("change load balancer {id} of zone {zone}"));
        let call = call.needs(Permission::LoadBalancersEdit, format!("zone {zone}"));
        Ok(self.transport.call(&call.body(patch)).await?.value)
    }

    /// Deletes a load balancer. [`Error::is_gone`] is success.
    pub async fn delete_load_balancer(&self, zone: &ZoneId, id: &BalancerId) -> Result<(), Error> {
        let call = one(Method::Delete, zone, id, format!("delete load balancer {id} of zone {zone}"));
        let call = call.needs(Permission::LoadBalancersEdit, format!("zone {zone}"));
        self.transport.call::<IgnoredAny>(&call).await?;
        Ok(())
    }
}

fn all(method: Method, zone: &ZoneId, task: String) -> Call {
    Call::new(method, Resource::LoadBalancing, ["zones", zone.as_str(), "load_balancers"], task)
}

fn one(method: Method, zone: &ZoneId, id: &BalancerId, task: String) -> Call {
    Call::new(method, Resource::LoadBalancing, ["zones", zone.as_str(), "load_balancers", id.as_str()], task)
}

/// Whether a text stands in a JSON value, as it is.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(values) => values.iter().any(|value| holds(value, text)),
        Value::Object(fields) => fields.iter().any(|(key, value)| key == text || holds(value, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn yes() -> bool {
    true
}
