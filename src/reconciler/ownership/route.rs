//! The DNS records at a hostname give way to ours.

use std::path::PathBuf;

use serde_json::Value;
use tokio::task::spawn_blocking;

use super::{RouteTaken, changed, unanswered, unkept};
use crate::{
    cloudflare::{Batch, DnsRecord, Error, NewRecord, RecordDocument, RecordPatch},
    name::{Hostname, TunnelName},
    observed::{Part, zone_of},
    plan::{PlanHash, Refusal, RefusalKind, RouteOffer, offer_route},
    reconciler::{observe::seen_record, pass::Ground, worker::Worker},
    record::DnsRecordRef,
    store::StoreError,
};

/// "Automatic", as it must be for a proxied record.
const TTL_AUTOMATIC: u32 = 1;

impl Worker {
    /// What would give way. Only reads.
    pub(super) async fn look_at_route(&mut self, tunnel: &TunnelName, hostname: &Hostname) -> Result<RouteOffer, Refusal> {
        let ground = self.firm_ground(&format!("look at {hostname}")).await?;
        self.stands_at(&ground, tunnel, hostname).await.map(|(offer, _)| offer)
    }

    /// Replaces what stands at a hostname by our record, if it is as it was shown: a single CNAME by one change, anything else by
    /// one batch, which deletes before it creates and does all or nothing, so that nobody finds the name empty.
    pub(super) async fn adopt_route(
        &mut self,
        tunnel: &TunnelName,
        hostname: &Hostname,
        hash: &PlanHash,
        from_install: Option<&str>,
    ) -> Result<RouteTaken, Refusal> {
        let doing = format!("take over {hostname} for tunnel {tunnel}");
        let ground = self.firm_ground(&doing).await?;
        let (offer, documents) = self.stands_at(&ground, tunnel, hostname).await?;
        if offer.hash() != *hash {
            return Err(changed(&doing, hash, &offer.hash()));
        }
        if offer.is_ours {
            return Ok(RouteTaken { offer, kept: None });
        }
        if let Some(other) = offer.installs.iter().find(|other| Some(other.as_str()) != from_install) {
            let message = format!("cannot {doing}: it is the record of another installation of Adit, {other}");
            let hint = format!("remove the route there, or say --from-install {other} when that installation is gone for good");
            return Err(Refusal::new(RefusalKind::Conflict, message).with_hint(hint));
        }
        let kept = self.keep_records(hostname, &documents).await.map_err(|error| unkept(&doing, &error))?;
        let made = self.replace_records(&ground, &offer).await.map_err(|error| {
            let refusal = unanswered(&doing, &error);
            refusal.with_hint(format!("what was there is kept in {}; look at it again", kept.display()))
        })?;
        let dns = DnsRecordRef { zone_id: offer.zone.id.clone(), record_id: made.id };
        let noted = self.shared.ledger.amend(tunnel, |record| drop(record.dns.insert(hostname.clone(), dns))).await;
        self.noted(noted);
        self.memory.settle(hostname);
        Ok(RouteTaken { offer, kept: Some(kept) })
    }

    /// Keeps records as Cloudflare gave them, and says where.
    pub(super) async fn keep_records(&self, hostname: &Hostname, documents: &[Value]) -> Result<PathBuf, StoreError> {
        let (store, hostname, documents) = (self.shared.ledger.store().clone(), hostname.clone(), documents.to_vec());
        spawn_blocking(move || store.keep_records(&hostname, &documents)).await.expect("writing does not panic")
    }

    /// What stands at a hostname, and the documents of those records that are in our way.
    async fn stands_at(
        &self,
        ground: &Ground,
        tunnel: &TunnelName,
        hostname: &Hostname,
    ) -> Result<(RouteOffer, Vec<Value>), Refusal> {
        let doing = format!("look at {hostname}");
        let zones = match &ground.zones {
            Part::Complete(zones) => zones,
            Part::Gap(gap) => {
                return Err(Refusal::new(
                    RefusalKind::Unavailable,
                    format!("cannot {doing}: cannot read {}: {}", gap.what, gap.why),
                ));
            }
        };
        let Some(zone) = zone_of(zones, hostname) else {
            let message = format!("cannot {doing}: no active zone of account {} has it", self.account);
            return Err(Refusal::new(RefusalKind::NotFound, message).with_hint("add its zone to Cloudflare, or set dns = false"));
        };
        let found = ground.client.record_documents_named(&zone.id, hostname.as_str()).await;
        let found: Vec<RecordDocument> = found.map_err(|error| unanswered(&doing, &error))?;
        let records = found.iter().map(|found| seen_record(found.record.clone())).collect();
        let ledger = self.shared.ledger.records();
        let offer = offer_route(&ledger, (&self.account, zone), (tunnel, hostname), records)?;
        let gives_way = |found: &RecordDocument| offer.records.iter().any(|record| record.id == found.record.id);
        let documents = found.into_iter().filter(gives_way).map(|found| found.document).collect();
        Ok((offer, documents))
    }

    async fn replace_records(&self, ground: &Ground, offer: &RouteOffer) -> Result<DnsRecord, Error> {
        let comment = self.shared.ledger.records().install.marker(&offer.tunnel);
        let (client, zone_id) = (&ground.client, &offer.zone.id);
        if let [only] = offer.records.as_slice()
            && only.kind == "CNAME"
        {
            let patch = RecordPatch {
                content: Some(offer.target.clone()),
                proxied: Some(true),
                ttl: Some(TTL_AUTOMATIC),
                comment: Some(comment),
            };
            return client.patch_record(zone_id, &only.id, &patch).await;
        }
        let ours = NewRecord {
            kind: "CNAME".to_owned(),
            name: offer.hostname.to_string(),
            content: offer.target.clone(),
            proxied: true,
            ttl: TTL_AUTOMATIC,
            comment: Some(comment.clone()),
        };
        let deletes = offer.records.iter().map(|record| record.id.clone()).collect();
        let batch = Batch { deletes, posts: vec![ours], ..Batch::default() };
        match client.batch_records(zone_id, &batch).await {
            Ok(mut answer) => Ok(answer.posts.remove(0)),
            // The answer was lost: what stands there tells.
            Err(error) if error.may_have_happened() => {
                let found = client.records_named(zone_id, offer.hostname.as_str()).await?;
                let is_ours = |found: &DnsRecord| {
                    found.comment.as_deref() == Some(&comment) && found.content.eq_ignore_ascii_case(&offer.target)
                };
                found.into_iter().find(is_ours).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }
}
