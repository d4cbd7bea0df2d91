//! What the control socket asks of the daemon: each answer is put together from the parts that know.

mod credentials;
mod diagnosis;
mod doctor;
mod feeds;
mod identity;
mod origins;
mod ownership;
mod progress;
mod refusals;
mod replacements;
mod traffic;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::watch;

use self::{
    feeds::{follow_entries, follow_lines, followed, newest, wants_entry, wants_line},
    progress::Mine,
    refusals::{IDENTITY, endless, invalid, not_asked, not_restarted, refused, slow},
};
use super::{
    audit::{Audit, By},
    credential_check,
    page_reader::PageReader,
    reload::Reload,
    tokens::Tokens,
};
use crate::{
    config::{Access, ApplyMode, Config},
    connector::Stop,
    control::{
        self, AuditQuery, Backend, Definition, DiagnoseQuery, EventQuery, Feed, LogQuery, Principal, Progress, Told,
        api::{
            AdoptRoute, AdoptTunnel, Applied, AuditEntry, Change, CheckOrigins, Configuration, ConnectorTraffic, Credential,
            CredentialCheck, Daemon, DeleteOrphans, DeletedOrphans, Diagnosis, DoctorReport, Error, ErrorKind, Event, Followed,
            Forgotten, Identity, LogLine, OriginCheck, Orphans, Overview, Plan, Reloaded, Replaced, RouteAdopted, RouteAdoption,
            Tunnel, TunnelAdopted, TunnelAdoption,
        },
        view,
    },
    desired::Intended,
    event::{DaemonEvent, Sink},
    health::health,
    intent::{ChangeError, Changed, Intent, configuration_version, definition_version},
    name::{AccountName, TunnelName},
    plan::{PlanHash, Plans},
    reconciler::{PassReport, Reconciler, RequestError},
    recorder::Recorder,
    route_probe::Prober,
    supervisor::{Restart, Supervisor},
};

/// What a connector that was killed after its grace period may take besides, until it is gone.
const DRAIN_MARGIN: Duration = Duration::from_secs(10);

/// What came of the passes, by account.
type Reports = BTreeMap<AccountName, PassReport>;

/// How long a look at Cloudflare may take that somebody waits for.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(120);

/// How long a change may take that is an operation: a first provisioning of a thousand tunnels waits eleven minutes for the rate
/// limit. Then its end says that it goes on by itself.
const OPERATION_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// How many tunnels are shown before somebody else may change the status: that takes a tenth of a millisecond.
const SHOWN_AT_ONCE: usize = 32;

/// How many of a tunnel's last lines are looked through for those of one replica: as many as are given at most.
const LOOKED_AT_FOR_A_REPLICA: usize = 10_000;

/// Everything that an answer may be made from.
pub(super) struct DaemonBackend {
    pub(super) intent: Intent,
    pub(super) reload: Reload,
    pub(super) reconciler: Reconciler,
    pub(super) supervisor: Supervisor,
    pub(super) recorder: Recorder,
    pub(super) tokens: Tokens,
    pub(super) audit: Arc<Audit>,
    pub(super) events: Sink,
    pub(super) pages: PageReader,
    pub(super) prober: Prober,
}

impl DaemonBackend {
    fn intended(&self) -> Arc<Intended> {
        self.intent.intended()
    }

    fn acted(&self, by: &Principal, verb: &'static str, tunnel: &TunnelName) {
        self.events.tell(DaemonEvent::OperatorActed { who: by.who(), verb, tunnel: Some(tunnel.clone()) });
    }

    /// Waits until no connector of a tunnel that is wanted no more is left, or until each had the time to finish its requests.
    async fn until_drained(&self, name: &TunnelName) {
        let patience = self.intended().config.cloudflared.grace_period + DRAIN_MARGIN;
        let mut happened = self.recorder.feed().follow(Some(u64::MAX)).next;
        let drained = async {
            while self.recorder.status().tunnels.get(name).is_some_and(|tunnel| !tunnel.connectors.is_empty()) {
                // Whether something happened or was missed, the status is looked at again.
                let _ = happened.recv().await;
            }
        };
        let _ = tokio::time::timeout(patience, drained).await;
    }

    /// The plan of the files on disk, if it is the one that was looked at still.
    async fn looked_at(&self, asked: PlanHash) -> Result<Plans, Error> {
        let (plans, _) = self.preview().await?;
        let now = plans.hash();
        if now == asked { Ok(plans) } else { Err(not_asked(RequestError::Changed { asked, now })) }
    }

    /// What the files on disk would change, from a fresh look at Cloudflare.
    async fn preview(&self) -> Result<(Plans, Arc<Config>), Error> {
        let preview = self.intent.preview().await;
        let preview = preview.map_err(|problems| invalid("cannot plan: the configuration is wrong", problems))?;
        let planning = tokio::time::timeout(REQUEST_TIME_MAX, self.reconciler.plan(Some(preview.config.clone())));
        Ok((planning.await.map_err(|_| slow())?.map_err(not_asked)?, preview.config.clone()))
    }

    /// Applies what there is to do. Of a plan that was looked at, the reload may have begun a part: what is left of it is confirmed,
    /// and a step that was not in it ends the whole.
    async fn apply_what_is_left(&self, looked_at: Option<Plans>) -> Result<(PlanHash, Reports), Error> {
        let Some(looked_at) = looked_at else {
            let reports = self.reconciler.apply(None).await.map_err(not_asked)?;
            return Ok((PlanHash::new(""), reports));
        };
        loop {
            let left = self.reconciler.plan(None).await.map_err(not_asked)?;
            if !left.is_part_of(&looked_at) {
                return Err(not_asked(RequestError::Changed { asked: looked_at.hash(), now: left.hash() }));
            }
            match self.reconciler.apply(Some(left.hash())).await {
                // A pass was faster; what it left is looked at again.
                Err(RequestError::Changed { .. }) => {}
                outcome => return Ok((looked_at.hash(), outcome.map_err(not_asked)?)),
            }
        }
    }

    async fn set_stop(&self, by: &Principal, name: &TunnelName, stop: Option<Stop>) -> Result<Change, Error> {
        let verb = if stop.is_some() { "stop" } else { "start" };
        let changed = self.intent.set_stop(name.clone(), stop).await.map_err(refused)?;
        if changed != Changed::Unchanged {
            self.acted(by, verb, name);
        }
        Ok(change(changed))
    }
}

impl Backend for DaemonBackend {
    fn access(&self) -> Arc<Access> {
        Arc::new(self.intended().config.access.clone())
    }

    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn overview(&self) -> Overview {
        let intended = self.intended();
        let problems = self.intent.files().problems.clone();
        let status = self.recorder.status();
        let accounts = intended.config.accounts.keys();
        Overview {
            daemon: Daemon {
                version: self.version(),
                pid: std::process::id(),
                started_at: status.started_at,
                config_problems: problems.clone(),
            },
            health: view::health(&health(&intended, &status, &problems, &self.intent.unreadable())),
            cloudflared: status.program.as_ref().map(view::cloudflared),
            uplink: view::uplink(&status.uplink),
            accounts: accounts.map(|name| view::account(name, status.accounts.get(name))).collect(),
            last_change: self.recorder.feed().last().map(|entry| view::event(&entry)),
        }
    }

    fn tunnels(&self, show: &mut dyn FnMut(&Tunnel)) {
        let (intended, defined_at) = (self.intended(), self.intent.defined_at());
        let names: Vec<TunnelName> = view::names(&intended, &self.recorder.status()).into_iter().cloned().collect();
        // Events wait for the status, and connectors for those who tell them.
        for names in names.chunks(SHOWN_AT_ONCE) {
            let status = self.recorder.status();
            for tunnel in names.iter().filter_map(|name| view::tunnel(&intended, defined_at, &status, name)) {
                show(&tunnel);
            }
        }
    }

    fn revision(&self) -> u64 {
        // Both only grow, so no two states have the same sum.
        self.recorder.revision() + self.intent.revision()
    }

    fn tunnel(&self, name: &TunnelName) -> Option<Tunnel> {
        view::tunnel(&self.intended(), self.intent.defined_at(), &self.recorder.status(), name)
    }

    fn definition(&self, name: &TunnelName) -> Option<Definition> {
        let intended = self.intended();
        let Some(tunnel) = intended.config.tunnels.get(name) else {
            // A tunnel that is being taken down, or whose definition cannot be read, is there and has none.
            return self.tunnel(name).map(|_| Definition { value: Value::Null, version: "0".to_owned() });
        };
        Some(Definition { value: tunnel.definition(), version: definition_version(tunnel) })
    }

    async fn create(&self, by: &Principal, name: TunnelName, definition: Value) -> Result<Change, Error> {
        let changed = self.intent.create(name.clone(), object(definition)?).await.map_err(refused)?;
        if changed != Changed::Unchanged {
            self.acted(by, "create", &name);
        }
        Ok(change(changed))
    }

    async fn replace(
        &self,
        by: &Principal,
        name: &TunnelName,
        definition: Value,
        expected: Option<&str>,
    ) -> Result<Change, Error> {
        let expected = expected.map(str::to_owned);
        let changed = self.intent.replace(name.clone(), object(definition)?, expected).await.map_err(refused)?;
        if changed != Changed::Unchanged {
            self.acted(by, "update", name);
        }
        Ok(change(changed))
    }

    async fn delete(
        &self,
        by: &Principal,
        name: &TunnelName,
        expected: Option<&str>,
        progress: &Progress,
    ) -> Result<Change, Error> {
        self.reconciler.check_writes().map_err(not_asked)?;
        match self.intent.remove(name.clone(), expected.map(str::to_owned)).await {
            Ok(_) => self.acted(by, "delete", name),
            // Its definition is gone already and something of it is left: deleting goes on.
            Err(ChangeError::NotFound(_)) if self.tunnel(name).is_some() => {}
            Err(error) => return Err(refused(error)),
        }
        // The definition is gone for good. What is at Cloudflare goes when the connectors have finished their requests, step by step,
        // and on its own when this takes too long.
        progress.say(format!("the connectors of tunnel {name} finish their requests"));
        let deleting = async {
            self.until_drained(name).await;
            self.reconciler.delete_tunnel(name).await
        };
        let deleting = self.telling(progress, Mine::Of(name.clone()), deleting);
        tokio::time::timeout(OPERATION_TIME_MAX, deleting).await.unwrap_or(Ok(false)).map_err(not_asked)?;
        Ok(Change::Accepted)
    }

    async fn start(&self, by: &Principal, name: &TunnelName) -> Result<Change, Error> {
        self.set_stop(by, name, None).await
    }

    async fn stop(&self, by: &Principal, name: &TunnelName) -> Result<Change, Error> {
        self.set_stop(by, name, Some(Stop { by: by.who(), at: Timestamp::now() })).await
    }

    async fn restart(&self, by: &Principal, name: &TunnelName) -> Result<Change, Error> {
        let intended = self.intended();
        if !intended.config.tunnels.contains_key(name) {
            return Err(refused(ChangeError::NotFound(name.clone())));
        }
        if let Some(stop) = intended.stops.get(name) {
            let message = format!("cannot restart tunnel {name}: {} stopped it", stop.by);
            return Err(Error::new(ErrorKind::Conflict, message).with_hint(format!("start it with `adit tunnel start {name}`")));
        }
        self.supervisor.restart(name, Restart::MakeBeforeBreak).await.map_err(not_restarted)?;
        self.acted(by, "restart", name);
        Ok(Change::Accepted)
    }

    async fn plan(&self) -> Result<Plan, Error> {
        let (plans, config) = self.preview().await?;
        let changes = self.reconciler.connector_changes(config);
        let starts = replacements::started_by(&changes);
        Ok(view::plan(&plans, self.replaced_by(changes).await, starts))
    }

    async fn rotate(&self, by: &Principal, name: &TunnelName, emergency: bool, progress: &Progress) -> Result<Change, Error> {
        if !self.intended().config.tunnels.contains_key(name) {
            return Err(refused(ChangeError::NotFound(name.clone())));
        }
        progress.say(format!("tunnel {name} gets another secret"));
        let rotating = self.reconciler.rotate_tunnel(name, emergency, by.who());
        let rotating = self.telling(progress, Mine::Of(name.clone()), rotating);
        let begun = tokio::time::timeout(OPERATION_TIME_MAX, rotating).await.map_err(|_| endless())?.map_err(not_asked)?;
        if begun {
            self.acted(by, "rotate", name);
        }
        Ok(if begun { Change::Accepted } else { Change::Unchanged })
    }

    async fn restart_plan(&self, name: &TunnelName) -> Vec<Replaced> {
        self.replaced_by_restart(name).await
    }

    async fn apply(&self, by: &Principal, hash: Option<&str>, progress: &Progress) -> Result<Applied, Error> {
        let preview = self.intent.preview().await;
        let preview = preview.map_err(|problems| invalid("cannot apply: the configuration is wrong", problems))?;
        if preview.config.daemon.apply == ApplyMode::Observe {
            return Err(not_asked(RequestError::ObserveOnly));
        }
        if let Some(seal) = self.reconciler.ledger().store().seal() {
            return Err(Error::new(ErrorKind::Hold, format!("cannot apply: {seal}")).with_hint(IDENTITY));
        }
        progress.say("Adit looks at Cloudflare and plans");
        let looked_at = match hash {
            Some(hash) => Some(self.looked_at(PlanHash::new(hash)).await?),
            None => None,
        };
        let steps = |plans: &Plans| plans.0.values().map(|plan| plan.steps.len() + plan.waiting.len()).sum();
        let expected = looked_at.as_ref().map_or(0, steps);
        let applying = async {
            // It may begin a part of the plan at once.
            self.reload
                .now(By::Person(by))
                .await
                .map_err(|problems| invalid("cannot apply: the configuration in force stays", problems))?;
            self.apply_what_is_left(looked_at).await
        };
        let applying = self.telling_count(progress, Mine::All, expected, applying);
        let (applied, done) = tokio::time::timeout(OPERATION_TIME_MAX, applying).await.map_err(|_| endless())?;
        let (hash, reports) = applied?;
        self.events.tell(DaemonEvent::OperatorActed { who: by.who(), verb: "apply", tunnel: None });
        let applied = view::applied(hash.to_string(), &reports);
        // What the reload began is no part of the reports, and was done all the same.
        let done = usize::try_from(done).unwrap_or(usize::MAX);
        Ok(Applied { done: applied.done.max(done), ..applied })
    }

    async fn logs(&self, name: &TunnelName, query: &LogQuery) -> Result<Vec<LogLine>, Error> {
        let count = usize::from(query.lines.get());
        // The lines of one replica may be rare among those of all.
        let looked_at = if query.replica.is_some() { LOOKED_AT_FOR_A_REPLICA } else { count };
        let recent = self.supervisor.recent_logs(name, looked_at).await;
        let mut lines: Vec<LogLine> = recent.lines.iter().map(view::log_line).filter(|line| wants_line(query, line)).collect();
        lines.drain(..lines.len().saturating_sub(count));
        Ok(lines)
    }

    async fn follow_logs(&self, name: &TunnelName, query: &LogQuery) -> Result<Feed<LogLine>, Error> {
        Ok(Box::pin(follow_lines(self.supervisor.clone(), name.clone(), query.clone()).await))
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<Event>, Error> {
        let entries = self.recorder.feed().entries(query.since);
        Ok(newest(entries.iter().filter(|entry| wants_entry(query, entry)).map(|entry| view::event(entry)).collect(), query))
    }

    async fn follow_events(&self, query: &EventQuery) -> Result<Feed<Event>, Error> {
        let following = self.recorder.feed().follow(query.since);
        let past = following.past.iter().filter(|entry| wants_entry(query, entry)).map(|entry| view::event(entry));
        let past: Vec<Event> = past.collect();
        let left_out = past.len().saturating_sub(usize::from(query.limit.get())) as u64;
        // Who goes on behind an event is told what it does not get; who begins gets the newest.
        let missed = (left_out + u64::from(following.has_gap)).min(if query.since.is_some() { u64::MAX } else { 0 });
        let missed = (missed > 0).then_some(Followed::Missed(missed));
        let past = missed.into_iter().chain(newest(past, query).into_iter().map(Followed::Item));
        let query = query.clone();
        let next = followed(following.next).filter_map(move |followed| {
            std::future::ready(match followed {
                Followed::Item(entry) if wants_entry(&query, &entry) => Some(Followed::Item(view::event(&entry))),
                Followed::Item(_) => None,
                Followed::Missed(count) => Some(Followed::Missed(count)),
            })
        });
        Ok(Box::pin(stream::iter(past).chain(next)))
    }

    fn configuration(&self) -> Configuration {
        let files = self.intent.files();
        Configuration {
            accepted_at: Some(files.accepted_at),
            files: files.sources.iter().map(|source| source.path.display().to_string()).collect(),
            problems: files.problems.clone(),
            value: serde_json::to_value(&*self.intended().config)
                .expect("a configuration is made of strings, numbers and tables"),
        }
    }

    async fn reload(&self, by: &Principal) -> Result<Reloaded, Error> {
        let before = self.intended();
        let intended = self
            .reload
            .now(By::Person(by))
            .await
            .map_err(|problems| invalid("cannot reload: the configuration in force stays", problems))?;
        self.events.tell(DaemonEvent::OperatorActed { who: by.who(), verb: "reload", tunnel: None });
        let same = before.config == intended.config;
        let change = if same { Change::Unchanged } else { Change::Accepted };
        Ok(Reloaded { change, tunnels: intended.config.tunnels.len() })
    }

    fn credentials(&self) -> Vec<Credential> {
        let known = self.tokens.known();
        let now = Timestamp::now();
        let intended = self.intended();
        intended.config.accounts.iter().map(|(name, account)| credentials::shown(name, account, known.get(name), now)).collect()
    }

    async fn check_credentials(&self, account: Option<&AccountName>, progress: &Progress) -> Result<Vec<CredentialCheck>, Error> {
        let intended = self.intended();
        if let Some(account) = account
            && !intended.config.accounts.contains_key(account)
        {
            let message = format!("cannot check the token of account \"{account}\": the configuration has no such account");
            let names: Vec<&str> = intended.config.accounts.keys().map(|name| name.as_str()).collect();
            return Err(Error::new(ErrorKind::NotFound, message).with_hint(format!("it has {}", names.join(", "))));
        }
        let mut answers = Vec::new();
        let is_asked = |name: &AccountName| account.is_none_or(|account| account == name);
        let total = intended.config.accounts.keys().filter(|name| is_asked(name)).count() as u64;
        for (name, settings) in intended.config.accounts.iter().filter(|(name, _)| is_asked(name)) {
            progress.tell(Told {
                done: answers.len() as u64,
                total,
                sentence: format!("what the token of account {name} may do is tried"),
            });
            let checks = match self.tokens.client(name) {
                Some(Ok(client)) => {
                    let checking = credential_check::of_account(&client, name, settings, &intended.config);
                    let (checks, status) = tokio::time::timeout(REQUEST_TIME_MAX, checking).await.map_err(|_| slow())?;
                    if let Some(status) = status {
                        self.tokens.learn(name, &status);
                    }
                    checks
                }
                Some(Err(why)) => vec![credential_check::unreadable(why)],
                None => vec![credential_check::unreadable("the account is being set up".to_owned())],
            };
            answers.push(CredentialCheck { account: name.to_string(), checks });
        }
        Ok(answers)
    }

    async fn look_at_tunnel(&self, name: &TunnelName, asked: &AdoptTunnel) -> Result<TunnelAdoption, Error> {
        self.show_tunnel(name, asked).await
    }

    async fn adopt_tunnel(
        &self,
        by: &Principal,
        name: &TunnelName,
        asked: &AdoptTunnel,
        progress: &Progress,
    ) -> Result<TunnelAdopted, Error> {
        self.telling(progress, Mine::Of(name.clone()), self.take_tunnel(by, name, asked, progress)).await
    }

    async fn forget_tunnel(&self, by: &Principal, name: &TunnelName, progress: &Progress) -> Result<Forgotten, Error> {
        self.telling(progress, Mine::Of(name.clone()), self.give_up(by, name, progress)).await
    }

    async fn look_at_route(&self, asked: &AdoptRoute) -> Result<RouteAdoption, Error> {
        self.show_route(asked).await
    }

    async fn adopt_route(&self, by: &Principal, asked: &AdoptRoute, progress: &Progress) -> Result<RouteAdopted, Error> {
        self.telling(progress, Mine::All, self.take_route(by, asked, progress)).await
    }

    async fn check_origins(&self, request: &CheckOrigins) -> Result<Vec<OriginCheck>, Error> {
        self.try_origins(request).await
    }

    fn identity(&self) -> Identity {
        self.identity_view()
    }

    async fn take_over_identity(&self, by: &Principal) -> Result<Identity, Error> {
        self.take_over(by).await
    }

    async fn new_identity(&self, by: &Principal) -> Result<Identity, Error> {
        self.begin_anew(by).await
    }

    async fn orphans(&self) -> Result<Orphans, Error> {
        let looking = tokio::time::timeout(REQUEST_TIME_MAX, self.reconciler.orphans());
        Ok(view::orphans(&looking.await.map_err(|_| slow())?.map_err(not_asked)?))
    }

    async fn delete_orphans(
        &self,
        by: &Principal,
        request: &DeleteOrphans,
        progress: &Progress,
    ) -> Result<DeletedOrphans, Error> {
        progress.say("Adit looks for what is left over");
        let deleting = self.reconciler.delete_orphans(&request.hash, &request.items);
        let deleting = self.telling(progress, Mine::All, deleting);
        let deletions = tokio::time::timeout(OPERATION_TIME_MAX, deleting).await.map_err(|_| endless())?.map_err(not_asked)?;
        self.events.tell(DaemonEvent::OperatorActed { who: by.who(), verb: "gc", tunnel: None });
        Ok(view::deleted_orphans(&deletions))
    }

    async fn doctor(&self, online: bool) -> Result<DoctorReport, Error> {
        self.examine(online).await
    }

    async fn diagnose(&self, question: &DiagnoseQuery) -> Result<Diagnosis, Error> {
        self.walk(question).await
    }

    async fn traffic(&self) -> Vec<ConnectorTraffic> {
        self.read_traffic().await
    }

    fn audit(&self, entry: &control::Audit<'_>) {
        self.audit.keep(entry);
    }

    fn watch(&self) -> watch::Receiver<()> {
        self.recorder.watch()
    }

    fn configuration_version(&self) -> String {
        configuration_version(&self.intended().config)
    }

    async fn audited(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, Error> {
        Ok(self.audit.read(query).await)
    }

    async fn follow_audited(&self, query: &AuditQuery) -> Result<Feed<AuditEntry>, Error> {
        let (past, next) = self.audit.follow(query).await;
        Ok(Box::pin(follow_entries(past, next, query.clone())))
    }
}

fn object(definition: Value) -> Result<Map<String, Value>, Error> {
    match definition {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::new(ErrorKind::Invalid, "cannot use the definition: it must be an object, as in {\"ingress\": [...]}"))
        }
    }
}

fn change(changed: Changed) -> Change {
    match changed {
        Changed::Created | Changed::Updated => Change::Accepted,
        Changed::Unchanged => Change::Unchanged,
    }
}
