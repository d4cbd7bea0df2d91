//! Carries out a plan, step by step.
//!
//! Every step may run twice, and a crash between any two leaves what the next pass goes on from. A step that fails holds up what
//! depends on it, which is the rest of its tunnel; everything else goes on, until Cloudflare itself fails or refuses.

mod balancer_places;
mod balancers;
mod batches;
mod configuration;
mod networks;
mod records;
mod rotation;
mod shared;
mod teardown;
mod tunnels;

use super::{steps::Work as Told, trouble, worker::Worker};
use crate::{
    cloudflare::{self, Client},
    event::ProvisioningEvent,
    id::{AccountId, ZoneId},
    name::TunnelName,
    observed::Observed,
    plan::{AccessStep, ForgetReason, Hold, HoldCode, RotationStep, Scope, Step},
    record::{DnsRecordRef, Fate, KeptDocument, TunnelRecord},
    store::StoreError,
};

use batches::Work;

/// Why a step failed.
#[derive(Debug)]
enum StepError {
    /// Cloudflare, or the way there.
    Api(cloudflare::Error),
    /// The state directory: what has to be durable first is not.
    Store(StoreError),
    /// Something that only a person can settle.
    Other(String),
    /// Something of the tunnel stands in the way: it is held for this reason, and tried again in the next pass.
    Held(HoldCode, String),
}

impl From<cloudflare::Error> for StepError {
    fn from(error: cloudflare::Error) -> Self {
        Self::Api(error)
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// With what a plan is carried out.
#[derive(Clone, Copy)]
struct Place<'a> {
    client: &'a Client,
    account_id: &'a AccountId,
}

/// Cloudflare, and what was read of it: whatever it answers is taken in as if it had been read.
struct There<'a> {
    place: Place<'a>,
    observed: &'a mut Observed,
}

impl Worker {
    /// Carries out `steps`, and takes in what Cloudflare answers as if it had been read.
    pub(super) async fn apply(&mut self, client: &Client, id: &AccountId, steps: Vec<Step>, observed: &mut Observed) {
        let place = Place { client, account_id: id };
        let batch_max = |zone_id: &ZoneId| {
            let zones = observed.zones.complete().map(Vec::as_slice).unwrap_or_default();
            zones.iter().find(|zone| zone.id == *zone_id).map_or(1, |zone| zone.batch_max)
        };
        self.shared.steps.ahead(&self.account, steps.iter().map(told));
        for work in batches::arrange(steps, batch_max) {
            match work {
                Work::One(step) => {
                    if self.may_start(&step) {
                        let result = self.apply_one(&step, Some(There { place, observed })).await;
                        self.conclude(step, result.expect("Cloudflare is there"));
                    }
                }
                Work::Records { zone_id, steps } => self.apply_records(place, &zone_id, steps, observed).await,
            }
        }
    }

    /// Carries out steps that change nothing but what is on record here: they need neither a credential nor Cloudflare.
    pub(super) async fn apply_here(&mut self, steps: Vec<Step>) {
        self.shared.steps.ahead(&self.account, steps.iter().map(told));
        for step in steps {
            if let Some(result) = self.apply_one(&step, None).await {
                self.conclude(step, result);
            }
        }
    }

    /// Does one step; `None` when it needs Cloudflare, and that is not `there`.
    async fn apply_one(&mut self, step: &Step, there: Option<There<'_>>) -> Option<Result<(), StepError>> {
        let (ledger, now) = (self.shared.ledger.clone(), self.shared.clock.now());
        Some(match step {
            Step::RenameTunnel { from, tunnel } => ledger.rename(from, tunnel, Fate::Keep).await.map_err(StepError::Store),
            Step::RetireTunnel { tunnel, retired, .. } => {
                ledger.rename(tunnel, retired, Fate::Retiring).await.map_err(StepError::Store)
            }
            Step::DrainTunnel { tunnel } => self.put(tunnel, |record| record.draining_since = Some(now)).await,
            Step::EndParting { tunnel, hostname } => self.put(tunnel, |record| record.end_parting(hostname, now)).await,
            Step::NoteDocument { tunnel, document } => {
                self.put(tunnel, |record| record.document = Some(KeptDocument::new(document))).await
            }
            Step::KeepTunnel { tunnel } => self.put(tunnel, |record| record.fate = Fate::Keep).await,
            Step::OrphanTunnel { tunnel } => self.put(tunnel, |record| record.fate = Fate::Orphaned).await,
            Step::SettleCreation { tunnel, id } => self.put(tunnel, |record| record.id = Some(id.clone())).await,
            Step::TakeRecord { tunnel, hostname, zone_id, record_id } => {
                let dns = DnsRecordRef { zone_id: zone_id.clone(), record_id: record_id.clone() };
                self.put(tunnel, |record| drop(record.dns.insert(hostname.clone(), dns))).await
            }
            // A crash came between its move and what goes on record of that: the time of the tunnel that lost it begins now.
            Step::ForgetRecord { tunnel, hostname, why: ForgetReason::Moved } => {
                self.put(tunnel, |record| record.part_with(hostname, now)).await
            }
            Step::ForgetRecord { tunnel, hostname, .. } => self.put(tunnel, |record| drop(record.dns.remove(hostname))).await,
            Step::NoteVersion { tunnel, written } => self.put(tunnel, |record| record.written = Some(written.clone())).await,
            Step::ForgetTunnel { tunnel } => ledger.remove(tunnel).await.map_err(StepError::Store),
            Step::CreateTunnel { tunnel, cloudflare_name, source, why } => {
                let There { place, observed } = there?;
                self.create_tunnel(place, tunnel, cloudflare_name, *source, *why, observed).await
            }
            Step::PutConfiguration { .. } => self.put_configuration(there?.place, step).await,
            Step::WriteRules { tunnel, rules, sha256, .. } => {
                let There { place, observed } = there?;
                self.write_rules(place, tunnel, rules, sha256, observed).await
            }
            Step::CreateRecord { .. } | Step::RepairRecord { .. } | Step::MoveRecord { .. } | Step::DeleteRecord { .. } => {
                there?;
                unreachable!("DNS records are arranged in batches")
            }
            Step::DeleteConnections { tunnel, id } => self.cut_connections(there?.place, tunnel, id).await,
            Step::DeleteTunnel { tunnel, id } => {
                let There { place, observed } = there?;
                self.delete_tunnel(place, tunnel, id, observed).await
            }
            Step::Network(step) => return self.apply_network(step, there).await,
            Step::Rotation(RotationStep::Finish { tunnel }) => self.finish_rotation(tunnel).await,
            Step::Rotation(step @ (RotationStep::Place { .. } | RotationStep::CutOff { .. })) => {
                self.go_on_with_rotation(there?.place, step).await
            }
            Step::Balancer(step) => return self.apply_balancer(step, there).await,
            Step::Access(AccessStep::NoteApplications { tunnel, applications }) => {
                self.put(tunnel, |record| record.access = applications.clone()).await
            }
        })
    }

    /// Changes what is on record, which is all that the step does.
    async fn put(&self, tunnel: &TunnelName, change: impl FnOnce(&mut TunnelRecord)) -> Result<(), StepError> {
        Ok(self.shared.ledger.amend(tunnel, change).await?)
    }

    /// Puts on record what has happened at Cloudflare.
    async fn note(&mut self, tunnel: &TunnelName, change: impl FnOnce(&mut TunnelRecord)) {
        let noted = self.shared.ledger.amend(tunnel, change).await;
        self.noted(noted);
    }

    /// The record of a tunnel, which an earlier step made.
    fn record_of(&self, tunnel: &TunnelName) -> Result<TunnelRecord, StepError> {
        let record = self.shared.ledger.record(tunnel);
        record.ok_or_else(|| StepError::Other("the tunnel has no record".to_owned()))
    }

    /// Whether a step may start; if not, it is left, with why.
    fn may_start(&mut self, step: &Step) -> bool {
        let depends = [Some(step.tunnel()), step.moves_from()];
        if depends.into_iter().flatten().any(|tunnel| self.progress.failed.contains(tunnel)) {
            self.progress.leave(step.clone(), "an earlier step of its tunnel failed");
            return false;
        }
        if self.progress.has_ended() {
            self.progress.leave(step.clone(), "the pass ended before it");
            return false;
        }
        self.shared.steps.began(&self.account, || told(step));
        true
    }

    /// Tells how a step ended, and lets what depends on a failed one wait.
    fn conclude(&mut self, step: Step, result: Result<(), StepError>) {
        let account = self.account.clone();
        self.shared.steps.ended(&account, || told(&step));
        let (error, needs_operator) = match result {
            Ok(()) => {
                self.progress.answered();
                self.progress.done.push(step.clone());
                self.shared.events.tell(ProvisioningEvent::StepApplied { account, step });
                return;
            }
            Err(StepError::Api(error)) => {
                self.progress.fail(&error);
                (trouble::with_causes(&error), error.needs_operator())
            }
            Err(StepError::Store(error)) => (trouble::with_causes(&error), true),
            Err(StepError::Other(error)) => (error, true),
            Err(StepError::Held(code, why)) => {
                let scope = Scope::Tunnel { tunnel: step.tunnel().clone() };
                self.progress.holds.push(Hold { scope, code, why: why.clone() });
                (why, false)
            }
        };
        self.progress.error.get_or_insert_with(|| error.clone());
        self.progress.failed.insert(step.tunnel().clone());
        self.progress.failed.extend(step.moves_from().cloned());
        self.progress.leave(step.clone(), error.clone());
        self.shared.events.tell(ProvisioningEvent::StepFailed { account, step, error, needs_operator });
    }

    /// What has happened at Cloudflare and could not be written down is known until the daemon ends.
    pub(super) fn noted(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            let error = trouble::with_causes(&error);
            self.progress.error.get_or_insert_with(|| error.clone());
            self.shared.events.tell(ProvisioningEvent::StateUnwritable { account: self.account.clone(), error });
        }
    }
}

/// A step as whoever waits for it is told.
fn told(step: &Step) -> Told {
    Told { tunnel: Some(step.tunnel().clone()), what: step.to_string() }
}

/// What is not there any more has been deleted.
fn gone_is_done(result: Result<(), cloudflare::Error>) -> Result<(), cloudflare::Error> {
    match result {
        Err(error) if error.is_gone() => Ok(()),
        other => other,
    }
}
