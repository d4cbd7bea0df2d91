//! Load balancers: made, and a pool added to and taken out of them.
//!
//! Cloudflare knows no precondition, so a balancer is read right before its list of pools is written, and again behind it: what
//! somebody else changed in that moment shows there or in the next pass, and is never written over knowingly.

use super::{Place, StepError, balancers::take_in, gone_is_done};
use crate::{
    cloudflare::{LoadBalancer, LoadBalancerPatch, NewLoadBalancer},
    id::{BalancerId, PoolId, ZoneId},
    name::{Hostname, TunnelName},
    observed::{Observed, Part},
    plan::{BalancerStep, written_fingerprint},
    reconciler::{observe::balancing::seen_balancer, worker::Worker},
    record::BalancerRef,
};

impl Worker {
    pub(super) async fn change_balancer(
        &mut self,
        place: Place<'_>,
        step: &BalancerStep,
        observed: &mut Observed,
    ) -> Result<(), StepError> {
        match step {
            BalancerStep::CreateBalancer { .. } => self.create_balancer(place, step, observed).await,
            BalancerStep::RepairBalancer { tunnel, hostname, zone_id, id, steering_policy, session_affinity } => {
                let found = place.client.load_balancer(zone_id, id).await?;
                self.check_ours(&found)?;
                let patch = LoadBalancerPatch {
                    steering_policy: Some(steering_policy),
                    session_affinity: Some(session_affinity),
                    ..LoadBalancerPatch::default()
                };
                let patched = place.client.patch_load_balancer(zone_id, id, &patch).await?;
                take_balancer(observed, zone_id, id, Some(patched));
                let steering = written_fingerprint(&(steering_policy, session_affinity));
                self.note_balancer(tunnel, hostname, |known| known.steering = Some(steering)).await;
                Ok(())
            }
            BalancerStep::JoinBalancer { tunnel, hostname, zone_id, id, adopted } => {
                let pool = self.pool_of(tunnel)?;
                let mut record = self.record_of(tunnel)?;
                let known = BalancerRef {
                    zone_id: zone_id.clone(),
                    id: Some(id.clone()),
                    adopted: *adopted,
                    joined: false,
                    steering: None,
                };
                record.balancing.balancers.insert(hostname.clone(), known);
                self.shared.ledger.save(record).await?;
                let found = place.client.load_balancer(zone_id, id).await?;
                if !*adopted {
                    self.check_ours(&found)?;
                }
                let mut pools = found.default_pools;
                if !pools.contains(&pool) {
                    pools.push(pool.clone());
                    let patch = LoadBalancerPatch { default_pools: Some(pools), ..LoadBalancerPatch::default() };
                    place.client.patch_load_balancer(zone_id, id, &patch).await?;
                }
                let found = place.client.load_balancer(zone_id, id).await?;
                let is_in = found.default_pools.contains(&pool);
                take_balancer(observed, zone_id, id, Some(found));
                if !is_in {
                    return Err(StepError::Other(AT_THE_SAME_MOMENT.to_owned()));
                }
                self.note_balancer(tunnel, hostname, |known| known.joined = true).await;
                Ok(())
            }
            BalancerStep::LeaveBalancer { tunnel, hostname, zone_id, id, adopted } => {
                self.leave_balancer(place, (tunnel, hostname), (zone_id, id), *adopted, observed).await
            }
            BalancerStep::DeleteBalancer { tunnel, hostname, zone_id, id } => {
                let pool = self.pool_of(tunnel)?;
                match place.client.load_balancer(zone_id, id).await {
                    Err(error) if error.is_gone() => {}
                    Err(error) => return Err(error.into()),
                    Ok(found) => {
                        self.check_ours(&found)?;
                        if found.default_pools.iter().any(|other| *other != pool) {
                            return Err(StepError::Other("somebody else's pool is in it by now".to_owned()));
                        }
                        gone_is_done(place.client.delete_load_balancer(zone_id, id).await)?;
                    }
                }
                take_balancer(observed, zone_id, id, None);
                self.note(tunnel, |record| drop(record.balancing.balancers.remove(hostname))).await;
                Ok(())
            }
            BalancerStep::TakeMonitor { .. }
            | BalancerStep::TakePool { .. }
            | BalancerStep::TakeBalancer { .. }
            | BalancerStep::ForgetMonitor { .. }
            | BalancerStep::ForgetPool { .. }
            | BalancerStep::ForgetBalancer { .. }
            | BalancerStep::CreateMonitor { .. }
            | BalancerStep::RepairMonitor { .. }
            | BalancerStep::CreatePool { .. }
            | BalancerStep::RepairPool { .. }
            | BalancerStep::DeletePool { .. }
            | BalancerStep::DeleteMonitor { .. } => unreachable!("they change no balancer"),
        }
    }

    async fn create_balancer(&mut self, place: Place<'_>, step: &BalancerStep, observed: &mut Observed) -> Result<(), StepError> {
        let BalancerStep::CreateBalancer { tunnel, hostname, zone_id, steering_policy, session_affinity, .. } = step else {
            unreachable!("the caller has a balancer to make");
        };
        let pool = self.pool_of(tunnel)?;
        let mut record = self.record_of(tunnel)?;
        let steering = Some(written_fingerprint(&(steering_policy, session_affinity)));
        let intent = BalancerRef { zone_id: zone_id.clone(), id: None, adopted: false, joined: false, steering };
        record.balancing.balancers.insert(hostname.clone(), intent);
        self.shared.ledger.save(record).await?;
        let new = NewLoadBalancer {
            name: hostname.to_string(),
            description: self.shared.ledger.records().install.marker(tunnel),
            default_pools: vec![pool.clone()],
            fallback_pool: pool,
            proxied: true,
            steering_policy,
            session_affinity,
        };
        let made = place.client.create_load_balancer(zone_id, &new).await?;
        let id = made.id.clone();
        take_balancer(observed, zone_id, &id, Some(made));
        self.note_balancer(tunnel, hostname, |known| (known.id, known.joined) = (Some(id), true)).await;
        Ok(())
    }

    async fn leave_balancer(
        &mut self,
        place: Place<'_>,
        (tunnel, hostname): (&TunnelName, &Hostname),
        (zone_id, id): (&ZoneId, &BalancerId),
        adopted: bool,
        observed: &mut Observed,
    ) -> Result<(), StepError> {
        let pool = self.pool_of(tunnel)?;
        let found = match place.client.load_balancer(zone_id, id).await {
            Err(error) if error.is_gone() => None,
            other => Some(other?),
        };
        if let Some(found) = found {
            if !adopted {
                self.check_ours(&found)?;
            }
            let uses = |balancer: &LoadBalancer| {
                balancer.default_pools.contains(&pool) || balancer.fallback_pool.as_ref() == Some(&pool)
            };
            if uses(&found) {
                let rest: Vec<PoolId> = found.default_pools.iter().filter(|other| **other != pool).cloned().collect();
                let fallback = found.fallback_pool.as_ref() == Some(&pool);
                let Some(first) = rest.first() else {
                    return Err(StepError::Other("it is the last pool in it by now".to_owned()));
                };
                if fallback && adopted {
                    return Err(StepError::Other("it is the fallback of a balancer that is not ours by now".to_owned()));
                }
                let fallback_pool = fallback.then(|| first.clone());
                let patch = LoadBalancerPatch { default_pools: Some(rest), fallback_pool, ..LoadBalancerPatch::default() };
                place.client.patch_load_balancer(zone_id, id, &patch).await?;
                let found = place.client.load_balancer(zone_id, id).await?;
                let still = uses(&found);
                take_balancer(observed, zone_id, id, Some(found));
                if still {
                    return Err(StepError::Other(AT_THE_SAME_MOMENT.to_owned()));
                }
            }
        } else {
            take_balancer(observed, zone_id, id, None);
        }
        self.note(tunnel, |record| drop(record.balancing.balancers.remove(hostname))).await;
        Ok(())
    }

    fn check_ours(&self, found: &LoadBalancer) -> Result<(), StepError> {
        if self.shared.ledger.records().install.has_marked(&found.description) {
            return Ok(());
        }
        let why = format!("load balancer {} ({}) carries our marker no longer, so it is left alone", found.name, found.id);
        Err(StepError::Other(why))
    }

    fn pool_of(&self, tunnel: &TunnelName) -> Result<PoolId, StepError> {
        let pool = self.record_of(tunnel)?.balancing.pool_id().cloned();
        pool.ok_or_else(|| StepError::Other("the tunnel's pool has no id".to_owned()))
    }

    async fn note_balancer(&mut self, tunnel: &TunnelName, hostname: &Hostname, change: impl FnOnce(&mut BalancerRef)) {
        let change = |record: &mut crate::record::TunnelRecord| {
            record.balancing.balancers.get_mut(hostname).map(change);
        };
        self.note(tunnel, change).await;
    }
}

const AT_THE_SAME_MOMENT: &str = "somebody else wrote its list of pools at the same moment; it is read again in the next pass";

fn take_balancer(observed: &mut Observed, zone_id: &ZoneId, id: &BalancerId, changed: Option<LoadBalancer>) {
    let has_zone = observed.balancing.as_ref().is_some_and(|balancing| balancing.balancers.contains_key(zone_id));
    if has_zone {
        take_in(
            observed,
            |balancing| balancing.balancers.entry(zone_id.clone()).or_insert(Part::Complete(Vec::new())),
            |one| one.id == *id,
            changed.map(seen_balancer),
        );
    }
}
