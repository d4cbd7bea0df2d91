//! Brings what is at Cloudflare to what is wanted, again and again.
//!
//! ```text
//!  intended ─▶ coordinator ── in force ──▶ worker, one for each account ─▶ Cloudflare
//!                   │                       pass: observe ─▶ plan ─▶ apply
//!                   │                               │                  │
//!                   └──────── wanted ◀── ledger ◀───┴──────────────────┘
//! ```
//!
//! The coordinator decides which configuration is in force and says which connectors are wanted: from what is on record, so that
//! tunnels run when Cloudflare's API does not. A worker makes the passes of one account, one after another: an API that hangs
//! for one account delays no other. A pass is made at the start, when the configuration in force changes, when a credential
//! arrives, when connectors report another version or are refused, on request, and in set intervals; one that fails is repeated
//! sooner.

mod account;
mod apply;
mod basis;
mod census;
mod changes;
mod coordinator;
mod identity;
mod in_force;
mod memory;
mod observe;
mod orphans;
mod ownership;
mod pass;
mod progress;
mod rotation;
mod steady;
mod steps;
mod telling;
mod trouble;
mod wanted;
mod worker;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub use changes::ConnectorChange;
pub use identity::IdentityError;
pub use orphans::Deletion;
pub use ownership::{OwnershipError, RouteTaken, Taking, TunnelAdopted, Which, Wish};
pub use pass::{Left, PassReport};
pub use steps::{StepNews, Work};

use crate::{
    cloudflare::Client,
    config::{ApplyMode, Config},
    connector::{Holders, SlotId, Wanted},
    desired::Intended,
    event::Sink,
    name::{AccountName, TunnelName},
    orphan::{self, Orphan, Orphans},
    plan::{Hold, HoldCode, Plan, PlanHash, Plans, Scope},
    record::{Fate, TunnelRecord},
    store::Ledger,
};

/// The client of each account, or why there is none yet.
pub type Clients = BTreeMap<AccountName, Result<Client, String>>;

/// The configuration version that the ready connectors of each tunnel run; a tunnel with a local configuration has any number.
pub type Reported = BTreeMap<TunnelName, i64>;

/// How often connectors of each tunnel were refused since the daemon started. A count that rises asks whether the tunnel still exists.
pub type Refusals = BTreeMap<TunnelName, u64>;

/// Requests that may wait for a worker. A person or two and a script ask at once; more means that the worker is stuck, and
/// whoever asks is told so.
const REQUESTS_MAX: usize = 16;

/// What the reconciler works with.
pub struct Start {
    /// What is on record, and the state directory.
    pub ledger: Ledger,
    /// What people want.
    pub intended: watch::Receiver<Arc<Intended>>,
    /// The configuration that was in force when the daemon ended last; with none, what people want is in force, or waits for
    /// the first `adit apply`.
    pub accepted: Option<Arc<Config>>,
    /// The clients, as credentials arrive.
    pub clients: watch::Receiver<Arc<Clients>>,
    /// What the connectors run.
    pub reported: watch::Receiver<Arc<Reported>>,
    /// Which connectors are refused.
    pub refusals: watch::Receiver<Arc<Refusals>>,
    /// Which processes hold which tunnel's secret.
    pub holders: watch::Receiver<Arc<Holders>>,
    /// `cloudflared` as an absolute path.
    pub binary: watch::Receiver<Arc<Path>>,
    /// Who is told.
    pub events: Sink,
    /// How often a pass is made when nothing else asks for one.
    pub interval: Duration,
    /// Ends it. A pass that runs is dropped where it is, which costs nothing: it could have crashed there.
    pub shutdown: CancellationToken,
}

/// The reconciler's handle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reconciler {
    ledger: Ledger,
    intended: watch::Receiver<Arc<Intended>>,
    wanted: watch::Receiver<Arc<Wanted>>,
    in_force: watch::Receiver<Arc<Intended>>,
    workers: watch::Receiver<BTreeMap<AccountName, mpsc::Sender<worker::Command>>>,
    requests: mpsc::Sender<coordinator::Request>,
    steps: steps::Steps,
    /// Held while the workers are told to stand by.
    standing_by: Arc<Mutex<()>>,
}

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Too many requests wait already.
    #[error("cannot ask the reconciler: {REQUESTS_MAX} requests wait already (a call to Cloudflare may hang; try again)")]
    Busy,
    /// The daemon ends.
    #[error("cannot ask the reconciler: the daemon is stopping")]
    Stopping,
    /// The plan is another one by now.
    #[error("cannot apply plan {asked}: it is {now} by now (look at it again)")]
    Changed {
        /// The plan that was asked for.
        asked: PlanHash,
        /// The plan as it is.
        now: PlanHash,
    },
    /// No rotation can be begun.
    #[error("cannot rotate the secret of tunnel \"{tunnel}\": {why}")]
    NotRotated {
        /// The tunnel.
        tunnel: TunnelName,
        /// Why not.
        why: String,
    },
    /// The configuration says that Adit only looks.
    #[error(
        "cannot write anything: [daemon] apply = \"observe\" in the configuration lets Adit only look (set it to \"auto\" or \"ask\")"
    )]
    ObserveOnly,
    /// The tunnel is still wanted.
    #[error("cannot delete tunnel \"{0}\": the configuration still has it")]
    StillWanted(TunnelName),
    /// What is left over is something else by now.
    #[error("cannot delete what {asked} names: what is left over is {now} by now (look at it again)")]
    OrphansChanged {
        /// The list that was asked for.
        asked: String,
        /// The list as it is.
        now: String,
    },
    /// Nothing that is left over has this name.
    #[error("cannot delete item {0:?}: nothing that is left over has that name")]
    NoSuchOrphan(String),
    /// What is left over is in use, or not proved to be ours.
    #[error("cannot delete item {item:?}: {why}")]
    OrphanKept {
        /// Which.
        item: String,
        /// Why not.
        why: String,
    },
    /// Nothing can be done about the tunnel.
    #[error("cannot delete tunnel \"{tunnel}\": {why}")]
    Held {
        /// The tunnel.
        tunnel: TunnelName,
        /// Why not.
        why: String,
    },
}

impl Reconciler {
    /// Starts the reconciler. It ends when it is told to.
    pub fn start(start: Start) -> (Self, JoinHandle<()>) {
        let (coordinator, reconciler) = coordinator::Coordinator::new(start);
        (reconciler, tokio::spawn(coordinator.run()))
    }

    /// The connectors that are wanted.
    pub fn wanted(&self) -> watch::Receiver<Arc<Wanted>> {
        self.wanted.clone()
    }

    /// What is in force: the configuration that people want, unless it waits for `adit apply`, with the stops of this moment.
    pub fn in_force(&self) -> watch::Receiver<Arc<Intended>> {
        self.in_force.clone()
    }

    /// What the workers do, from now on.
    pub fn watch_steps(&self) -> broadcast::Receiver<StepNews> {
        self.steps.watch()
    }

    /// Makes a pass over every account and waits for its end. After it, [`Reconciler::wanted`] says what came of it.
    ///
    /// # Errors
    ///
    /// [`RequestError::Busy`] and [`RequestError::Stopping`].
    pub async fn reconcile_now(&self, why: &'static str) -> Result<BTreeMap<AccountName, PassReport>, RequestError> {
        // What people wanted a moment ago is to be in this pass.
        self.ask_coordinator(coordinator::Request::CatchUp).await?;
        let reports = self.ask_all(|_, done| worker::Command::Reconcile { why, done }).await?;
        self.ask_coordinator(coordinator::Request::CatchUp).await?;
        Ok(reports)
    }

    /// What would change with what people want, or with `config` in the place of their configuration.
    ///
    /// # Errors
    ///
    /// [`RequestError::Busy`] and [`RequestError::Stopping`].
    pub async fn plan(&self, config: Option<Arc<Config>>) -> Result<Plans, RequestError> {
        let accounts: Vec<AccountName> =
            config.as_ref().unwrap_or(&self.intended.borrow().config).accounts.keys().cloned().collect();
        let mut plans = self.ask_all(|_, done| worker::Command::Plan { config: config.clone(), done }).await?;
        for account in accounts {
            plans.entry(account.clone()).or_insert_with(|| {
                let why = "the account is not in force yet, so nothing of it was read".to_owned();
                let hold = Hold { scope: Scope::Account, code: HoldCode::WaitsForApply, why };
                Plan { holds: vec![hold], ..Plan::empty(account) }
            });
        }
        Ok(Plans(plans))
    }

    /// What becomes of the connectors on this host when `config` is in force, as far as it is on record.
    pub fn connector_changes(&self, config: Arc<Config>) -> BTreeMap<SlotId, ConnectorChange> {
        let intended = self.intended.borrow();
        let next = Intended { config, stops: intended.stops.clone(), held: intended.held.clone() };
        // Where the program is makes no difference.
        let next = wanted::wanted(&next, &self.ledger.records(), &Path::new("").into());
        changes::changes(&self.wanted.borrow(), &next)
    }

    /// Puts in force what people want, and makes it so. With `hash`, only if the plan is exactly that one still; then also what
    /// waits for a confirmation is done.
    ///
    /// # Errors
    ///
    /// [`RequestError::Changed`], [`RequestError::ObserveOnly`], and [`RequestError::Busy`] and [`RequestError::Stopping`].
    pub async fn apply(&self, hash: Option<PlanHash>) -> Result<BTreeMap<AccountName, PassReport>, RequestError> {
        self.check_writes()?;
        let reports = match hash {
            None => {
                self.ask_coordinator(coordinator::Request::Promote).await?;
                self.ask_all(|_, done| worker::Command::Apply { done }).await?
            }
            Some(asked) => {
                let plans = self.plan(None).await?;
                let now = plans.hash();
                if now != asked {
                    return Err(RequestError::Changed { asked, now });
                }
                self.carry_out(&plans).await?
            }
        };
        self.ask_coordinator(coordinator::Request::CatchUp).await?;
        Ok(reports)
    }

    /// The same for plans that [`Reconciler::plan`] has just made.
    ///
    /// # Errors
    ///
    /// As [`Reconciler::apply`].
    pub async fn apply_plans(&self, plans: &Plans) -> Result<BTreeMap<AccountName, PassReport>, RequestError> {
        self.check_writes()?;
        let reports = self.carry_out(plans).await?;
        self.ask_coordinator(coordinator::Request::CatchUp).await?;
        Ok(reports)
    }

    /// Every account looks once more and stands by; only when each has the plan that was asked for, it is put in force and they go.
    /// Nothing is read a second time in between, so that what is done is what was compared.
    async fn carry_out(&self, plans: &Plans) -> Result<BTreeMap<AccountName, PassReport>, RequestError> {
        let (mut standing_by, mut reports) = (Vec::new(), Vec::new());
        {
            // Every worker gets two who ask at once in the same order: else each could have the worker that the other waits for.
            let _turn = self.standing_by.lock().unwrap_or_else(PoisonError::into_inner);
            for (account, worker) in self.workers.borrow().clone() {
                let Some(plan) = plans.0.get(&account) else {
                    let hash = plans.hash();
                    return Err(RequestError::Changed { asked: hash.clone(), now: hash });
                };
                let (looked, plan_now) = oneshot::channel();
                let (go, told) = oneshot::channel();
                let (done, report) = oneshot::channel();
                let command = worker::Command::Confirm { confirmed: plan.hash(), looked, go: told, done };
                worker.try_send(command).map_err(|error| match error {
                    mpsc::error::TrySendError::Full(_) => RequestError::Busy,
                    mpsc::error::TrySendError::Closed(_) => RequestError::Stopping,
                })?;
                standing_by.push((plan.hash(), plan_now, go));
                reports.push((account, report));
            }
        }
        let mut goes = Vec::new();
        for (confirmed, plan_now, go) in standing_by {
            let plan_now = plan_now.await.map_err(|_| RequestError::Stopping)?;
            if plan_now != confirmed {
                return Err(RequestError::Changed { asked: confirmed, now: plan_now });
            }
            goes.push(go);
        }
        self.ask_coordinator(coordinator::Request::Promote).await?;
        // A worker that ended with its account has nothing to go for.
        for go in goes {
            let _ = go.send(());
        }
        let mut result = BTreeMap::new();
        for (account, report) in reports {
            result.insert(account, report.await.map_err(|_| RequestError::Stopping)?);
        }
        // What is on record here can change in that moment too; then a pass has left everything as it was.
        match result.iter().find(|(account, report)| report.refused(&plans.0[*account])) {
            Some((account, report)) => Err(RequestError::Changed { asked: plans.0[account].hash(), now: report.plan.hash() }),
            None => Ok(result),
        }
    }

    /// Whether anything may be written at Cloudflare.
    ///
    /// # Errors
    ///
    /// [`RequestError::ObserveOnly`].
    pub fn check_writes(&self) -> Result<(), RequestError> {
        match self.intended.borrow().config.daemon.apply {
            ApplyMode::Observe => Err(RequestError::ObserveOnly),
            ApplyMode::Auto | ApplyMode::Ask => Ok(()),
        }
    }

    /// Deletes a tunnel that the configuration has no longer, with everything that it has at Cloudflare, and says whether nothing
    /// of it is left. What cannot be done at once goes on in later passes, also after a restart.
    ///
    /// # Errors
    ///
    /// [`RequestError::StillWanted`], [`RequestError::Held`] when its record cannot be read or written, and
    /// [`RequestError::Busy`] and [`RequestError::Stopping`].
    pub async fn delete_tunnel(&self, tunnel: &TunnelName) -> Result<bool, RequestError> {
        if self.intended.borrow().config.tunnels.contains_key(tunnel) {
            return Err(RequestError::StillWanted(tunnel.clone()));
        }
        let held = |why: String| RequestError::Held { tunnel: tunnel.clone(), why };
        let records = self.ledger.records();
        if let Some(why) = records.held.get(tunnel) {
            return Err(held(why.clone()));
        }
        let Some(record) = records.tunnels.get(tunnel) else { return Ok(true) };
        let marked = self.ask_all(|_, done| worker::Command::Delete { tunnel: tunnel.clone(), done }).await?;
        let marked: Vec<bool> = marked.into_values().collect::<Result<_, _>>().map_err(held)?;
        if !marked.contains(&true) {
            // Its account has left the configuration, so that nobody else writes the record.
            let record = TunnelRecord { fate: Fate::Delete, ..record.clone() };
            self.ledger.save(record).await.map_err(|error| held(trouble::with_causes(&error)))?;
        }
        self.reconcile_now("deletion").await?;
        Ok(!self.ledger.records().tunnels.contains_key(tunnel))
    }

    /// Begins to replace the secret of a tunnel, and says whether that changes anything: one that goes on is left alone, unless it
    /// becomes an emergency. It goes on in passes, also after a restart.
    ///
    /// # Errors
    ///
    /// [`RequestError::NotRotated`], and [`RequestError::Busy`] and [`RequestError::Stopping`].
    pub async fn rotate_tunnel(&self, tunnel: &TunnelName, emergency: bool, by: String) -> Result<bool, RequestError> {
        self.check_writes()?;
        let not_rotated = |why: String| RequestError::NotRotated { tunnel: tunnel.clone(), why };
        let records = self.ledger.records();
        if let Some(why) = records.held.get(tunnel) {
            return Err(not_rotated(why.clone()));
        }
        if let Some(seal) = &records.seal {
            return Err(not_rotated(seal.to_string()));
        }
        let command = |_: &AccountName, done| worker::Command::Rotate { tunnel: tunnel.clone(), emergency, by: by.clone(), done };
        let begun = self.ask_all(command).await?.into_values().collect::<Result<Vec<_>, _>>().map_err(not_rotated)?;
        let Some(begun) = begun.into_iter().flatten().next() else {
            return Err(not_rotated("it is not made yet, or its account cannot be read".to_owned()));
        };
        self.reconcile_now("rotation").await?;
        Ok(begun)
    }

    /// Everything that is left over at Cloudflare of this installation, by account. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`RequestError::Busy`] and [`RequestError::Stopping`].
    pub async fn orphans(&self) -> Result<BTreeMap<AccountName, Orphans>, RequestError> {
        self.ask_all(|_, done| worker::Command::FindOrphans { done }).await
    }

    /// Deletes `items` of what is left over, or with none of them all that can be deleted, if what can be is exactly what `hash`
    /// names still ([`orphan::hash`]). Each is looked at again right before.
    ///
    /// # Errors
    ///
    /// [`RequestError::ObserveOnly`], [`RequestError::OrphansChanged`], [`RequestError::NoSuchOrphan`] and
    /// [`RequestError::OrphanKept`], when nothing is deleted, and [`RequestError::Busy`] and [`RequestError::Stopping`].
    pub async fn delete_orphans(&self, hash: &str, items: &[String]) -> Result<Vec<Deletion>, RequestError> {
        self.check_writes()?;
        let found = self.orphans().await?;
        let all = || found.values().flat_map(|found| &found.orphans);
        let now = orphan::hash(all());
        if now != hash {
            return Err(RequestError::OrphansChanged { asked: hash.to_owned(), now });
        }
        for item in items {
            let orphan = all().find(|orphan| orphan.item == *item).ok_or_else(|| RequestError::NoSuchOrphan(item.clone()))?;
            if let Some(why) = &orphan.kept {
                return Err(RequestError::OrphanKept { item: item.clone(), why: why.clone() });
            }
        }
        let is_chosen = |orphan: &&Orphan| orphan.is_deletable() && (items.is_empty() || items.contains(&orphan.item));
        let chosen = |account: &AccountName| -> Vec<Orphan> {
            found.get(account).into_iter().flat_map(|found| &found.orphans).filter(is_chosen).cloned().collect()
        };
        let deletions = self.ask_all(|account, done| worker::Command::DeleteOrphans { chosen: chosen(account), done }).await?;
        self.ask_coordinator(coordinator::Request::CatchUp).await?;
        Ok(deletions.into_values().flatten().collect())
    }

    async fn ask_coordinator(&self, request: impl Fn(oneshot::Sender<()>) -> coordinator::Request) -> Result<(), RequestError> {
        let (done, answer) = oneshot::channel();
        self.requests.send(request(done)).await.map_err(|_| RequestError::Stopping)?;
        answer.await.map_err(|_| RequestError::Stopping)
    }

    /// Asks every worker and waits for all answers.
    async fn ask_all<T>(
        &self,
        command: impl Fn(&AccountName, oneshot::Sender<T>) -> worker::Command,
    ) -> Result<BTreeMap<AccountName, T>, RequestError> {
        let workers = self.workers.borrow().clone();
        let mut answers = Vec::new();
        for (account, worker) in workers {
            let (done, answer) = oneshot::channel();
            match worker.try_send(command(&account, done)) {
                Ok(()) => answers.push((account, answer)),
                Err(mpsc::error::TrySendError::Full(_)) => return Err(RequestError::Busy),
                // The account has just left the configuration.
                Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
        }
        let mut result = BTreeMap::new();
        for (account, answer) in answers {
            result.insert(account, answer.await.map_err(|_| RequestError::Stopping)?);
        }
        Ok(result)
    }
}
