//! Decides what is in force, says which connectors are wanted, and keeps a worker for each account.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    REQUESTS_MAX, Reconciler, Refusals, Reported, Start,
    in_force::in_force,
    memory::Memory,
    progress::Progress,
    steady::SteadyClock,
    steps::Steps,
    wanted::wanted,
    worker::{Command, Proposal, Shared, Worker},
};
use crate::{
    config::Config,
    connector::{Holders, Wanted},
    desired::Intended,
    event::{CredentialState, ProvisioningEvent},
    name::AccountName,
    record::Records,
};

/// How long changes of what is on record are gathered before it is worked out again which connectors are wanted: a first
/// provisioning changes thousands of times, and a connector that starts a moment later is no loss.
const CHANGES_GATHERED_FOR: Duration = Duration::from_millis(50);

/// What is asked of the coordinator. Each is answered when it is done.
pub(super) enum Request {
    /// To take in what people want and what is on record at this moment.
    CatchUp(oneshot::Sender<()>),
    /// To put that in force, whatever it waits for.
    Promote(oneshot::Sender<()>),
}

/// The task that all workers belong to.
pub(super) struct Coordinator {
    shared: Shared,
    intended: watch::Receiver<Arc<Intended>>,
    reported: watch::Receiver<Arc<Reported>>,
    refusals: watch::Receiver<Arc<Refusals>>,
    holders: watch::Receiver<Arc<Holders>>,
    binary: watch::Receiver<Arc<Path>>,
    records: watch::Receiver<Arc<Records>>,
    shutdown: CancellationToken,
    requests: mpsc::Receiver<Request>,
    in_force: watch::Sender<Arc<Intended>>,
    proposal: watch::Sender<Option<Arc<Proposal>>>,
    wanted: watch::Sender<Arc<Wanted>>,
    senders: watch::Sender<BTreeMap<AccountName, mpsc::Sender<Command>>>,
    /// What ends each worker.
    workers: BTreeMap<AccountName, CancellationToken>,
    tasks: JoinSet<AccountName>,
}

impl Coordinator {
    pub(super) fn new(start: Start) -> (Self, Reconciler) {
        let Start {
            ledger,
            mut intended,
            accepted,
            clients,
            reported,
            refusals,
            holders,
            mut binary,
            events,
            interval,
            shutdown,
        } = start;
        let people = intended.borrow_and_update().clone();
        let (config, reason) = in_force(accepted.as_ref(), &people.config);
        let proposal = reason.map(|reason| Arc::new(Proposal { intended: people.clone(), reason }));
        let forced = Arc::new(with(&people, config));
        let first = wanted(&forced, &ledger.records(), &binary.borrow_and_update());

        let (ask, requests) = mpsc::channel(REQUESTS_MAX);
        let mut coordinator = Self {
            records: ledger.subscribe(),
            in_force: watch::Sender::new(forced),
            proposal: watch::Sender::new(proposal),
            wanted: watch::Sender::new(Arc::new(first)),
            senders: watch::Sender::new(BTreeMap::new()),
            shared: Shared {
                ledger: ledger.clone(),
                clients,
                events,
                steps: Steps::default(),
                interval,
                clock: SteadyClock::start(),
            },
            intended: intended.clone(),
            reported,
            refusals,
            holders,
            binary,
            shutdown,
            requests,
            workers: BTreeMap::new(),
            tasks: JoinSet::new(),
        };
        let reconciler = Reconciler {
            ledger,
            intended,
            wanted: coordinator.wanted.subscribe(),
            in_force: coordinator.in_force.subscribe(),
            workers: coordinator.senders.subscribe(),
            requests: ask,
            steps: coordinator.shared.steps.clone(),
            standing_by: Arc::default(),
        };
        coordinator.keep_workers();
        (coordinator, reconciler)
    }

    /// Runs until it is told to end, and then until every worker has.
    pub(super) async fn run(mut self) {
        let mut publish_at: Option<Instant> = None;
        loop {
            let due = publish_at.unwrap_or_else(Instant::now);
            // Every arm only receives, so that nothing is lost when another one wins.
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                Ok(()) = self.intended.changed() => self.consider(),
                Some(request) = self.requests.recv() => self.obey(request),
                () = sleep_until(due), if publish_at.is_some() => {
                    publish_at = None;
                    self.publish();
                }
                Ok(()) = self.records.changed() => {
                    publish_at.get_or_insert(Instant::now() + CHANGES_GATHERED_FOR);
                }
                Ok(()) = self.binary.changed() => self.publish(),
                Some(ended) = self.tasks.join_next() => self.take_ended(ended),
                else => break,
            }
        }
        self.senders.send_replace(BTreeMap::new());
        self.workers.values().for_each(CancellationToken::cancel);
        while let Some(ended) = self.tasks.join_next().await {
            propagate(ended);
        }
    }

    /// What people want has changed: it is in force now, or waits.
    fn consider(&mut self) {
        let people = self.intended.borrow_and_update().clone();
        let before = self.in_force.borrow().config.clone();
        let (config, reason) = in_force(Some(&before), &people.config);
        self.put_in_force(&people, config, reason);
    }

    fn obey(&mut self, request: Request) {
        let done = match request {
            Request::CatchUp(done) => {
                if self.intended.has_changed().unwrap_or(false) {
                    self.consider();
                }
                self.publish();
                done
            }
            Request::Promote(done) => {
                let people = self.intended.borrow_and_update().clone();
                let config = people.config.clone();
                self.put_in_force(&people, config, None);
                done
            }
        };
        // Who asked may have gone.
        let _ = done.send(());
    }

    fn put_in_force(&mut self, people: &Arc<Intended>, config: Arc<Config>, reason: Option<String>) {
        let proposal = reason.map(|reason| Arc::new(Proposal { intended: people.clone(), reason }));
        self.proposal.send_if_modified(|current| {
            let both_nothing = current.is_none() && proposal.is_none();
            *current = proposal;
            !both_nothing
        });
        self.in_force.send_replace(Arc::new(with(people, config)));
        self.keep_workers();
        self.publish();
    }

    fn publish(&mut self) {
        let records = self.records.borrow_and_update().clone();
        let mut next = wanted(&self.in_force.borrow(), &records, &self.binary.borrow_and_update());
        next.keep_launches(&self.wanted.borrow());
        self.wanted.send_if_modified(|current| {
            let changed = **current != next;
            if changed {
                *current = Arc::new(next);
            }
            changed
        });
    }

    /// A worker for each account in force, and none for others.
    fn keep_workers(&mut self) {
        let accounts = self.in_force.borrow().config.accounts.keys().cloned().collect::<Vec<_>>();
        let gone: Vec<AccountName> = self.workers.keys().filter(|account| !accounts.contains(account)).cloned().collect();
        for account in gone {
            if let Some(token) = self.workers.remove(&account) {
                token.cancel();
            }
            self.senders.send_modify(|senders| drop(senders.remove(&account)));
            self.shared.events.tell(ProvisioningEvent::AccountLeft { account });
        }
        for account in accounts {
            if !self.workers.contains_key(&account) {
                self.start_worker(account);
            }
        }
    }

    fn start_worker(&mut self, account: AccountName) {
        let (sender, commands) = mpsc::channel(REQUESTS_MAX);
        let token = self.shutdown.child_token();
        let worker = Worker {
            account: account.clone(),
            shared: self.shared.clone(),
            in_force: self.in_force.subscribe(),
            intended: self.intended.clone(),
            proposal: self.proposal.subscribe(),
            reported: self.reported.clone(),
            refusals: self.refusals.clone(),
            holders: self.holders.clone(),
            commands,
            memory: Memory::default(),
            zones_doubted: false,
            pinned: None,
            progress: Progress::default(),
            credential: CredentialState::Unknown,
            failures: 0,
            pause: None,
            next: Instant::now(),
            passed: None,
            seen: None,
            holds: Vec::new(),
            conflicts: Vec::new(),
            told: None,
        };
        self.workers.insert(account.clone(), token.clone());
        self.senders.send_modify(|senders| drop(senders.insert(account.clone(), sender)));
        self.tasks.spawn(async move {
            token.run_until_cancelled(worker.run()).await;
            account
        });
    }

    /// A worker has ended, in whose last moment it may have told of its account once more.
    fn take_ended(&mut self, ended: Result<AccountName, JoinError>) {
        if let Some(account) = propagate(ended)
            && !self.workers.contains_key(&account)
        {
            self.shared.events.tell(ProvisioningEvent::AccountLeft { account });
        }
    }
}

/// What people want, with another configuration in force.
fn with(people: &Intended, config: Arc<Config>) -> Intended {
    Intended { config, stops: people.stops.clone(), held: people.held.clone() }
}

/// The account whose worker ended. One that panics is a mistake of ours, and ends the daemon loudly.
fn propagate(ended: Result<AccountName, JoinError>) -> Option<AccountName> {
    match ended {
        Ok(account) => Some(account),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}
