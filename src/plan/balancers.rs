//! Which monitors, pools and load balancers are made, set right and joined.
//!
//! ```text
//!  at the balancer's hostname stands …     on record here              not on record here
//!  nothing                                 made again                  made, unless somebody's DNS record is there
//!  a balancer with our marker              joined, set right           taken after a lost answer; else a conflict
//!  a balancer without our marker           joined if it was adopted    joined if the configuration names its id; else a conflict
//!  what could not be read                  held                        held
//! ```
//!
//! A tunnel has one monitor and one pool of its own. Of a balancer only the place of that pool in `default_pools` is ours, and
//! the whole of it only when Adit made it.

pub(super) mod guard;
mod place;
mod release;
mod wanted;

use serde::Serialize;

use super::{BalancerStep, Conflict, HoldCode, Planner, PoolDrift, Question, Scope, Standing, Step};
use crate::{
    config::{LoadBalancer, OnDrift},
    desired::{DesiredTunnel, fingerprint},
    id::{TunnelId, ZoneId},
    name::{Hostname, TunnelName},
    observed::{BalancingObject, Found, Gap, ObservedBalancer, ObservedMonitor, ObservedPool, Part, Zone, zone_of},
    record::BalancingRecord,
};

/// A tunnel's part in a load balancer, and what was read of that.
pub(super) struct Membership<'a> {
    tunnel: &'a TunnelName,
    want: &'a DesiredTunnel,
    balancer: &'a LoadBalancer,
    /// The tunnel's id; `None` when it is still to be made.
    id: Option<TunnelId>,
    record: BalancingRecord,
    zone: &'a Zone,
    monitors: &'a [ObservedMonitor],
    pools: &'a [ObservedPool],
    balancers: &'a [ObservedBalancer],
}

/// How far a part is that others build on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    /// It exists.
    There,
    /// A step of this plan makes it.
    Coming,
    /// It is held.
    No,
}

impl<'a> Planner<'a> {
    /// Decides about the load balancer of every wanted tunnel.
    pub(super) fn plan_balancers(&mut self) {
        for (tunnel, want) in &self.input.desired.tunnels {
            let Some(balancer) = &want.load_balancer else { continue };
            let id = match self.standing.get(tunnel) {
                None | Some(Standing::Held) => continue,
                Some(Standing::Coming) => None,
                Some(Standing::Live(id)) => Some(id.clone()),
            };
            if self.is_closed(tunnel, &balancer.hostname) {
                continue;
            }
            let Some(membership) = self.membership(tunnel, want, balancer, id) else { continue };
            self.plan_membership(&membership);
        }
    }

    /// Whether the balancer leads to the tunnel, now or after this plan.
    pub(super) fn is_balanced(&self, tunnel: &TunnelName, hostname: &Hostname) -> bool {
        self.balanced.contains(&(tunnel.clone(), hostname.clone()))
    }

    fn membership(
        &mut self,
        tunnel: &'a TunnelName,
        want: &'a DesiredTunnel,
        balancer: &'a LoadBalancer,
        id: Option<TunnelId>,
    ) -> Option<Membership<'a>> {
        let input = self.input;
        let scope = Scope::Route { tunnel: tunnel.clone(), hostname: balancer.hostname.clone() };
        let zones = match &input.observed.zones {
            Part::Complete(zones) => zones,
            Part::Gap(gap) => {
                self.hold_gap(Scope::Account, gap);
                return None;
            }
        };
        let Some(zone) = zone_of(zones, &balancer.hostname) else {
            let why = "no active zone of the account has it; add its zone to Cloudflare";
            self.hold_route(tunnel, &balancer.hostname, HoldCode::NoZone, why);
            return None;
        };
        let Some(balancing) = &input.observed.balancing else {
            self.hold(scope, HoldCode::Unread, "load balancing was not read yet");
            return None;
        };
        let (monitors, pools) = match (&balancing.monitors, &balancing.pools) {
            (Part::Complete(monitors), Part::Complete(pools)) => (monitors, pools),
            (Part::Gap(gap), _) | (_, Part::Gap(gap)) => {
                self.hold_gap(scope, gap);
                return None;
            }
        };
        let balancers = self.balancers_of(&zone.id, scope)?;
        let record = self.records.get(tunnel).map(|record| record.balancing.clone()).unwrap_or_default();
        Some(Membership { tunnel, want, balancer, id, record, zone, monitors, pools, balancers })
    }

    /// The balancers of a zone; `None`, with a hold, when they were not read.
    pub(super) fn balancers_of(&mut self, zone_id: &ZoneId, scope: Scope) -> Option<&'a [ObservedBalancer]> {
        let input = self.input;
        match input.observed.balancing.as_ref().and_then(|balancing| balancing.balancers.get(zone_id)) {
            Some(Part::Complete(balancers)) => Some(balancers),
            Some(Part::Gap(gap)) => {
                self.hold_gap(scope, gap);
                None
            }
            None => {
                let gap = Gap { what: "the load balancers of its zone".to_owned(), why: "they were not asked for".to_owned() };
                self.hold_gap(scope, &gap);
                None
            }
        }
    }

    fn plan_membership(&mut self, own: &Membership<'a>) {
        self.ask_about_missing(own);
        // What is decided last is known first: nothing is made that costs money and could not be used.
        let Some(place) = self.place(own) else { return };
        let monitor = self.plan_monitor(own);
        if monitor == Ready::No || self.plan_pool(own, monitor) == Ready::No {
            return;
        }
        self.take_place(own, place);
    }

    /// Asks about everything at once that no list shows: one round of questions costs less than one for each.
    fn ask_about_missing(&mut self, own: &Membership<'_>) {
        let BalancingRecord { balancers, .. } = &own.record;
        let monitor = own.record.monitor_id().filter(|id| !own.monitors.iter().any(|found| found.id == **id));
        let pool = own.record.pool_id().filter(|id| !own.pools.iter().any(|found| found.id == **id));
        let balancer = balancers.get(&own.balancer.hostname).filter(|known| known.zone_id == own.zone.id);
        let balancer = balancer.and_then(|known| known.id.as_ref());
        let balancer = balancer.filter(|id| !own.balancers.iter().any(|found| found.id == **id));
        let objects = [
            monitor.map(|id| BalancingObject::Monitor(id.clone())),
            pool.map(|id| BalancingObject::Pool(id.clone())),
            balancer.map(|id| BalancingObject::Balancer { zone_id: own.zone.id.clone(), id: id.clone() }),
        ];
        let answers = &self.input.observed.answers.balancing;
        let unanswered = objects.into_iter().flatten().filter(|object| !answers.contains_key(object));
        self.questions.extend(unanswered.map(Question::Balancing));
    }

    fn plan_monitor(&mut self, own: &Membership<'_>) -> Ready {
        let wanted = own.wanted_monitor(&self.input.records.install.marker(own.tunnel));
        let create = |again| BalancerStep::CreateMonitor { tunnel: own.tunnel.clone(), monitor: wanted.clone(), again };
        let Some(known) = &own.record.monitor else { return self.make(create(false)) };
        let Some(id) = &known.id else {
            let made = |found: &&ObservedMonitor| found.description == wanted.description;
            return match own.monitors.iter().filter(made).collect::<Vec<_>>()[..] {
                [] => self.make(create(false)),
                [one] => self.take(BalancerStep::TakeMonitor { tunnel: own.tunnel.clone(), id: one.id.clone() }),
                [..] => {
                    let why = format!("several monitors carry {:?}; delete those that nothing uses", wanted.description);
                    self.hold_balancing(own, HoldCode::Unproven, why)
                }
            };
        };
        let Some(found) = own.monitors.iter().find(|found| found.id == *id) else {
            return self.make_again(own, BalancingObject::Monitor(id.clone()), "its monitor", create(true));
        };
        if !self.is_marked(&found.description) {
            return self.conflict_balancing(own, "monitor", id.to_string(), &found.description, NO_MARKER);
        }
        let drift = wanted.drift(found);
        if drift.is_empty() {
            return Ready::There;
        }
        if self.is_edit(own, known.written.as_deref(), &wanted) {
            return self.report_edit(own, "monitor");
        }
        self.change(BalancerStep::RepairMonitor { tunnel: own.tunnel.clone(), id: id.clone(), monitor: wanted, drift })
    }

    fn plan_pool(&mut self, own: &Membership<'_>, monitor: Ready) -> Ready {
        let wanted = own.wanted_pool(self.input.records.install.as_str(), &self.input.records.install.marker(own.tunnel));
        let create = |again| BalancerStep::CreatePool { tunnel: own.tunnel.clone(), pool: wanted.clone(), again };
        let known = own.record.pool.as_ref();
        let id = known.and_then(|known| known.id.as_ref());
        if let Some(other) = own.pools.iter().find(|other| other.name == wanted.name && Some(&other.id) != id) {
            if known.is_some() && id.is_none() && other.description == wanted.description {
                return self.take(BalancerStep::TakePool { tunnel: own.tunnel.clone(), id: other.id.clone() });
            }
            let why = format!("the name {:?} is taken; give another one in load_balancer.pool", wanted.name);
            return self.conflict_balancing(own, "pool", other.id.to_string(), &other.description, &why);
        }
        let (Some(known), Some(id)) = (known, id) else { return self.make(create(false)) };
        let Some(found) = own.pools.iter().find(|found| found.id == *id) else {
            return self.make_again(own, BalancingObject::Pool(id.clone()), "its pool", create(true));
        };
        if !self.is_marked(&found.description) {
            return self.conflict_balancing(own, "pool", id.to_string(), &found.description, NO_MARKER);
        }
        let monitor_id = own.record.monitor_id().filter(|_| monitor == Ready::There);
        let target = own.id.as_ref().map(TunnelId::dns_target);
        let mut drift = wanted.drift(found, target.as_deref());
        if monitor_id.is_none() || found.monitor.as_ref() != monitor_id {
            drift.push(PoolDrift::Monitor);
        }
        if drift.is_empty() {
            return Ready::There;
        }
        if own.id.is_some() && monitor == Ready::There && self.is_edit(own, known.written.as_deref(), &wanted) {
            return self.report_edit(own, "pool");
        }
        self.change(BalancerStep::RepairPool { tunnel: own.tunnel.clone(), id: id.clone(), pool: wanted, drift })
    }

    /// Whether something differs although the same was written last, and the configuration says to leave that.
    fn is_edit(&self, own: &Membership<'_>, written: Option<&str>, wanted: &impl Serialize) -> bool {
        own.want.on_drift == OnDrift::Report && written == Some(written_fingerprint(wanted).as_str())
    }

    fn report_edit(&mut self, own: &Membership<'_>, what: &str) -> Ready {
        let why = format!("somebody else changed its {what}, which is left as it is (on_drift = \"report\")");
        self.hold_balancing(own, HoldCode::Edited, why);
        Ready::There
    }

    /// Something that no list shows any more: made again once its absence is proven.
    fn make_again(&mut self, own: &Membership<'_>, object: BalancingObject, what: &str, step: BalancerStep) -> Ready {
        let scope = Scope::Route { tunnel: own.tunnel.clone(), hostname: own.balancer.hostname.clone() };
        if !self.is_gone(scope, object, what) {
            return Ready::No;
        }
        if own.want.on_drift == OnDrift::Report {
            let why = format!("somebody else deleted {what}, which is not made again (on_drift = \"report\")");
            return self.hold_balancing(own, HoldCode::Edited, why);
        }
        self.make(step)
    }

    /// Whether something on record that no list shows is proven to be gone; with a hold when it is not.
    pub(super) fn is_gone(&mut self, scope: Scope, object: BalancingObject, what: &str) -> bool {
        let observed = self.input.observed;
        // Without anything else to be seen in the account, a 404 may as well mean that the account cannot be seen.
        let others = observed.tunnels.complete().is_some_and(|tunnels| !tunnels.is_empty());
        let why = match observed.answers.balancing.get(&object) {
            Some(Part::Complete(Found::NotFound)) if others => return true,
            Some(Part::Complete(Found::NotFound)) => "is not known by its id, but nothing else of the account is shown either",
            Some(Part::Complete(Found::There(()))) => "is in no list, but exists: the lists are not complete",
            Some(Part::Gap(gap)) => {
                self.hold_gap(scope, gap);
                return false;
            }
            None => {
                self.questions.insert(Question::Balancing(object));
                "is in no list, and was not read by its id yet"
            }
        };
        self.hold(scope, HoldCode::Unproven, format!("{what} {why}"));
        false
    }

    /// Whether a description is the marker of this installation, for whichever of its tunnels.
    pub(super) fn is_marked(&self, description: &str) -> bool {
        self.input.records.install.has_marked(description)
    }

    pub(super) fn push_balancer(&mut self, step: BalancerStep) {
        self.steps.push(Step::Balancer(step));
    }

    fn make(&mut self, step: BalancerStep) -> Ready {
        self.push_balancer(step);
        Ready::Coming
    }

    fn take(&mut self, step: BalancerStep) -> Ready {
        self.push_balancer(step);
        // Whether it is as it should be is looked at once it is on record.
        Ready::No
    }

    fn change(&mut self, step: BalancerStep) -> Ready {
        self.push_balancer(step);
        Ready::There
    }

    fn hold_balancing(&mut self, own: &Membership<'_>, code: HoldCode, why: impl Into<String>) -> Ready {
        self.hold_route(own.tunnel, &own.balancer.hostname, code, why);
        Ready::No
    }

    fn conflict_balancing(&mut self, own: &Membership<'_>, object: &str, id: String, description: &str, why: &str) -> Ready {
        self.conflicts.push(Conflict::Balancing {
            tunnel: own.tunnel.clone(),
            hostname: own.balancer.hostname.clone(),
            object: object.to_owned(),
            id,
            description: description.to_owned(),
            why: why.to_owned(),
        });
        Ready::No
    }
}

const NO_MARKER: &str = "it was ours, but carries our marker no longer";

/// The fingerprint of something as it was written last.
pub(crate) fn written_fingerprint(wanted: &impl Serialize) -> String {
    fingerprint(&serde_json::to_value(wanted).expect("what is written is made of strings and numbers"))
}
