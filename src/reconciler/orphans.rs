//! Finds what is left over in an account, and deletes what an operator chose of it, each thing after another look.

mod balancing;
mod networks;

use std::collections::BTreeSet;

use tokio::task::spawn_blocking;

use super::{pass::Ground, progress::Progress, steps::Work, trouble, worker::Worker};
use crate::{
    cloudflare::{Client, Error, Tunnel, TunnelStatus},
    desired::desired,
    event::ProvisioningEvent,
    id::{AccountId, TunnelId},
    name::Hostname,
    observed::{Part, Zone},
    orphan::{self, Connected, Object, Orphan, Orphans, Target},
    reconciler::observe::seen_record,
    record::{Fate, TunnelRecord},
};

/// Single reads in one look: each thing that may be left over costs one. What is beyond it is found by the next look.
const LOOKS_MAX: usize = 200;

/// What became of one thing that was to be deleted: `Err` says why it stays.
pub type Deletion = (Orphan, Result<(), String>);

impl Worker {
    /// Everything that is left over. Nothing is changed.
    pub(super) async fn find_orphans(&mut self) -> Orphans {
        self.progress = Progress::default();
        let mut found = Orphans::default();
        let records = self.shared.ledger.records();
        if let Some(seal) = &records.seal {
            found.unread.push(seal.to_string());
            return found;
        }
        let ground = match self.orphan_ground().await {
            Ok(ground) => ground,
            Err(why) => {
                found.unread.push(why);
                return found;
            }
        };
        let Ground { client, account_id, zones } = &ground;
        let mut looks = 0;
        let tunnels = match client.tunnels(account_id).await {
            Ok(tunnels) => tunnels,
            // Without the tunnels nothing can be said about what leads to them.
            Err(error) => {
                found.unread.push(trouble::with_causes(&error));
                return found;
            }
        };
        match zones {
            Part::Complete(zones) => {
                for zone in zones {
                    self.stray_records(client, account_id, zone, &mut looks, &mut found).await;
                }
            }
            Part::Gap(gap) => found.unread.push(format!("cannot read {}: {}", gap.what, gap.why)),
        }
        self.stray_balancing(&ground, &mut looks, &mut found).await;
        // Before the tunnels, which Cloudflare deletes only when no route leads to them.
        self.stray_networks(&ground, &mut looks, &mut found).await;
        let unconnected: BTreeSet<TunnelId> =
            tunnels.iter().filter(|tunnel| is_unconnected(tunnel)).map(|tunnel| tunnel.id.clone()).collect();
        for record in orphan::left(records.in_account(account_id)) {
            let connected = match &record.id {
                Some(id) if !unconnected.contains(id) => connected(client, account_id, id).await,
                Some(_) | None => Connected::Connectors(0),
            };
            found.orphans.push(Orphan::left(record, &connected));
        }
        for tunnel in tunnels {
            found.count_other(&records, &tunnel.name, None);
            if !orphan::is_stray_tunnel(&records, &tunnel.id, &tunnel.name) || has_enough(&mut looks, &mut found) {
                continue;
            }
            let connected = match unconnected.contains(&tunnel.id) {
                true => Connected::Connectors(0),
                false => connected(client, account_id, &tunnel.id).await,
            };
            let given_up = self.is_given_up(&tunnel.id, &tunnel.name).await;
            found.orphans.push(Orphan::tunnel(&records, (tunnel.id, tunnel.name), tunnel.created_at, given_up, &connected));
        }
        found
    }

    /// Records of one zone with our marker that nothing here has on record, and that no wanted route is about to take.
    async fn stray_records(
        &mut self,
        client: &Client,
        account_id: &AccountId,
        zone: &Zone,
        looks: &mut usize,
        found: &mut Orphans,
    ) {
        let listed = match client.tunnel_records(&zone.id).await {
            Ok(listed) => listed,
            Err(error) => return found.unread.push(trouble::with_causes(&error)),
        };
        let records = self.shared.ledger.records();
        let on_record = orphan::dns_on_record(&records);
        let wanted = desired(&self.in_force.borrow().clone(), &self.account);
        let wanted: BTreeSet<&Hostname> = wanted.tunnels.values().flat_map(|want| &want.hostnames).collect();
        for record in listed.into_iter().map(seen_record) {
            found.count_other(&records, "", record.comment.as_deref());
            let Some(target) = orphan::stray_target(&records, &on_record, &record) else { continue };
            let is_claimed = record.name.parse::<Hostname>().is_ok_and(|name| wanted.contains(&name));
            if is_claimed || has_enough(looks, found) {
                continue;
            }
            let became = became(client, account_id, &target).await;
            found.orphans.push(Orphan::record(&records, zone, &record, target, &became));
        }
    }

    /// Whether an operator gave up this tunnel.
    async fn is_given_up(&self, id: &TunnelId, name: &str) -> bool {
        let ledger = self.shared.ledger.clone();
        let Some(tunnel) = orphan::given_name(&ledger.records(), name) else { return false };
        let noted = spawn_blocking(move || ledger.store().forgotten(&tunnel)).await.expect("reading does not panic");
        noted.is_some_and(|forgotten| forgotten.id.as_ref() == Some(id))
    }

    /// Deletes `chosen`, one after another. Each is looked at again right before, and stays when it is not what it was.
    pub(super) async fn delete_orphans(&mut self, chosen: Vec<Orphan>) -> Vec<Deletion> {
        self.progress = Progress::default();
        let ground = self.orphan_ground().await;
        let mut deletions = Vec::new();
        let mut left = false;
        self.shared.steps.ahead(&self.account, chosen.iter().map(told));
        for orphan in chosen {
            self.shared.steps.began(&self.account, || told(&orphan));
            let result = match &ground {
                Ok(ground) => self.delete_orphan(ground, &orphan).await,
                Err(why) => Err(why.clone()),
            };
            let account = self.account.clone();
            self.shared.steps.ended(&account, || told(&orphan));
            self.shared.events.tell(match &result {
                Ok(()) => ProvisioningEvent::OrphanDeleted { account, orphan: orphan.clone() },
                Err(why) => ProvisioningEvent::OrphanKept { account, orphan: orphan.clone(), why: why.clone() },
            });
            left |= result.is_ok() && matches!(orphan.object, Object::Left { .. });
            deletions.push((orphan, result));
        }
        if left {
            // What was on record goes by a plan, in order, and goes on in later passes where it must.
            self.pass("gc", None).await;
        }
        deletions
    }

    async fn delete_orphan(&self, ground: &Ground, orphan: &Orphan) -> Result<(), String> {
        // Since it was asked for, people may have said that Adit only looks.
        if self.is_to_observe() {
            return Err("[daemon] apply = \"observe\" keeps Adit from writing anything".to_owned());
        }
        let Ground { client, account_id, zones } = ground;
        let records = self.shared.ledger.records();
        let text = |error: Error| trouble::with_causes(&error);
        let still = |again: &Orphan| still(orphan, again);
        match &orphan.object {
            Object::Record { zone_id, record_id, .. } => {
                let zone = zones.complete().and_then(|zones| zones.iter().find(|zone| zone.id == *zone_id));
                let zone = zone.ok_or_else(|| "its zone is not there any more".to_owned())?;
                let record = match client.record(zone_id, record_id).await {
                    Ok(record) => seen_record(record),
                    Err(error) if error.is_gone() => return Ok(()),
                    Err(error) => return Err(text(error)),
                };
                let target = orphan::stray_target(&records, &orphan::dns_on_record(&records), &record);
                let target = target.ok_or_else(not_ours)?;
                let became = became(client, account_id, &target).await;
                still(&Orphan::record(&records, zone, &record, target, &became))?;
                gone_is_done(client.delete_record(zone_id, record_id).await)
            }
            Object::Pool { id } => self.delete_pool(ground, orphan, id).await,
            Object::Monitor { id } => self.delete_monitor(ground, orphan, id).await,
            Object::NetworkRoute { id } => self.delete_network_route(ground, orphan, id).await,
            Object::HostnameRoute { id } => self.delete_hostname_route(ground, orphan, id).await,
            Object::VirtualNetwork { id } => self.delete_virtual_network(ground, orphan, id).await,
            Object::Tunnel { id } => {
                let tunnel = match client.tunnel(account_id, id).await {
                    Ok(tunnel) if tunnel.deleted_at.is_some() => return Ok(()),
                    Ok(tunnel) => tunnel,
                    Err(error) if error.is_gone() => return Ok(()),
                    Err(error) => return Err(text(error)),
                };
                if !orphan::is_stray_tunnel(&records, id, &tunnel.name) {
                    return Err("its name is not ours any more, or it is on record by now".to_owned());
                }
                let connected = connected(client, account_id, id).await;
                let given_up = self.is_given_up(id, &tunnel.name).await;
                still(&Orphan::tunnel(&records, (id.clone(), tunnel.name), tunnel.created_at, given_up, &connected))?;
                // Without cascade: Cloudflare refuses as well when somebody connects at this moment, or routes lead to it.
                gone_is_done(client.delete_tunnel(account_id, id).await)?;
                match client.tunnel(account_id, id).await {
                    Ok(tunnel) if tunnel.deleted_at.is_none() => {
                        Err("Cloudflare took its deletion and shows it all the same".to_owned())
                    }
                    Ok(_) => Ok(()),
                    Err(error) if error.is_gone() => Ok(()),
                    Err(error) => Err(text(error)),
                }
            }
            Object::Left { tunnel } => {
                let record = records.in_account(account_id).find(|record| record.name == *tunnel);
                let Some(record) = record else { return Ok(()) };
                if record.fate != Fate::Orphaned {
                    return Err("it is in the configuration again, or is being deleted already".to_owned());
                }
                let connected = match &record.id {
                    Some(id) => connected(client, account_id, id).await,
                    None => Connected::Connectors(0),
                };
                still(&Orphan::left(record, &connected))?;
                let marked = TunnelRecord { fate: Fate::Delete, ..record.clone() };
                self.shared.ledger.save(marked).await.map_err(|error| trouble::with_causes(&error))
            }
        }
    }

    async fn orphan_ground(&mut self) -> Result<Ground, String> {
        let wanted = desired(&self.in_force.borrow().clone(), &self.account);
        self.ground(&[&wanted]).await.map_err(|nothing| nothing.hold.why)
    }
}

/// Whether what was seen right before its deletion is what was chosen, and may be deleted still.
fn still(chosen: &Orphan, again: &Orphan) -> Result<(), String> {
    match (&again.kept, again.item == chosen.item) {
        (Some(kept), _) => Err(kept.clone()),
        (None, true) => Ok(()),
        (None, false) => Err("it is not what it was".to_owned()),
    }
}

/// Why something is not deleted that its marker, or what is on record here, does not give to us any more.
fn not_ours() -> String {
    "it does not carry our marker any more, or is on record by now".to_owned()
}

/// Whether so much was looked at that the rest waits; counts the look otherwise.
fn has_enough(looks: &mut usize, found: &mut Orphans) -> bool {
    *looks += 1;
    if *looks == LOOKS_MAX + 1 {
        found.unread.push(format!("there is more than {LOOKS_MAX} things to look at; look again when these are gone"));
    }
    *looks > LOOKS_MAX
}

async fn became(client: &Client, account_id: &AccountId, id: &TunnelId) -> Target {
    match client.tunnel(account_id, id).await {
        Ok(tunnel) => match tunnel.deleted_at {
            Some(at) => Target::Deleted { name: tunnel.name, at },
            None => Target::Live(tunnel.name),
        },
        Err(error) if error.is_gone() => Target::Unknown,
        Err(error) => Target::Unread(trouble::with_causes(&error)),
    }
}

/// A deletion as whoever waits for it is told.
fn told(orphan: &Orphan) -> Work {
    Work { tunnel: None, what: format!("- {orphan}") }
}

/// Whether the list says that nobody is connected to a tunnel, so that it needs no call of its own. Right before a deletion it gets one.
fn is_unconnected(tunnel: &Tunnel) -> bool {
    matches!(tunnel.status, TunnelStatus::Inactive | TunnelStatus::Down)
}

async fn connected(client: &Client, account_id: &AccountId, id: &TunnelId) -> Connected {
    match client.connectors(account_id, id).await {
        Ok(connectors) => Connected::Connectors(connectors.len()),
        // A tunnel that is not there has none.
        Err(error) if error.is_gone() => Connected::Connectors(0),
        Err(error) => Connected::Unread(trouble::with_causes(&error)),
    }
}

fn gone_is_done(result: Result<(), Error>) -> Result<(), String> {
    match result {
        Err(error) if error.is_gone() => Ok(()),
        Err(error) => Err(trouble::with_causes(&error)),
        Ok(()) => Ok(()),
    }
}
