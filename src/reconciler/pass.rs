//! One pass over an account: observe, plan, apply, and say what comes next.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    account::NoAccount,
    progress::Progress,
    telling::Seen,
    trouble::{self, REFUSED_WAIT},
    worker::Worker,
};
use crate::{
    cloudflare::Client,
    config::ApplyMode,
    desired::{Desired, desired},
    event::{CredentialState, PassResult, ProvisioningEvent, WaitingPlan},
    id::AccountId,
    name::TunnelName,
    observed::{Observed, Part, Zone},
    plan::{Hold, HoldCode, Plan, PlanHash, Scope, Step},
    record::TunnelRecord,
};

/// How often a pass plans again after it changed something: a creation that is settled makes its routes possible. Further rounds
/// wait for the next pass.
const ROUNDS_MAX: usize = 3;

/// What is due is looked at no sooner than this after a pass: a clock may be a little behind what it was asked for.
const DUE_MIN: Duration = Duration::from_millis(50);

/// What a pass is made for that nobody and nothing asked for.
pub(super) const IDLE: &str = "interval";

/// What a pass did, and what it left.
#[derive(Debug, Clone)]
pub struct PassReport {
    /// How it ended.
    pub result: PassResult,
    /// The steps that were done.
    pub done: Vec<Step>,
    /// The steps that failed or were not reached.
    pub left: Vec<Left>,
    /// What there is to do after it, what is held, and who holds names.
    pub plan: Plan,
    /// The first thing that went wrong.
    pub error: Option<String>,
}

/// A step that was not done.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// The step.
    pub step: Step,
    /// Why not.
    pub why: String,
}

impl PassReport {
    /// Whether it did nothing because the plan was not the one that was confirmed.
    pub(super) fn refused(&self, confirmed: &Plan) -> bool {
        let idle = self.done.is_empty() && self.left.is_empty() && self.error.is_none();
        idle && !self.plan.is_empty() && self.plan.hash() != confirmed.hash()
    }
}

/// Where the account is, and how it is reached.
pub(super) struct Ground {
    pub(super) client: Client,
    pub(super) account_id: AccountId,
    pub(super) zones: Part<Vec<Zone>>,
}

/// An account that was just read.
pub(super) struct Looked {
    client: Client,
    account_id: AccountId,
    observed: Observed,
}

/// Why a pass has no ground: nothing of the account can be read.
pub(super) struct NoGround {
    account_id: Option<AccountId>,
    pub(super) hold: Hold,
}

impl Worker {
    /// Makes a pass. What waits for a confirmation is done too if the plan is `confirmed`.
    pub(super) async fn pass(&mut self, why: &'static str, confirmed: Option<PlanHash>) -> PassReport {
        self.pass_over(why, confirmed, None).await
    }

    /// A pass over what was read just now, if it was.
    pub(super) async fn pass_over(
        &mut self,
        why: &'static str,
        confirmed: Option<PlanHash>,
        looked: Option<Looked>,
    ) -> PassReport {
        let started = Instant::now();
        self.progress = Progress::default();
        let caught_up = self.shared.ledger.catch_up().await;
        self.noted(caught_up);
        self.mend_times().await;
        self.note_behind();

        let intended = self.in_force.borrow_and_update().clone();
        self.passed = Some(intended.clone());
        let wanted = desired(&intended, &self.account);
        self.note_definitions(&wanted).await;
        let proposed = self.waiting_proposal();
        self.memory.keep_to(&wanted);

        let mut wishes = vec![&wanted];
        wishes.extend(proposed.as_ref().map(|(proposed, _)| proposed));
        let mut holds = Vec::new();
        let mut waiting = None;
        let looked = match looked {
            Some(looked) => Ok(looked),
            None => self.look_at(&wishes).await,
        };
        let (account_id, mut observed, mut plan) = match looked {
            Ok(Looked { client, account_id, mut observed }) => {
                let plan = self.converge(&client, &account_id, &wanted, &mut observed, confirmed).await;
                if let Some((proposed, reason)) = &proposed {
                    let proposal = self.plan_with_answers(&client, &account_id, proposed, &mut observed).await;
                    holds.push(Hold { scope: Scope::Account, code: HoldCode::WaitsForApply, why: reason.clone() });
                    waiting = Some(WaitingPlan { hash: proposal.hash(), summary: proposal.summary() });
                }
                if why == IDLE {
                    self.take_census(&client, &account_id, &wanted, &observed).await;
                }
                (Some(account_id), observed, plan)
            }
            Err(NoGround { account_id, hold }) => {
                let observed = Observed::unread(&hold.why);
                let mut plan = Plan::empty(self.account.clone());
                if let Some(id) = &account_id {
                    if !self.only_observes() {
                        self.apply_here(self.plan(id, &wanted, &observed).steps).await;
                    }
                    plan = self.plan(id, &wanted, &observed);
                }
                self.progress.error.get_or_insert_with(|| hold.why.clone());
                holds.push(hold);
                (account_id, observed, plan)
            }
        };
        if waiting.is_none() && !plan.waiting.is_empty() {
            waiting = Some(WaitingPlan { hash: plan.hash(), summary: plan.summary() });
        }
        if self.is_to_observe() {
            holds.extend(observe_only(&plan));
            waiting = None;
        }
        add_holds(&mut plan, holds);
        plan.holds.append(&mut self.progress.holds);
        self.progress.unread |= plan.holds.iter().any(|hold| hold.code == HoldCode::Unread);

        // A configuration belongs to the version that the connectors reported; with another one it is read again.
        observed.answers.configurations.clear();
        let due = plan.due;
        let report = self.report(why, started, plan.clone());
        let rotates = self.begin_scheduled_rotation(report.result, &plan).await;
        let seen = Seen { account_id, intended, observed, plan, waiting };
        self.show(seen, &wanted);
        self.plan_next(report.result, due);
        if rotates {
            self.next = Instant::now();
        }
        report
    }

    /// A time on record that has not come yet was noted before somebody set the clock back: it counts from this moment.
    async fn mend_times(&mut self) {
        let now = self.shared.clock.now();
        let is_ahead = |record: &TunnelRecord| record.parting.values().chain(&record.draining_since).any(|noted| *noted > now);
        for name in self.tunnels_on_record(is_ahead) {
            let mend = |record: &mut TunnelRecord| {
                record.parting.values_mut().chain(&mut record.draining_since).for_each(|noted| *noted = now.min(*noted));
            };
            let noted = self.shared.ledger.amend(&name, mend).await;
            self.noted(noted);
        }
    }

    /// A tunnel that was adopted before it was defined is one like every other from its first definition on.
    async fn note_definitions(&mut self, wanted: &Desired) {
        if self.only_observes() {
            return;
        }
        let is_defined = |record: &TunnelRecord| record.awaits_definition && wanted.tunnels.contains_key(&record.name);
        for name in self.tunnels_on_record(is_defined) {
            let noted = self.shared.ledger.amend(&name, |record| record.awaits_definition = false).await;
            self.noted(noted);
        }
    }

    /// The tunnels whose records are such.
    fn tunnels_on_record(&self, are_such: impl Fn(&TunnelRecord) -> bool) -> Vec<TunnelName> {
        let records = self.shared.ledger.records();
        records.tunnels.values().filter(|record| are_such(record)).map(|record| record.name.clone()).collect()
    }

    /// What there is in the account, for these wishes.
    async fn look_at(&mut self, wishes: &[&Desired]) -> Result<Looked, NoGround> {
        let Ground { client, account_id, zones } = self.ground(wishes).await?;
        let observed = self.observe(&client, &account_id, zones, wishes).await;
        Ok(Looked { client, account_id, observed })
    }

    /// The plan for `desired`, with nothing done, for somebody who looks at it.
    pub(super) async fn look(&mut self, desired: &Desired) -> Plan {
        let (mut plan, looked) = self.look_and_keep(desired).await;
        if let Some(Looked { client, account_id, mut observed }) = looked {
            self.explain(&client, &account_id, desired, &mut observed, &mut plan).await;
        }
        plan
    }

    /// The same, with what it was made from; `None` when nothing could be read.
    pub(super) async fn look_and_keep(&mut self, desired: &Desired) -> (Plan, Option<Looked>) {
        self.progress = Progress::default();
        match self.look_at(&[desired]).await {
            Ok(mut looked) => {
                let Looked { client, account_id, observed } = &mut looked;
                let plan = self.plan_with_answers(client, account_id, desired, observed).await;
                (plan, Some(looked))
            }
            Err(NoGround { account_id, hold }) => {
                let observed = Observed::unread(&hold.why);
                let plan = account_id.map(|id| self.plan(&id, desired, &observed));
                let mut plan = plan.unwrap_or_else(|| Plan::empty(self.account.clone()));
                add_holds(&mut plan, vec![hold]);
                (plan, None)
            }
        }
    }

    /// Whether people want that Adit only looks, whatever is in force.
    pub(super) fn is_to_observe(&self) -> bool {
        self.intended.borrow().config.daemon.apply == ApplyMode::Observe
    }

    /// Whether nothing is written at Cloudflare, nor put on record: people want that, or what is in force was only looked at yet and
    /// what they want instead waits.
    pub(super) fn only_observes(&self) -> bool {
        self.is_to_observe() || self.in_force.borrow().config.daemon.apply == ApplyMode::Observe
    }

    /// Plans and applies until nothing more can be done in this pass, and gives the plan that is left. With a confirmation nothing
    /// is done unless the plan is exactly that one.
    async fn converge(
        &mut self,
        client: &Client,
        id: &AccountId,
        desired: &Desired,
        observed: &mut Observed,
        mut confirmed: Option<PlanHash>,
    ) -> Plan {
        let mut plan = self.plan_with_answers(client, id, desired, observed).await;
        if self.only_observes() || confirmed.as_ref().is_some_and(|hash| *hash != plan.hash()) {
            return plan;
        }
        for _ in 0..ROUNDS_MAX {
            let is_confirmed = confirmed.take().is_some();
            let mut steps = if is_confirmed { plan.confirmed() } else { plan.steps.clone() };
            steps.retain(|step| !self.progress.failed.contains(step.tunnel()));
            if steps.is_empty() || self.progress.has_ended() {
                break;
            }
            self.apply(client, id, steps, observed).await;
            self.note_behind();
            plan = self.plan(id, desired, observed);
        }
        plan
    }

    pub(super) async fn ground(&mut self, wishes: &[&Desired]) -> Result<Ground, NoGround> {
        let held = |account_id, NoAccount { code, why, .. }: NoAccount| NoGround {
            account_id,
            hold: Hold { scope: Scope::Account, code, why },
        };
        let known = self.known_account_id().await.map_err(|nothing| held(None, nothing))?;
        let client = match self.shared.clients.borrow().get(&self.account) {
            Some(Ok(client)) => Ok(client.clone()),
            Some(Err(why)) => Err(why.clone()),
            None => Err("no credential has been read yet".to_owned()),
        };
        let client = client.map_err(|why| {
            self.progress.error.get_or_insert_with(|| why.clone());
            self.credential = CredentialState::Missing { reason: why.clone() };
            held(known.clone(), NoAccount { code: HoldCode::NoCredential, why, error: None })
        })?;
        let account_id = match self.account_id(&client).await {
            Ok(id) => id,
            Err(nothing) => {
                if let Some(error) = &nothing.error {
                    self.progress.fail(error);
                }
                self.progress.error.get_or_insert_with(|| nothing.why.clone());
                self.remember_credential();
                return Err(held(known, nothing));
            }
        };
        let zones = self.zones(&client, &account_id, wishes).await.map_err(|nothing| held(Some(account_id.clone()), nothing))?;
        Ok(Ground { client, account_id, zones })
    }

    /// What people want, if it is not in force, and why.
    fn waiting_proposal(&self) -> Option<(Desired, String)> {
        let proposal = self.proposal.borrow().clone()?;
        Some((desired(&proposal.intended, &self.account), proposal.reason.clone()))
    }

    fn report(&mut self, why: &'static str, began: Instant, plan: Plan) -> PassReport {
        self.remember_credential();
        let progress = std::mem::take(&mut self.progress);
        if let Some(pause) = progress.pause {
            self.shared.events.tell(ProvisioningEvent::RateLimited { account: self.account.clone(), pause });
        }
        self.pause = progress.pause.or(progress.refused.is_some().then_some(REFUSED_WAIT));
        let result = if progress.error.is_some() || progress.unread || !progress.left.is_empty() {
            PassResult::Failed
        } else if !plan.holds.is_empty() || !plan.conflicts.is_empty() || !plan.waiting.is_empty() {
            PassResult::Held
        } else if progress.done.is_empty() {
            PassResult::Clean
        } else {
            PassResult::Changed
        };
        self.shared.events.tell(ProvisioningEvent::PassFinished {
            account: self.account.clone(),
            why,
            result,
            began,
            duration: began.elapsed(),
            applied: progress.done.len(),
            error: progress.error.clone(),
        });
        PassReport { result, done: progress.done, left: progress.left, plan, error: progress.error }
    }

    fn remember_credential(&mut self) {
        if let Some(reason) = &self.progress.refused {
            self.credential = CredentialState::Refused { reason: reason.clone() };
        } else if let Some(reason) = &self.progress.missing {
            self.credential = CredentialState::Missing { reason: reason.clone() };
        } else if self.progress.has_answered {
            self.credential = CredentialState::Usable;
        }
    }

    /// When the next pass is due.
    fn plan_next(&mut self, result: PassResult, due: Option<Timestamp>) {
        let mut rng = rand::rng();
        self.failures = if result.is_success() { 0 } else { self.failures.saturating_add(1) };
        let wait = match (self.pause, self.failures) {
            (Some(pause), _) => pause + trouble::interval_wait(Duration::from_secs(1), &mut rng),
            (None, 0) => trouble::interval_wait(self.shared.interval, &mut rng),
            (None, failures) => trouble::retry_wait(failures, self.shared.interval, &mut rng),
        };
        // What time alone changes is due when it is, and not at the next round.
        let due = due.map(|due| Duration::try_from(due.duration_since(self.shared.clock.now())).unwrap_or_default());
        let due = due.filter(|_| self.pause.is_none() && self.failures == 0);
        self.next = Instant::now() + due.map_or(wait, |due| wait.min(due.max(DUE_MIN)));
        if let Some(due) = self.rotation_due().filter(|_| self.pause.is_none()) {
            self.next = self.next.min(due.max(Instant::now()));
        }
    }

    fn show(&mut self, seen: Seen, desired: &Desired) {
        self.seen = Some(Arc::new(seen));
        self.tell_obstacles();
        self.tell_view(desired);
    }
}

/// Why a pass changed nothing, with what it would have done; `None` when it had nothing to do.
pub(super) fn observe_only(plan: &Plan) -> Option<Hold> {
    let why = || format!("[daemon] apply = \"observe\" keeps Adit from writing anything; there would be: {}", plan.summary());
    (!plan.is_empty()).then(|| Hold { scope: Scope::Account, code: HoldCode::ObserveOnly, why: why() })
}

/// Adds what holds the whole account; with it, that its parts could not be read goes without saying.
fn add_holds(plan: &mut Plan, holds: Vec<Hold>) {
    let whole = holds.iter().any(|hold| !matches!(hold.code, HoldCode::WaitsForApply | HoldCode::ObserveOnly));
    if whole {
        plan.holds.retain(|hold| !(hold.code == HoldCode::Unread && hold.scope == Scope::Account));
    }
    plan.holds.splice(0..0, holds);
}
