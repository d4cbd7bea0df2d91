//! Load balancing and Access, as they are at Cloudflare.

use std::collections::BTreeMap;

use crate::id::{AccessAppId, BalancerId, MonitorId, PoolId, ZoneId};

use super::{Gap, Part};

/// What an account holds for load balancing.
#[derive(Debug, Clone)]
pub struct Balancing {
    /// Every monitor.
    pub monitors: Part<Vec<ObservedMonitor>>,
    /// Every pool.
    pub pools: Part<Vec<ObservedPool>>,
    /// For each zone that matters, every load balancer.
    pub balancers: BTreeMap<ZoneId, Part<Vec<ObservedBalancer>>>,
}

/// A monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedMonitor {
    /// Its id.
    pub id: MonitorId,
    /// What people, or we, wrote beside it.
    pub description: String,
    /// `https`, `tcp`, ….
    pub kind: String,
    /// The path that is asked for.
    pub path: String,
    /// The port, when it is told.
    pub port: Option<u16>,
    /// The status of a healthy answer.
    pub expected_codes: String,
    /// Seconds between two checks.
    pub interval: u64,
    /// The Host header that is sent.
    pub host: Option<String>,
}

/// A pool.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedPool {
    /// Its id.
    pub id: PoolId,
    /// Its name.
    pub name: String,
    /// What people, or we, wrote beside it.
    pub description: String,
    /// Whether it takes requests.
    pub enabled: bool,
    /// The monitor that checks it.
    pub monitor: Option<MonitorId>,
    /// Where it leads.
    pub origins: Vec<ObservedOrigin>,
}

/// An endpoint of a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedOrigin {
    /// Its address.
    pub address: String,
    /// Its share among the endpoints of the pool.
    pub weight: f64,
    /// The Host header that requests arrive with.
    pub host: Option<String>,
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedBalancer {
    /// Its id.
    pub id: BalancerId,
    /// Its hostname.
    pub name: String,
    /// What people, or we, wrote beside it.
    pub description: String,
    /// Whether it answers for its hostname.
    pub enabled: bool,
    /// Its pools, in order.
    pub pools: Vec<PoolId>,
    /// The pool of last resort.
    pub fallback: Option<PoolId>,
    /// How it chooses among pools.
    pub steering_policy: String,
    /// How it keeps a visitor at one pool.
    pub session_affinity: String,
}

/// An Access application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedApp {
    /// Its id.
    pub id: AccessAppId,
    /// Its name.
    pub name: String,
    /// The public hostnames that it covers, each with an optional path.
    pub covers: Vec<String>,
}

/// Something of load balancing that is read by its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BalancingObject {
    /// A monitor.
    Monitor(MonitorId),
    /// A pool.
    Pool(PoolId),
    /// A load balancer.
    Balancer {
        /// Its zone.
        zone_id: ZoneId,
        /// Its id.
        id: BalancerId,
    },
}

/// What a read by id found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// It is there.
    There(T),
    /// Cloudflare knows no such id, which is proof only while other objects of the account can be read.
    NotFound,
}

impl Balancing {
    /// A read that did not happen.
    pub fn unread(why: &str) -> Self {
        let gap = |what: &str| Gap { what: what.to_owned(), why: why.to_owned() };
        Self {
            monitors: Part::Gap(gap("the monitors")),
            pools: Part::Gap(gap("the load-balancer pools")),
            balancers: BTreeMap::new(),
        }
    }
}

impl ObservedBalancer {
    /// Whether requests may be sent to a pool by it.
    pub fn uses(&self, pool: &PoolId) -> bool {
        self.pools.contains(pool) || self.fallback.as_ref() == Some(pool)
    }
}
