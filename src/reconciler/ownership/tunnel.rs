//! A tunnel that others made becomes ours.

use std::path::PathBuf;

use tokio::task::spawn_blocking;

use super::{Taking, TunnelAdopted, Which, Wish, changed, unanswered, unkept};
use crate::{
    cloudflare::{Client, RecordDocument, RecordPatch},
    config::Ownership,
    credential::{ConnectorToken, parse_connector_token},
    desired::{DesiredTunnel, desired, fingerprint},
    id::{AccountId, TunnelId},
    name::{Hostname, TunnelName},
    plan::{Document, OfferedRecord, RecordFate, Refusal, RefusalKind, TunnelOffer, already_there, shared_rules},
    reconciler::{pass::Ground, trouble, worker::Worker},
    record::{DnsRecordRef, Fate, KeptDocument, SharedPart, TunnelRecord, WrittenConfiguration},
    secret::Secret,
};

/// "Automatic", as it must be for a proxied record.
const TTL_AUTOMATIC: u32 = 1;

impl Worker {
    /// What would become ours. Only reads.
    pub(super) async fn look_at_tunnel(
        &mut self,
        tunnel: &TunnelName,
        which: &Which,
        wish: &Wish,
    ) -> Result<TunnelOffer, Refusal> {
        let ground = self.firm_ground(&format!("look at tunnel {tunnel}")).await?;
        let found = self.find_tunnel(&ground, tunnel, which).await?;
        self.offer_tunnel(&ground, tunnel, found, wish).await
    }

    /// Takes the tunnel over, if it is as it was shown. First what was there is kept, then the tunnel is ours, then its records
    /// are marked: a crash in between leaves what the next pass, or the same wish again, goes on from.
    pub(super) async fn adopt_tunnel(&mut self, tunnel: &TunnelName, taking: Taking) -> Result<TunnelAdopted, Refusal> {
        let Taking { id, wish, hash, from_install } = taking;
        let doing = format!("adopt {id} as tunnel {tunnel}");
        let ground = self.firm_ground(&doing).await?;
        let found = self.find_tunnel(&ground, tunnel, &Which::Id(id.clone())).await?;
        let offer = self.offer_tunnel(&ground, tunnel, found, &wish).await?;
        if offer.hash() != hash {
            return Err(changed(&doing, &hash, &offer.hash()));
        }
        if offer.is_ours {
            return Ok(TunnelAdopted { offer, kept: Vec::new(), left: Vec::new() });
        }
        if let Some(other) = offer.install.as_ref().filter(|other| Some(*other) != from_install.as_ref()) {
            let message = format!("cannot {doing}: it is the tunnel of another installation of Adit, {other}");
            let hint = format!("forget it there first, or say --from-install {other} when that installation is gone for good");
            return Err(Refusal::new(RefusalKind::Conflict, message).with_hint(hint));
        }
        let secret = self.secret_of(&ground, &id, &doing).await?;
        let mut kept = Vec::new();
        if let (Some(version), false) = (offer.version, offer.document.is_null()) {
            let (store, name, document) = (self.shared.ledger.store().clone(), tunnel.clone(), offer.document.clone());
            let path = spawn_blocking(move || store.keep_replaced(&name, version, &document)).await;
            kept.push(path.expect("writing does not panic").map_err(|error| unkept(&doing, &error))?);
        }
        let record = self.record_to_be(&offer, &wish, secret);
        self.shared.ledger.save(record).await.map_err(|error| unkept(&doing, &error))?;
        let left = self.mark_records(&ground.client, &offer, &mut kept).await;
        let (store, name) = (self.shared.ledger.store().clone(), tunnel.clone());
        // The note of what was given up is only a help, and too late now.
        drop(spawn_blocking(move || store.drop_forgotten(&name)).await);
        Ok(TunnelAdopted { offer, kept, left })
    }

    pub(super) async fn firm_ground(&mut self, doing: &str) -> Result<Ground, Refusal> {
        self.progress = Default::default();
        self.memory.doubted = true;
        let wanted = desired(&self.intended.borrow().clone(), &self.account);
        let ground = self.ground(&[&wanted]).await;
        ground.map_err(|nothing| Refusal::new(RefusalKind::Unavailable, format!("cannot {doing}: {}", nothing.hold.why)))
    }

    /// The tunnel's secret, from a connector token that says that it is of this tunnel.
    async fn secret_of(&self, ground: &Ground, id: &TunnelId, doing: &str) -> Result<Secret, Refusal> {
        let Ground { client, account_id, .. } = ground;
        let token = client.tunnel_token(account_id, id).await.map_err(|error| unanswered(doing, &error))?;
        let token = parse_connector_token(&token)
            .map_err(|error| Refusal::new(RefusalKind::Unavailable, format!("cannot {doing}: {error}")))?;
        secret_in(token, id, account_id, doing)
    }

    /// The record of a tunnel that becomes ours: what is stored counts as what was written, so that only differences are.
    fn record_to_be(&self, offer: &TunnelOffer, wish: &Wish, secret: Secret) -> TunnelRecord {
        let stored = offer.version.filter(|_| !offer.document.is_null()).map(|version| {
            let sha256 = fingerprint(&offer.document);
            WrittenConfiguration { version, sha256: sha256.clone(), stored_sha256: sha256 }
        });
        let shared = match wish {
            Wish::Defined(want) if want.ownership == Ownership::Shared => Some(shared_part(offer, want)),
            Wish::Defined(_) | Wish::AsItIs | Wish::Later => None,
        };
        // Defaults that Cloudflare added are no rules that anybody wants.
        let document = match wish {
            Wish::Defined(want) if want.sha256 == fingerprint(&offer.document) => want.document.clone(),
            Wish::Defined(_) | Wish::AsItIs | Wish::Later => offer.document.clone(),
        };
        let records = self.shared.ledger.records();
        let former = records.tunnels.get(&offer.tunnel).cloned();
        let awaits_definition = match wish {
            Wish::Defined(_) => false,
            // The same tunnel again: what was defined once stays so.
            Wish::AsItIs | Wish::Later => former
                .as_ref()
                .filter(|former| former.id.as_ref() == Some(&offer.id))
                .is_none_or(|former| former.awaits_definition),
        };
        let intent = TunnelRecord::intent(&records.install, offer.tunnel.clone(), offer.account_id.clone(), offer.source, secret);
        TunnelRecord {
            cloudflare_name: offer.cloudflare_name.clone(),
            id: Some(offer.id.clone()),
            document: (stored.is_some() && shared.is_none()).then(|| KeptDocument::new(&document)),
            written: stored,
            shared,
            awaits_definition,
            ..former.map_or(intent.clone(), |former| TunnelRecord {
                secret: intent.secret,
                source: intent.source,
                fate: Fate::Keep,
                ..former
            })
        }
    }

    /// Marks the records that become ours, one by one; what cannot be marked stays as it is, with why.
    async fn mark_records(&mut self, client: &Client, offer: &TunnelOffer, kept: &mut Vec<PathBuf>) -> Vec<String> {
        let comment = self.shared.ledger.records().install.marker(&offer.tunnel);
        let mut left = Vec::new();
        for record in offer.records.iter().filter(|record| record.fate == RecordFate::Taken) {
            let marked = match record.name.parse::<Hostname>() {
                Ok(hostname) => self.mark_record(client, offer, record, &hostname, &comment).await,
                Err(error) => Err(error.to_string()),
            };
            match marked {
                Ok(path) => kept.extend(path),
                Err(why) => left.push(format!("{}: {why}", record.name)),
            }
        }
        left
    }

    /// Marks one record, and says where what was there is kept; one that is marked already is only put on record again.
    async fn mark_record(
        &mut self,
        client: &Client,
        offer: &TunnelOffer,
        record: &OfferedRecord,
        hostname: &Hostname,
        comment: &str,
    ) -> Result<Option<PathBuf>, String> {
        let found = client.record_documents_named(&record.zone_id, hostname.as_str()).await;
        let found = found.map_err(|error| trouble::with_causes(&error))?;
        let found: Vec<RecordDocument> = found.into_iter().filter(|found| found.record.id == record.record_id).collect();
        let Some(same) = found.first().filter(|found| found.record.content.eq_ignore_ascii_case(&offer.id.dns_target())) else {
            return Err("it leads elsewhere by now".to_owned());
        };
        let is_marked = same.record.comment.as_deref() == Some(comment) && same.record.proxied;
        let mut kept = None;
        if !is_marked {
            let document = std::slice::from_ref(&same.document);
            kept = Some(self.keep_records(hostname, document).await.map_err(|error| trouble::with_causes(&error))?);
            let (proxied, ttl, comment) = (Some(true), Some(TTL_AUTOMATIC), Some(comment.to_owned()));
            let patch = RecordPatch { content: None, proxied, ttl, comment };
            client
                .patch_record(&record.zone_id, &record.record_id, &patch)
                .await
                .map_err(|error| trouble::with_causes(&error))?;
        }
        let dns = DnsRecordRef { zone_id: record.zone_id.clone(), record_id: record.record_id.clone() };
        let noted = self.shared.ledger.amend(&offer.tunnel, |ours| drop(ours.dns.insert(hostname.clone(), dns))).await;
        self.noted(noted);
        self.memory.settle(hostname);
        Ok(kept)
    }
}

/// The secret in a token, if that is of this tunnel: what is inside a token is whatever its author wrote.
fn secret_in(token: ConnectorToken, id: &TunnelId, account_id: &AccountId, doing: &str) -> Result<Secret, Refusal> {
    if token.tunnel == *id && token.account == *account_id {
        return Ok(token.secret);
    }
    let (tunnel, account) = (token.tunnel, token.account);
    let message = format!("cannot {doing}: Cloudflare gave a connector token of tunnel {tunnel} in account {account}");
    Err(Refusal::new(RefusalKind::Conflict, message))
}

/// What is ours of a shared tunnel from the start: the wanted rules that stand there just as they are wanted.
fn shared_part(offer: &TunnelOffer, want: &DesiredTunnel) -> SharedPart {
    let rules = Document::read(&offer.document.to_string()).map(|found| already_there(&found, &shared_rules(&want.document)));
    SharedPart { in_conflict: false, rules: rules.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// lexfrei #686: a token for tunnel B offered as A is refused.
    #[test]
    fn a_token_of_another_tunnel_or_account_is_refused() {
        let token = |tunnel: &str, account: &str| ConnectorToken {
            account: account.parse().unwrap(),
            tunnel: tunnel.parse().unwrap(),
            secret: Secret::new("c2VjcmV0"),
        };
        let (a, b) = ("11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555");
        let check = |token| secret_in(token, &a.parse().unwrap(), &"account".parse().unwrap(), "adopt it");
        assert!(check(token(a, "account")).is_ok());
        for other in [token(b, "account"), token(a, "other")] {
            let refusal = check(other).unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::Conflict);
            assert!(!refusal.message.contains("c2VjcmV0"));
        }
    }
}
