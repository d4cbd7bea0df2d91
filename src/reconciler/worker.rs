//! The loop of one account: waits for a reason, makes a pass.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{
    Clients, Refusals, Reported,
    memory::Memory,
    orphans::Deletion,
    ownership::Ask,
    pass::{IDLE, PassReport, observe_only},
    progress::Progress,
    steady::SteadyClock,
    steps::Steps,
    telling::Seen,
    trouble,
};
use crate::{
    cloudflare::{Client, CredentialId},
    config::{ApplyMode, Config},
    connector::Holders,
    desired::{Intended, desired},
    event::{AccountView, CredentialState, Sink},
    id::AccountId,
    name::{AccountName, TunnelName},
    observed::Observed,
    orphan::{Orphan, Orphans},
    plan::{Conflict, Hold, HoldCode, Plan, PlanHash},
    record::{Fate, TunnelRecord},
    store::Ledger,
};

/// How long reports of connectors are gathered before they are looked at: a roll-out changes many within a second.
const REPORTS_GATHERED_FOR: Duration = Duration::from_secs(1);

/// The same for connectors that are refused: those of a tunnel that was deleted are all refused within a moment.
const REFUSALS_GATHERED_FOR: Duration = Duration::from_millis(200);

/// Refusals ask for a pass no more often than this, whatever goes on: each costs calls.
const REFUSALS_APART: Duration = Duration::from_secs(10);

/// What somebody asks of a worker.
#[derive(Debug)]
pub(super) enum Command {
    /// A pass.
    Reconcile {
        /// What for.
        why: &'static str,
        /// Gets its report.
        done: oneshot::Sender<PassReport>,
    },
    /// What would change.
    Plan {
        /// With this configuration; else with what people want.
        config: Option<Arc<Config>>,
        /// Gets the plan.
        done: oneshot::Sender<Plan>,
    },
    /// To mark a tunnel as one that is to be deleted.
    Delete {
        /// Which.
        tunnel: TunnelName,
        /// Gets whether it is one of this account, or why it cannot be marked.
        done: oneshot::Sender<Result<bool, String>>,
    },
    /// Something about what is whose.
    Ownership(Ask),
    /// To begin the rotation of a tunnel's secret.
    Rotate {
        /// Which.
        tunnel: TunnelName,
        /// Whether everybody else is cut off.
        emergency: bool,
        /// Who asks.
        by: String,
        /// Gets whether one was begun, `None` when the tunnel is not one of this account, or why it cannot be.
        done: oneshot::Sender<Result<Option<bool>, String>>,
    },
    /// A pass that an operator asks for.
    Apply {
        /// Gets its report.
        done: oneshot::Sender<PassReport>,
    },
    /// A pass that does exactly the plan that was confirmed, with what waits for that, or nothing. All accounts look first; then
    /// all go, or none does.
    Confirm {
        /// The plan that was confirmed.
        confirmed: PlanHash,
        /// Gets the plan as it is, from a fresh look.
        looked: oneshot::Sender<PlanHash>,
        /// Says to go, once what people want is in force; dropped, nothing is done.
        go: oneshot::Receiver<()>,
        /// Gets the report of the pass.
        done: oneshot::Sender<PassReport>,
    },
    /// To look for what is left over.
    FindOrphans {
        /// Gets it.
        done: oneshot::Sender<Orphans>,
    },
    /// To delete some of it.
    DeleteOrphans {
        /// Which.
        chosen: Vec<Orphan>,
        /// Gets what became of each.
        done: oneshot::Sender<Vec<Deletion>>,
    },
}

/// What people want while something else is in force.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) intended: Arc<Intended>,
    /// Why it is not in force.
    pub(super) reason: String,
}

/// What all workers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) ledger: Ledger,
    pub(super) clients: watch::Receiver<Arc<Clients>>,
    pub(super) events: Sink,
    pub(super) steps: Steps,
    pub(super) interval: Duration,
    pub(super) clock: SteadyClock,
}

/// The worker of one account.
pub(super) struct Worker {
    pub(super) account: AccountName,
    pub(super) shared: Shared,
    pub(super) in_force: watch::Receiver<Arc<Intended>>,
    pub(super) intended: watch::Receiver<Arc<Intended>>,
    pub(super) proposal: watch::Receiver<Option<Arc<Proposal>>>,
    pub(super) reported: watch::Receiver<Arc<Reported>>,
    pub(super) refusals: watch::Receiver<Arc<Refusals>>,
    pub(super) holders: watch::Receiver<Arc<Holders>>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) memory: Memory,
    /// Whether the remembered zones are listed again at the next need.
    pub(super) zones_doubted: bool,
    /// The account id that is pinned on disk.
    pub(super) pinned: Option<AccountId>,
    pub(super) progress: Progress,
    pub(super) credential: CredentialState,
    pub(super) failures: u32,
    /// What Cloudflare asked to wait after the last pass.
    pub(super) pause: Option<Duration>,
    pub(super) next: Instant,
    /// What was in force in the last pass.
    pub(super) passed: Option<Arc<Intended>>,
    pub(super) seen: Option<Arc<Seen>>,
    pub(super) holds: Vec<Hold>,
    pub(super) conflicts: Vec<Conflict>,
    pub(super) told: Option<Arc<AccountView>>,
}

/// What a worker is woken for.
enum Woken {
    Command(Command),
    InForce,
    Proposal,
    Clients,
    Reports,
    Refusals,
    Holders,
    Timer,
    Nobody,
}

impl Worker {
    /// Makes passes until nobody can ask for any.
    pub(super) async fn run(mut self) {
        self.show_records().await;
        self.pass("start", None).await;
        let mut put_off: VecDeque<Command> = VecDeque::new();
        let (mut reports_at, mut refusals_at): (Option<Instant>, Option<Instant>) = (None, None);
        let mut looked_at: Option<Instant> = None;
        let mut refused = self.refused();
        let mut usable = self.client_state();
        loop {
            let due = [reports_at, refusals_at].into_iter().flatten().fold(self.next, Instant::min);
            let woken = match put_off.pop_front() {
                Some(command) => Woken::Command(command),
                // Every arm only receives, so that nothing is lost when another one wins. Who asks goes first.
                None => tokio::select! {
                    biased;
                    command = self.commands.recv() => command.map_or(Woken::Nobody, Woken::Command),
                    changed = self.in_force.changed() => changed.map_or(Woken::Nobody, |()| Woken::InForce),
                    changed = self.proposal.changed() => changed.map_or(Woken::Nobody, |()| Woken::Proposal),
                    changed = self.shared.clients.changed() => changed.map_or(Woken::Nobody, |()| Woken::Clients),
                    changed = self.refusals.changed() => changed.map_or(Woken::Nobody, |()| Woken::Refusals),
                    changed = self.reported.changed() => changed.map_or(Woken::Nobody, |()| Woken::Reports),
                    changed = self.holders.changed() => changed.map_or(Woken::Nobody, |()| Woken::Holders),
                    () = sleep_until(due) => Woken::Timer,
                },
            };
            match woken {
                Woken::Nobody => return,
                Woken::Command(command) => self.obey(command, &mut put_off).await,
                Woken::InForce => {
                    if self.is_only_stops() {
                        let wanted = self.seen.as_ref().map(|seen| seen.desired(&self.account));
                        if let Some(wanted) = wanted {
                            self.tell_view(&wanted);
                        }
                    } else {
                        self.pass("configuration", None).await;
                    }
                }
                Woken::Proposal => {
                    if self.proposal.borrow_and_update().is_some() {
                        self.pass("configuration", None).await;
                    }
                }
                Woken::Clients => {
                    let state = self.client_state();
                    let before = std::mem::replace(&mut usable, state.clone());
                    // Another token may be one of another account, which its zones tell.
                    self.zones_doubted |= matches!((&before, &state), (Some(Some(one)), Some(Some(other))) if one != other);
                    if before != state || self.pause.is_some() {
                        self.pass("credential", None).await;
                    }
                }
                Woken::Reports => {
                    reports_at.get_or_insert(Instant::now() + REPORTS_GATHERED_FOR);
                }
                Woken::Refusals => {
                    let before = std::mem::replace(&mut refused, self.refused());
                    if refused > before {
                        let earliest = looked_at.map_or_else(Instant::now, |at| at + REFUSALS_APART);
                        refusals_at.get_or_insert(earliest.max(Instant::now() + REFUSALS_GATHERED_FOR));
                    }
                }
                Woken::Holders => {
                    if self.rotation_moved() {
                        self.pass("rotation", None).await;
                    }
                }
                Woken::Timer => {
                    let reports = reports_at.is_some_and(|at| at <= Instant::now());
                    if reports {
                        reports_at = None;
                        self.look_at_reports().await;
                    }
                    if refusals_at.is_some_and(|at| at <= Instant::now()) {
                        refusals_at = None;
                        looked_at = Some(Instant::now());
                        self.pass("refused", None).await;
                    }
                    if self.next <= Instant::now() {
                        self.pass(if self.failures > 0 { "retry" } else { IDLE }, None).await;
                    }
                }
            }
        }
    }

    async fn obey(&mut self, command: Command, put_off: &mut VecDeque<Command>) {
        match command {
            Command::Reconcile { why, done } => {
                // One pass answers all who wait for one.
                let mut waiting = vec![done];
                while let Ok(command) = self.commands.try_recv() {
                    match command {
                        Command::Reconcile { done, .. } => waiting.push(done),
                        command @ (Command::Plan { .. }
                        | Command::Delete { .. }
                        | Command::Ownership(_)
                        | Command::Rotate { .. }
                        | Command::Apply { .. }
                        | Command::Confirm { .. }
                        | Command::FindOrphans { .. }
                        | Command::DeleteOrphans { .. }) => put_off.push_back(command),
                    }
                }
                self.memory.doubt();
                let report = self.pass(why, None).await;
                // Whoever asked may have gone: the pass is made all the same.
                waiting.into_iter().for_each(|done| drop(done.send(report.clone())));
            }
            Command::Plan { config, done } => {
                let mut intended = (**self.intended.borrow()).clone();
                // What people want already is planned to be compared, something else to be looked at.
                let is_shown = config.is_some();
                if let Some(config) = config {
                    intended.config = config;
                }
                self.memory.doubt();
                let wanted = desired(&intended, &self.account);
                let mut plan = if is_shown { self.look(&wanted).await } else { self.look_and_keep(&wanted).await.0 };
                if intended.config.daemon.apply == ApplyMode::Observe {
                    let held = observe_only(&plan);
                    plan.holds.splice(0..0, held);
                }
                drop(done.send(plan));
            }
            Command::Delete { tunnel, done } => drop(done.send(self.mark_for_deletion(&tunnel).await)),
            Command::Ownership(ask) => self.answer_ownership(ask).await,
            Command::Rotate { tunnel, emergency, by, done } => {
                drop(done.send(self.begin_rotation(&tunnel, emergency, Some(by)).await));
            }
            Command::Apply { done } => {
                self.memory.doubt();
                drop(done.send(self.pass("operator", None).await));
            }
            Command::Confirm { confirmed, looked, go, done } => {
                let intended = self.intended.borrow().clone();
                let (plan, read) = self.look_and_keep(&desired(&intended, &self.account)).await;
                let is_that_plan = plan.hash() == confirmed;
                drop(looked.send(plan.hash()));
                // Whoever asked goes on as soon as every account has looked, or goes away.
                if go.await.is_ok() && is_that_plan {
                    drop(done.send(self.pass_over("operator", Some(confirmed), read).await));
                }
            }
            Command::FindOrphans { done } => drop(done.send(self.find_orphans().await)),
            Command::DeleteOrphans { chosen, done } => drop(done.send(self.delete_orphans(chosen).await)),
        }
    }

    /// Marks a tunnel of this account as one that is to be deleted. Only here, between two passes: a pass that is under way writes
    /// the record as it knew it, and would take the mark away.
    async fn mark_for_deletion(&self, tunnel: &TunnelName) -> Result<bool, String> {
        let Some(record) = self.shared.ledger.record(tunnel) else { return Ok(false) };
        let own = self.known_account_id().await.ok().flatten();
        if own.as_ref() != Some(&record.account_id) {
            return Ok(false);
        }
        let record = TunnelRecord { fate: Fate::Delete, ..record };
        self.shared.ledger.save(record).await.map_err(|error| trouble::with_causes(&error))?;
        Ok(true)
    }

    /// Connectors run another version: that may be somebody's edit, may let a hostname move, and changes which routes are live.
    async fn look_at_reports(&mut self) {
        let Some(seen) = self.seen.clone() else { return };
        self.note_behind();
        let wanted = seen.desired(&self.account);
        if let Some(id) = &seen.account_id {
            let plan = self.plan(id, &wanted, &seen.observed);
            let before: usize = seen.plan.questions.len();
            let held = |plan: &Plan| plan.holds.iter().any(|hold| hold.code == HoldCode::NotApplied);
            // What was late and has arrived is told by a pass, as is the time when something is to be looked at again.
            let other_time =
                plan.due.is_some_and(|due| seen.plan.due.is_none_or(|known| due < known)) || held(&plan) != held(&seen.plan);
            if plan.steps != seen.plan.steps || plan.questions.len() > before || other_time {
                self.pass("connectors", None).await;
                return;
            }
        }
        self.tell_view(&wanted);
    }

    /// Before anything was asked: what is on record.
    async fn show_records(&mut self) {
        let account_id = self.known_account_id().await.ok().flatten();
        let intended = self.in_force.borrow().clone();
        let wanted = desired(&intended, &self.account);
        let observed = Observed::unread("the first pass has not ended");
        let plan = match &account_id {
            Some(id) => self.plan(id, &wanted, &observed),
            None => Plan::empty(self.account.clone()),
        };
        self.seen = Some(Arc::new(Seen { account_id, intended, observed, plan, waiting: None }));
        self.tell_view(&wanted);
    }

    /// Whether what is in force differs from the last pass's in operators' stops alone, which are nothing to Cloudflare.
    fn is_only_stops(&mut self) -> bool {
        let in_force = self.in_force.borrow_and_update();
        self.passed.as_ref().is_some_and(|passed| Arc::ptr_eq(&passed.config, &in_force.config) && passed.held == in_force.held)
    }

    /// How often connectors of this account's tunnels were refused.
    fn refused(&mut self) -> u64 {
        let refusals = self.refusals.borrow_and_update();
        let in_force = self.in_force.borrow();
        let own = |name: &TunnelName| in_force.config.tunnels.get(name).is_some_and(|tunnel| tunnel.account == self.account);
        refusals.iter().filter(|(name, _)| own(name)).map(|(_, count)| count).sum()
    }

    /// Whether there is a client and with which token, as far as it matters for another try.
    fn client_state(&self) -> Option<Option<CredentialId>> {
        self.shared.clients.borrow().get(&self.account).map(|client| client.as_ref().ok().and_then(Client::credential_id))
    }
}
