//! What of load balancing and Access stands in a tunnel's record file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    id::AccessAppId,
    name::Hostname,
    record::{BalancerRef, BalancingRecord, MonitorRef, PoolRef},
};

/// Load balancing as it stands in the file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenBalancing {
    #[serde(default)]
    monitor: Option<MonitorRef>,
    #[serde(default)]
    pool: Option<PoolRef>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    balancers: BTreeMap<String, BalancerRef>,
}

impl WrittenBalancing {
    /// `None` when there is nothing to write.
    pub(super) fn of(record: &BalancingRecord) -> Option<Self> {
        (!record.is_empty()).then(|| Self {
            monitor: record.monitor.clone(),
            pool: record.pool.clone(),
            balancers: record.balancers.iter().map(|(hostname, balancer)| (hostname.to_string(), balancer.clone())).collect(),
        })
    }

    pub(super) fn read(self) -> Result<BalancingRecord, String> {
        Ok(BalancingRecord { monitor: self.monitor, pool: self.pool, balancers: by_hostname(self.balancers)? })
    }
}

/// The applications that cover hostnames, as they stand in the file.
pub(super) fn written_apps(apps: &BTreeMap<Hostname, AccessAppId>) -> BTreeMap<String, AccessAppId> {
    apps.iter().map(|(hostname, app)| (hostname.to_string(), app.clone())).collect()
}

/// What the file has by hostname.
pub(super) fn by_hostname<T>(written: BTreeMap<String, T>) -> Result<BTreeMap<Hostname, T>, String> {
    let read = written.into_iter().map(|(hostname, value)| match hostname.parse() {
        Ok(parsed) => Ok((parsed, value)),
        Err(error) => Err(format!("it has no hostname in {hostname:?}: {error}")),
    });
    read.collect()
}
