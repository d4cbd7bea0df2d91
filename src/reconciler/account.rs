//! Which account it is, and which zones it has: found by the credential where the configuration does not say.

use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_blocking;

use super::{memory::KnownZones, trouble, worker::Worker};
use crate::{
    cloudflare::{self, Client, ZoneStatus},
    config::Account,
    desired::Desired,
    id::AccountId,
    name::AccountName,
    observed::{Gap, Part, Zone, zone_of},
    plan::HoldCode,
    store::StoreError,
};

/// How long a list of zones is believed when nothing speaks against it.
const ZONES_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How long it is believed that a hostname has no zone: who adds a zone waits so long, or asks for a pass.
const NO_ZONE_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Why nothing of the account can be read: the code and the sentence of a hold.
#[derive(Debug)]
pub(super) struct NoAccount {
    pub(super) code: HoldCode,
    pub(super) why: String,
    pub(super) error: Option<cloudflare::Error>,
}

impl NoAccount {
    fn new(code: HoldCode, why: impl Into<String>) -> Self {
        Self { code, why: why.into(), error: None }
    }
}

impl Worker {
    /// The account's id by the configuration or by its pin, without asking anybody. `None` when it was never used.
    ///
    /// # Errors
    ///
    /// When the pin says something else than the configuration, or cannot be read.
    pub(super) async fn known_account_id(&self) -> Result<Option<AccountId>, NoAccount> {
        let configured = self.configured_account_id();
        let (store, account) = (self.shared.ledger.store().clone(), self.account.clone());
        let pinned = spawn_blocking(move || store.account_id(&account)).await.expect("reading does not panic");
        let pinned = pinned.map_err(|why| NoAccount::new(HoldCode::AccountUnknown, why))?;
        match (configured, pinned) {
            (Some(configured), Some(pinned)) if configured != pinned => {
                // A pin that nothing was made in binds nobody.
                if self.shared.ledger.records().in_account(&pinned).next().is_none() {
                    return Ok(Some(configured));
                }
                let why = format!("the configuration says account {configured}, but everything was made in {pinned}");
                Err(NoAccount::new(HoldCode::AccountChanged, why))
            }
            (Some(id), _) | (None, Some(id)) => {
                self.check_alone(&id).await?;
                Ok(Some(id))
            }
            (None, None) => Ok(None),
        }
    }

    /// Refuses an account that is in the configuration twice: each worker would take the other's tunnels for unwanted, and both
    /// would want their hostnames.
    async fn check_alone(&self, id: &AccountId) -> Result<(), NoAccount> {
        let (store, wanted) = (self.shared.ledger.store().clone(), id.clone());
        let pinned = spawn_blocking(move || store.accounts_pinned_to(&wanted)).await.expect("reading does not panic");
        let pinned = pinned.map_err(|why| NoAccount::new(HoldCode::AccountUnknown, why))?;
        let in_force = self.in_force.borrow();
        let same = |(name, account): &(&AccountName, &Account)| match &account.account_id {
            Some(configured) => configured == id,
            None => pinned.contains(name),
        };
        let other = in_force.config.accounts.iter().find(|account| *account.0 != self.account && same(account));
        match other {
            None => Ok(()),
            Some((other, _)) => {
                let why = format!(
                    "accounts {:?} and {:?} of the configuration are both {id}, so both would see the same hostnames; keep one",
                    self.account.as_str(),
                    other.as_str()
                );
                Err(NoAccount::new(HoldCode::AccountTwice, why))
            }
        }
    }

    /// The account's id, found by the credential if need be, and pinned.
    pub(super) async fn account_id(&mut self, client: &Client) -> Result<AccountId, NoAccount> {
        let id = match self.known_account_id().await? {
            Some(id) => id,
            None => {
                let id = self.discover(client).await?;
                self.check_alone(&id).await?;
                id
            }
        };
        if self.pinned.as_ref() != Some(&id) {
            self.pin(&id).await.map_err(|error| {
                NoAccount::new(HoldCode::AccountUnknown, format!("its id cannot be kept: {}", trouble::with_causes(&error)))
            })?;
            self.pinned = Some(id.clone());
        }
        Ok(id)
    }

    /// The zones of the account: as remembered, or listed again when that is old or a hostname has none.
    pub(super) async fn zones(
        &mut self,
        client: &Client,
        id: &AccountId,
        desired: &[&Desired],
    ) -> Result<Part<Vec<Zone>>, NoAccount> {
        let records = self.shared.ledger.records();
        let wanted = desired.iter().flat_map(|desired| desired.tunnels.values()).any(|tunnel| !tunnel.hostnames.is_empty());
        let made = records.in_account(id).any(|record| !record.dns.is_empty());
        // With private routes alone, a credential that may not list zones is enough; without a configured id, they prove the account.
        if !wanted && !made && self.configured_account_id().is_some() {
            return Ok(Part::Gap(Gap { what: "the zones".to_owned(), why: "they were not asked for".to_owned() }));
        }
        let now = Timestamp::now();
        self.recall_zones().await;
        let stale = self.memory.zones.as_ref().is_none_or(|known| {
            let age = now.duration_since(known.read_at);
            let hostnames = || {
                let records = desired.iter().flat_map(|desired| desired.tunnels.values()).flat_map(|tunnel| &tunnel.hostnames);
                records.chain(desired.iter().flat_map(|desired| desired.balanced_hostnames()))
            };
            let misses = || hostnames().any(|hostname| zone_of(&known.zones, hostname).is_none_or(|zone| zone.account_id != *id));
            age >= ZONES_FOR
                || age.is_negative()
                || self.zones_doubted
                || ((age >= NO_ZONE_FOR || self.memory.doubted) && misses())
        });
        self.memory.doubted = false;
        if stale && let Err(error) = self.list_zones(client, now).await {
            // What was known yesterday still holds for nearly every zone, and every record is read through its own zone.
            if self.memory.zones.is_none() {
                let gap = Gap { what: "the zones".to_owned(), why: trouble::with_causes(&error) };
                self.progress.fail(&error);
                return Ok(Part::Gap(gap));
            }
            self.progress.fail(&error);
        }
        let known = self.memory.zones.as_ref().expect("they were listed or remembered");
        let configured = self.configured_account_id().is_some();
        let accounts: Vec<&AccountId> = known.zones.iter().map(|zone| &zone.account_id).collect();
        if !configured && !accounts.is_empty() && !accounts.contains(&id) {
            let why = format!("the credential sees zones of account {} only, but everything was made in {id}", accounts[0]);
            return Err(NoAccount::new(HoldCode::AccountChanged, why));
        }
        Ok(Part::Complete(known.zones.iter().filter(|zone| zone.account_id == *id).cloned().collect()))
    }

    /// The zones of other accounts that the credential sees, as far as they are remembered.
    pub(super) fn zones_elsewhere(&self, id: &AccountId) -> Vec<Zone> {
        let known = self.memory.zones.iter().flat_map(|known| &known.zones);
        known.filter(|zone| zone.account_id != *id).cloned().collect()
    }

    /// With no id anywhere: the one account that the credential sees.
    async fn discover(&mut self, client: &Client) -> Result<AccountId, NoAccount> {
        let failed = |error: cloudflare::Error| NoAccount {
            code: HoldCode::AccountUnknown,
            why: format!("its id is not configured and cannot be found: {}", trouble::with_causes(&error)),
            error: Some(error),
        };
        self.list_zones(client, Timestamp::now()).await.map_err(failed)?;
        let zones = self.memory.zones.as_ref().map(|known| known.zones.as_slice()).unwrap_or_default();
        let mut seen: Vec<AccountId> = zones.iter().map(|zone| zone.account_id.clone()).collect();
        if seen.is_empty() {
            seen = client.accounts().await.map_err(failed)?.into_iter().map(|account| account.id).collect();
        }
        seen.sort();
        seen.dedup();
        match seen.as_slice() {
            [id] => Ok(id.clone()),
            [] => Err(NoAccount::new(HoldCode::AccountUnknown, "the credential sees no account; set account_id")),
            several => {
                let ids: Vec<&str> = several.iter().map(AccountId::as_str).collect();
                let why = format!("the credential sees {} accounts ({}); set account_id", ids.len(), ids.join(", "));
                Err(NoAccount::new(HoldCode::AccountUnknown, why))
            }
        }
    }

    async fn list_zones(&mut self, client: &Client, now: Timestamp) -> Result<(), cloudflare::Error> {
        let zones = client.zones().await?;
        let active = zones.into_iter().filter(|zone| zone.status == ZoneStatus::Active).map(|zone| Zone {
            batch_max: zone.plan.batch_max(),
            id: zone.id,
            name: zone.name,
            account_id: zone.account_id,
        });
        let zones: Vec<Zone> = active.collect();
        self.zones_doubted = false;
        self.memory.zones = Some(KnownZones { read_at: now, zones: zones.clone() });
        let (store, account) = (self.shared.ledger.store().clone(), self.account.clone());
        let kept = spawn_blocking(move || store.cache_zones(&account, now, &zones)).await.expect("writing does not panic");
        if let Err(error) = kept {
            tracing::debug!(account = %self.account, error = %trouble::with_causes(&error), "the zones are not kept for the next start");
        }
        Ok(())
    }

    /// After a start: what the last daemon knew.
    async fn recall_zones(&mut self) {
        if self.memory.zones.is_some() {
            return;
        }
        let (store, account) = (self.shared.ledger.store().clone(), self.account.clone());
        let cached = spawn_blocking(move || store.cached_zones(&account)).await.expect("reading does not panic");
        self.memory.zones = cached.map(|(read_at, zones)| KnownZones { read_at, zones });
    }

    async fn pin(&self, id: &AccountId) -> Result<(), StoreError> {
        let (store, account, id) = (self.shared.ledger.store().clone(), self.account.clone(), id.clone());
        spawn_blocking(move || {
            if store.account_id(&account) == Ok(Some(id.clone())) { Ok(()) } else { store.pin_account_id(&account, &id) }
        })
        .await
        .expect("writing does not panic")
    }

    fn configured_account_id(&self) -> Option<AccountId> {
        self.in_force.borrow().config.accounts.get(&self.account)?.account_id.clone()
    }
}
