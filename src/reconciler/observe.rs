//! Reads an account: the lists first, then the single reads that a plan asks for.

pub(super) mod balancing;
pub(super) mod networks;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::time::Instant;

use super::{Reported, trouble, worker::Worker};
use crate::{
    cloudflare::{self, Client, ConfigSource, DnsRecord, Error},
    credential::parse_connector_token,
    desired::Desired,
    id::AccountId,
    observed::{Existence, Gap, Observed, ObservedConfiguration, ObservedRecord, ObservedTunnel, Part, Zone},
    plan::{Plan, Question, Step, calls, explain, plan, zones_needed},
    record::ConfigurationSource,
};

/// Single reads in one pass. What is not asked is held, and asked in the next pass.
const QUESTIONS_MAX: usize = 50;

/// Configurations that are read for one look at a plan; beyond it the plan shows what is written and not what it replaces.
const DOCUMENTS_MAX: usize = 20;

/// How often a plan may ask on: who a tunnel is, then what it has. It never needed more than two.
const ROUNDS_MAX: usize = 3;

/// What a part that is not asked for any more says about itself.
const NOT_ASKED: &str = "the pass had ended before";

impl Worker {
    /// Reads the account for these wishes. Every part that cannot be read is a gap; after a failure that ends the pass nothing
    /// more is asked.
    pub(super) async fn observe(
        &mut self,
        client: &Client,
        id: &AccountId,
        zones: Part<Vec<Zone>>,
        desired: &[&Desired],
    ) -> Observed {
        let reported = self.reported.borrow().clone();
        let tunnels = self.read("the tunnels", client.tunnels(id)).await;
        let tunnels = tunnels.map(|tunnels| tunnels.into_iter().map(|tunnel| (tunnel.id.clone(), seen_tunnel(tunnel))).collect());
        let mut records = BTreeMap::new();
        if let Part::Complete(zones) = &zones {
            let ledger = self.shared.ledger.records();
            let needed = desired.iter().flat_map(|desired| zones_needed(desired, &ledger, id, zones));
            for zone_id in needed.collect::<BTreeSet<_>>() {
                let name = zones.iter().find(|zone| zone.id == zone_id).map_or(zone_id.as_str(), |zone| &zone.name);
                let what = format!("the DNS records of {name}");
                let part = self.read(&what, client.tunnel_records(&zone_id)).await;
                let part = part.map(|records| records.into_iter().map(seen_record).collect());
                records.insert(zone_id, part);
            }
        }
        let networks = self.observe_networks(client, id, desired).await;
        let balancing = self.observe_balancing(client, id, &zones, desired).await;
        let access_apps = self.observe_access(client, id, desired).await;
        let answers = self.memory.answers(&reported, Instant::now());
        let elsewhere = self.zones_elsewhere(id);
        Observed { tunnels, zones, elsewhere, records, networks, balancing, access_apps, answers }
    }

    /// Asks what the plan for `desired` needs to know besides, and plans.
    pub(super) async fn plan_with_answers(
        &mut self,
        client: &Client,
        id: &AccountId,
        desired: &Desired,
        observed: &mut Observed,
    ) -> Plan {
        let mut left = QUESTIONS_MAX;
        for _ in 0..ROUNDS_MAX {
            let plan = self.plan(id, desired, observed);
            let questions: Vec<Question> = plan.questions.iter().take(left).cloned().collect();
            if questions.is_empty() {
                return plan;
            }
            left -= questions.len();
            for question in questions {
                self.answer(client, id, question, observed).await;
            }
        }
        self.plan(id, desired, observed)
    }

    /// The plan, by what is known.
    pub(super) fn plan(&self, id: &AccountId, desired: &Desired, observed: &Observed) -> Plan {
        plan(&self.basis().input(id, desired, observed))
    }

    /// Takes in what the connectors run, for how long they are behind what was written.
    pub(super) fn note_behind(&mut self) {
        let (records, reported) = (self.shared.ledger.records(), self.reported());
        self.memory.note_behind(&records, &reported, self.shared.clock.now());
    }

    /// Puts before and after into a plan that somebody looks at. The configurations that would be replaced are read for it.
    pub(super) async fn explain(
        &mut self,
        client: &Client,
        id: &AccountId,
        desired: &Desired,
        observed: &mut Observed,
        plan: &mut Plan,
    ) {
        let records = self.shared.ledger.records();
        let replaced = plan.steps.iter().chain(&plan.waiting).filter_map(|step| {
            let Step::PutConfiguration { tunnel, .. } = step else { return None };
            Some((tunnel.clone(), records.tunnels.get(tunnel)?.id.clone()?))
        });
        let unread = replaced.filter(|(tunnel, _)| !observed.answers.configurations.contains_key(tunnel));
        let unread: Vec<_> = unread.take(DOCUMENTS_MAX).collect();
        for (tunnel, tunnel_id) in unread {
            let part = self.read("its configuration", client.configuration(id, &tunnel_id)).await.map(seen_configuration);
            observed.answers.configurations.insert(tunnel, part);
        }
        let basis = self.basis();
        let input = basis.input(id, desired, observed);
        (plan.changes, plan.calls) = (explain(&input, plan), Some(calls(&input, plan)));
    }

    pub(super) fn reported(&self) -> Arc<Reported> {
        self.reported.borrow().clone()
    }

    async fn answer(&mut self, client: &Client, id: &AccountId, question: Question, observed: &mut Observed) {
        let answers = &mut observed.answers;
        match question {
            Question::TunnelById(tunnel) => {
                let found = if self.progress.has_ended() { None } else { Some(client.tunnel(id, &tunnel).await) };
                let part = match found {
                    None => not_asked("the tunnel"),
                    Some(Ok(found)) if found.deleted_at.is_some() => Part::Complete(Existence::Deleted),
                    Some(Ok(found)) => Part::Complete(Existence::Live(seen_tunnel(found))),
                    Some(Err(error)) if error.is_gone() => Part::Complete(Existence::NotFound),
                    Some(Err(error)) => self.gap("the tunnel", &error),
                };
                answers.tunnels.insert(tunnel, part);
            }
            Question::SecretOf(tunnel) => {
                let part = match self.read("its connector token", client.tunnel_token(id, &tunnel)).await {
                    Part::Gap(gap) => Part::Gap(gap),
                    Part::Complete(token) => match parse_connector_token(&token) {
                        Ok(token) => Part::Complete(token.secret),
                        Err(error) => Part::Gap(Gap { what: "its connector token".to_owned(), why: error.to_string() }),
                    },
                };
                answers.secrets.insert(tunnel, part);
            }
            Question::Configuration { tunnel, id: tunnel_id } => {
                let part = self.read("its configuration", client.configuration(id, &tunnel_id)).await.map(seen_configuration);
                if let (Part::Complete(configuration), Some(version)) = (&part, self.reported().get(&tunnel)) {
                    self.memory.remember_configuration(&tunnel, *version, configuration);
                }
                answers.configurations.insert(tunnel, part);
            }
            Question::RecordsNamed { zone_id, hostname } => {
                let what = format!("what stands at {hostname}");
                let part = self.read(&what, client.records_named(&zone_id, hostname.as_str())).await;
                let part: Part<Vec<ObservedRecord>> = part.map(|records| records.into_iter().map(seen_record).collect());
                if let Part::Complete(records) = &part {
                    self.memory.remember_holders(&hostname, records, Instant::now());
                }
                answers.names.insert(hostname, part);
            }
            Question::NetworkRouteById(route) => {
                let found = client.network_route(id, &route);
                let part = self.presence("the private route", found, |found| found.deleted_at.is_some()).await;
                answers.routes.insert(route, part);
            }
            Question::HostnameRouteById(route) => {
                let found = client.hostname_route(id, &route);
                let part = self.presence("the hostname route", found, |found| found.deleted_at.is_some()).await;
                answers.routes.insert(route, part);
            }
            Question::VirtualNetworkById(network) => {
                let found = client.virtual_network(id, &network);
                let part = self.presence("the virtual network", found, |found| found.deleted_at.is_some()).await;
                answers.virtual_networks.insert(network, part);
            }
            Question::Balancing(object) => {
                let part = self.read_object(client, id, &object).await;
                answers.balancing.insert(object, part);
            }
            Question::AccessApp(app) => {
                let part = self.read_app(client, id, &app).await;
                answers.apps.insert(app, part);
            }
            Question::ConnectorsOf(tunnel) => {
                let part = self.read_connectors(client, id, &tunnel).await;
                answers.connectors.insert(tunnel, part);
            }
        }
    }

    /// One read, or a gap.
    async fn read<T>(&mut self, what: &str, call: impl Future<Output = Result<T, Error>>) -> Part<T> {
        if self.progress.has_ended() {
            return not_asked(what);
        }
        match call.await {
            Ok(value) => {
                self.progress.answered();
                Part::Complete(value)
            }
            Err(error) => self.gap(what, &error),
        }
    }

    fn gap<T>(&mut self, what: &str, error: &Error) -> Part<T> {
        self.progress.fail(error);
        // An id in the path may be wrong because a zone was moved or made anew.
        if error.is_gone() {
            self.zones_doubted = true;
        }
        Part::Gap(Gap { what: what.to_owned(), why: trouble::with_causes(error) })
    }
}

fn not_asked<T>(what: &str) -> Part<T> {
    Part::Gap(Gap { what: what.to_owned(), why: NOT_ASKED.to_owned() })
}

/// A tunnel as the planner sees it.
pub(super) fn seen_tunnel(tunnel: cloudflare::Tunnel) -> ObservedTunnel {
    let source = tunnel.config_src.map(|source| match source {
        ConfigSource::Local => ConfigurationSource::Local,
        ConfigSource::Cloudflare => ConfigurationSource::Remote,
    });
    ObservedTunnel { name: tunnel.name, status: tunnel.status.word().to_owned(), source }
}

/// A DNS record as the planner sees it.
pub(super) fn seen_record(record: DnsRecord) -> ObservedRecord {
    ObservedRecord {
        id: record.id,
        name: record.name,
        kind: record.kind,
        content: record.content,
        proxied: record.proxied,
        comment: record.comment.filter(|comment| !comment.is_empty()),
    }
}

/// A configuration as the planner sees it.
pub(super) fn seen_configuration(configuration: cloudflare::Configuration) -> ObservedConfiguration {
    ObservedConfiguration { version: configuration.version, document: configuration.config.unwrap_or_default() }
}
