//! What the control socket asks of the daemon: each answer is put together from the parts that know.

mod applying;
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
mod tunnels;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use self::{
    feeds::{follow_entries, follow_events, follow_lines, newest, wants_entry, wants_line},
    progress::Mine,
    refusals::{endless, not_asked, slow},
};
use super::{audit::Audit, page_reader::PageReader, reload::Reload, tokens::Tokens};
use crate::{
    config::Access,
    connector::Stop,
    control::{
        self, AuditQuery, Backend, Definition, DiagnoseQuery, EventQuery, Feed, LogQuery, Principal, Progress,
        api::{
            AdoptRoute, AdoptTunnel, Applied, AuditEntry, Change, CheckOrigins, Configuration, ConnectorTraffic, Credential,
            CredentialCheck, Daemon, DeleteOrphans, DeletedOrphans, Diagnosis, DoctorReport, Error, Event, Forgotten, Identity,
            LogLine, OriginCheck, Orphans, Overview, Plan, Reloaded, Replaced, RouteAdopted, RouteAdoption, Tunnel,
            TunnelAdopted, TunnelAdoption,
        },
        view,
    },
    desired::Intended,
    event::{DaemonEvent, Sink},
    health::health,
    intent::{Intent, configuration_version},
    name::{AccountName, TunnelName},
    reconciler::Reconciler,
    recorder::Recorder,
    route_probe::Prober,
    supervisor::Supervisor,
};

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
        self.tunnel_definition(name)
    }

    async fn create(&self, by: &Principal, name: TunnelName, definition: Value) -> Result<Change, Error> {
        self.create_tunnel(by, name, definition).await
    }

    async fn replace(
        &self,
        by: &Principal,
        name: &TunnelName,
        definition: Value,
        expected: Option<&str>,
    ) -> Result<Change, Error> {
        self.replace_tunnel(by, name, definition, expected).await
    }

    async fn delete(
        &self,
        by: &Principal,
        name: &TunnelName,
        expected: Option<&str>,
        progress: &Progress,
    ) -> Result<Change, Error> {
        self.delete_tunnel(by, name, expected, progress).await
    }

    async fn start(&self, by: &Principal, name: &TunnelName) -> Result<Change, Error> {
        self.set_stop(by, name, None).await
    }

    async fn stop(&self, by: &Principal, name: &TunnelName) -> Result<Change, Error> {
        self.set_stop(by, name, Some(Stop { by: by.who(), at: Timestamp::now() })).await
    }

    async fn restart(&self, by: &Principal, name: &TunnelName) -> Result<Change, Error> {
        self.restart_tunnel(by, name).await
    }

    async fn plan(&self) -> Result<Plan, Error> {
        self.show_plan().await
    }

    async fn rotate(&self, by: &Principal, name: &TunnelName, emergency: bool, progress: &Progress) -> Result<Change, Error> {
        self.rotate_tunnel(by, name, emergency, progress).await
    }

    async fn restart_plan(&self, name: &TunnelName) -> Vec<Replaced> {
        self.replaced_by_restart(name).await
    }

    async fn apply(&self, by: &Principal, hash: Option<&str>, progress: &Progress) -> Result<Applied, Error> {
        self.apply_plan(by, hash, progress).await
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
        Ok(Box::pin(follow_events(self.recorder.feed(), query)))
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
        self.reload_files(by).await
    }

    fn credentials(&self) -> Vec<Credential> {
        let known = self.tokens.known();
        let now = Timestamp::now();
        let intended = self.intended();
        intended.config.accounts.iter().map(|(name, account)| credentials::shown(name, account, known.get(name), now)).collect()
    }

    async fn check_credentials(&self, account: Option<&AccountName>, progress: &Progress) -> Result<Vec<CredentialCheck>, Error> {
        self.try_credentials(account, progress).await
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
