//! Rotations of tunnel secrets: begun by an operator or by the schedule, gone on with by passes, and held up when they fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{trouble, worker::Worker};
use crate::{
    connector::{Holder, HolderRole, token_fingerprint},
    credential::{connector_token, new_tunnel_secret},
    event::{PassResult, RotationEvent},
    name::TunnelName,
    plan::{Conflict, Due, Hold, HoldCode, Plan, Rotations, due},
    record::{Fate, Rotation, RotationStage, SecretLife, TunnelRecord},
};

/// The first rest of a rotation that failed; it doubles with each further failure.
const REST_MIN: Duration = Duration::from_secs(60);

/// The longest rest: a secret that is to be replaced on schedule can wait an hour.
const REST_MAX: Duration = Duration::from_secs(3_600);

/// By how much an emergency rests less.
const EMERGENCY_HASTE: u32 = 6;

/// After how long it is said that connectors do not take over a new secret: several starts, and the longest grace period.
const SLOW_AFTER: Duration = Duration::from_secs(600);

/// What a worker remembers of rotations. A daemon that starts anew tries at once.
#[derive(Debug, Default)]
pub(super) struct RotationMemory {
    resting: BTreeMap<TunnelName, Rest>,
    /// When this daemon placed a secret, or found it placed.
    placed: BTreeMap<TunnelName, Instant>,
}

#[derive(Debug)]
struct Rest {
    failures: u32,
    until: Instant,
    why: String,
}

impl RotationMemory {
    pub(super) fn went_well(&mut self, tunnel: &TunnelName) {
        self.resting.remove(tunnel);
    }

    pub(super) fn placed(&mut self, tunnel: &TunnelName) {
        self.placed.insert(tunnel.clone(), Instant::now());
    }

    /// A rotation failed. Gives how long it rests.
    pub(super) fn failed(&mut self, tunnel: &TunnelName, why: &str, emergency: bool) -> Duration {
        let failures = self.resting.get(tunnel).map_or(1, |rest| rest.failures.saturating_add(1));
        let wait = rest(failures, emergency);
        let rest = Rest { failures, until: Instant::now() + wait, why: why.to_owned() };
        self.resting.insert(tunnel.clone(), rest);
        wait
    }

    /// When the next one has rested. One that has, and was not tried since, waits for the next pass like everything else.
    fn next(&self, now: Instant) -> Option<Instant> {
        self.resting.values().map(|rest| rest.until).filter(|until| *until > now).min()
    }
}

/// How long a rotation rests after so many failures in a row, at least one.
fn rest(failures: u32, emergency: bool) -> Duration {
    let doubled = REST_MIN.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(REST_MAX);
    if emergency { doubled / EMERGENCY_HASTE } else { doubled }
}

impl Worker {
    /// Begins a rotation, or makes one that goes on an emergency, and says whether that changed anything; `None` when the tunnel is
    /// not one of this account. Only here, between two passes: a pass that is under way writes the record as it knew it.
    pub(super) async fn begin_rotation(
        &mut self,
        tunnel: &TunnelName,
        emergency: bool,
        by: Option<String>,
    ) -> Result<Option<bool>, String> {
        let Some(record) = self.shared.ledger.record(tunnel) else { return Ok(None) };
        let own = self.known_account_id().await.ok().flatten();
        if own.as_ref() != Some(&record.account_id) {
            return Ok(None);
        }
        match record.fate {
            Fate::Keep => {}
            Fate::Orphaned => return Err("it left the configuration".to_owned()),
            Fate::Retiring => return Err("another tunnel takes its place".to_owned()),
            Fate::Delete => return Err("it is being deleted".to_owned()),
        }
        if record.id.is_none() {
            return Err("it is not made yet".to_owned());
        }
        // Whoever asks does not want to wait for the rest of an earlier failure.
        self.memory.rotations.went_well(tunnel);
        let rotation = match record.secret_life.rotation.clone() {
            Some(rotation) if rotation.emergency || !emergency => return Ok(Some(false)),
            Some(rotation) => Rotation { emergency, by, ..rotation },
            None => {
                let (other, began_at) = (new_tunnel_secret(), Timestamp::now());
                Rotation { stage: RotationStage::Begun, other, emergency, by, began_at }
            }
        };
        let event = RotationEvent::Begun { emergency: rotation.emergency, by: rotation.by.clone() };
        let secret_life = SecretLife { rotation: Some(rotation), ..record.secret_life.clone() };
        let saved = self.shared.ledger.save(TunnelRecord { secret_life, ..record }).await;
        saved.map_err(|error| trouble::with_causes(&error))?;
        self.tell_rotation(tunnel, event);
        Ok(Some(true))
    }

    /// What is known of rotations at this moment.
    pub(super) fn rotations(&self) -> Rotations {
        let records = self.shared.ledger.records();
        let under_way = records.tunnels.values().filter(|record| record.secret_life.rotation.is_some());
        let (mut handed_over, mut slow) = (BTreeSet::new(), BTreeMap::new());
        for record in under_way.filter(|record| record.secret_life.is_at(RotationStage::Placed)) {
            if self.is_handed_over(record) {
                handed_over.insert(record.name.clone());
            } else if self.memory.rotations.placed.get(&record.name).is_none_or(|at| at.elapsed() >= SLOW_AFTER)
                && let Some(since) = record.secret_life.since
                && Timestamp::now().duration_since(since).unsigned_abs() >= SLOW_AFTER
            {
                slow.insert(record.name.clone(), since);
            }
        }
        let now = Instant::now();
        let resting = self.memory.rotations.resting.iter().filter(|(_, rest)| rest.until > now);
        Rotations { handed_over, slow, resting: resting.map(|(name, rest)| (name.clone(), rest.why.clone())).collect() }
    }

    /// Whether nothing here needs the secret before any more.
    fn is_handed_over(&self, record: &TunnelRecord) -> bool {
        let Some(id) = &record.id else { return false };
        let token = token_fingerprint(&connector_token(&record.account_id, id, &record.secret));
        let is_wanted = {
            let in_force = self.in_force.borrow();
            in_force.config.tunnels.contains_key(&record.name) && !in_force.stops.contains_key(&record.name)
        };
        let holders = self.holders.borrow();
        handed_over(holders.of(record.slots()), |holder| holder.token == token, is_wanted)
    }

    /// Whether a rotation can go on because connectors have taken over.
    pub(super) fn rotation_moved(&self) -> bool {
        let Some(seen) = &self.seen else { return false };
        let handed_over = self.rotations().handed_over;
        let tunnels = &seen.intended.config.tunnels;
        let own = |name: &&TunnelName| tunnels.get(*name).is_some_and(|tunnel| tunnel.account == self.account);
        handed_over.iter().filter(own).any(|name| !self.memory.rotations.resting.contains_key(name))
    }

    /// When a rotation that failed has rested.
    pub(super) fn rotation_due(&self) -> Option<Instant> {
        self.memory.rotations.next(Instant::now())
    }

    /// Begins the rotation that the schedule wants, one at a time in an account, and only after a pass that found nothing wrong with
    /// the tunnel. Says whether one was begun.
    pub(super) async fn begin_scheduled_rotation(&mut self, result: PassResult, plan: &Plan) -> bool {
        let is_well = match result {
            PassResult::Clean | PassResult::Changed | PassResult::Held => true,
            PassResult::Failed => false,
        };
        let records = self.shared.ledger.records();
        if !is_well
            || self.only_observes()
            || records.seal.is_some()
            || records.tunnels.values().any(|record| record.secret_life.rotation.is_some())
        {
            return false;
        }
        let config = self.in_force.borrow().config.clone();
        let now = Timestamp::now();
        let mut first: Option<(Timestamp, TunnelName)> = None;
        let own = self.account.clone();
        for tunnel in config.tunnels.values().filter(|tunnel| tunnel.account == own) {
            let Some(every) = tunnel.rotate_every.or(config.cloudflared.rotate_every) else { continue };
            let Some(record) = records.tunnels.get(&tunnel.name) else { continue };
            let Some(id) = &record.id else { continue };
            match due(&record.secret_life, every, id, now) {
                Due::Unknown => {
                    let counted = self.shared.ledger.amend(&tunnel.name, |record| record.secret_life.since = Some(now)).await;
                    self.noted(counted);
                }
                Due::At(at) if at <= now && self.is_at_ease(record, plan) => {
                    if first.as_ref().is_none_or(|(earlier, _)| at < *earlier) {
                        first = Some((at, tunnel.name.clone()));
                    }
                }
                Due::At(_) => {}
            }
        }
        let Some((_, tunnel)) = first else { return false };
        matches!(self.begin_rotation(&tunnel, false, None).await, Ok(Some(true)))
    }

    /// Whether a tunnel serves and nothing about it or its DNS is held: the schedule waits for a better time otherwise.
    fn is_at_ease(&self, record: &TunnelRecord, plan: &Plan) -> bool {
        let about = |hold: &Hold| hold.tunnel().is_none_or(|tunnel| *tunnel == record.name);
        let held = plan.holds.iter().any(|hold| about(hold) && delays(hold.code));
        let in_conflict = plan.conflicts.iter().any(|conflict| *conflict.tunnel() == record.name && is_over_the_tunnel(conflict));
        let is_wanted = self.in_force.borrow().config.tunnels.contains_key(&record.name);
        let is_stopped = self.in_force.borrow().stops.contains_key(&record.name);
        is_wanted && !is_stopped && !held && !in_conflict && self.is_handed_over(record)
    }
}

/// Whether the schedule waits for the end of such a hold. What only keeps visitors from one way to the tunnel says nothing against
/// another secret, and may last for ever.
fn delays(code: HoldCode) -> bool {
    match code {
        HoldCode::AccessMissing
        | HoldCode::BalancerMissing
        | HoldCode::PoolInUse
        | HoldCode::WantedTwice
        | HoldCode::NoVirtualNetwork
        | HoldCode::RoutesOfOthers => false,
        HoldCode::StateSealed
        | HoldCode::AccountChanged
        | HoldCode::AccountUnknown
        | HoldCode::NoCredential
        | HoldCode::Unread
        | HoldCode::RecordUnreadable
        | HoldCode::OtherAccount
        | HoldCode::BeingDeleted
        | HoldCode::SourceChanged
        | HoldCode::Unproven
        | HoldCode::Edited
        | HoldCode::NoZone
        | HoldCode::TwoAccounts
        | HoldCode::NotReady
        | HoldCode::NeedsConfirmation
        | HoldCode::WaitsForApply
        | HoldCode::RotationFailed
        | HoldCode::RotationSlow
        | HoldCode::ObserveOnly
        | HoldCode::AccountTwice
        | HoldCode::RoutesLeft
        | HoldCode::StillConnected
        | HoldCode::NotDeleted
        | HoldCode::GracePeriod
        | HoldCode::Draining
        | HoldCode::NotApplied
        | HoldCode::NotAdopted
        // Connectors on other hosts would be left with the secret before.
        | HoldCode::RunsElsewhere => true,
    }
}

/// Whether somebody else has the tunnel's own name or that of a DNS record, and not only that of a part of load balancing.
fn is_over_the_tunnel(conflict: &Conflict) -> bool {
    match conflict {
        Conflict::Tunnel { .. } | Conflict::Record { .. } => true,
        Conflict::Balancing { .. } | Conflict::PrivateRoute { .. } | Conflict::Rule { .. } => false,
    }
}

/// Whether all `holders` hold the secret that is `valid`, and what is wanted serves with it.
fn handed_over<'a>(mut holders: impl Iterator<Item = &'a Holder>, valid: impl Fn(&Holder) -> bool, is_wanted: bool) -> bool {
    let mut ready = 0_u32;
    let all = holders.all(|holder| {
        let well = match holder.role {
            HolderRole::Ready => {
                ready += 1;
                true
            }
            HolderRole::Leaving => true,
            HolderRole::Coming => false,
        };
        well && valid(holder)
    });
    all && (ready > 0 || !is_wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn holder(token: &str, role: HolderRole) -> Holder {
        Holder { token: token_fingerprint(&Secret::new(token)), connector_id: None, role }
    }

    fn is_over(holders: &[Holder], is_wanted: bool) -> bool {
        let new = token_fingerprint(&Secret::new("new"));
        handed_over(holders.iter(), |holder| holder.token == new, is_wanted)
    }

    #[test]
    fn the_secret_before_is_needed_until_the_last_process_that_holds_it_is_gone() {
        use HolderRole::{Coming, Leaving, Ready};
        for (holders, over) in [
            (vec![holder("new", Ready)], true),
            (vec![holder("new", Ready), holder("new", Leaving)], true),
            (vec![holder("old", Ready)], false),
            (vec![holder("old", Ready), holder("new", Coming)], false),
            (vec![holder("new", Ready), holder("old", Leaving)], false),
            (vec![holder("new", Ready), holder("new", Coming)], false),
            (vec![], false),
        ] {
            assert_eq!(is_over(&holders, true), over, "{holders:?}");
        }
    }

    #[test]
    fn a_stopped_tunnel_is_handed_over_when_nothing_of_it_runs_with_the_secret_before() {
        assert!(is_over(&[], false));
        assert!(!is_over(&[holder("old", HolderRole::Leaving)], false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rotation_that_has_rested_and_is_not_tried_asks_for_no_pass_after_pass() {
        let (mut memory, tunnel) = (RotationMemory::default(), "web".parse().unwrap());
        let wait = memory.failed(&tunnel, "it was refused", false);
        let began = Instant::now();
        assert_eq!(memory.next(began), Some(began + wait));
        assert_eq!(memory.next(began + wait), None);
    }

    #[test]
    fn a_rotation_that_fails_rests_longer_and_longer_and_an_emergency_less() {
        let rests: Vec<u64> = (1..9).map(|failures| rest(failures, false).as_secs()).collect();
        assert_eq!(rests, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert_eq!((rest(1, true).as_secs(), rest(u32::MAX, true).as_secs()), (10, 600));
    }
}
