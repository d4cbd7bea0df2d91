//! Tunnels: made, and what is on record about them.

use jiff::Timestamp;

use super::{Place, StepError};
use crate::{
    cloudflare::ConfigSource,
    credential::new_tunnel_secret,
    event::ProvisioningEvent,
    name::TunnelName,
    observed::{Observed, Part},
    plan::{CreateReason, ForgetReason, RotationStep, Step},
    reconciler::{observe::seen_tunnel, worker::Worker},
    record::{ConfigurationSource, DnsRecordRef, Fate, KeptDocument, SecretLife, TunnelRecord},
};

impl Worker {
    /// Makes a tunnel. Its name and secret are durable before Cloudflare is asked, so that the answer may get lost.
    pub(super) async fn create_tunnel(
        &mut self,
        place: Place<'_>,
        tunnel: &TunnelName,
        cloudflare_name: &str,
        source: ConfigurationSource,
        why: CreateReason,
        observed: &mut Observed,
    ) -> Result<(), StepError> {
        let mut record = self.record_to_make(place, tunnel, cloudflare_name, source, why);
        self.shared.ledger.save(record.clone()).await?;

        let wire_source = match source {
            ConfigurationSource::Remote => ConfigSource::Cloudflare,
            ConfigurationSource::Local => ConfigSource::Local,
        };
        let made = place.client.create_tunnel(place.account_id, cloudflare_name, wire_source, &record.secret).await?;
        record.id = Some(made.id.clone());
        let noted = self.shared.ledger.note(record).await;
        self.noted(noted);
        self.progress.made.insert(tunnel.clone());
        if let Part::Complete(tunnels) = &mut observed.tunnels {
            tunnels.insert(made.id.clone(), seen_tunnel(made));
        }
        Ok(())
    }

    /// What is put on record before a tunnel is made.
    fn record_to_make(
        &self,
        place: Place<'_>,
        tunnel: &TunnelName,
        cloudflare_name: &str,
        source: ConfigurationSource,
        why: CreateReason,
    ) -> TunnelRecord {
        let records = self.shared.ledger.records();
        match (records.tunnels.get(tunnel), why) {
            (Some(record), CreateReason::Unfinished) => record.clone(),
            (Some(record), CreateReason::Gone | CreateReason::Wanted) => {
                if let Some(id) = record.id.clone() {
                    let (account, tunnel) = (self.account.clone(), tunnel.clone());
                    self.shared.events.tell(ProvisioningEvent::TunnelGone { account, tunnel, id });
                }
                let (secret, secret_life) = (new_tunnel_secret(), SecretLife::new(Timestamp::now()));
                TunnelRecord { id: None, secret, secret_life, written: None, source, ..record.clone() }
            }
            (None, _) => {
                let account_id = place.account_id.clone();
                let intent = TunnelRecord::intent(&records.install, tunnel.clone(), account_id, source, new_tunnel_secret());
                // Another tunnel may live under its name at Cloudflare, and have its connectors under it here.
                let is_taken = |slots: &TunnelName| records.tunnels.values().any(|record| record.slots() == slots);
                let slots = is_taken(tunnel).then(|| tunnel.derive(is_taken));
                TunnelRecord {
                    cloudflare_name: cloudflare_name.to_owned(),
                    slots,
                    secret_life: SecretLife::new(Timestamp::now()),
                    ..intent
                }
            }
        }
    }

    /// A step that changes nothing but what is on record here; `None` for every other step.
    pub(super) async fn apply_to_record(&mut self, step: &Step) -> Option<Result<(), StepError>> {
        let (ledger, now) = (self.shared.ledger.clone(), self.shared.clock.now());
        let result = match step {
            Step::RenameTunnel { from, tunnel } => ledger.rename(from, tunnel, Fate::Keep).await,
            Step::RetireTunnel { tunnel, retired, .. } => ledger.rename(tunnel, retired, Fate::Retiring).await,
            Step::DrainTunnel { tunnel } => ledger.amend(tunnel, |record| record.draining_since = Some(now)).await,
            Step::EndParting { tunnel, hostname } => ledger.amend(tunnel, |record| record.end_parting(hostname, now)).await,
            Step::NoteDocument { tunnel, document } => {
                ledger.amend(tunnel, |record| record.document = Some(KeptDocument::new(document))).await
            }
            Step::KeepTunnel { tunnel } => ledger.amend(tunnel, |record| record.fate = Fate::Keep).await,
            Step::OrphanTunnel { tunnel } => ledger.amend(tunnel, |record| record.fate = Fate::Orphaned).await,
            Step::SettleCreation { tunnel, id } => ledger.amend(tunnel, |record| record.id = Some(id.clone())).await,
            Step::TakeRecord { tunnel, hostname, zone_id, record_id } => {
                let dns = DnsRecordRef { zone_id: zone_id.clone(), record_id: record_id.clone() };
                ledger.amend(tunnel, |record| drop(record.dns.insert(hostname.clone(), dns))).await
            }
            // A crash came between its move and what goes on record of that: the time of the tunnel that lost it begins now.
            Step::ForgetRecord { tunnel, hostname, why: ForgetReason::Moved } => {
                ledger.amend(tunnel, |record| record.part_with(hostname, now)).await
            }
            Step::ForgetRecord { tunnel, hostname, .. } => ledger.amend(tunnel, |record| drop(record.dns.remove(hostname))).await,
            Step::NoteVersion { tunnel, written } => ledger.amend(tunnel, |record| record.written = Some(written.clone())).await,
            Step::ForgetTunnel { tunnel } => ledger.remove(tunnel).await,
            Step::Network(step) => return self.apply_network_to_record(step).await,
            Step::Rotation(RotationStep::Finish { tunnel }) => return Some(self.finish_rotation(tunnel).await),
            Step::Balancer(step) => return self.apply_balancer_to_record(step).await,
            Step::Access(step) => return Some(self.note_access(step).await),
            Step::CreateTunnel { .. }
            | Step::PutConfiguration { .. }
            | Step::WriteRules { .. }
            | Step::CreateRecord { .. }
            | Step::RepairRecord { .. }
            | Step::MoveRecord { .. }
            | Step::DeleteRecord { .. }
            | Step::DeleteConnections { .. }
            | Step::DeleteTunnel { .. }
            | Step::Rotation(RotationStep::Place { .. } | RotationStep::CutOff { .. }) => return None,
        };
        Some(result.map_err(StepError::Store))
    }
}
