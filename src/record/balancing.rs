//! What Adit made for load balancing, on record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    id::{BalancerId, MonitorId, PoolId, ZoneId},
    name::Hostname,
};

/// What of load balancing belongs to a tunnel. An id that is `None` is an intent: the call may or may not have been answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BalancingRecord {
    /// The monitor that checks the tunnel.
    pub monitor: Option<MonitorRef>,
    /// The tunnel's own pool.
    pub pool: Option<PoolRef>,
    /// The balancers that the pool is in, by hostname.
    pub balancers: BTreeMap<Hostname, BalancerRef>,
}

/// A monitor that Adit made, or is about to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorRef {
    /// Its id.
    pub id: Option<MonitorId>,
    /// The fingerprint of what Adit wrote last, with the intent already: with it an edit is told from a change of what is wanted.
    #[serde(default)]
    pub written: Option<String>,
}

/// A pool that Adit made, or is about to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolRef {
    /// Its id.
    pub id: Option<PoolId>,
    /// The fingerprint of what Adit wrote last.
    #[serde(default)]
    pub written: Option<String>,
}

/// A load balancer that a tunnel is a part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerRef {
    /// The zone it stands in.
    pub zone_id: ZoneId,
    /// Its id.
    pub id: Option<BalancerId>,
    /// Whether it is somebody else's, and Adit may add and remove the tunnel's pool, and nothing else.
    #[serde(default)]
    pub adopted: bool,
    /// Whether the pool was in it.
    #[serde(default)]
    pub joined: bool,
    /// The fingerprint of how it steers, as Adit wrote it last for this tunnel.
    #[serde(default)]
    pub steering: Option<String>,
}

impl BalancingRecord {
    /// Whether there is nothing of load balancing.
    pub fn is_empty(&self) -> bool {
        self.monitor.is_none() && self.pool.is_none() && self.balancers.is_empty()
    }

    /// The pool's id, once it has one.
    pub fn pool_id(&self) -> Option<&PoolId> {
        self.pool.as_ref()?.id.as_ref()
    }

    /// The monitor's id, once it has one.
    pub fn monitor_id(&self) -> Option<&MonitorId> {
        self.monitor.as_ref()?.id.as_ref()
    }
}
