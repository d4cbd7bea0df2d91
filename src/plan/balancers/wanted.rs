//! What a tunnel's monitor and pool are to be, and how what is there differs.

use super::Membership;
use crate::{
    observed::{ObservedMonitor, ObservedPool},
    plan::{MonitorDrift, PoolDrift, WantedMonitor, WantedPool},
};

/// The port of HTTPS: the only one that reaches a tunnel by its name.
const HTTPS: u16 = 443;

/// Weights are compared as people write them; Cloudflare may give back another last digit.
const WEIGHT_STEP: f64 = 0.001;

impl Membership<'_> {
    pub(super) fn wanted_monitor(&self, marker: &str) -> WantedMonitor {
        let monitor = &self.balancer.monitor;
        WantedMonitor {
            description: marker.to_owned(),
            host: self.balancer.host.clone(),
            path: monitor.path.clone(),
            expected_codes: monitor.expected_codes.clone(),
            interval: monitor.interval.as_secs(),
        }
    }

    pub(super) fn wanted_pool(&self, install: &str, marker: &str) -> WantedPool {
        WantedPool {
            name: self.balancer.pool.clone().unwrap_or_else(|| format!("{}-adit-{install}", self.tunnel)),
            description: marker.to_owned(),
            host: self.balancer.host.clone(),
            weight: self.balancer.weight,
        }
    }
}

impl WantedMonitor {
    /// How `found` differs.
    pub(super) fn drift(&self, found: &ObservedMonitor) -> Vec<MonitorDrift> {
        let same = [
            (MonitorDrift::Description, found.description == self.description),
            (MonitorDrift::Kind, found.kind == "https" && found.port.is_none_or(|port| port == HTTPS)),
            (MonitorDrift::Host, found.host.as_deref() == Some(self.host.as_str())),
            (MonitorDrift::Path, found.path == self.path),
            (MonitorDrift::ExpectedCodes, found.expected_codes == self.expected_codes),
            (MonitorDrift::Interval, found.interval == self.interval),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(drift, _)| drift).collect()
    }
}

impl WantedPool {
    /// How `found` differs, its monitor aside. `target` is the tunnel's name in DNS, once the tunnel exists.
    pub(super) fn drift(&self, found: &ObservedPool, target: Option<&str>) -> Vec<PoolDrift> {
        let only = match &found.origins[..] {
            [only] => Some(only),
            [] | [_, _, ..] => None,
        };
        let leads = only.is_some_and(|origin| target.is_some_and(|target| origin.address.eq_ignore_ascii_case(target)));
        let same = [
            (PoolDrift::Name, found.name == self.name),
            (PoolDrift::Description, found.description == self.description),
            (PoolDrift::Target, leads),
            (PoolDrift::Host, only.is_none_or(|origin| origin.host.as_deref() == Some(self.host.as_str()))),
            (PoolDrift::Weight, only.is_none_or(|origin| (origin.weight - self.weight).abs() < WEIGHT_STEP)),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(drift, _)| drift).collect()
    }
}
