//! Leftover pools and monitors.
//!
//! A pool may be deleted while no balancer sends requests to it, a monitor while it checks no pool. Who deletes both looks twice:
//! the monitor is free when its pool is gone.

use super::{Object, Orphan, held, tunnel_of_marker};
use crate::{
    id::{MonitorId, PoolId},
    observed::{ObservedMonitor, ObservedPool},
    record::Records,
};

impl Orphan {
    /// A pool that carries our marker and is not on record. `stays` is why it is needed, or may be.
    pub fn pool(records: &Records, pool: &ObservedPool, stays: Option<String>) -> Self {
        let kept = held(records, tunnel_of_marker(records, &pool.description)).or(stays);
        let why = format!("it carries our marker {:?} and is not on record here", pool.description);
        Self::new(Object::Pool { id: pool.id.clone() }, pool.name.clone(), why, None, kept)
    }

    /// A monitor that carries our marker and is not on record. `stays` is why it is needed, or may be.
    pub fn monitor(records: &Records, monitor: &ObservedMonitor, stays: Option<String>) -> Self {
        let kept = held(records, tunnel_of_marker(records, &monitor.description)).or(stays);
        let why = format!("it carries our marker {:?} and is not on record here", monitor.description);
        Self::new(Object::Monitor { id: monitor.id.clone() }, monitor.path.clone(), why, None, kept)
    }
}

/// Whether a pool carries our marker, and nothing of it is on record: not even that it was about to be made.
pub fn is_stray_pool(records: &Records, id: &PoolId, description: &str) -> bool {
    let Some(tunnel) = tunnel_of_marker(records, description) else { return false };
    let known = records.tunnels.values().any(|record| record.balancing.pool_id() == Some(id));
    let begun = records.tunnels.get(&tunnel).and_then(|record| record.balancing.pool.as_ref());
    !known && begun.is_none_or(|pool| pool.id.is_some())
}

/// Whether a monitor carries our marker, and nothing of it is on record: not even that it was about to be made.
pub fn is_stray_monitor(records: &Records, id: &MonitorId, description: &str) -> bool {
    let Some(tunnel) = tunnel_of_marker(records, description) else { return false };
    let known = records.tunnels.values().any(|record| record.balancing.monitor_id() == Some(id));
    let begun = records.tunnels.get(&tunnel).and_then(|record| record.balancing.monitor.as_ref());
    !known && begun.is_none_or(|monitor| monitor.id.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ConfigurationSource, InstallId, PoolRef, TunnelRecord};

    #[test]
    fn a_pool_is_left_over_when_nothing_of_it_is_on_record() {
        let install = InstallId::new("a1b2c3d4").unwrap();
        let mut records = Records::new(install.clone());
        let id: PoolId = "p1".parse().unwrap();
        for (description, stray) in [
            ("adit:a1b2c3d4:web", true),
            ("adit:a1b2c3d4:", false),
            ("adit:a1b2c3d4:not a name", false),
            ("adit:zzzzzzzz:web", false),
            ("by hand", false),
        ] {
            assert_eq!(is_stray_pool(&records, &id, description), stray, "{description}");
        }
        let source = ConfigurationSource::Remote;
        let secret = crate::secret::Secret::new("c2VjcmV0");
        let mut record = TunnelRecord::intent(&install, "web".parse().unwrap(), "a".parse().unwrap(), source, secret);
        for (known, stray) in [(None, false), (Some(id.clone()), false), (Some("p2".parse().unwrap()), true)] {
            record.balancing.pool = Some(PoolRef { id: known.clone(), written: None });
            records.tunnels.insert(record.name.clone(), record.clone());
            assert_eq!(is_stray_pool(&records, &id, "adit:a1b2c3d4:web"), stray, "{known:?}");
        }
    }
}
