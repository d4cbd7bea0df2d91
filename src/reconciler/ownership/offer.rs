//! What of a tunnel that others made would become ours: everything is read, nothing is changed.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::spawn_blocking;

use super::{Which, Wish, unanswered};
use crate::{
    cloudflare::{self, EdgeConnector},
    config::Ownership,
    id::{RecordId, TunnelId},
    name::{Hostname, TunnelName},
    observed::{Part, Zone, zone_of},
    plan::{
        OfferedRecord, OtherConnector, RecordFate, Refusal, RefusalKind, TunnelOffer, configuration_changes, fitting_source,
        hostnames_of, install_of_tunnel, may_adopt, record_fate,
    },
    reconciler::{
        observe::{seen_configuration, seen_record, seen_tunnel},
        pass::Ground,
        worker::Worker,
    },
    record::ConfigurationSource,
};

/// Zones whose records are looked through for one tunnel. Each is a call; a tunnel of more has its other records left to
/// `adit route adopt`.
const ZONES_MAX: usize = 20;

impl Worker {
    /// The tunnel at Cloudflare that is meant.
    pub(super) async fn find_tunnel(
        &self,
        ground: &Ground,
        tunnel: &TunnelName,
        which: &Which,
    ) -> Result<cloudflare::Tunnel, Refusal> {
        let Ground { client, account_id, .. } = ground;
        let missing = |what: String| {
            let refusal = Refusal::new(RefusalKind::NotFound, format!("cannot adopt tunnel {tunnel}: {what}"));
            refusal.with_hint("--id or --cloudflare-name says which tunnel of the account it is")
        };
        let doing = format!("look for tunnel {tunnel} at Cloudflare");
        match which {
            Which::Id(id) => match client.tunnel(account_id, id).await {
                Ok(found) if found.deleted_at.is_some() => Err(missing(format!("{id} was deleted at Cloudflare"))),
                Ok(found) => Ok(found),
                Err(error) if error.is_gone() => Err(missing(format!("account {account_id} has no tunnel {id}"))),
                Err(error) => Err(unanswered(&doing, &error)),
            },
            Which::Named(name) => {
                let found = client.tunnels_named(account_id, name).await.map_err(|error| unanswered(&doing, &error))?;
                found.into_iter().next().ok_or_else(|| missing(format!("account {account_id} has no tunnel named {name:?}")))
            }
            Which::Likeliest => {
                let records = self.shared.ledger.records();
                let known = records.tunnels.get(tunnel).and_then(|record| record.id.clone());
                let (store, name) = (self.shared.ledger.store().clone(), tunnel.clone());
                let forgotten = spawn_blocking(move || store.forgotten(&name)).await.expect("reading does not panic");
                if let Some(id) = known.or_else(|| forgotten?.id) {
                    match client.tunnel(account_id, &id).await {
                        Ok(found) if found.deleted_at.is_none() => return Ok(found),
                        Ok(_) => {}
                        Err(error) if error.is_gone() => {}
                        Err(error) => return Err(unanswered(&doing, &error)),
                    }
                }
                let names = [records.install.cloudflare_name(tunnel), tunnel.to_string()];
                for name in &names {
                    let found = client.tunnels_named(account_id, name).await.map_err(|error| unanswered(&doing, &error))?;
                    if let Some(found) = found.into_iter().next() {
                        return Ok(found);
                    }
                }
                Err(missing(format!("account {account_id} has no tunnel named {:?} or {:?}", names[0], names[1])))
            }
        }
    }

    /// All that would become ours with it.
    pub(super) async fn offer_tunnel(
        &mut self,
        ground: &Ground,
        tunnel: &TunnelName,
        found: cloudflare::Tunnel,
        wish: &Wish,
    ) -> Result<TunnelOffer, Refusal> {
        let Ground { client, account_id, zones } = ground;
        let doing = format!("look at tunnel {tunnel} ({})", found.id);
        let id = found.id.clone();
        let records = self.shared.ledger.records();
        self.check_unsettled(ground, tunnel, &found.name).await?;
        let gone = self.former_is_gone(ground, tunnel, &id).await?;
        let is_known = may_adopt(&records, tunnel, &id, gone)?;
        let seen = seen_tunnel(found);
        let (wanted_source, ownership) = match wish {
            Wish::Defined(want) => (Some(want.source), want.ownership),
            Wish::AsItIs => (Some(ConfigurationSource::Remote), Ownership::Owned),
            Wish::Later => (None, Ownership::Owned),
        };
        let source = fitting_source(tunnel, seen.source, wanted_source)?;
        let stored = match source {
            ConfigurationSource::Local => None,
            ConfigurationSource::Remote => {
                let stored = client.configuration(account_id, &id).await.map_err(|error| unanswered(&doing, &error))?;
                Some(seen_configuration(stored))
            }
        };
        let connectors = client.connectors(account_id, &id).await.map_err(|error| unanswered(&doing, &error))?;
        let document = stored.as_ref().map(|stored| stored.document.clone()).unwrap_or_default();
        let changes = match (wish, source) {
            (Wish::Defined(want), ConfigurationSource::Remote) => configuration_changes(&document, want),
            (Wish::Defined(_), ConfigurationSource::Local) | (Wish::AsItIs | Wish::Later, _) => Vec::new(),
        };
        let wanted = wanted_hostnames(wish, &document);
        let mut names = hostnames_of(&document);
        names.extend(wanted.iter().cloned());
        let known = records.tunnels.get(tunnel).into_iter().flat_map(|record| record.dns.values());
        let known: BTreeSet<RecordId> = known.map(|dns| dns.record_id.clone()).collect();
        let mut offered = Vec::new();
        let zones = match zones {
            Part::Complete(zones) => zones_of(zones, &names),
            Part::Gap(gap) => {
                let message = format!("cannot {doing}: cannot read {}: {}", gap.what, gap.why);
                return Err(Refusal::new(RefusalKind::Unavailable, message));
            }
        };
        let mut notes = Vec::new();
        if zones.len() > ZONES_MAX {
            let more = zones.len() - ZONES_MAX;
            notes.push(format!("its hostnames stand in {} zones, and the records of {more} were not looked at", zones.len()));
        }
        for zone in zones.into_iter().take(ZONES_MAX) {
            let found = client.tunnel_records(&zone.id).await.map_err(|error| unanswered(&doing, &error))?;
            let found = found.into_iter().map(seen_record).filter(|record| record.content.eq_ignore_ascii_case(&id.dns_target()));
            offered.extend(found.map(|record| OfferedRecord {
                zone_id: zone.id.clone(),
                fate: record_fate(&records.install, &wanted, &known, &record),
                record_id: record.id,
                name: record.name,
                proxied: record.proxied,
                comment: record.comment,
            }));
        }
        offered.sort_by(|one, other| one.name.cmp(&other.name));
        let is_shared = records.tunnels.get(tunnel).is_some_and(|record| record.shared.is_some());
        let fits = matches!(wish, Wish::Later) || is_shared == (ownership == Ownership::Shared);
        let takes_records = offered.iter().any(|record| record.fate == RecordFate::Taken);
        Ok(TunnelOffer {
            tunnel: tunnel.clone(),
            account: self.account.clone(),
            account_id: account_id.clone(),
            id,
            install: install_of_tunnel(&records.install, &seen.name),
            cloudflare_name: seen.name,
            status: seen.status,
            source,
            ownership,
            connectors: connectors.into_iter().map(connector).collect(),
            version: stored.map(|stored| stored.version),
            document,
            changes,
            records: offered,
            notes,
            is_ours: is_known && fits && !takes_records,
        })
    }

    /// A creation of ours that was never settled may have made a tunnel: another one is not put in its place.
    async fn check_unsettled(&self, ground: &Ground, tunnel: &TunnelName, found: &str) -> Result<(), Refusal> {
        let records = self.shared.ledger.records();
        let begun = records.tunnels.get(tunnel).filter(|record| record.id.is_none() && record.cloudflare_name != found);
        let Some(begun) = begun else { return Ok(()) };
        let doing = format!("look for {:?}", begun.cloudflare_name);
        let made = ground.client.tunnels_named(&ground.account_id, &begun.cloudflare_name).await;
        if made.map_err(|error| unanswered(&doing, &error))?.is_empty() {
            return Ok(());
        }
        let message = format!("cannot adopt another tunnel as {tunnel}: its own creation was begun and is not settled");
        Err(Refusal::new(RefusalKind::Hold, message).with_hint("`adit apply` settles it"))
    }

    /// Whether what the name stands for on record is proved to be deleted at Cloudflare.
    async fn former_is_gone(&self, ground: &Ground, tunnel: &TunnelName, id: &TunnelId) -> Result<bool, Refusal> {
        let records = self.shared.ledger.records();
        let former = records.tunnels.get(tunnel).and_then(|record| record.id.clone()).filter(|former| former != id);
        let Some(former) = former else { return Ok(false) };
        match ground.client.tunnel(&ground.account_id, &former).await {
            Ok(found) => Ok(found.deleted_at.is_some()),
            // The account can be read: the other tunnel was.
            Err(error) if error.is_gone() => Ok(true),
            Err(error) => Err(unanswered(&format!("look at the former tunnel {former}"), &error)),
        }
    }
}

fn wanted_hostnames(wish: &Wish, document: &serde_json::Value) -> BTreeSet<Hostname> {
    match wish {
        Wish::Defined(want) => want.hostnames.clone(),
        Wish::AsItIs => hostnames_of(document),
        Wish::Later => BTreeSet::new(),
    }
}

/// The zones of these hostnames, each once.
fn zones_of<'a>(zones: &'a [Zone], hostnames: &BTreeSet<Hostname>) -> Vec<&'a Zone> {
    let found: BTreeMap<_, &Zone> =
        hostnames.iter().filter_map(|hostname| zone_of(zones, hostname)).map(|zone| (&zone.id, zone)).collect();
    found.into_values().collect()
}

fn connector(connector: EdgeConnector) -> OtherConnector {
    let addresses = connector.connections.into_iter().map(|connection| connection.origin_ip).filter(|ip| !ip.is_empty());
    OtherConnector { addresses: addresses.collect(), id: connector.id.to_string(), version: connector.version }
}
