//! What becomes of the account in memory when steps are applied to it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Model, ModelTunnel, account_id};
use crate::{
    desired::fingerprint,
    id::{RecordId, TunnelId},
    name::TunnelName,
    observed::ObservedRecord,
    plan::{Document, ForgetReason, RotationStep, Step, merge},
    record::{
        ConfigurationSource, DnsRecordRef, Fate, InstallId, KeptDocument, OwnRule, RotationStage, SharedPart, TunnelRecord,
        WrittenConfiguration,
    },
    secret::Secret,
};

impl Model {
    /// Applies the steps; after one that Cloudflare refuses, nothing more of its tunnel.
    pub(in crate::plan) fn apply(&mut self, steps: &[Step]) {
        let mut failed = BTreeSet::new();
        for step in steps {
            if let Step::DeleteTunnel { tunnel, id } = step
                && self.networks.routes_to(id) > 0
            {
                failed.insert(tunnel.clone());
            }
            if !failed.contains(step.tunnel()) {
                self.apply_step(step);
            }
        }
    }

    /// Makes a tunnel at Cloudflare and loses the answer.
    pub(in crate::plan) fn create_and_lose_the_answer(
        &mut self,
        name: &TunnelName,
        cloudflare_name: &str,
        source: ConfigurationSource,
    ) {
        let secret = Secret::new(format!("ours-{}", self.next_id()));
        let intent = self.records.tunnels.entry(name.clone()).or_insert_with(|| {
            let install = InstallId::new("a1b2c3d4").unwrap();
            let intent = TunnelRecord::intent(&install, name.clone(), account_id(), source, secret.clone());
            TunnelRecord { cloudflare_name: cloudflare_name.to_owned(), ..intent }
        });
        if intent.id.take().is_some() {
            (intent.secret, intent.written, intent.source) = (secret, None, source);
        }
        let secret = intent.secret.clone();
        let id: TunnelId = self.next_id().parse().unwrap();
        let tunnel = ModelTunnel { name: cloudflare_name.to_owned(), secret, deleted: false, source, configuration: None };
        self.tunnels.insert(id, tunnel);
    }

    fn write_rules(&mut self, tunnel: &TunnelName, rules: &[Value], sha256: &str) {
        let id = self.ours(tunnel).id.clone().unwrap();
        let shared = self.ours(tunnel).shared.clone().unwrap();
        let (version, found) = self.tunnels[&id].configuration.clone().unwrap_or_default();
        let merged = merge(&Document::read(&found.to_string()).unwrap(), &shared.rules, rules);
        let document: Value = serde_json::from_str(merged.document.to_raw().get()).unwrap();
        let stored_sha256 = fingerprint(&document);
        let stored = |own: OwnRule| OwnRule { stored_sha256: Some(own.sha256.clone()), ..own };
        self.tunnels.get_mut(&id).unwrap().configuration = Some((version + 1, document));
        let (in_conflict, rules) = (!merged.conflicts.is_empty(), merged.rules.into_iter().map(stored).collect());
        let record = self.ours(tunnel);
        record.shared = Some(SharedPart { in_conflict, rules });
        record.written = Some(WrittenConfiguration { version: version + 1, sha256: sha256.to_owned(), stored_sha256 });
    }

    fn apply_step(&mut self, step: &Step) {
        match step {
            Step::RenameTunnel { from, tunnel } => {
                let mut record = self.records.tunnels.remove(from).unwrap();
                (record.name, record.fate) = (tunnel.clone(), Fate::Keep);
                self.records.tunnels.entry(tunnel.clone()).or_insert(record);
            }
            Step::RetireTunnel { tunnel, retired, .. } => {
                let mut record = self.records.tunnels.remove(tunnel).unwrap();
                (record.name, record.fate) = (retired.clone(), Fate::Retiring);
                assert!(self.records.tunnels.insert(retired.clone(), record).is_none(), "{retired} is taken");
            }
            Step::DrainTunnel { tunnel } => self.ours(tunnel).draining_since = Some(self.now),
            Step::EndParting { tunnel, hostname } => {
                let now = self.now;
                assert!(self.ours(tunnel).parting.contains_key(hostname));
                self.ours(tunnel).end_parting(hostname, now);
            }
            Step::NoteDocument { tunnel, document } => self.ours(tunnel).document = Some(KeptDocument::new(document)),
            Step::KeepTunnel { tunnel } => self.ours(tunnel).fate = Fate::Keep,
            Step::OrphanTunnel { tunnel } => self.ours(tunnel).fate = Fate::Orphaned,
            Step::SettleCreation { tunnel, id } => self.ours(tunnel).id = Some(id.clone()),
            Step::TakeRecord { tunnel, hostname, zone_id, record_id } => {
                let dns = DnsRecordRef { zone_id: zone_id.clone(), record_id: record_id.clone() };
                self.ours(tunnel).dns.insert(hostname.clone(), dns);
            }
            Step::ForgetRecord { tunnel, hostname, why: ForgetReason::Moved } => {
                let now = self.now;
                self.ours(tunnel).part_with(hostname, now);
            }
            Step::ForgetRecord { tunnel, hostname, .. } => {
                self.ours(tunnel).dns.remove(hostname);
            }
            Step::NoteVersion { tunnel, written } => self.ours(tunnel).written = Some(written.clone()),
            Step::CreateTunnel { tunnel, cloudflare_name, source, .. } => {
                self.create_and_lose_the_answer(tunnel, cloudflare_name, *source);
                let id =
                    self.tunnels.iter().rfind(|(_, made)| made.secret == self.records.tunnels[tunnel].secret).unwrap().0.clone();
                self.ours(tunnel).id = Some(id);
            }
            Step::PutConfiguration { tunnel, document, sha256, .. } => {
                let id = self.ours(tunnel).id.clone().unwrap();
                let stored = self.tunnels.get_mut(&id).unwrap();
                let version = stored.configuration.as_ref().map_or(1, |(version, _)| version + 1);
                stored.configuration = Some((version, document.clone()));
                self.ours(tunnel).written =
                    Some(WrittenConfiguration { version, sha256: sha256.clone(), stored_sha256: sha256.clone() });
                self.ours(tunnel).document = Some(KeptDocument::new(document));
            }
            Step::WriteRules { tunnel, rules, sha256, .. } => self.write_rules(tunnel, rules, sha256),
            Step::CreateRecord { tunnel, hostname, zone_id, .. } => {
                if self.record_at(hostname.as_str()).is_some() {
                    self.contested.insert(hostname.clone());
                    return;
                }
                let record_id: RecordId = self.next_id().parse().unwrap();
                let record = ObservedRecord {
                    id: record_id.clone(),
                    name: hostname.to_string(),
                    kind: "CNAME".to_owned(),
                    content: self.ours(tunnel).id.clone().unwrap().dns_target(),
                    proxied: true,
                    comment: Some(self.records.install.marker(tunnel)),
                };
                self.dns.get_mut(zone_id).unwrap().push(record);
                self.ours(tunnel).dns.insert(hostname.clone(), DnsRecordRef { zone_id: zone_id.clone(), record_id });
            }
            Step::RepairRecord { tunnel, hostname, zone_id, record_id, .. }
            | Step::MoveRecord { tunnel, hostname, zone_id, record_id, .. } => {
                let content = self.ours(tunnel).id.clone().unwrap().dns_target();
                let comment = Some(self.records.install.marker(tunnel));
                let records = self.dns.get_mut(zone_id).unwrap();
                let record = records.iter_mut().find(|record| record.id == *record_id).unwrap();
                (record.content, record.comment, record.proxied) = (content, comment, true);
                let dns = DnsRecordRef { zone_id: zone_id.clone(), record_id: record_id.clone() };
                self.ours(tunnel).dns.insert(hostname.clone(), dns);
                if let Step::MoveRecord { from, .. } = step {
                    let now = self.now;
                    self.ours(from).part_with(hostname, now);
                }
            }
            Step::DeleteRecord { tunnel, hostname, zone_id, record_id } => {
                self.dns.get_mut(zone_id).unwrap().retain(|record| record.id != *record_id);
                self.ours(tunnel).dns.remove(hostname);
            }
            Step::DeleteConnections { .. } => {}
            Step::DeleteTunnel { id, .. } => {
                if let Some(tunnel) = self.tunnels.get_mut(id) {
                    tunnel.deleted = true;
                }
            }
            Step::ForgetTunnel { tunnel } => {
                self.records.tunnels.remove(tunnel);
            }
            Step::Network(step) => self.apply_network(step),
            Step::Rotation(RotationStep::Place { tunnel, id, .. }) => {
                let record = self.ours(tunnel);
                let rotation = record.secret_life.rotation.as_mut().unwrap();
                std::mem::swap(&mut record.secret, &mut rotation.other);
                rotation.stage = RotationStage::Placed;
                let secret = record.secret.clone();
                self.tunnels.get_mut(id).unwrap().secret = secret;
                self.rotations.handed_over.insert(tunnel.clone());
            }
            Step::Rotation(RotationStep::CutOff { tunnel, .. } | RotationStep::Finish { tunnel }) => {
                self.ours(tunnel).secret_life.rotation = None;
                self.rotations.handed_over.remove(tunnel);
            }
            Step::Balancer(step) => self.apply_balancer(step),
            Step::Access(step) => self.apply_access(step),
        }
    }
}
