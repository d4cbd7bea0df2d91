//! Tunnels: made.

use jiff::Timestamp;

use super::{Place, StepError};
use crate::{
    cloudflare::ConfigSource,
    credential::new_tunnel_secret,
    event::ProvisioningEvent,
    name::TunnelName,
    observed::{Observed, Part},
    plan::CreateReason,
    reconciler::{observe::seen_tunnel, worker::Worker},
    record::{ConfigurationSource, SecretLife, TunnelRecord},
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
}
