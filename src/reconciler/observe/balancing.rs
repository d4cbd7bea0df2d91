//! Reads load balancing and Access, when something of them is wanted or on record.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::not_asked;
use crate::{
    cloudflare::{self, Client, Error},
    desired::Desired,
    id::{AccountId, TunnelId},
    observed::{
        Balancing, BalancingObject, Found, Gap, ObservedApp, ObservedBalancer, ObservedMonitor, ObservedOrigin, ObservedPool,
        Part, Zone,
    },
    plan::balancer_zones_needed,
    reconciler::{trouble, worker::Worker},
};

impl Worker {
    /// Monitors, pools and the balancers of the zones that matter: 2 calls and one for each zone. `None` when none is needed.
    pub(super) async fn observe_balancing(
        &mut self,
        client: &Client,
        id: &AccountId,
        zones: &Part<Vec<Zone>>,
        desired: &[&Desired],
    ) -> Option<Balancing> {
        let ledger = self.shared.ledger.records();
        let known = zones.complete().map(Vec::as_slice).unwrap_or_default();
        let needed = desired.iter().filter_map(|desired| balancer_zones_needed(desired, &ledger, id, known));
        let needed = needed.reduce(|mut all, more| {
            all.extend(more);
            all
        })?;
        let monitors = self.read_beside("the monitors", client.monitors(id)).await;
        let pools = self.read_beside("the load-balancer pools", client.pools(id)).await;
        let mut balancers = BTreeMap::new();
        for zone_id in needed {
            let name = known.iter().find(|zone| zone.id == zone_id).map_or(zone_id.as_str(), |zone| &zone.name);
            let what = format!("the load balancers of {name}");
            let part = self.read_beside(&what, client.load_balancers(&zone_id)).await;
            balancers.insert(zone_id, part.map(|balancers| balancers.into_iter().map(seen_balancer).collect()));
        }
        Some(Balancing {
            monitors: monitors.map(|monitors| monitors.into_iter().map(seen_monitor).collect()),
            pools: pools.map(|pools| pools.into_iter().map(seen_pool).collect()),
            balancers,
        })
    }

    /// The Access applications; `None` when no hostname demands one.
    pub(super) async fn observe_access(
        &mut self,
        client: &Client,
        id: &AccountId,
        desired: &[&Desired],
    ) -> Option<Part<Vec<ObservedApp>>> {
        if !desired.iter().any(|desired| desired.demands_access()) {
            return None;
        }
        let apps = self.read_beside("the Access applications", client.access_apps(id)).await;
        Some(apps.map(|apps| apps.into_iter().map(seen_app).collect()))
    }

    pub(super) async fn read_object(&mut self, client: &Client, id: &AccountId, object: &BalancingObject) -> Part<Found<()>> {
        match object {
            BalancingObject::Monitor(monitor) => {
                self.read_found("the monitor", client.monitor(id, monitor)).await.map(nothing_else)
            }
            BalancingObject::Pool(pool) => self.read_found("the pool", client.pool(id, pool)).await.map(nothing_else),
            BalancingObject::Balancer { zone_id, id } => {
                self.read_found("the load balancer", client.load_balancer(zone_id, id)).await.map(nothing_else)
            }
        }
    }

    pub(super) async fn read_app(
        &mut self,
        client: &Client,
        id: &AccountId,
        app: &crate::id::AccessAppId,
    ) -> Part<Found<ObservedApp>> {
        let found = self.read_found("the Access application", client.access_app(id, app)).await;
        found.map(|found| match found {
            Found::There(app) => Found::There(seen_app(app)),
            Found::NotFound => Found::NotFound,
        })
    }

    /// The address that each connector of a tunnel comes from; several addresses of one connector count as the first.
    pub(super) async fn read_connectors(&mut self, client: &Client, id: &AccountId, tunnel: &TunnelId) -> Part<Vec<String>> {
        let connectors = self.read_beside("the connectors of the tunnel", client.connectors(id, tunnel)).await;
        connectors.map(|connectors| {
            let address = |connector: &cloudflare::EdgeConnector| {
                connector.connections.iter().map(|connection| connection.origin_ip.clone()).min()
            };
            connectors.iter().filter_map(address).collect()
        })
    }

    async fn read_found<T>(&mut self, what: &str, call: impl Future<Output = Result<T, Error>>) -> Part<Found<T>> {
        let found = async {
            match call.await {
                Ok(value) => Ok(Found::There(value)),
                Err(error) if error.is_gone() => Ok(Found::NotFound),
                Err(error) => Err(error),
            }
        };
        self.read_beside(what, found).await
    }

    /// One read, or a gap. That the credential lacks the permission for it keeps nothing else from being done: the same credential
    /// has read tunnels in this pass. It is not asked again at once, because Cloudflare counts refusals.
    async fn read_beside<T>(&mut self, what: &str, call: impl Future<Output = Result<T, Error>>) -> Part<T> {
        if self.progress.has_ended() {
            return not_asked(what);
        }
        if let Some(why) = self.memory.refusal(what, Instant::now()) {
            return Part::Gap(Gap { what: what.to_owned(), why });
        }
        match call.await {
            Ok(value) => {
                self.progress.answered();
                Part::Complete(value)
            }
            Err(error) if trouble::is_refusal(&error) && self.progress.has_answered => {
                let why = trouble::with_causes(&error);
                self.memory.remember_refusal(what, why.clone(), Instant::now());
                self.progress.error.get_or_insert_with(|| why.clone());
                Part::Gap(Gap { what: what.to_owned(), why })
            }
            Err(error) => self.gap(what, &error),
        }
    }
}

fn nothing_else<T>(found: Found<T>) -> Found<()> {
    match found {
        Found::There(_) => Found::There(()),
        Found::NotFound => Found::NotFound,
    }
}

/// A monitor as the planner sees it.
pub(in crate::reconciler) fn seen_monitor(monitor: cloudflare::Monitor) -> ObservedMonitor {
    let host = monitor.header.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    ObservedMonitor {
        host: host.and_then(|(_, values)| values.first().cloned()),
        id: monitor.id,
        description: monitor.description,
        kind: monitor.kind,
        path: monitor.path,
        port: monitor.port,
        expected_codes: monitor.expected_codes,
        interval: monitor.interval,
    }
}

/// A pool as the planner sees it.
pub(in crate::reconciler) fn seen_pool(pool: cloudflare::Pool) -> ObservedPool {
    let origins = pool.origins.iter().map(|origin| ObservedOrigin {
        address: origin.address.clone(),
        weight: origin.weight.unwrap_or(1.0),
        host: origin.host().map(str::to_owned),
    });
    ObservedPool {
        origins: origins.collect(),
        id: pool.id,
        name: pool.name,
        description: pool.description,
        enabled: pool.enabled,
        monitor: pool.monitor,
    }
}

/// A load balancer as the planner sees it.
pub(in crate::reconciler) fn seen_balancer(balancer: cloudflare::LoadBalancer) -> ObservedBalancer {
    ObservedBalancer {
        id: balancer.id,
        name: balancer.name,
        description: balancer.description,
        enabled: balancer.enabled,
        pools: balancer.default_pools,
        fallback: balancer.fallback_pool,
        steering_policy: balancer.steering_policy,
        session_affinity: balancer.session_affinity,
    }
}

fn seen_app(app: cloudflare::AccessApp) -> ObservedApp {
    ObservedApp { covers: app.covers(), id: app.id, name: app.name }
}
