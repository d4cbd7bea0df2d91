//! A Cloudflare account in memory, for tests: what there is, as it is observed.

mod apply;
mod balancing;
mod networks;

pub(super) use balancing::{ModelBalancing, balanced};
pub(super) use networks::{default_network, private};

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Input, Plan, Question, Rotations, plan, zones_needed};
use crate::{
    config::{OnDrift, Ownership},
    connector::document_number,
    desired::{Desired, DesiredTunnel, fingerprint},
    id::{AccountId, RecordId, TunnelId, ZoneId},
    name::{AccountName, Hostname, TunnelName},
    observed::{Answers, Existence, Gap, Observed, ObservedConfiguration, ObservedRecord, ObservedTunnel, Part, Zone},
    record::{ConfigurationSource, Fate, InstallId, Records, TunnelRecord},
    secret::Secret,
};

/// The account, and what is on record here about it.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) tunnels: BTreeMap<TunnelId, ModelTunnel>,
    pub(super) zones: Vec<Zone>,
    /// Zones of other accounts.
    pub(super) elsewhere_zones: Vec<Zone>,
    pub(super) dns: BTreeMap<ZoneId, Vec<ObservedRecord>>,
    pub(super) records: Records,
    pub(super) reported: BTreeMap<TunnelName, i64>,
    pub(super) contested: BTreeSet<Hostname>,
    /// Since when connectors run an earlier version than was written.
    pub(super) behind: BTreeMap<TunnelName, Timestamp>,
    /// This moment.
    pub(super) now: Timestamp,
    pub(super) rotations: Rotations,
    /// Load balancing and Access.
    pub(super) balancing: ModelBalancing,
    /// Tunnels with connectors on other hosts.
    pub(super) elsewhere: BTreeSet<TunnelId>,
    /// What cannot be read.
    pub(super) unreadable: BTreeSet<&'static str>,
    pub(super) networks: networks::ModelNetworks,
    counter: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ModelTunnel {
    pub(super) name: String,
    pub(super) secret: Secret,
    pub(super) deleted: bool,
    pub(super) source: ConfigurationSource,
    pub(super) configuration: Option<(i64, Value)>,
}

pub(super) fn account() -> AccountName {
    "default".parse().unwrap()
}

pub(super) fn account_id() -> AccountId {
    "account".parse().unwrap()
}

pub(super) fn tunnel(name: &str) -> TunnelName {
    name.parse().unwrap()
}

pub(super) fn host(name: &str) -> Hostname {
    name.parse().unwrap()
}

/// A wanted tunnel with these hostnames, all with DNS of ours.
pub(super) fn wanted(hostnames: &[&str]) -> DesiredTunnel {
    let mut ingress: Vec<Value> =
        hostnames.iter().map(|hostname| json!({ "hostname": hostname, "service": "http://localhost:8080" })).collect();
    ingress.push(json!({ "service": "http_status:404" }));
    let document = json!({ "ingress": ingress });
    DesiredTunnel {
        source: ConfigurationSource::Remote,
        sha256: fingerprint(&document),
        document,
        hostnames: hostnames.iter().map(|hostname| host(hostname)).collect(),
        private_routes: BTreeSet::new(),
        foreign_hostnames: BTreeSet::new(),
        ownership: Ownership::Owned,
        load_balancer: None,
        protected: BTreeMap::new(),
        balanced_here: false,
        replicas: 1,
        on_drift: OnDrift::Repair,
        renamed_from: None,
    }
}

pub(super) fn desired(tunnels: &[(&str, DesiredTunnel)]) -> Desired {
    let tunnels = tunnels.iter().map(|(name, want)| (tunnel(name), want.clone())).collect();
    Desired { tunnels, ..Desired::default() }
}

impl Model {
    /// An account with the zones example.com and example.org and nothing in them.
    pub(super) fn new() -> Self {
        let zone = |name: &str| Zone {
            id: name.replace('.', "-").parse().unwrap(),
            name: name.to_owned(),
            account_id: account_id(),
            batch_max: 200,
        };
        let zones = vec![zone("example.com"), zone("example.org")];
        Self {
            tunnels: BTreeMap::new(),
            dns: zones.iter().map(|zone| (zone.id.clone(), Vec::new())).collect(),
            zones,
            elsewhere_zones: Vec::new(),
            records: Records::new(InstallId::new("a1b2c3d4").unwrap()),
            reported: BTreeMap::new(),
            contested: BTreeSet::new(),
            behind: BTreeMap::new(),
            now: Timestamp::UNIX_EPOCH,
            rotations: Rotations::default(),
            balancing: ModelBalancing::default(),
            elsewhere: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            networks: networks::ModelNetworks::new(),
            counter: 0,
        }
    }

    pub(super) fn next_id(&mut self) -> String {
        self.counter += 1;
        format!("id-{}", self.counter)
    }

    /// Puts a record there that somebody else made.
    pub(super) fn add_foreign_record(&mut self, name: &str, kind: &str, content: &str, comment: Option<&str>) -> RecordId {
        let id: RecordId = self.next_id().parse().unwrap();
        let zone = if name.ends_with("example.com") { "example-com" } else { "example-org" };
        self.dns.get_mut(&zone.parse().unwrap()).unwrap().push(ObservedRecord {
            id: id.clone(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            content: content.to_owned(),
            proxied: true,
            comment: comment.map(str::to_owned),
        });
        id
    }

    pub(super) fn add_foreign_tunnel(&mut self, name: &str) -> TunnelId {
        let id: TunnelId = self.next_id().parse().unwrap();
        let secret = Secret::new(format!("foreign-{id}"));
        let configuration = Some((7, json!({ "ingress": [{ "service": "http_status:503" }] })));
        self.tunnels.insert(
            id.clone(),
            ModelTunnel { name: name.to_owned(), secret, deleted: false, source: ConfigurationSource::Remote, configuration },
        );
        id
    }

    /// The DNS record at `name`.
    pub(super) fn record_at(&mut self, name: &str) -> Option<&mut ObservedRecord> {
        self.dns.values_mut().flatten().find(|record| record.name == name)
    }

    pub(super) fn remove_record(&mut self, name: &str) {
        self.dns.values_mut().for_each(|records| records.retain(|record| record.name != name));
    }

    pub(super) fn id_of(&self, name: &str) -> TunnelId {
        self.records.tunnels[&tunnel(name)].id.clone().unwrap()
    }

    /// Plans with every question answered.
    pub(super) fn plan(&self, desired: &Desired) -> Plan {
        let mut observed = self.observe(desired);
        let mut result = self.plan_by(desired, &observed);
        for _ in 0..3 {
            for question in &result.questions {
                self.answer(question, &mut observed.answers);
            }
            result = self.plan_by(desired, &observed);
        }
        result
    }

    /// Plans by what was observed, with no question answered.
    pub(super) fn plan_by(&self, desired: &Desired, observed: &Observed) -> Plan {
        plan(&Input {
            account: &account(),
            account_id: &account_id(),
            desired,
            observed,
            records: &self.records,
            reported: &self.reported,
            contested: &self.contested,
            behind: &self.behind,
            now: self.now,
            rotations: &self.rotations,
        })
    }

    /// Plans and applies until there is nothing to do, confirming what has to be confirmed, and waiting for what time brings.
    pub(super) fn settle(&mut self, desired: &Desired) -> Plan {
        self.connectors_catch_up();
        let mut last = self.plan(desired);
        let mut before = String::new();
        for _ in 0..16 {
            // A step that something of somebody else obstructs comes again in every plan, and keeps nothing else from its time.
            let plan = last.to_string();
            if last.is_empty() || plan == before {
                let Some(due) = last.due else { break };
                assert!(due > self.now, "what is due is not in the plan:\n{last}");
                self.now = due;
            }
            before = plan;
            let steps = last.confirmed();
            self.apply(&steps);
            self.connectors_catch_up();
            last = self.plan(desired);
        }
        last
    }

    /// The connectors run what is stored at Cloudflare, or what is on record as handed to them.
    pub(super) fn connectors_catch_up(&mut self) {
        self.reported = self
            .records
            .tunnels
            .values()
            .filter(|record| matches!(record.fate, Fate::Keep | Fate::Retiring) && record.draining_since.is_none())
            .filter_map(|record| {
                let tunnel = self.tunnels.get(record.id.as_ref()?).filter(|tunnel| !tunnel.deleted)?;
                let version = match record.source {
                    ConfigurationSource::Local => document_number(&record.document.as_ref()?.value()),
                    ConfigurationSource::Remote => tunnel.configuration.as_ref()?.0,
                };
                Some((record.name.clone(), version))
            })
            .collect();
    }

    pub(super) fn observe(&self, desired: &Desired) -> Observed {
        let gap = |what: &str| Gap { what: what.to_owned(), why: "connection refused".to_owned() };
        let live = self.tunnels.iter().filter(|(_, tunnel)| !tunnel.deleted);
        let needed = zones_needed(desired, &self.records, &account_id(), &self.zones);
        Observed {
            tunnels: if self.unreadable.contains("tunnels") {
                Part::Gap(gap("the tunnels"))
            } else {
                Part::Complete(live.map(|(id, tunnel)| (id.clone(), observed_tunnel(tunnel, self.runs(id)))).collect())
            },
            elsewhere: self.elsewhere_zones.clone(),
            zones: if self.unreadable.contains("zones") {
                Part::Gap(gap("the zones"))
            } else {
                Part::Complete(self.zones.clone())
            },
            records: needed
                .into_iter()
                .map(|zone_id| {
                    let records = self.dns[&zone_id].iter();
                    let part = if self.unreadable.contains(zone_id.as_str()) {
                        Part::Gap(gap("the DNS records"))
                    } else {
                        let leads =
                            |record: &&ObservedRecord| record.kind == "CNAME" && record.content.ends_with(".cfargotunnel.com");
                        Part::Complete(records.filter(leads).cloned().collect())
                    };
                    (zone_id, part)
                })
                .collect(),
            networks: self.observe_networks(desired),
            balancing: self.observe_balancing(desired),
            access_apps: self.observe_access(desired),
            answers: Answers::default(),
        }
    }

    /// Whether connectors of this tunnel run.
    fn runs(&self, id: &TunnelId) -> bool {
        self.elsewhere.contains(id)
            || self
                .records
                .tunnels
                .values()
                .any(|record| record.id.as_ref() == Some(id) && self.reported.contains_key(&record.name))
    }

    fn answer(&self, question: &Question, answers: &mut Answers) {
        match question {
            Question::TunnelById(id) => {
                let existence = match self.tunnels.get(id) {
                    None => Existence::NotFound,
                    Some(tunnel) if tunnel.deleted => Existence::Deleted,
                    Some(tunnel) => Existence::Live(observed_tunnel(tunnel, self.runs(id))),
                };
                answers.tunnels.insert(id.clone(), Part::Complete(existence));
            }
            Question::SecretOf(id) => {
                answers.secrets.insert(id.clone(), Part::Complete(self.tunnels[id].secret.clone()));
            }
            Question::Configuration { tunnel, id } => {
                let (version, document) = self.tunnels[id].configuration.clone().unwrap_or((0, Value::Null));
                let found = ObservedConfiguration { version, document };
                answers.configurations.insert(tunnel.clone(), Part::Complete(found));
            }
            Question::RecordsNamed { zone_id, hostname } => {
                let named = self.dns[zone_id].iter().filter(|record| record.stands_at(hostname));
                answers.names.insert(hostname.clone(), Part::Complete(named.cloned().collect()));
            }
            Question::NetworkRouteById(id) | Question::HostnameRouteById(id) => {
                answers.routes.insert(id.clone(), Part::Complete(self.networks.presence_of_route(id)));
            }
            Question::VirtualNetworkById(id) => {
                answers.virtual_networks.insert(id.clone(), Part::Complete(self.networks.presence_of_network(id)));
            }
            Question::Balancing(object) => self.answer_balancing(object, answers),
            Question::AccessApp(id) => self.answer_app(id, answers),
            Question::ConnectorsOf(id) => {
                answers.connectors.insert(id.clone(), Part::Complete(self.balancing.connectors.clone()));
            }
        }
    }

    pub(super) fn ours(&mut self, tunnel: &TunnelName) -> &mut TunnelRecord {
        self.records.tunnels.get_mut(tunnel).unwrap()
    }
}

fn observed_tunnel(tunnel: &ModelTunnel, runs: bool) -> ObservedTunnel {
    let status = if runs { "healthy" } else { "inactive" };
    ObservedTunnel { name: tunnel.name.clone(), status: status.to_owned(), source: Some(tunnel.source) }
}
