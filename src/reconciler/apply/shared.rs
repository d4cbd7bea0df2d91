//! Our rules in a configuration that others edit too.

use serde_json::{Value, value::RawValue};

use super::{Place, StepError};
use crate::{
    cloudflare::ConfigurationText,
    desired::fingerprint,
    event::ProvisioningEvent,
    id::TunnelId,
    name::TunnelName,
    observed::{Observed, ObservedConfiguration, Part},
    plan::{Document, Merged, document_of, merge},
    reconciler::worker::Worker,
    record::{OwnRule, SharedPart, TunnelRecord, WrittenConfiguration},
};

/// What of the configuration is to be ours.
struct Own<'a> {
    document: Value,
    sha256: &'a str,
}

impl Worker {
    /// Writes our rules into what is there at this moment, with every other rule as it stands; none takes all of ours out. Which
    /// rules are to be ours is durable before they are sent, and what Cloudflare made of them after.
    pub(super) async fn write_rules(
        &mut self,
        place: Place<'_>,
        tunnel: &TunnelName,
        rules: &[Value],
        sha256: &str,
        observed: &mut Observed,
    ) -> Result<(), StepError> {
        let Some(record) = self.shared.ledger.record(tunnel) else { return Ok(()) };
        let (Some(id), Some(shared)) = (record.id.clone(), record.shared.clone()) else {
            return Err(StepError::Other("the tunnel is not shared".to_owned()));
        };
        let read = match place.client.configuration_text(place.account_id, &id).await {
            // With the tunnel, its rules went.
            Err(error) if error.is_gone() && rules.is_empty() => {
                self.note_rules(tunnel, SharedPart::default()).await;
                return Ok(());
            }
            read => read?,
        };
        let own = Own { document: document_of(rules), sha256 };
        let document = document(&read)?;
        let merged = merge(&document, &shared.rules, rules);
        let in_conflict = !merged.conflicts.is_empty();
        if merged.changes.is_empty() {
            let rules = as_stored(&merged.rules, &document);
            self.note_rules(tunnel, SharedPart { in_conflict, rules }).await;
            return self.note_document(tunnel, read, &own, observed).await;
        }
        if merged.edited {
            self.keep_edit(tunnel, read.version, value(read.config.as_deref()), true).await?;
        }
        let claim = SharedPart { in_conflict, rules: claimed(&shared.rules, &merged.rules) };
        self.shared.ledger.save(TunnelRecord { shared: Some(claim), ..record }).await?;
        self.write_document(place, tunnel, &id, (read.version, merged), &own, observed).await
    }

    async fn write_document(
        &mut self,
        place: Place<'_>,
        tunnel: &TunnelName,
        id: &TunnelId,
        (read, merged): (i64, Merged),
        own: &Own<'_>,
        observed: &mut Observed,
    ) -> Result<(), StepError> {
        let text = merged.document.to_raw();
        let stored = match place.client.put_configuration_text(place.account_id, id, &text).await {
            Err(error) if error.is_gone() && merged.rules.is_empty() => {
                self.note_rules(tunnel, SharedPart::default()).await;
                return Ok(());
            }
            stored => stored?,
        };
        // The answer is the read-back; one without the document stands for what was sent.
        let stored = ConfigurationText { config: stored.config.or(Some(text)), ..stored };
        let rules = as_stored(&merged.rules, &document(&stored)?);
        self.note_rules(tunnel, SharedPart { in_conflict: !merged.conflicts.is_empty(), rules }).await;
        let written = stored.version;
        if written > read + i64::from(stored.writes.max(1)) {
            let (account, tunnel) = (self.account.clone(), tunnel.clone());
            self.shared.events.tell(ProvisioningEvent::EditOverwritten { account, tunnel, read, written });
        }
        self.note_document(tunnel, stored, own, observed).await
    }

    async fn note_rules(&mut self, tunnel: &TunnelName, shared: SharedPart) {
        let noted = self.shared.ledger.amend(tunnel, |record| record.shared = Some(shared)).await;
        self.noted(noted);
    }

    async fn note_document(
        &mut self,
        tunnel: &TunnelName,
        stored: ConfigurationText,
        own: &Own<'_>,
        observed: &mut Observed,
    ) -> Result<(), StepError> {
        let document = value(stored.config.as_deref());
        let (version, stored_sha256) = (stored.version, fingerprint(&document));
        let written = WrittenConfiguration { version, sha256: own.sha256.to_owned(), stored_sha256 };
        self.note_written(tunnel, written, &own.document).await;
        self.memory.forget_configuration(tunnel);
        let seen = Part::Complete(ObservedConfiguration { version, document });
        observed.answers.configurations.insert(tunnel.clone(), seen);
        Ok(())
    }
}

fn document(read: &ConfigurationText) -> Result<Document, StepError> {
    let text = read.config.as_deref().map_or("null", RawValue::get);
    Document::read(text).map_err(|error| StepError::Other(format!("its stored configuration is no configuration: {error}")))
}

fn value(text: Option<&RawValue>) -> Value {
    text.and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or_default()
}

/// What may be ours while it is not known whether the document was written: what was, and what is to be.
fn claimed(former: &[OwnRule], coming: &[OwnRule]) -> Vec<OwnRule> {
    let is_new = |own: &&OwnRule| !former.iter().any(|former| former.place == own.place && former.sha256 == own.sha256);
    former.iter().chain(coming.iter().filter(is_new)).cloned().collect()
}

fn as_stored(rules: &[OwnRule], stored: &Document) -> Vec<OwnRule> {
    let stored = |own: &OwnRule| stored.sha256_at(&own.place).map(str::to_owned);
    rules.iter().map(|own| OwnRule { stored_sha256: stored(own), ..own.clone() }).collect()
}
