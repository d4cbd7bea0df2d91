//! A tunnel's place in the balancer of its hostname.

use super::{Membership, NO_MARKER, written_fingerprint};
use crate::{
    config::OnDrift,
    name::Hostname,
    observed::{BalancingObject, ObservedBalancer, ObservedRecord, Part},
    plan::{BalancerStep, Conflict, HoldCode, LetGo, Planner, Question, Scope, Step},
    record::BalancerRef,
};

/// Where a tunnel's pool stands in the balancer of its hostname.
pub(super) enum Place<'a> {
    /// There is no balancer: it is made.
    Make { again: bool },
    /// Another of our tunnels makes the balancer in this plan; it is joined when its id is known.
    Wait,
    /// The pool is not in it.
    Join { found: &'a ObservedBalancer, adopted: bool },
    /// The pool is in it.
    In { found: &'a ObservedBalancer, adopted: bool },
}

impl<'a> Planner<'a> {
    /// Where the pool stands, or `None` with a hold or a conflict that says why nothing can be done.
    pub(super) fn place(&mut self, own: &Membership<'a>) -> Option<Place<'a>> {
        let hostname = &own.balancer.hostname;
        let known = own.record.balancers.get(hostname).filter(|known| known.zone_id == own.zone.id);
        let Some((known, id)) = known.and_then(|known| Some((known, known.id.as_ref()?))) else {
            return self.unknown_place(own, known.is_some(), false);
        };
        if let Some(found) = own.balancers.iter().find(|found| found.id == *id) {
            return self.known_place(own, known, found);
        }
        let object = BalancingObject::Balancer { zone_id: own.zone.id.clone(), id: id.clone() };
        if !self.is_gone(own.scope(), object, "its load balancer") {
            return None;
        }
        if known.adopted {
            let (tunnel, hostname) = (own.tunnel.clone(), hostname.clone());
            self.push_balancer(BalancerStep::ForgetBalancer { tunnel, hostname, why: LetGo::Gone });
            return None;
        }
        if own.want.on_drift == OnDrift::Report {
            let why = "somebody else deleted its load balancer, which is not made again (on_drift = \"report\")";
            self.hold_balancing(own, HoldCode::Edited, why);
            return None;
        }
        self.unknown_place(own, false, true)
    }

    fn known_place(&mut self, own: &Membership<'a>, known: &BalancerRef, found: &'a ObservedBalancer) -> Option<Place<'a>> {
        let is_marked = self.is_marked(&found.description);
        let adopted = known.adopted || (own.balancer.join.as_ref() == Some(&found.id) && !is_marked);
        if !found.stands_at(&own.balancer.hostname) {
            self.conflict_balancing(own, "load balancer", found.id.to_string(), &found.description, "it has another hostname");
            return None;
        }
        if !adopted && !is_marked {
            let why = format!("{NO_MARKER}; with load_balancer.join = \"{}\" it is used all the same", found.id);
            self.conflict_balancing(own, "load balancer", found.id.to_string(), &found.description, &why);
            return None;
        }
        // One that became somebody else's, and may be used all the same, goes on record as such.
        let is_known = adopted == known.adopted;
        if is_known && own.record.pool_id().is_some_and(|pool| found.pools.contains(pool)) {
            return Some(Place::In { found, adopted });
        }
        if own.want.on_drift == OnDrift::Report && is_known && known.joined && own.record.pool_id().is_some() {
            let why = "somebody else took its pool out of the load balancer, which is left so (on_drift = \"report\")";
            self.hold_balancing(own, HoldCode::Edited, why);
            return None;
        }
        self.join(own, found, adopted)
    }

    /// The place in a balancer that is not on record for this tunnel. `begun`: the answer to its creation may have been lost.
    fn unknown_place(&mut self, own: &Membership<'a>, begun: bool, again: bool) -> Option<Place<'a>> {
        let hostname = &own.balancer.hostname;
        let Some(found) = own.balancers.iter().find(|found| found.stands_at(hostname)) else {
            return self.free_place(own, again);
        };
        let marker = self.input.records.install.marker(own.tunnel);
        if begun && found.description == marker {
            let (tunnel, hostname, zone_id) = (own.tunnel.clone(), hostname.clone(), own.zone.id.clone());
            self.push_balancer(BalancerStep::TakeBalancer { tunnel, hostname, zone_id, id: found.id.clone() });
            return None;
        }
        let refs = self.records.values().flat_map(|record| record.balancing.balancers.values());
        let mut refs = refs.filter(|known| known.id.as_ref() == Some(&found.id));
        if refs.any(|known| !known.adopted) && self.is_marked(&found.description) {
            return self.join(own, found, false);
        }
        if own.balancer.join.as_ref() == Some(&found.id) {
            return self.join(own, found, true);
        }
        let why = format!("it is not ours; with load_balancer.join = \"{}\" the pool of {} is added to it", found.id, own.tunnel);
        self.conflict_balancing(own, "load balancer", found.id.to_string(), &found.description, &why);
        None
    }

    /// No balancer stands at the hostname.
    fn free_place(&mut self, own: &Membership<'a>, again: bool) -> Option<Place<'a>> {
        let hostname = &own.balancer.hostname;
        if let Some(id) = &own.balancer.join {
            let why = format!(
                "there is no load balancer {id} at its hostname to be joined; remove load_balancer.join to have one made"
            );
            self.hold_balancing(own, HoldCode::BalancerMissing, why);
            return None;
        }
        let makes =
            |step: &Step| matches!(step, Step::Balancer(BalancerStep::CreateBalancer { hostname: made, .. }) if made == hostname);
        if self.steps.iter().any(makes) {
            return Some(Place::Wait);
        }
        if self.is_somebodys_name(own) || self.runs_elsewhere(own) {
            return None;
        }
        Some(Place::Make { again })
    }

    fn join(&mut self, own: &Membership<'a>, found: &'a ObservedBalancer, adopted: bool) -> Option<Place<'a>> {
        (!self.runs_elsewhere(own)).then_some(Place::Join { found, adopted })
    }

    /// Whether somebody else's DNS record stands at the hostname, or that is not known: a balancer would take its requests.
    fn is_somebodys_name(&mut self, own: &Membership<'_>) -> bool {
        let input = self.input;
        let hostname = &own.balancer.hostname;
        match input.observed.answers.names.get(hostname) {
            None => {
                self.questions.insert(Question::RecordsNamed { zone_id: own.zone.id.clone(), hostname: hostname.clone() });
                self.hold_balancing(own, HoldCode::Unproven, "what stands at its name was not read yet");
                true
            }
            Some(Part::Gap(gap)) => {
                self.hold_gap(own.scope(), gap);
                true
            }
            Some(Part::Complete(records)) => {
                let Some(found) = records.iter().find(|record| leads_visitors(record) && !self.is_our_record(record)) else {
                    return false;
                };
                self.conflicts.push(Conflict::Record {
                    tunnel: own.tunnel.clone(),
                    hostname: hostname.clone(),
                    record_id: found.id.clone(),
                    kind: found.kind.clone(),
                    content: found.content.clone(),
                    comment: found.comment.clone(),
                    why: "a load balancer would take its requests; remove it first".to_owned(),
                });
                true
            }
        }
    }

    fn is_our_record(&self, record: &ObservedRecord) -> bool {
        let on_record = self.owners().values().flatten().any(|(_, dns)| dns.record_id == record.id);
        on_record && self.has_marker(record)
    }

    /// Whether more connectors of the tunnel run than this host has, at another address, while the origin is this host's: then
    /// every other request would reach an origin that Adit knows nothing of. Asked only before the pool goes into a balancer.
    fn runs_elsewhere(&mut self, own: &Membership<'_>) -> bool {
        let Some(id) = own.id.as_ref().filter(|_| own.want.balanced_here && self.input.reported.contains_key(own.tunnel)) else {
            return false;
        };
        let input = self.input;
        match input.observed.answers.connectors.get(id) {
            None => {
                self.questions.insert(Question::ConnectorsOf(id.clone()));
                self.hold_balancing(own, HoldCode::Unproven, "where its connectors run was not read yet");
                true
            }
            Some(Part::Gap(gap)) => {
                self.hold_gap(own.scope(), gap);
                true
            }
            Some(Part::Complete(addresses)) => {
                let mut distinct = addresses.clone();
                distinct.sort();
                distinct.dedup();
                // A roll-out runs each connector twice for a moment.
                if addresses.len() <= usize::from(own.want.replicas) * 2 || distinct.len() < 2 {
                    return false;
                }
                let why = format!(
                    "{} connectors of {} run, at {} addresses, but its origin is on this host: elsewhere they would reach another \
                     one; stop those, or lead the tunnel to an address that all of them reach",
                    addresses.len(),
                    own.tunnel,
                    distinct.len()
                );
                self.hold_balancing(own, HoldCode::RunsElsewhere, why);
                true
            }
        }
    }

    /// Does what the place asks for, once pool and monitor are ready.
    pub(super) fn take_place(&mut self, own: &Membership<'a>, place: Place<'a>) {
        let (tunnel, hostname, zone_id) = (own.tunnel.clone(), own.balancer.hostname.clone(), own.zone.id.clone());
        let (steering_policy, session_affinity) = (own.balancer.steering_policy.as_str(), own.balancer.session_affinity.as_str());
        match place {
            Place::Wait => return,
            Place::Make { again } => {
                let (tunnel, hostname) = (tunnel.clone(), hostname.clone());
                self.push_balancer(BalancerStep::CreateBalancer {
                    tunnel,
                    hostname,
                    zone_id,
                    steering_policy,
                    session_affinity,
                    again,
                });
            }
            Place::Join { found, adopted } => {
                let (tunnel, hostname, id) = (tunnel.clone(), hostname.clone(), found.id.clone());
                self.push_balancer(BalancerStep::JoinBalancer { tunnel, hostname, zone_id, id, adopted });
            }
            Place::In { found, adopted } => {
                let steers = found.steering_policy == steering_policy
                    && (found.session_affinity == session_affinity
                        || (found.session_affinity.is_empty() && session_affinity == "none"));
                if !steers && !adopted {
                    self.steer(own, found);
                }
            }
        }
        self.balanced.insert((tunnel, hostname));
    }

    /// Sets right how a balancer of ours steers, once however many of our tunnels are in it.
    fn steer(&mut self, own: &Membership<'_>, found: &ObservedBalancer) {
        let repairs = |step: &Step| matches!(step, Step::Balancer(BalancerStep::RepairBalancer { id, .. }) if *id == found.id);
        if self.steps.iter().any(repairs) {
            return;
        }
        let steering = (own.balancer.steering_policy.as_str(), own.balancer.session_affinity.as_str());
        let fingerprint = written_fingerprint(&steering);
        let mut known = self.records.values().flat_map(|record| record.balancing.balancers.values());
        let written = known.any(|known| known.id.as_ref() == Some(&found.id) && known.steering.as_ref() == Some(&fingerprint));
        if own.want.on_drift == OnDrift::Report && written {
            self.hold_balancing(
                own,
                HoldCode::Edited,
                "somebody else changed how its load balancer steers, which is left as it is",
            );
            return;
        }
        self.push_balancer(BalancerStep::RepairBalancer {
            tunnel: own.tunnel.clone(),
            hostname: own.balancer.hostname.clone(),
            zone_id: own.zone.id.clone(),
            id: found.id.clone(),
            steering_policy: steering.0,
            session_affinity: steering.1,
        });
    }
}

impl Membership<'_> {
    pub(super) fn scope(&self) -> Scope {
        Scope::Route { tunnel: self.tunnel.clone(), hostname: self.balancer.hostname.clone() }
    }
}

impl ObservedBalancer {
    /// Whether it is the balancer of `hostname`.
    pub(super) fn stands_at(&self, hostname: &Hostname) -> bool {
        self.name.parse::<Hostname>().is_ok_and(|name| name == *hostname)
    }
}

/// Whether a record says where requests for its name go.
fn leads_visitors(record: &ObservedRecord) -> bool {
    matches!(record.kind.as_str(), "A" | "AAAA" | "CNAME")
}
