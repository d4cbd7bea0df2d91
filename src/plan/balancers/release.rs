//! What of load balancing is no longer wanted: out of the balancer, then the pool, then the monitor.

use super::super::Release;
use crate::{
    id::{BalancerId, PoolId},
    name::{Hostname, TunnelName},
    observed::{BalancingObject, ObservedBalancer, Part},
    plan::{BalancerStep, HoldCode, Known, LetGo, Planner, Scope, Standing, Step},
    record::{BalancerRef, Fate, TunnelRecord},
};

impl Planner<'_> {
    /// Lets go of what wanted tunnels do not need any more. Those that left the configuration keep theirs until their deletion.
    pub(in crate::plan) fn plan_balancer_releases(&mut self) {
        let records: Vec<Known<'_>> = self.records.values().cloned().collect();
        for record in &records {
            let want = self.input.desired.tunnels.get(&record.name);
            let Some(want) = want.filter(|_| record.fate != Fate::Delete && !record.balancing.is_empty()) else { continue };
            if self.standing.get(&record.name) == Some(&Standing::Held) {
                continue;
            }
            let hostname = want.load_balancer.as_ref().map(|balancer| &balancer.hostname);
            let kept = hostname.filter(|hostname| !self.is_withdrawn(&record.name, hostname));
            let mut blocked = false;
            for (hostname, known) in record.balancing.balancers.iter().filter(|(hostname, _)| Some(*hostname) != kept) {
                // Visitors of a hostname that goes back to DNS find its record before the balancer is gone.
                let waits = want.hostnames.contains(hostname) && !self.has_record(record, hostname);
                blocked |= waits || self.leave(record, hostname, known) == Release::Blocked;
            }
            if want.load_balancer.is_none() && !blocked {
                self.release_pool(record);
            }
        }
    }

    /// Lets go of everything of a tunnel that is deleted.
    pub(in crate::plan) fn release_balancing(&mut self, record: &TunnelRecord) -> Release {
        let mut blocked = false;
        for (hostname, known) in &record.balancing.balancers {
            blocked |= self.leave(record, hostname, known) == Release::Blocked;
        }
        if blocked { Release::Blocked } else { self.release_pool(record) }
    }

    fn has_record(&self, record: &TunnelRecord, hostname: &Hostname) -> bool {
        let makes = |step: &Step| matches!(step, Step::CreateRecord { hostname: made, .. } if made == hostname);
        record.dns.contains_key(hostname) || self.steps.iter().any(makes)
    }

    fn leave(&mut self, record: &TunnelRecord, hostname: &Hostname, known: &BalancerRef) -> Release {
        let scope = Scope::Route { tunnel: record.name.clone(), hostname: hostname.clone() };
        let Some(balancers) = self.balancers_of(&known.zone_id, scope.clone()) else { return Release::Blocked };
        let (tunnel, zone_id) = (record.name.clone(), known.zone_id.clone());
        let Some(id) = &known.id else {
            // Its creation was begun: what came of it goes the way of every other balancer, once its id is on record.
            let marker = self.input.records.install.marker(&record.name);
            let made = balancers.iter().find(|found| found.stands_at(hostname) && found.description == marker);
            let Some(made) = made else {
                let pool = record.balancing.pool_id();
                return match balancers.iter().find(|found| pool.is_some_and(|pool| found.uses(pool))) {
                    Some(user) => self.blocked_by(record, user, "it is not on record as ours"),
                    None => self.forget_balancer(record, hostname, LetGo::Gone),
                };
            };
            let (hostname, id) = (hostname.clone(), made.id.clone());
            self.push_balancer(BalancerStep::TakeBalancer { tunnel, hostname, zone_id, id });
            return Release::Blocked;
        };
        let Some(found) = balancers.iter().find(|found| found.id == *id) else {
            let object = BalancingObject::Balancer { zone_id, id: id.clone() };
            let gone = self.is_gone(scope, object, "its load balancer");
            return if gone { self.forget_balancer(record, hostname, LetGo::Gone) } else { Release::Blocked };
        };
        let Some(pool) = record.balancing.pool_id().filter(|pool| found.uses(pool)) else {
            return self.forget_balancer(record, hostname, LetGo::Left);
        };
        if !known.adopted && !self.is_marked(&found.description) {
            return self.blocked_by(record, found, "it carries our marker no longer, so it is somebody else's");
        }
        let is_last = found.pools.iter().all(|other| other == pool);
        if self.is_moving(found, pool) {
            return Release::Blocked; // Once those are in or out, it is known whether this one is the last.
        }
        let hostname = hostname.clone();
        if is_last && !known.adopted && found.fallback.as_ref().is_none_or(|fallback| self.is_our_pool(fallback)) {
            self.push_balancer(BalancerStep::DeleteBalancer { tunnel, hostname, zone_id, id: id.clone() });
            return Release::Done;
        }
        if is_last {
            return self.blocked_by(record, found, "no other pool is in it");
        }
        if known.adopted && found.fallback.as_ref() == Some(pool) {
            return self.blocked_by(record, found, "the pool is its fallback, and it is not ours");
        }
        let adopted = known.adopted;
        self.push_balancer(BalancerStep::LeaveBalancer { tunnel, hostname, zone_id, id: id.clone(), adopted });
        Release::Done
    }

    /// Whether pools come into the balancer, or leave it, in this plan, so that it depends on them whether `pool` is the last one.
    fn is_moving(&self, found: &ObservedBalancer, pool: &PoolId) -> bool {
        let moves = |step: &Step| {
            let Step::Balancer(BalancerStep::JoinBalancer { id, .. } | BalancerStep::LeaveBalancer { id, .. }) = step else {
                return false;
            };
            *id == found.id
        };
        let stays = found.pools.iter().any(|other| other != pool && !self.is_our_pool(other));
        !stays && self.steps.iter().any(moves)
    }

    fn is_our_pool(&self, pool: &PoolId) -> bool {
        self.records.values().any(|record| record.balancing.pool_id() == Some(pool))
    }

    fn blocked_by(&mut self, record: &TunnelRecord, found: &ObservedBalancer, why: &str) -> Release {
        let scope = Scope::Tunnel { tunnel: record.name.clone() };
        let why = format!(
            "its pool cannot leave load balancer {:?} ({}): {why}; take the pool out of it or delete it at Cloudflare",
            found.name, found.id
        );
        self.hold(scope, HoldCode::PoolInUse, why);
        Release::Blocked
    }

    fn forget_balancer(&mut self, record: &TunnelRecord, hostname: &Hostname, why: LetGo) -> Release {
        let (tunnel, hostname) = (record.name.clone(), hostname.clone());
        self.push_balancer(BalancerStep::ForgetBalancer { tunnel, hostname, why });
        Release::Done
    }

    fn release_pool(&mut self, record: &TunnelRecord) -> Release {
        let tunnel = record.name.clone();
        let scope = Scope::Tunnel { tunnel: tunnel.clone() };
        let Some(known) = &record.balancing.pool else { return self.release_monitor(record) };
        let input = self.input;
        let pools = match input.observed.balancing.as_ref().map(|balancing| &balancing.pools) {
            Some(Part::Complete(pools)) => pools,
            Some(Part::Gap(gap)) => {
                self.hold_gap(scope, gap);
                return Release::Blocked;
            }
            None => return Release::Blocked,
        };
        let Some(id) = &known.id else {
            let marker = input.records.install.marker(&record.name);
            return match pools.iter().find(|found| found.description == marker) {
                Some(found) => {
                    self.push_balancer(BalancerStep::TakePool { tunnel, id: found.id.clone() });
                    Release::Blocked
                }
                None => self.forget_pool(record, LetGo::Gone),
            };
        };
        let Some(found) = pools.iter().find(|found| found.id == *id) else {
            let gone = self.is_gone(scope, BalancingObject::Pool(id.clone()), "its pool");
            return if gone { self.forget_pool(record, LetGo::Gone) } else { Release::Blocked };
        };
        if !self.is_marked(&found.description) {
            return self.forget_pool(record, LetGo::Taken);
        }
        if let Some(user) = self.pool_user(&record.name, id) {
            return self.blocked_by(record, &user, "Adit did not put it there");
        }
        self.push_balancer(BalancerStep::DeletePool { tunnel, id: id.clone() });
        self.release_monitor(record)
    }

    /// A balancer that uses the pool and is not left in this plan.
    fn pool_user(&self, tunnel: &TunnelName, pool: &PoolId) -> Option<ObservedBalancer> {
        let left: Vec<&BalancerId> = self
            .steps
            .iter()
            .filter_map(|step| {
                let Step::Balancer(
                    BalancerStep::LeaveBalancer { tunnel: leaver, id, .. }
                    | BalancerStep::DeleteBalancer { tunnel: leaver, id, .. },
                ) = step
                else {
                    return None;
                };
                (leaver == tunnel).then_some(id)
            })
            .collect();
        let balancing = self.input.observed.balancing.as_ref()?;
        let mut balancers = balancing.balancers.values().filter_map(Part::complete).flatten();
        balancers.find(|found| found.uses(pool) && !left.contains(&&found.id)).cloned()
    }

    fn forget_pool(&mut self, record: &TunnelRecord, why: LetGo) -> Release {
        self.push_balancer(BalancerStep::ForgetPool { tunnel: record.name.clone(), why });
        self.release_monitor(record)
    }

    fn release_monitor(&mut self, record: &TunnelRecord) -> Release {
        let tunnel = record.name.clone();
        let scope = Scope::Tunnel { tunnel: tunnel.clone() };
        let Some(known) = &record.balancing.monitor else { return Release::Done };
        let input = self.input;
        let balancing = input.observed.balancing.as_ref();
        let (monitors, pools) = match balancing.map(|balancing| (&balancing.monitors, &balancing.pools)) {
            Some((Part::Complete(monitors), Part::Complete(pools))) => (monitors, pools),
            Some((Part::Gap(gap), _) | (_, Part::Gap(gap))) => {
                self.hold_gap(scope, gap);
                return Release::Blocked;
            }
            None => return Release::Blocked,
        };
        let Some(id) = &known.id else {
            let marker = input.records.install.marker(&record.name);
            return match monitors.iter().find(|found| found.description == marker) {
                Some(found) => {
                    self.push_balancer(BalancerStep::TakeMonitor { tunnel, id: found.id.clone() });
                    Release::Blocked
                }
                None => self.forget_monitor(record, LetGo::Gone),
            };
        };
        let Some(found) = monitors.iter().find(|found| found.id == *id) else {
            let gone = self.is_gone(scope, BalancingObject::Monitor(id.clone()), "its monitor");
            return if gone { self.forget_monitor(record, LetGo::Gone) } else { Release::Blocked };
        };
        if !self.is_marked(&found.description) {
            return self.forget_monitor(record, LetGo::Taken);
        }
        let goes = |id: &PoolId| {
            let deletes =
                |step: &Step| matches!(step, Step::Balancer(BalancerStep::DeletePool { id: deleted, .. }) if deleted == id);
            self.steps.iter().any(deletes)
        };
        let own = record.balancing.pool_id().filter(|id| goes(id));
        if let Some(user) = pools.iter().find(|pool| pool.monitor.as_ref() == Some(id) && Some(&pool.id) != own) {
            let why = format!("its monitor ({id}) checks the pool {:?} too; give that one another monitor", user.name);
            self.hold(scope, HoldCode::PoolInUse, why);
            return Release::Blocked;
        }
        self.push_balancer(BalancerStep::DeleteMonitor { tunnel, id: id.clone() });
        Release::Done
    }

    fn forget_monitor(&mut self, record: &TunnelRecord, why: LetGo) -> Release {
        self.push_balancer(BalancerStep::ForgetMonitor { tunnel: record.name.clone(), why });
        Release::Done
    }
}
