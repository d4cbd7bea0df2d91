//! A tunnel's part in a load balancer, as the status shows it.

use super::{DnsStatus, NO_READY_CONNECTOR, RouteKind, RouteState, RouteStatus, View};
use crate::{
    config::LoadBalancer,
    name::Hostname,
    observed::{ObservedBalancer, ObservedPool, Part},
    plan::{HoldCode, Scope, Step},
    record::{BalancerRef, TunnelRecord},
};

impl View<'_> {
    /// The route that a wanted load balancer is.
    pub(super) fn balancer(&self, balancer: &LoadBalancer) -> RouteStatus {
        let (state, reason) = match self.balancer_obstacle(balancer) {
            None => (RouteState::Live, None),
            Some((state, reason)) => (state, Some(reason)),
        };
        balancer_route(&balancer.hostname, self.pool_name(), state, reason)
    }

    /// The routes that load balancers of a tunnel are which left the configuration.
    pub(super) fn balancers_left_behind(&self, record: &TunnelRecord, reason: &str) -> Vec<RouteStatus> {
        let hostnames = record.balancing.balancers.keys();
        let route = |hostname| balancer_route(hostname, self.pool_name(), RouteState::Orphaned, Some(reason.to_owned()));
        hostnames.map(route).collect()
    }

    fn balancer_obstacle(&self, balancer: &LoadBalancer) -> Option<(RouteState, String)> {
        let hostname = &balancer.hostname;
        if self.stopped {
            return Some((RouteState::Off, "an operator stopped its tunnel".to_owned()));
        }
        let conflict =
            self.plan.conflicts.iter().find(|conflict| {
                conflict.tunnel() == self.name && conflict.hostname().is_none_or(|contested| contested == hostname)
            });
        if let Some(conflict) = conflict {
            return Some((RouteState::Conflict, conflict.to_string()));
        }
        let pending = |reason: &str| Some((RouteState::Pending, reason.to_owned()));
        let held = self.plan.holds.iter().filter(|hold| hold.code != HoldCode::Edited).find(|hold| match &hold.scope {
            Scope::Route { tunnel, hostname: held } => tunnel == self.name && held == hostname,
            Scope::Tunnel { tunnel } => tunnel == self.name,
            Scope::Account | Scope::Zone { .. } | Scope::Networks | Scope::PrivateRoute { .. } => false,
        });
        if let Some(hold) = held {
            return pending(&hold.why);
        }
        let known = self.record.and_then(|record| record.balancing.balancers.get(hostname)).filter(|known| known.joined);
        let Some(known) = known else { return pending("its load balancer is still to be made or joined") };
        let changes = |step: &&Step| matches!(step, Step::Balancer(step) if step.tunnel() == self.name && !step.is_only_here());
        if self.plan.steps.iter().chain(&self.plan.waiting).any(|step| changes(&step)) {
            return pending("its load balancer is still to be changed");
        }
        if self.observed_balancer(known).is_some_and(|found| !found.enabled) {
            return pending("somebody disabled the load balancer, which is left so");
        }
        if self.observed_pool().is_some_and(|found| !found.enabled) {
            return pending("somebody disabled its pool, which is left so");
        }
        if !self.input.reported.contains_key(self.name) {
            return pending(NO_READY_CONNECTOR);
        }
        None
    }

    fn observed_balancer(&self, known: &BalancerRef) -> Option<&ObservedBalancer> {
        let balancers = self.input.observed.balancing.as_ref()?.balancers.get(&known.zone_id)?.complete()?;
        balancers.iter().find(|found| Some(&found.id) == known.id.as_ref())
    }

    fn observed_pool(&self) -> Option<&ObservedPool> {
        let id = self.record?.balancing.pool_id()?;
        let pools: &Part<Vec<ObservedPool>> = &self.input.observed.balancing.as_ref()?.pools;
        pools.complete()?.iter().find(|found| found.id == *id)
    }

    fn pool_name(&self) -> Option<String> {
        Some(format!("pool {}", self.observed_pool()?.name))
    }
}

fn balancer_route(hostname: &Hostname, pool: Option<String>, state: RouteState, reason: Option<String>) -> RouteStatus {
    RouteStatus {
        kind: RouteKind::LoadBalancer,
        hostname: Some(hostname.clone()),
        path: None,
        service: pool,
        dns: DnsStatus::Foreign,
        state,
        record_id: None,
        reason,
    }
}
