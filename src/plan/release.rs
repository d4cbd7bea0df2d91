//! What Adit made and is no longer wanted: DNS records of dropped routes, and tunnels that an operator deletes.

use super::{ForgetReason, HoldCode, Known, Planner, Question, Release, Scope, Standing, Step};
use crate::{
    id::TunnelId,
    name::{Hostname, TunnelName},
    observed::{ObservedRecord, ObservedTunnel, Part},
    record::{DnsRecordRef, Fate, TunnelRecord},
};

impl Planner<'_> {
    /// Lets go of DNS records that no wanted hostname needs, then of tunnels that are to be deleted.
    pub(super) fn plan_releases(&mut self) {
        let records: Vec<Known<'_>> = self.records.values().cloned().collect();
        for record in records {
            match record.fate {
                Fate::Delete => self.delete_tunnel(&record),
                Fate::Keep | Fate::Orphaned => self.drop_routes(&record),
                Fate::Retiring => self.retire(&record),
            }
        }
    }

    fn drop_routes(&mut self, record: &TunnelRecord) {
        let name = &record.name;
        let input = self.input;
        let want = input.desired.tunnels.get(name);
        for (hostname, dns) in &record.dns {
            if want.is_some_and(|want| want.hostnames.contains(hostname)) {
                continue;
            }
            if self.hand_over(name, hostname, dns).is_some() {
                continue;
            }
            // A balancer takes over before the record goes.
            let balanced = want.is_some_and(|want| want.load_balancer.as_ref().is_some_and(|to| to.hostname == *hostname));
            if balanced && !self.is_balanced(name, hostname) {
                continue;
            }
            let Some(want) = want else { continue }; // Orphaned: it stays until somebody asks for its deletion.
            if want.foreign_hostnames.contains(hostname) {
                self.forget(name, hostname, ForgetReason::HandedOver);
            } else if self.standing.get(name) != Some(&Standing::Held) {
                self.release(record, hostname, dns);
            }
        }
    }

    pub(super) fn delete_tunnel(&mut self, record: &TunnelRecord) {
        // Left over from a rename that crashed: the tunnel lives on under its other name.
        if self.lives_on(record) {
            self.steps.push(Step::ForgetTunnel { tunnel: record.name.clone() });
            return;
        }
        // One line for each family of what leads to a tunnel. Each is asked, so that what can go goes at once.
        let networks = if self.networks.blocked.contains(&record.name) { Release::Blocked } else { Release::Done };
        let families = [self.release_dns(record), self.release_balancing(record), networks];
        // Whoever still comes by it is served until the grace period is over.
        let is_served = !record.parting.is_empty() || self.steps.takes_from(&record.name) || self.drains(record);
        if is_served || families.contains(&Release::Blocked) {
            return;
        }
        let input = self.input;
        if self.reported.contains_key(&record.name) && !self.drained_for_long(record) {
            let why = "its connectors on this host finish their requests first; then it is deleted";
            return self.hold_tunnel(&record.name, HoldCode::Draining, why);
        }
        let listed = match &input.observed.tunnels {
            Part::Complete(listed) => listed,
            Part::Gap(gap) => return self.hold_gap(Scope::Account, gap),
        };
        let id = match &record.id {
            Some(id) => Some(id.clone()),
            None => match self.find_named(&record.cloudflare_name) {
                None => None,
                Some(id) => match self.own_by_secret(record, &id) {
                    None => return,
                    Some(ours) => ours.then_some(id),
                },
            },
        };
        if let Some(shared) = &record.shared {
            return self.withdraw(record, shared);
        }
        if let Some(id) = id {
            if listed.get(&id).is_some_and(may_be_connected) {
                let why = "is connected from elsewhere: the connectors there lose their connections with it";
                self.notes.push(format!("tunnel {} {why}", record.name));
                self.steps.push(Step::DeleteConnections { tunnel: record.name.clone(), id: id.clone() });
            }
            self.steps.push(Step::DeleteTunnel { tunnel: record.name.clone(), id });
        }
        self.steps.push(Step::ForgetTunnel { tunnel: record.name.clone() });
    }

    /// Lets go of every DNS record that was made for a tunnel.
    fn release_dns(&mut self, record: &TunnelRecord) -> Release {
        let mut all = Release::Done;
        for (hostname, dns) in &record.dns {
            let release = self.hand_over(&record.name, hostname, dns);
            match release.unwrap_or_else(|| self.release(record, hostname, dns)) {
                Release::Done => {}
                Release::Blocked => all = Release::Blocked,
            }
        }
        all
    }

    /// Whether a tunnel whose creation was never settled is ours; `None`, with a hold, when that is not known.
    fn own_by_secret(&mut self, record: &TunnelRecord, id: &TunnelId) -> Option<bool> {
        let input = self.input;
        match input.observed.answers.secrets.get(id) {
            Some(Part::Complete(secret)) => Some(*secret == record.secret),
            Some(Part::Gap(gap)) => {
                self.hold_gap(Scope::Tunnel { tunnel: record.name.clone() }, gap);
                None
            }
            None => {
                self.questions.insert(Question::SecretOf(id.clone()));
                let why = "a tunnel of its name exists; whether it is ours was not read yet";
                self.hold_tunnel(&record.name, HoldCode::Unproven, why);
                None
            }
        }
    }

    /// A hostname that another tunnel wants is never released but moved: how far that is. `None` when nobody else wants it.
    pub(super) fn hand_over(&mut self, name: &TunnelName, hostname: &Hostname, dns: &DnsRecordRef) -> Option<Release> {
        let heir = self.heir(name, hostname)?;
        if let Some(theirs) = self.records.get(heir).and_then(|record| record.dns.get(hostname)) {
            // Two CNAMEs never stand at one name: with another one there, this one went before it could move.
            self.forget(name, hostname, if theirs == dns { ForgetReason::Moved } else { ForgetReason::Gone });
            return Some(Release::Done);
        }
        if self.steps.moves_record(hostname) {
            return Some(Release::Done);
        }
        if self.standing.get(heir) == Some(&Standing::Held) {
            self.hold_route(
                name,
                hostname,
                HoldCode::NotReady,
                format!("it stays with this tunnel until {heir} can take it over"),
            );
        }
        Some(Release::Blocked)
    }

    pub(super) fn release(&mut self, record: &TunnelRecord, hostname: &Hostname, dns: &DnsRecordRef) -> Release {
        let input = self.input;
        match input.observed.records.get(&dns.zone_id) {
            Some(Part::Complete(_)) => {}
            Some(Part::Gap(gap)) => {
                self.hold_gap(Scope::Route { tunnel: record.name.clone(), hostname: hostname.clone() }, gap);
                return Release::Blocked;
            }
            None => {
                self.hold_route(&record.name, hostname, HoldCode::Unread, "the records of its zone were not read");
                return Release::Blocked;
            }
        }
        let listed = self.zones.get(&dns.zone_id).and_then(|zone| zone.by_id(&dns.record_id));
        if let Some(found) = listed {
            return self.delete_if_ours(record, hostname, dns, found);
        }
        match input.observed.answers.names.get(hostname) {
            None => {
                self.questions.insert(Question::RecordsNamed { zone_id: dns.zone_id.clone(), hostname: hostname.clone() });
                self.hold_route(&record.name, hostname, HoldCode::Unproven, "what stands at its name was not read yet");
                Release::Blocked
            }
            Some(Part::Gap(gap)) => {
                self.hold_gap(Scope::Route { tunnel: record.name.clone(), hostname: hostname.clone() }, gap);
                Release::Blocked
            }
            Some(Part::Complete(records)) => match records.iter().find(|found| found.id == dns.record_id) {
                Some(found) => self.delete_if_ours(record, hostname, dns, found),
                None => {
                    self.forget(&record.name, hostname, ForgetReason::Gone);
                    Release::Done
                }
            },
        }
    }

    /// Marker, id, name and target must all say that it is ours; whoever changed one of them has made it theirs.
    fn delete_if_ours(
        &mut self,
        record: &TunnelRecord,
        hostname: &Hostname,
        dns: &DnsRecordRef,
        found: &ObservedRecord,
    ) -> Release {
        if self.has_marker(found) && self.leads_to_ours(found) && found.stands_at(hostname) {
            self.steps.push(Step::DeleteRecord {
                tunnel: record.name.clone(),
                hostname: hostname.clone(),
                zone_id: dns.zone_id.clone(),
                record_id: dns.record_id.clone(),
            });
        } else {
            self.forget(&record.name, hostname, ForgetReason::Taken);
        }
        Release::Done
    }

    pub(super) fn forget(&mut self, tunnel: &TunnelName, hostname: &Hostname, why: ForgetReason) {
        self.steps.push(Step::ForgetRecord { tunnel: tunnel.clone(), hostname: hostname.clone(), why });
    }
}

/// Whether connectors may be connected: Cloudflare says so, or a word that is not known.
fn may_be_connected(tunnel: &ObservedTunnel) -> bool {
    !matches!(tunnel.status.as_str(), "inactive" | "down")
}
