//! Configurations: written whole, after a look at what is there.

use serde_json::Value;
use tokio::task::spawn_blocking;

use super::{Place, StepError};
use crate::{
    desired::fingerprint,
    event::ProvisioningEvent,
    name::TunnelName,
    plan::Step,
    reconciler::worker::Worker,
    record::{KeptDocument, TunnelRecord, WrittenConfiguration},
};

impl Worker {
    /// Writes the configuration of a tunnel. Cloudflare knows no precondition, so what is there is read and compared first,
    /// unless the tunnel was made in this pass; what somebody else wrote is kept before it is written over.
    pub(super) async fn put_configuration(&mut self, place: Place<'_>, step: &Step) -> Result<(), StepError> {
        let Step::PutConfiguration { tunnel, document, sha256, over_edits, .. } = step else {
            unreachable!("the caller has a configuration to write");
        };
        let record = self.shared.ledger.record(tunnel);
        let Some(id) = record.as_ref().and_then(|record| record.id.clone()) else {
            return Err(StepError::Other("the tunnel has no id".to_owned()));
        };
        let mut read = None;
        if !self.progress.made.contains(tunnel) {
            let found = place.client.configuration(place.account_id, &id).await?;
            let found_document = found.config.unwrap_or_default();
            let stored_sha256 = fingerprint(&found_document);
            if stored_sha256 == *sha256 {
                let written = WrittenConfiguration { version: found.version, sha256: sha256.clone(), stored_sha256 };
                self.note_written(tunnel, written, document).await;
                return Ok(());
            }
            let expected = record.as_ref().and_then(|record| record.written.as_ref()).map(|written| &written.stored_sha256);
            if !found_document.is_null() && expected != Some(&stored_sha256) {
                self.keep_edit(tunnel, found.version, found_document, *over_edits).await?;
            }
            read = Some(found.version);
        }

        let stored = place.client.put_configuration(place.account_id, &id, document).await?;
        // The answer is the read-back: what Cloudflare made of the document is what an edit differs from.
        let stored_sha256 = stored.config.as_ref().map_or_else(|| sha256.clone(), fingerprint);
        let written = WrittenConfiguration { version: stored.version, sha256: sha256.clone(), stored_sha256 };
        self.note_written(tunnel, written, document).await;
        if let Some(read) = read
            && stored.version > read + i64::from(stored.writes.max(1))
        {
            let (account, tunnel) = (self.account.clone(), tunnel.clone());
            let written = stored.version;
            self.shared.events.tell(ProvisioningEvent::EditOverwritten { account, tunnel, read, written });
        }
        Ok(())
    }

    pub(super) async fn note_written(&mut self, tunnel: &TunnelName, written: WrittenConfiguration, document: &Value) {
        let note = |record: &mut TunnelRecord| {
            record.written = Some(written);
            record.document = Some(KeptDocument::new(document));
        };
        let noted = self.shared.ledger.amend(tunnel, note).await;
        self.noted(noted);
    }

    /// Keeps somebody else's document; without that it is not written over.
    pub(super) async fn keep_edit(
        &mut self,
        tunnel: &TunnelName,
        version: i64,
        document: Value,
        over_edits: bool,
    ) -> Result<(), StepError> {
        if !over_edits {
            let why =
                format!("somebody else wrote version {version} of its configuration, which is left (on_drift = \"report\")");
            return Err(StepError::Other(why));
        }
        let (store, name) = (self.shared.ledger.store().clone(), tunnel.clone());
        let kept = spawn_blocking(move || store.keep_replaced(&name, version, &document)).await;
        let kept = kept.expect("writing does not panic")?;
        let (account, tunnel) = (self.account.clone(), tunnel.clone());
        self.shared.events.tell(ProvisioningEvent::EditFound { account, tunnel, version, kept });
        Ok(())
    }
}
