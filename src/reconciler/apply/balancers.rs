//! Monitors and pools, and what is on record about load balancing.

use std::collections::BTreeMap;

use super::{StepError, There, gone_is_done};
use crate::{
    cloudflare::{NewMonitor, NewPool},
    id::{MonitorId, PoolId},
    name::TunnelName,
    observed::{Balancing, Observed, Part},
    plan::{BalancerStep, WantedMonitor, WantedPool, written_fingerprint},
    reconciler::{
        observe::balancing::{seen_monitor, seen_pool},
        trouble,
        worker::Worker,
    },
    record::{BalancerRef, MonitorRef, PoolRef, TunnelRecord},
};

/// The port of HTTPS: the only one that reaches a tunnel by its name.
const HTTPS: u16 = 443;

impl Worker {
    /// Carries out a change of load balancing; `None` when that needs Cloudflare, and it is not `there`. That the credential lacks a
    /// permission for it holds up its tunnel and nothing else.
    pub(super) async fn apply_balancer(
        &mut self,
        step: &BalancerStep,
        there: Option<There<'_>>,
    ) -> Option<Result<(), StepError>> {
        let result = match step {
            BalancerStep::CreateMonitor { tunnel, monitor, .. } => self.create_monitor(there?, tunnel, monitor).await,
            BalancerStep::RepairMonitor { tunnel, id, monitor, .. } => self.repair_monitor(there?, tunnel, id, monitor).await,
            BalancerStep::DeleteMonitor { tunnel, id } => self.remove_monitor(there?, tunnel, id).await,
            BalancerStep::CreatePool { tunnel, pool, .. } => self.create_pool(there?, tunnel, pool).await,
            BalancerStep::RepairPool { tunnel, id, pool, .. } => self.repair_pool(there?, tunnel, id, pool).await,
            BalancerStep::DeletePool { tunnel, id } => self.remove_pool(there?, tunnel, id).await,
            BalancerStep::CreateBalancer { .. }
            | BalancerStep::RepairBalancer { .. }
            | BalancerStep::JoinBalancer { .. }
            | BalancerStep::LeaveBalancer { .. }
            | BalancerStep::DeleteBalancer { .. } => {
                let There { place, observed } = there?;
                self.change_balancer(place, step, observed).await
            }
            BalancerStep::TakeMonitor { tunnel, id } => {
                // What was sent is on record since before the call.
                self.put(tunnel, |record| record.balancing.monitor.get_or_insert_default().id = Some(id.clone())).await
            }
            BalancerStep::TakePool { tunnel, id } => {
                self.put(tunnel, |record| record.balancing.pool.get_or_insert_default().id = Some(id.clone())).await
            }
            BalancerStep::TakeBalancer { tunnel, hostname, zone_id, id } => {
                let take = |record: &mut TunnelRecord| {
                    let known = record.balancing.balancers.remove(hostname).filter(|known| known.id.is_none());
                    let steering = known.and_then(|known| known.steering);
                    let (zone_id, id) = (zone_id.clone(), Some(id.clone()));
                    let made = BalancerRef { zone_id, id, adopted: false, joined: true, steering };
                    record.balancing.balancers.insert(hostname.clone(), made);
                };
                self.put(tunnel, take).await
            }
            BalancerStep::ForgetMonitor { tunnel, .. } => self.put(tunnel, |record| record.balancing.monitor = None).await,
            BalancerStep::ForgetPool { tunnel, .. } => self.put(tunnel, |record| record.balancing.pool = None).await,
            BalancerStep::ForgetBalancer { tunnel, hostname, .. } => {
                self.put(tunnel, |record| drop(record.balancing.balancers.remove(hostname))).await
            }
        };
        Some(match result {
            Err(StepError::Api(error)) if trouble::is_refusal(&error) && self.progress.has_answered => {
                Err(StepError::Other(trouble::with_causes(&error)))
            }
            other => other,
        })
    }

    async fn create_monitor(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        monitor: &WantedMonitor,
    ) -> Result<(), StepError> {
        let mut record = self.record_of(tunnel)?;
        let written = Some(written_fingerprint(monitor));
        record.balancing.monitor = Some(MonitorRef { id: None, written: written.clone() });
        self.shared.ledger.save(record).await?;
        let made = place.client.create_monitor(place.account_id, &new_monitor(monitor)).await?;
        let id = made.id.clone();
        take_in(observed, |balancing| &mut balancing.monitors, |one| one.id == id, Some(seen_monitor(made)));
        let known = MonitorRef { id: Some(id), written };
        self.note(tunnel, |record| record.balancing.monitor = Some(known)).await;
        Ok(())
    }

    async fn repair_monitor(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        id: &MonitorId,
        monitor: &WantedMonitor,
    ) -> Result<(), StepError> {
        let patched = place.client.patch_monitor(place.account_id, id, &new_monitor(monitor)).await?;
        take_in(observed, |balancing| &mut balancing.monitors, |one| one.id == *id, Some(seen_monitor(patched)));
        let made = MonitorRef { id: Some(id.clone()), written: Some(written_fingerprint(monitor)) };
        self.note(tunnel, |record| record.balancing.monitor = Some(made)).await;
        Ok(())
    }

    async fn remove_monitor(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        id: &MonitorId,
    ) -> Result<(), StepError> {
        gone_is_done(place.client.delete_monitor(place.account_id, id).await)?;
        take_in(observed, |balancing| &mut balancing.monitors, |one| one.id == *id, None);
        self.note(tunnel, |record| record.balancing.monitor = None).await;
        Ok(())
    }

    async fn create_pool(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        pool: &WantedPool,
    ) -> Result<(), StepError> {
        let new = self.new_pool(tunnel, pool)?;
        let mut record = self.record_of(tunnel)?;
        let written = Some(written_fingerprint(pool));
        record.balancing.pool = Some(PoolRef { id: None, written: written.clone() });
        self.shared.ledger.save(record).await?;
        let made = place.client.create_pool(place.account_id, &new).await?;
        let id = made.id.clone();
        take_in(observed, |balancing| &mut balancing.pools, |one| one.id == id, Some(seen_pool(made)));
        let known = PoolRef { id: Some(id), written };
        self.note(tunnel, |record| record.balancing.pool = Some(known)).await;
        Ok(())
    }

    async fn repair_pool(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        id: &PoolId,
        pool: &WantedPool,
    ) -> Result<(), StepError> {
        let new = self.new_pool(tunnel, pool)?;
        let patched = place.client.patch_pool(place.account_id, id, &new).await?;
        take_in(observed, |balancing| &mut balancing.pools, |one| one.id == *id, Some(seen_pool(patched)));
        let made = PoolRef { id: Some(id.clone()), written: Some(written_fingerprint(pool)) };
        self.note(tunnel, |record| record.balancing.pool = Some(made)).await;
        Ok(())
    }

    async fn remove_pool(
        &mut self,
        There { place, observed }: There<'_>,
        tunnel: &TunnelName,
        id: &PoolId,
    ) -> Result<(), StepError> {
        gone_is_done(place.client.delete_pool(place.account_id, id).await)?;
        take_in(observed, |balancing| &mut balancing.pools, |one| one.id == *id, None);
        self.note(tunnel, |record| record.balancing.pool = None).await;
        Ok(())
    }

    /// The pool as it is sent, with the ids that earlier steps brought.
    fn new_pool(&self, tunnel: &TunnelName, pool: &WantedPool) -> Result<NewPool, StepError> {
        let record = self.record_of(tunnel)?;
        let (Some(id), Some(monitor)) = (&record.id, record.balancing.monitor_id()) else {
            return Err(StepError::Other("the tunnel or its monitor has no id".to_owned()));
        };
        Ok(NewPool {
            name: pool.name.clone(),
            description: pool.description.clone(),
            monitor: monitor.clone(),
            origin: tunnel.to_string(),
            address: id.dns_target(),
            host: pool.host.to_string(),
            weight: pool.weight,
        })
    }
}

fn new_monitor(monitor: &WantedMonitor) -> NewMonitor {
    NewMonitor {
        kind: "https",
        description: monitor.description.clone(),
        path: monitor.path.clone(),
        port: HTTPS,
        expected_codes: monitor.expected_codes.clone(),
        interval: monitor.interval,
        header: BTreeMap::from([("Host".to_owned(), vec![monitor.host.to_string()])]),
    }
}

/// What Cloudflare answered counts as read: `changed` takes the place of what `is_same`.
pub(super) fn take_in<T>(
    observed: &mut Observed,
    part: impl FnOnce(&mut Balancing) -> &mut Part<Vec<T>>,
    is_same: impl Fn(&T) -> bool,
    changed: Option<T>,
) {
    let Some(Part::Complete(items)) = observed.balancing.as_mut().map(part) else { return };
    let at = items.iter().position(&is_same);
    items.retain(|item| !is_same(item));
    if let Some(changed) = changed {
        items.insert(at.unwrap_or(items.len()), changed);
    }
}
