//! Load balancing and Access of the account in memory.

use std::collections::BTreeMap;

use super::{Model, account_id, wanted};
use crate::{
    config::{LoadBalancer, Monitor, SessionAffinity, SteeringPolicy},
    desired::{Desired, DesiredTunnel},
    id::{AccessAppId, BalancerId, MonitorId, PoolId, ZoneId},
    name::{Hostname, TunnelName},
    observed::{
        Answers, Balancing, BalancingObject, Found, Gap, ObservedApp, ObservedBalancer, ObservedMonitor, ObservedOrigin,
        ObservedPool, Part,
    },
    plan::{AccessStep, BalancerStep, WantedMonitor, WantedPool, balancer_zones_needed, written_fingerprint},
    record::{BalancerRef, MonitorRef, PoolRef},
};

/// What the account holds besides tunnels and DNS.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::plan) struct ModelBalancing {
    pub(in crate::plan) monitors: BTreeMap<MonitorId, ObservedMonitor>,
    pub(in crate::plan) pools: BTreeMap<PoolId, ObservedPool>,
    pub(in crate::plan) balancers: BTreeMap<BalancerId, (ZoneId, ObservedBalancer)>,
    pub(in crate::plan) apps: BTreeMap<AccessAppId, ObservedApp>,
    /// Applications that exist and that the list does not show.
    pub(in crate::plan) unlisted_apps: BTreeMap<AccessAppId, ObservedApp>,
    /// Where the connectors of every tunnel come from.
    pub(in crate::plan) connectors: Vec<String>,
}

/// A wanted tunnel that is a part of the load balancer of `hostname`.
pub(in crate::plan) fn balanced(hostname: &str, rules: &[&str]) -> DesiredTunnel {
    let mut want = wanted(rules);
    let hostname: Hostname = hostname.parse().unwrap();
    want.hostnames.remove(&hostname);
    want.load_balancer = Some(LoadBalancer {
        host: hostname.clone(),
        hostname,
        pool: None,
        weight: 1.0,
        steering_policy: SteeringPolicy::Random,
        session_affinity: SessionAffinity::None,
        join: None,
        monitor: Monitor { path: "/".to_owned(), expected_codes: "2xx".to_owned(), interval: std::time::Duration::from_secs(60) },
    });
    want
}

impl Model {
    /// Puts a pool there that somebody else made.
    pub(in crate::plan) fn add_foreign_pool(&mut self, name: &str, description: &str) -> PoolId {
        let id: PoolId = self.next_id().parse().unwrap();
        let origins = vec![ObservedOrigin { address: "192.0.2.1".to_owned(), weight: 1.0, host: None }];
        let (name, description) = (name.to_owned(), description.to_owned());
        let pool = ObservedPool { id: id.clone(), name, description, enabled: true, monitor: None, origins };
        self.balancing.pools.insert(id.clone(), pool);
        id
    }

    /// Puts a balancer there that somebody else made, with a pool of theirs.
    pub(in crate::plan) fn add_foreign_balancer(&mut self, hostname: &str, description: &str) -> BalancerId {
        let name = format!("theirs-{}", self.balancing.pools.len());
        let pool = self.add_foreign_pool(&name, "theirs");
        let id: BalancerId = self.next_id().parse().unwrap();
        let balancer = ObservedBalancer {
            id: id.clone(),
            name: hostname.to_owned(),
            description: description.to_owned(),
            enabled: true,
            pools: vec![pool.clone()],
            fallback: Some(pool),
            steering_policy: "geo".to_owned(),
            session_affinity: "ip_cookie".to_owned(),
        };
        self.balancing.balancers.insert(id.clone(), ("example-com".parse().unwrap(), balancer));
        id
    }

    /// Puts an Access application there.
    pub(in crate::plan) fn add_app(&mut self, covers: &str) -> AccessAppId {
        let id: AccessAppId = self.next_id().parse().unwrap();
        let app = ObservedApp { id: id.clone(), name: covers.to_owned(), covers: vec![covers.to_owned()] };
        self.balancing.apps.insert(id.clone(), app);
        id
    }

    /// The balancer at a hostname.
    pub(in crate::plan) fn balancer_at(&mut self, hostname: &str) -> Option<&mut ObservedBalancer> {
        self.balancing.balancers.values_mut().map(|(_, balancer)| balancer).find(|balancer| balancer.name == hostname)
    }

    /// The pool of a tunnel of ours.
    pub(in crate::plan) fn pool_of(&self, name: &str) -> &ObservedPool {
        let record = &self.records.tunnels[&name.parse().unwrap()];
        &self.balancing.pools[record.balancing.pool_id().unwrap()]
    }

    pub(in crate::plan) fn observe_balancing(&self, desired: &Desired) -> Option<Balancing> {
        let gap = |what: &str| Gap { what: what.to_owned(), why: "connection refused".to_owned() };
        let needed = balancer_zones_needed(desired, &self.records, &account_id(), &self.zones)?;
        let zone = |zone_id: &ZoneId| {
            if self.unreadable.contains("balancers") {
                return Part::Gap(gap("the load balancers"));
            }
            let own = self.balancing.balancers.values().filter(|(zone, _)| zone == zone_id);
            Part::Complete(own.map(|(_, balancer)| balancer.clone()).collect())
        };
        Some(Balancing {
            monitors: if self.unreadable.contains("pools") {
                Part::Gap(gap("the monitors"))
            } else {
                Part::Complete(self.balancing.monitors.values().cloned().collect())
            },
            pools: if self.unreadable.contains("pools") {
                Part::Gap(gap("the load-balancer pools"))
            } else {
                Part::Complete(self.balancing.pools.values().cloned().collect())
            },
            balancers: needed.into_iter().map(|zone_id| (zone_id.clone(), zone(&zone_id))).collect(),
        })
    }

    pub(in crate::plan) fn observe_access(&self, desired: &Desired) -> Option<Part<Vec<ObservedApp>>> {
        let apps = || Part::Complete(self.balancing.apps.values().cloned().collect());
        let gap = || Part::Gap(Gap { what: "the Access applications".to_owned(), why: "connection refused".to_owned() });
        desired.demands_access().then(|| if self.unreadable.contains("access") { gap() } else { apps() })
    }

    pub(in crate::plan) fn answer_balancing(&self, object: &BalancingObject, answers: &mut Answers) {
        let is_there = match object {
            BalancingObject::Monitor(id) => self.balancing.monitors.contains_key(id),
            BalancingObject::Pool(id) => self.balancing.pools.contains_key(id),
            BalancingObject::Balancer { id, .. } => self.balancing.balancers.contains_key(id),
        };
        let found = if is_there { Found::There(()) } else { Found::NotFound };
        answers.balancing.insert(object.clone(), Part::Complete(found));
    }

    pub(in crate::plan) fn answer_app(&self, id: &AccessAppId, answers: &mut Answers) {
        let app = self.balancing.apps.get(id).or_else(|| self.balancing.unlisted_apps.get(id));
        let found = app.cloned().map_or(Found::NotFound, Found::There);
        answers.apps.insert(id.clone(), Part::Complete(found));
    }

    pub(in crate::plan) fn apply_access(&mut self, step: &AccessStep) {
        let AccessStep::NoteApplications { tunnel, applications } = step;
        self.ours(tunnel).access = applications.clone();
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only creates bring ids")]
    /// Does at Cloudflare what a create does, and loses the answer: only the intent is on record.
    pub(in crate::plan) fn lose_the_answer(&mut self, step: &BalancerStep) {
        self.apply_balancer(step);
        match step {
            BalancerStep::CreateMonitor { tunnel, .. } => self.ours(tunnel).balancing.monitor.as_mut().unwrap().id = None,
            BalancerStep::CreatePool { tunnel, .. } => self.ours(tunnel).balancing.pool.as_mut().unwrap().id = None,
            BalancerStep::CreateBalancer { tunnel, hostname, .. } => {
                let known = self.ours(tunnel).balancing.balancers.get_mut(hostname).unwrap();
                (known.id, known.joined) = (None, false);
            }
            step => panic!("it creates nothing: {step:?}"),
        }
    }

    /// Carries out a step as Cloudflare would, and fails where Cloudflare would refuse it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the steps below are those that change a balancer")]
    pub(in crate::plan) fn apply_balancer(&mut self, step: &BalancerStep) {
        match step {
            BalancerStep::TakeMonitor { tunnel, id } => {
                self.ours(tunnel).balancing.monitor.get_or_insert_default().id = Some(id.clone());
            }
            BalancerStep::TakePool { tunnel, id } => {
                self.ours(tunnel).balancing.pool.get_or_insert_default().id = Some(id.clone());
            }
            BalancerStep::ForgetMonitor { tunnel, .. } => self.ours(tunnel).balancing.monitor = None,
            BalancerStep::ForgetPool { tunnel, .. } => self.ours(tunnel).balancing.pool = None,
            BalancerStep::CreateMonitor { tunnel, monitor, .. } => {
                let id: MonitorId = self.next_id().parse().unwrap();
                self.balancing.monitors.insert(id.clone(), as_written(&id, monitor));
                let made = MonitorRef { id: Some(id), written: Some(written_fingerprint(monitor)) };
                self.ours(tunnel).balancing.monitor = Some(made);
            }
            BalancerStep::RepairMonitor { tunnel, id, monitor, .. } => {
                self.balancing.monitors.insert(id.clone(), as_written(id, monitor));
                let made = MonitorRef { id: Some(id.clone()), written: Some(written_fingerprint(monitor)) };
                self.ours(tunnel).balancing.monitor = Some(made);
            }
            BalancerStep::CreatePool { tunnel, pool, .. } => {
                assert!(!self.balancing.pools.values().any(|other| other.name == pool.name), "the name is taken: {step:?}");
                let id: PoolId = self.next_id().parse().unwrap();
                self.write_pool(tunnel, &id, pool);
            }
            BalancerStep::RepairPool { tunnel, id, pool, .. } => self.write_pool(tunnel, id, pool),
            BalancerStep::DeletePool { tunnel, id } => {
                let used = self.balancing.balancers.values().any(|(_, balancer)| balancer.uses(id));
                assert!(!used, "a balancer uses the pool: {step:?}");
                self.balancing.pools.remove(id);
                self.ours(tunnel).balancing.pool = None;
            }
            BalancerStep::DeleteMonitor { tunnel, id } => {
                let used = self.balancing.pools.values().any(|pool| pool.monitor.as_ref() == Some(id));
                assert!(!used, "a pool uses the monitor: {step:?}");
                self.balancing.monitors.remove(id);
                self.ours(tunnel).balancing.monitor = None;
            }
            step => self.apply_to_balancer(step),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the caller has carried out the others")]
    fn apply_to_balancer(&mut self, step: &BalancerStep) {
        let known = |zone_id: &ZoneId, id: &BalancerId, adopted| BalancerRef {
            zone_id: zone_id.clone(),
            id: Some(id.clone()),
            adopted,
            joined: true,
            steering: None,
        };
        match step {
            BalancerStep::TakeBalancer { tunnel, hostname, zone_id, id } => {
                let balancers = &mut self.ours(tunnel).balancing.balancers;
                let steering = balancers.get(hostname).and_then(|known| known.steering.clone());
                balancers.insert(hostname.clone(), BalancerRef { steering, ..known(zone_id, id, false) });
            }
            BalancerStep::ForgetBalancer { tunnel, hostname, .. } => {
                self.ours(tunnel).balancing.balancers.remove(hostname);
            }
            BalancerStep::CreateBalancer { tunnel, hostname, zone_id, steering_policy, session_affinity, .. } => {
                assert!(self.balancer_at(hostname.as_str()).is_none(), "the name is taken: {step:?}");
                let pool = self.pool_of(tunnel.as_str()).id.clone();
                let id: BalancerId = self.next_id().parse().unwrap();
                let balancer = ObservedBalancer {
                    id: id.clone(),
                    name: hostname.to_string(),
                    description: self.records.install.marker(tunnel),
                    enabled: true,
                    pools: vec![pool.clone()],
                    fallback: Some(pool),
                    steering_policy: (*steering_policy).to_owned(),
                    session_affinity: (*session_affinity).to_owned(),
                };
                self.balancing.balancers.insert(id.clone(), (zone_id.clone(), balancer));
                let steering = Some(written_fingerprint(&(steering_policy, session_affinity)));
                let made = BalancerRef { steering, ..known(zone_id, &id, false) };
                self.ours(tunnel).balancing.balancers.insert(hostname.clone(), made);
            }
            BalancerStep::RepairBalancer { tunnel, hostname, id, steering_policy, session_affinity, .. } => {
                let (_, balancer) = self.balancing.balancers.get_mut(id).unwrap();
                balancer.steering_policy = (*steering_policy).to_owned();
                balancer.session_affinity = (*session_affinity).to_owned();
                let steering = Some(written_fingerprint(&(steering_policy, session_affinity)));
                self.ours(tunnel).balancing.balancers.get_mut(hostname).unwrap().steering = steering;
            }
            BalancerStep::JoinBalancer { tunnel, hostname, zone_id, id, adopted } => {
                let pool = self.pool_of(tunnel.as_str()).id.clone();
                let (_, balancer) = self.balancing.balancers.get_mut(id).unwrap();
                if !balancer.pools.contains(&pool) {
                    balancer.pools.push(pool);
                }
                self.ours(tunnel).balancing.balancers.insert(hostname.clone(), known(zone_id, id, *adopted));
            }
            BalancerStep::LeaveBalancer { tunnel, hostname, id, .. } => {
                let pool = self.pool_of(tunnel.as_str()).id.clone();
                let (_, balancer) = self.balancing.balancers.get_mut(id).unwrap();
                balancer.pools.retain(|other| *other != pool);
                if balancer.fallback == Some(pool) {
                    balancer.fallback = balancer.pools.first().cloned();
                }
                assert!(!balancer.pools.is_empty(), "a balancer has a pool: {step:?}");
                self.ours(tunnel).balancing.balancers.remove(hostname);
            }
            BalancerStep::DeleteBalancer { tunnel, hostname, id, .. } => {
                let pool = self.pool_of(tunnel.as_str()).id.clone();
                let removed = self.balancing.balancers.remove(id);
                assert!(
                    removed.is_none_or(|(_, gone)| gone.pools.iter().all(|other| *other == pool)),
                    "others are in it: {step:?}"
                );
                self.ours(tunnel).balancing.balancers.remove(hostname);
            }
            step => panic!("it changes no balancer: {step:?}"),
        }
    }

    fn write_pool(&mut self, tunnel: &TunnelName, id: &PoolId, pool: &WantedPool) {
        let record = self.ours(tunnel);
        let address = record.id.as_ref().unwrap().dns_target();
        let monitor = record.balancing.monitor_id().cloned();
        record.balancing.pool = Some(PoolRef { id: Some(id.clone()), written: Some(written_fingerprint(pool)) });
        let enabled = self.balancing.pools.get(id).is_none_or(|pool| pool.enabled);
        let origins = vec![ObservedOrigin { address, weight: pool.weight, host: Some(pool.host.to_string()) }];
        let (name, description) = (pool.name.clone(), pool.description.clone());
        assert!(monitor.is_some(), "a pool has a monitor");
        self.balancing.pools.insert(id.clone(), ObservedPool { id: id.clone(), name, description, enabled, monitor, origins });
    }
}

fn as_written(id: &MonitorId, monitor: &WantedMonitor) -> ObservedMonitor {
    ObservedMonitor {
        id: id.clone(),
        description: monitor.description.clone(),
        kind: "https".to_owned(),
        path: monitor.path.clone(),
        port: Some(443),
        expected_codes: monitor.expected_codes.clone(),
        interval: monitor.interval,
        host: Some(monitor.host.to_string()),
    }
}
