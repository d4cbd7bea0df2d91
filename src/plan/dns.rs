//! Which DNS records are made, repaired and moved.
//!
//! ```text
//!  at the hostname stands …             on record here       not on record here
//!  nothing                              made again           made
//!  a record with our marker             kept or repaired     taken, if it leads to our tunnel; else a conflict
//!  a record without our marker          a conflict           a conflict
//!  what could not be read               held                 held
//! ```
//!
//! Records of other types, such as TXT and MX, stand beside ours and are no concern of ours.

use std::{cell::OnceCell, collections::BTreeMap};

use super::{Conflict, HoldCode, Planner, Question, RecordDrift, Scope, Standing, Step, takeover::is_in_the_way};
use crate::{
    config::OnDrift,
    connector::document_number,
    desired::DesiredTunnel,
    id::{RecordId, ZoneId},
    name::{Hostname, TunnelName},
    observed::{Gap, Observed, ObservedRecord, Part, Zone, zone_of},
    record::{ConfigurationSource, DnsRecordRef},
};

/// How many names that are wanted for the first time are asked about before they are made, so that a plan shows the conflicts.
/// Above it the calls would exceed two a tunnel, and a conflict shows when Cloudflare refuses the record.
pub(super) const NAMES_ASKED_MAX: usize = 20;

/// The tunnel CNAMEs of one zone, so that each is found at once.
pub(super) struct ZoneIndex<'a> {
    records: &'a [ObservedRecord],
    by_id: BTreeMap<&'a RecordId, &'a ObservedRecord>,
    by_name: OnceCell<BTreeMap<Hostname, &'a ObservedRecord>>,
}

/// The records that were read completely, by zone.
pub(super) fn index(observed: &Observed) -> BTreeMap<ZoneId, ZoneIndex<'_>> {
    let read = observed.records.iter().filter_map(|(zone_id, part)| Some((zone_id, part.complete()?)));
    read.map(|(zone_id, records)| {
        let by_id = records.iter().map(|record| (&record.id, record)).collect();
        (zone_id.clone(), ZoneIndex { records, by_id, by_name: OnceCell::new() })
    })
    .collect()
}

impl<'a> ZoneIndex<'a> {
    pub(super) fn by_id(&self, id: &RecordId) -> Option<&'a ObservedRecord> {
        self.by_id.get(id).copied()
    }

    fn by_name(&self, hostname: &Hostname) -> Option<&'a ObservedRecord> {
        let named = |record: &'a ObservedRecord| Some((record.name.parse().ok()?, record));
        self.by_name.get_or_init(|| self.records.iter().filter_map(named).collect()).get(hostname).copied()
    }
}

/// One hostname of one tunnel.
struct Route<'a, 'r> {
    tunnel: &'a TunnelName,
    hostname: &'a Hostname,
    want: &'a DesiredTunnel,
    zone: &'a Zone,
    /// What a record has to point to; `None` when the tunnel is still to be made, so that none can lead to it yet.
    target: Option<&'r str>,
    /// What marks a record of the tunnel.
    marker: &'r str,
}

impl<'a> Planner<'a> {
    /// Decides about every wanted hostname.
    pub(super) fn plan_records(&mut self) {
        let input = self.input;
        let mut first: Vec<Question> = Vec::new();
        for (tunnel, want) in &input.desired.tunnels {
            let target = match self.standing.get(tunnel) {
                None | Some(Standing::Held) => continue,
                Some(Standing::Coming) => None,
                Some(Standing::Live(id)) => Some(id.dns_target()),
            };
            let marker = input.records.install.marker(tunnel);
            for hostname in &want.hostnames {
                if self.is_closed(tunnel, hostname) {
                    continue;
                }
                let Some(zone) = self.readable_zone(tunnel, hostname) else { continue };
                let route = Route { tunnel, hostname, want, zone, target: target.as_deref(), marker: &marker };
                if self.plan_record(&route) == Verdict::FirstTime {
                    first.push(Question::RecordsNamed { zone_id: zone.id.clone(), hostname: hostname.clone() });
                }
            }
        }
        if first.len() <= NAMES_ASKED_MAX {
            self.questions.extend(first);
        }
    }

    /// The zone of a hostname, if its records were read.
    fn readable_zone(&mut self, tunnel: &TunnelName, hostname: &Hostname) -> Option<&'a Zone> {
        let observed = self.input.observed;
        let zones = match &observed.zones {
            Part::Complete(zones) => zones,
            Part::Gap(gap) => {
                self.hold_gap(Scope::Account, gap);
                return None;
            }
        };
        let Some(zone) = zone_of(zones, hostname) else {
            let why = "no active zone of the account has it; add its zone to Cloudflare, or set dns = false";
            self.hold_route(tunnel, hostname, HoldCode::NoZone, why);
            return None;
        };
        // The longest zone answers, whoever's it is: a record of ours beside it would be seen by nobody, or only by some.
        if let Some(other) = zone_of(&observed.elsewhere, hostname).filter(|other| other.name.len() >= zone.name.len()) {
            let why = format!(
                "zone {} of this account has it, and so has zone {} of account {}; let one of them go, or set dns = false",
                zone.name, other.name, other.account_id
            );
            self.hold_route(tunnel, hostname, HoldCode::TwoAccounts, why);
            return None;
        }
        match observed.records.get(&zone.id) {
            Some(Part::Complete(_)) => Some(zone),
            Some(Part::Gap(gap)) => {
                self.hold_gap(Scope::Zone { zone: zone.name.clone() }, gap);
                None
            }
            None => {
                let gap = Gap { what: format!("the DNS records of {}", zone.name), why: "they were not asked for".to_owned() };
                self.hold_gap(Scope::Zone { zone: zone.name.clone() }, &gap);
                None
            }
        }
    }

    fn plan_record(&mut self, route: &Route<'a, '_>) -> Verdict {
        let here = |dns: &&DnsRecordRef| dns.zone_id == route.zone.id;
        let own = self.records.get(route.tunnel).and_then(|record| record.dns.get(route.hostname)).filter(here).cloned();
        if let Some(dns) = own {
            self.plan_known(route, route.tunnel, &dns);
            return Verdict::Known;
        }
        let mut owners = self.owners().get(route.hostname).into_iter().flatten();
        match owners.find(|(_, dns)| here(&dns)).cloned() {
            Some((owner, dns)) => {
                self.plan_known(route, &owner, &dns);
                Verdict::Known
            }
            None => self.plan_unknown(route),
        }
    }

    /// Who holds which DNS record by our records.
    pub(super) fn owners(&self) -> &BTreeMap<Hostname, Vec<(TunnelName, DnsRecordRef)>> {
        self.owners.get_or_init(|| {
            let mut owners: BTreeMap<Hostname, Vec<_>> = BTreeMap::new();
            for record in self.records.values() {
                for (hostname, dns) in &record.dns {
                    owners.entry(hostname.clone()).or_default().push((record.name.clone(), dns.clone()));
                }
            }
            owners
        })
    }

    /// A hostname with a record of ours, made for this tunnel or for another.
    fn plan_known(&mut self, route: &Route<'a, '_>, owner: &TunnelName, dns: &DnsRecordRef) {
        let listed = self.zones.get(&dns.zone_id).and_then(|zone| zone.by_id(&dns.record_id));
        let found = match listed.filter(|record| record.stands_at(route.hostname)) {
            Some(record) => record,
            // It is no tunnel's CNAME any more, has another name, or is gone.
            None => match self.standing_at(route) {
                None => return,
                Some(records) => match records.iter().find(|record| record.id == dns.record_id) {
                    Some(record) => record,
                    None => match records.iter().find(|record| is_in_the_way(record)) {
                        Some(other) => return self.conflict_record(route, other, "it is not ours"),
                        None => return self.create_record(route, true),
                    },
                },
            },
        };
        if !self.has_marker(found) {
            return self.conflict_record(route, found, "it was ours, but carries our marker no longer");
        }
        if found.kind != "CNAME" {
            return self.conflict_record(route, found, "it was ours, but is no CNAME any longer");
        }
        if owner == route.tunnel { self.repair(route, found) } else { self.move_record(route, owner, dns) }
    }

    /// A hostname without a record of ours.
    fn plan_unknown(&mut self, route: &Route<'a, '_>) -> Verdict {
        let input = self.input;
        let listed = self.zones.get(&route.zone.id).and_then(|zone| zone.by_name(route.hostname));
        if let Some(found) = listed {
            self.take_or_conflict(route, found);
            return Verdict::Known;
        }
        if input.contested.contains(route.hostname) || input.observed.answers.names.contains_key(route.hostname) {
            match self.standing_at(route) {
                None => {}
                Some(records) => match records.iter().find(|record| is_in_the_way(record)) {
                    Some(found) => self.take_or_conflict(route, found),
                    None => self.create_record(route, false),
                },
            }
            return Verdict::Known;
        }
        self.create_record(route, false);
        Verdict::FirstTime
    }

    /// A record that is not on record here: made by us when an answer was lost, or by somebody else.
    fn take_or_conflict(&mut self, route: &Route<'a, '_>, found: &ObservedRecord) {
        if self.has_marker(found) && leads_to(found, route.target) {
            self.steps.push(Step::TakeRecord {
                tunnel: route.tunnel.clone(),
                hostname: route.hostname.clone(),
                zone_id: route.zone.id.clone(),
                record_id: found.id.clone(),
            });
        } else {
            self.conflict_record(route, found, "it is not on record here as ours");
        }
    }

    /// Everything that stands at the hostname; `None`, with a hold, when that is not known.
    fn standing_at(&mut self, route: &Route<'a, '_>) -> Option<&'a [ObservedRecord]> {
        let answers = &self.input.observed.answers;
        match answers.names.get(route.hostname) {
            Some(Part::Complete(records)) => Some(records),
            Some(Part::Gap(gap)) => {
                let scope = Scope::Route { tunnel: route.tunnel.clone(), hostname: route.hostname.clone() };
                self.hold_gap(scope, gap);
                None
            }
            None => {
                self.questions
                    .insert(Question::RecordsNamed { zone_id: route.zone.id.clone(), hostname: route.hostname.clone() });
                self.hold_route(route.tunnel, route.hostname, HoldCode::Unproven, "what stands at its name was not read yet");
                None
            }
        }
    }

    fn repair(&mut self, route: &Route<'a, '_>, found: &ObservedRecord) {
        let mut drift = Vec::new();
        if !leads_to(found, route.target) {
            drift.push(RecordDrift::Target);
        }
        if !found.proxied {
            drift.push(RecordDrift::Proxied);
        }
        if found.comment.as_deref() != Some(route.marker) {
            drift.push(RecordDrift::Comment);
        }
        if drift.is_empty() {
            return;
        }
        // A tunnel that is made anew, or has a new name here, changes its records by itself: that is nobody's edit.
        let edited = route.target.is_some() && drift.iter().any(|drift| *drift != RecordDrift::Comment);
        if edited && route.want.on_drift == OnDrift::Report {
            let why =
                format!("somebody else changed its DNS record (now {} {:?}), which is left as it is", found.kind, found.content);
            return self.hold_route(route.tunnel, route.hostname, HoldCode::Edited, why);
        }
        self.steps.push(Step::RepairRecord {
            tunnel: route.tunnel.clone(),
            hostname: route.hostname.clone(),
            zone_id: route.zone.id.clone(),
            record_id: found.id.clone(),
            drift,
        });
    }

    /// A hostname goes over from one of our tunnels to another: once that one serves it. Whether the first one does is not asked: it
    /// may, and this daemon only has not heard of its connectors yet.
    fn move_record(&mut self, route: &Route<'a, '_>, from: &TunnelName, dns: &DnsRecordRef) {
        if !self.serves_wanted(route.tunnel, route.want) {
            let why = format!("it stays with {from} until the connectors of {} serve it", route.tunnel);
            return self.hold_route(route.tunnel, route.hostname, HoldCode::NotReady, why);
        }
        self.steps.push(Step::MoveRecord {
            from: from.clone(),
            tunnel: route.tunnel.clone(),
            hostname: route.hostname.clone(),
            zone_id: dns.zone_id.clone(),
            record_id: dns.record_id.clone(),
        });
    }

    /// Whether the tunnel's connectors are ready and run the wanted configuration.
    pub(super) fn serves_wanted(&self, tunnel: &TunnelName, want: &'a DesiredTunnel) -> bool {
        let Some(version) = self.reported.get(tunnel) else { return false };
        let in_force = self.in_force(tunnel, want);
        match want.source {
            ConfigurationSource::Local => *version == document_number(&in_force.document),
            ConfigurationSource::Remote => self
                .records
                .get(tunnel)
                .and_then(|record| record.written.as_ref())
                .is_some_and(|written| written.sha256 == in_force.sha256 && *version >= written.version),
        }
    }

    fn create_record(&mut self, route: &Route<'a, '_>, again: bool) {
        if again && route.target.is_some() && route.want.on_drift == OnDrift::Report {
            let why = "somebody else deleted its DNS record, which is not made again (on_drift = \"report\")";
            return self.hold_route(route.tunnel, route.hostname, HoldCode::Edited, why);
        }
        self.steps.push(Step::CreateRecord {
            tunnel: route.tunnel.clone(),
            hostname: route.hostname.clone(),
            zone_id: route.zone.id.clone(),
            again,
        });
    }

    fn conflict_record(&mut self, route: &Route<'a, '_>, found: &ObservedRecord, why: &str) {
        self.conflicts.push(Conflict::Record {
            tunnel: route.tunnel.clone(),
            hostname: route.hostname.clone(),
            record_id: found.id.clone(),
            kind: found.kind.clone(),
            content: found.content.clone(),
            comment: found.comment.clone(),
            why: why.to_owned(),
        });
    }

    pub(super) fn hold_route(&mut self, tunnel: &TunnelName, hostname: &Hostname, code: HoldCode, why: impl Into<String>) {
        self.hold(Scope::Route { tunnel: tunnel.clone(), hostname: hostname.clone() }, code, why);
    }

    /// Whether the record carries the marker of this installation, for whichever of its tunnels.
    pub(super) fn has_marker(&self, record: &ObservedRecord) -> bool {
        record.comment.as_deref().is_some_and(|comment| self.input.records.install.has_marked(comment))
    }

    /// Whether the record leads to a tunnel of ours in this account.
    pub(super) fn leads_to_ours(&self, record: &ObservedRecord) -> bool {
        let ids = || self.records.values().filter_map(|record| record.id.as_ref());
        let targets = self.targets.get_or_init(|| ids().map(|id| id.dns_target().to_ascii_lowercase()).collect());
        record.kind == "CNAME" && targets.contains(&record.content.to_ascii_lowercase())
    }
}

/// Whether a hostname without any trace is wanted for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Known,
    FirstTime,
}

fn leads_to(record: &ObservedRecord, target: Option<&str>) -> bool {
    record.kind == "CNAME" && target.is_some_and(|target| record.content.eq_ignore_ascii_case(target))
}
