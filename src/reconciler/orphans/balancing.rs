//! Leftover pools and monitors: found, looked at again, deleted.

use super::{gone_is_done, has_enough, not_ours, still};
use crate::{
    cloudflare::LoadBalancer,
    id::{MonitorId, PoolId},
    observed::{ObservedPool, Part},
    orphan::{Orphan, Orphans, is_stray_monitor, is_stray_pool},
    reconciler::{
        observe::balancing::{seen_monitor, seen_pool},
        pass::Ground,
        trouble,
        worker::Worker,
    },
    record::Records,
};

impl Worker {
    /// Pools and monitors with our marker that nothing here has on record. Who uses a pool is asked only when there is such a one.
    pub(super) async fn stray_balancing(&self, ground: &Ground, looks: &mut usize, found: &mut Orphans) {
        let Ground { client, account_id, .. } = ground;
        let records = self.shared.ledger.records();
        let pools: Vec<ObservedPool> = match client.pools(account_id).await {
            Ok(pools) => pools.into_iter().map(seen_pool).collect(),
            Err(error) => {
                found.unread.push(format!("{}; so neither pools nor monitors were looked at", trouble::with_causes(&error)));
                return;
            }
        };
        let mut balancers = None;
        for pool in &pools {
            found.count_other(&records, "", Some(&pool.description));
            if !is_stray_pool(&records, &pool.id, &pool.description) || has_enough(looks, found) {
                continue;
            }
            if balancers.is_none() {
                let read = load_balancers(ground).await;
                found.unread.extend(read.as_ref().err().cloned());
                balancers = Some(read);
            }
            let stays = balancers.as_ref().and_then(|balancers| user_of_pool(balancers, &pool.id));
            found.orphans.push(Orphan::pool(&records, pool, stays));
        }
        let monitors = match client.monitors(account_id).await {
            Ok(monitors) => monitors,
            Err(error) => return found.unread.push(trouble::with_causes(&error)),
        };
        for monitor in monitors.into_iter().map(seen_monitor) {
            found.count_other(&records, "", Some(&monitor.description));
            if !is_stray_monitor(&records, &monitor.id, &monitor.description) || has_enough(looks, found) {
                continue;
            }
            let stays = user_of_monitor(&records, ground, &pools, &monitor.id);
            found.orphans.push(Orphan::monitor(&records, &monitor, stays));
        }
    }

    pub(super) async fn delete_pool(&self, ground: &Ground, orphan: &Orphan, id: &PoolId) -> Result<(), String> {
        let Ground { client, account_id, .. } = ground;
        let records = self.shared.ledger.records();
        let pool = match client.pool(account_id, id).await {
            Ok(pool) => seen_pool(pool),
            Err(error) if error.is_gone() => return Ok(()),
            Err(error) => return Err(trouble::with_causes(&error)),
        };
        if !is_stray_pool(&records, id, &pool.description) {
            return Err(not_ours());
        }
        let stays = user_of_pool(&load_balancers(ground).await, id);
        still(orphan, &Orphan::pool(&records, &pool, stays))?;
        gone_is_done(client.delete_pool(account_id, id).await)
    }

    pub(super) async fn delete_monitor(&self, ground: &Ground, orphan: &Orphan, id: &MonitorId) -> Result<(), String> {
        let Ground { client, account_id, .. } = ground;
        let records = self.shared.ledger.records();
        let monitor = match client.monitor(account_id, id).await {
            Ok(monitor) => seen_monitor(monitor),
            Err(error) if error.is_gone() => return Ok(()),
            Err(error) => return Err(trouble::with_causes(&error)),
        };
        if !is_stray_monitor(&records, id, &monitor.description) {
            return Err(not_ours());
        }
        let pools = client.pools(account_id).await.map_err(|error| trouble::with_causes(&error))?;
        let pools: Vec<ObservedPool> = pools.into_iter().map(seen_pool).collect();
        let stays = user_of_monitor(&records, ground, &pools, id);
        still(orphan, &Orphan::monitor(&records, &monitor, stays))?;
        gone_is_done(client.delete_monitor(account_id, id).await)
    }
}

/// Every load balancer of the account.
///
/// # Errors
///
/// Why they are not known to be all.
async fn load_balancers(ground: &Ground) -> Result<Vec<LoadBalancer>, String> {
    let zones = match &ground.zones {
        Part::Complete(zones) => zones,
        Part::Gap(gap) => return Err(format!("cannot read the load balancers: cannot read {}: {}", gap.what, gap.why)),
    };
    if zones.is_empty() {
        return Err("cannot read the load balancers: the credential sees no zone of the account".to_owned());
    }
    let mut all = Vec::new();
    for zone in zones {
        all.extend(ground.client.load_balancers(&zone.id).await.map_err(|error| trouble::with_causes(&error))?);
    }
    Ok(all)
}

/// Why a pool stays: a load balancer uses it, or may.
fn user_of_pool(balancers: &Result<Vec<LoadBalancer>, String>, id: &PoolId) -> Option<String> {
    match balancers {
        Ok(balancers) => {
            let user = balancers.iter().find(|balancer| balancer.names(id))?;
            Some(format!("the load balancer {:?} ({}) uses it", user.name, user.id))
        }
        Err(why) => Some(format!("a load balancer may use it: {why}")),
    }
}

/// Why a monitor stays: it checks a pool, or may.
fn user_of_monitor(records: &Records, ground: &Ground, pools: &[ObservedPool], id: &MonitorId) -> Option<String> {
    if let Some(user) = pools.iter().find(|pool| pool.monitor.as_ref() == Some(id)) {
        return Some(format!("it checks the pool {:?} ({})", user.name, user.id));
    }
    // Unlike pools and virtual networks, nothing says that Cloudflare keeps a monitor that is in use: the list has to be whole.
    let known = records.in_account(&ground.account_id).filter_map(|record| record.balancing.pool_id());
    let missing = known.into_iter().find(|known| pools.iter().all(|pool| pool.id != **known))?;
    Some(format!("it may check a pool: the list of pools lacks {missing}, which is on record"))
}
