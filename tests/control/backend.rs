//! A daemon without tunnels' processes or an account: it keeps what it is given and answers from it, behind a real socket.
#![allow(dead_code, reason = "each of the test programs uses its part")]
#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use adit::{
    config::Access,
    control::{
        Audit, AuditQuery, Backend, Client, Definition, DiagnoseQuery, EventQuery, Feed, Lock, LogQuery, Principal, Progress,
        Server, Told,
        api::{self, Change, Error, ErrorKind, Followed},
        bind,
    },
    name::{AccountName, TunnelName},
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// A served socket. Whoever connects is `who`.
pub(crate) struct Host {
    pub(crate) backend: Kept,
    pub(crate) client: Client,
    pub(crate) socket: PathBuf,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
    who: Arc<Mutex<Principal>>,
    _lock: Lock,
    _folder: TempDir,
}

impl Host {
    /// Serves with the access rules of [`access`], to root until [`Host::become_user`].
    pub(crate) async fn start() -> Self {
        Self::start_with(access()).await
    }

    /// The same, with other access rules.
    pub(crate) async fn start_with(access: Access) -> Self {
        let who = Arc::new(Mutex::new(root()));
        let identified = Arc::clone(&who);
        Self::serve(who, Arc::new(move |_| Ok(identified.lock().unwrap().clone())), access).await
    }

    /// Serves to whoever the kernel says.
    pub(crate) async fn start_with_kernel(access: Access) -> Self {
        Self::serve(Arc::new(Mutex::new(root())), Arc::new(adit::control::identify), access).await
    }

    /// Serves to whoever `identify` says; [`Host::become_user`] has no say.
    pub(crate) async fn start_identifying(identify: adit::control::Identify, access: Access) -> Self {
        Self::serve(Arc::new(Mutex::new(root())), identify, access).await
    }

    async fn serve(who: Arc<Mutex<Principal>>, identify: adit::control::Identify, access: Access) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("adit.sock");
        let lock = Lock::take(folder.path()).unwrap();
        let (listener, _file) = bind(&socket, 0o666, &lock).await.unwrap();
        let backend = Kept::new(access);
        let shutdown = CancellationToken::new();
        let server = Server::new(backend.clone(), identify, shutdown.clone());
        let task = tokio::spawn(server.serve(listener));
        let client = Client::new(&socket);
        Self { backend, client, socket, shutdown, task, who, _lock: lock, _folder: folder }
    }

    /// Connections that are made from now on are this user's.
    pub(crate) fn become_user(&self, principal: Principal) {
        *self.who.lock().unwrap() = principal;
    }
}

pub(crate) fn root() -> Principal {
    user(0, "root")
}

pub(crate) fn user(uid: u32, name: &str) -> Principal {
    Principal { uid, gid: uid, groups: Vec::new(), pid: 4711, user: Some(name.to_owned()), is_connector: false }
}

/// 2001 is admin, 2002 operator, 2003 viewer; 2004 may edit everything by a grant, 2005 only web-*.
pub(crate) fn access() -> Access {
    let grant = |who: &str, accounts: Option<Vec<AccountName>>, tunnels: &str, hostnames: &str| adit::config::Grant {
        role: adit::config::Role::Editor,
        who: vec![who.parse().unwrap()],
        accounts,
        tunnels: Some(vec![tunnels.parse().unwrap()]),
        hostnames: Some(vec![hostnames.parse().unwrap()]),
        origins: Some(vec!["*".parse().unwrap()]),
    };
    Access {
        admin: vec!["2001".parse().unwrap()],
        operator: vec!["2002".parse().unwrap()],
        viewer: vec!["2003".parse().unwrap()],
        grants: vec![
            grant("2004", None, "*", "*"),
            grant("2005", Some(vec!["default".parse().unwrap()]), "web-*", "*.web.example.com"),
        ],
    }
}

/// What the backend keeps.
#[derive(Clone)]
pub(crate) struct Kept(Arc<State>);

struct State {
    access: Arc<Access>,
    tunnels: Mutex<BTreeMap<String, (api::Tunnel, Value)>>,
    audit: Mutex<Vec<String>>,
    audited: Mutex<Vec<Audited>>,
    plan: Mutex<Vec<String>>,
    revision: AtomicU64,
    changed: watch::Sender<()>,
    /// Whether an apply stands still at its next step.
    held: watch::Sender<bool>,
    events: broadcast::Sender<api::Event>,
}

/// What else an audited change says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audited {
    pub(crate) role: Option<String>,
    pub(crate) needed: Option<String>,
    pub(crate) object: Option<String>,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

impl Kept {
    pub(crate) fn new(access: Access) -> Self {
        Self(Arc::new(State {
            access: Arc::new(access),
            tunnels: Mutex::default(),
            audit: Mutex::default(),
            audited: Mutex::default(),
            plan: Mutex::default(),
            changed: watch::Sender::new(()),
            held: watch::Sender::new(false),
            revision: AtomicU64::default(),
            events: broadcast::Sender::new(EVENTS_KEPT),
        }))
    }

    /// Puts a tunnel there, as the daemon shows one that is ready.
    pub(crate) fn put(&self, name: &str, definition: Value) {
        let tunnel = tunnel(name, &definition);
        self.0.tunnels.lock().unwrap().insert(name.to_owned(), (tunnel, definition));
        self.changed();
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.tunnels.lock().unwrap().remove(name);
        self.changed();
    }

    fn changed(&self) {
        self.0.revision.fetch_add(1, Ordering::Release);
        self.0.changed.send_replace(());
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut api::Tunnel)) {
        change(&mut self.0.tunnels.lock().unwrap().get_mut(name).unwrap().0);
        self.changed();
    }

    pub(crate) fn definition_of(&self, name: &str) -> Option<Value> {
        self.0.tunnels.lock().unwrap().get(name).map(|(_, definition)| definition.clone())
    }

    /// Each audited change as `who verb tunnel result`.
    pub(crate) fn audited(&self) -> Vec<String> {
        self.0.audit.lock().unwrap().clone()
    }

    /// Tells whoever follows events one more, about that tunnel.
    pub(crate) fn tell_event(&self, id: u64, tunnel: &str) {
        self.0.events.send(event(id, tunnel)).unwrap();
    }

    /// The last audited change: what else it says.
    pub(crate) fn last_audited(&self) -> Audited {
        self.0.audited.lock().unwrap().last().unwrap().clone()
    }

    pub(crate) fn set_plan(&self, steps: &[&str]) {
        *self.0.plan.lock().unwrap() = steps.iter().map(|step| (*step).to_owned()).collect();
    }

    /// Has an apply stand still at its next step, or go on.
    pub(crate) fn hold(&self, held: bool) {
        self.0.held.send_replace(held);
    }

    fn hash(&self) -> String {
        format!("plan-{}", self.0.plan.lock().unwrap().len())
    }

    fn write(&self, name: &TunnelName, expected: Option<&str>, definition: Option<Value>) -> Result<Change, Error> {
        let found = self.definition(name).ok_or_else(|| Error::no_such_tunnel(name.as_str()))?;
        if self.tunnel(name).is_some_and(|tunnel| tunnel.origin != "api") {
            return Err(Error::new(ErrorKind::ReadOnly, format!("cannot change tunnel \"{name}\": a file defines it")));
        }
        if expected.is_some_and(|expected| expected != found.version) {
            return Err(Error::new(ErrorKind::Changed, format!("cannot change tunnel \"{name}\": it changed meanwhile")));
        }
        match definition {
            Some(definition) if definition == found.value => return Ok(Change::Unchanged),
            Some(definition) => self.put(name.as_str(), definition),
            None => {
                self.remove(name.as_str());
            }
        }
        Ok(Change::Accepted)
    }
}

impl Backend for Kept {
    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.0.access)
    }

    fn version(&self) -> String {
        "1.2.3".to_owned()
    }

    fn overview(&self) -> api::Overview {
        let finding = |tunnel: &api::Tunnel| api::Finding {
            verdict: if tunnel.state == api::State::Blocked { api::Verdict::Failing } else { api::Verdict::Attention },
            code: "seen".to_owned(),
            sentence: format!("{} was seen", tunnel.name),
            tunnel: Some(tunnel.name.clone()),
        };
        let reasons: Vec<_> = self.0.tunnels.lock().unwrap().values().map(|(tunnel, _)| finding(tunnel)).collect();
        let verdict = reasons.iter().map(|finding| finding.verdict).max().unwrap_or(api::Verdict::Healthy);
        api::Overview {
            daemon: api::Daemon {
                version: self.version(),
                pid: 1,
                started_at: Timestamp::UNIX_EPOCH,
                config_problems: Vec::new(),
            },
            health: api::Health { verdict, reasons },
            cloudflared: None,
            uplink: api::Uplink {
                state: api::UplinkState::Up,
                since: Timestamp::UNIX_EPOCH,
                reason: api::Reason { code: "up".to_owned(), sentence: "nothing speaks against it".to_owned() },
                braked_since: None,
            },
            accounts: vec![api::Account {
                name: "secret-account".to_owned(),
                id: None,
                synced_at: None,
                holds: Vec::new(),
                orphans: 0,
            }],
            last_change: None,
        }
    }

    fn tunnels(&self, show: &mut dyn FnMut(&api::Tunnel)) {
        self.0.tunnels.lock().unwrap().values().for_each(|(tunnel, _)| show(tunnel));
    }

    fn revision(&self) -> u64 {
        self.0.revision.load(Ordering::Acquire)
    }

    fn tunnel(&self, name: &TunnelName) -> Option<api::Tunnel> {
        self.0.tunnels.lock().unwrap().get(name.as_str()).map(|(tunnel, _)| tunnel.clone())
    }

    fn definition(&self, name: &TunnelName) -> Option<Definition> {
        let value = self.definition_of(name.as_str())?;
        let version = value.to_string().len().to_string();
        Some(Definition { value, version })
    }

    async fn create(&self, _by: &Principal, name: TunnelName, definition: Value) -> Result<Change, Error> {
        match self.definition_of(name.as_str()) {
            Some(former) if former == definition => Ok(Change::Unchanged),
            Some(_) => Err(Error::new(ErrorKind::Conflict, format!("cannot create tunnel \"{name}\": there is another one"))),
            None => {
                self.put(name.as_str(), definition);
                Ok(Change::Accepted)
            }
        }
    }

    async fn replace(
        &self,
        _by: &Principal,
        name: &TunnelName,
        definition: Value,
        expected: Option<&str>,
    ) -> Result<Change, Error> {
        self.write(name, expected, Some(definition))
    }

    async fn delete(
        &self,
        _by: &Principal,
        name: &TunnelName,
        expected: Option<&str>,
        _progress: &Progress,
    ) -> Result<Change, Error> {
        self.write(name, expected, None)
    }

    async fn start(&self, _by: &Principal, name: &TunnelName) -> Result<Change, Error> {
        self.change(name.as_str(), |tunnel| tunnel.stop = None);
        Ok(Change::Accepted)
    }

    async fn stop(&self, by: &Principal, name: &TunnelName) -> Result<Change, Error> {
        let stop = api::Stop { by: by.who(), at: Timestamp::UNIX_EPOCH };
        self.change(name.as_str(), |tunnel| {
            tunnel.stop = Some(stop);
            tunnel.state = api::State::Stopped;
        });
        Ok(Change::Accepted)
    }

    async fn restart(&self, _by: &Principal, _name: &TunnelName) -> Result<Change, Error> {
        Ok(Change::Accepted)
    }

    async fn restart_plan(&self, _name: &TunnelName) -> Vec<api::Replaced> {
        Vec::new()
    }

    async fn rotate(&self, _by: &Principal, _name: &TunnelName, _emergency: bool, _progress: &Progress) -> Result<Change, Error> {
        Ok(Change::Accepted)
    }

    async fn plan(&self) -> Result<api::Plan, Error> {
        let steps = self.0.plan.lock().unwrap().clone();
        let connectors: Vec<_> = steps.iter().filter(|step| step.starts_with("~ protocol ")).map(|_| replaced()).collect();
        let lines = steps.iter().cloned().chain(connectors.iter().map(api::Replaced::sentence));
        Ok(api::Plan {
            hash: self.hash(),
            changes: steps.len() + connectors.len(),
            left_alone: 0,
            text: lines.map(|line| format!("{line}\n")).collect(),
            plans: Vec::new(),
            connectors,
            starts: Vec::new(),
        })
    }

    async fn apply(&self, _by: &Principal, hash: Option<&str>, progress: &Progress) -> Result<api::Applied, Error> {
        let steps = self.0.plan.lock().unwrap().clone();
        for (done, step) in (0..).zip(&steps) {
            progress.tell(Told { done, total: steps.len() as u64, sentence: step.clone() });
            // One that is held waits until the test lets it go on.
            let mut held = self.0.held.subscribe();
            let _ = held.wait_for(|held| !held).await;
        }
        if hash.is_some_and(|hash| hash != self.hash()) {
            return Err(Error::new(ErrorKind::Conflict, "cannot apply that plan: it is another one by now"));
        }
        Ok(api::Applied { hash: self.hash(), done: std::mem::take(&mut *self.0.plan.lock().unwrap()).len(), left: Vec::new() })
    }

    async fn logs(&self, _name: &TunnelName, query: &LogQuery) -> Result<Vec<api::LogLine>, Error> {
        let line = |id: u64| api::LogLine { id, at: Timestamp::UNIX_EPOCH, replica: 0, text: format!("line {id} \u{1b}[31mred") };
        let lines = (1..=5).filter(|id| query.since.is_none_or(|since| *id > since)).map(line);
        Ok(lines.collect())
    }

    async fn follow_logs(&self, name: &TunnelName, query: &LogQuery) -> Result<Feed<api::LogLine>, Error> {
        let lines = self.logs(name, query).await?;
        Ok(stream::iter(lines.into_iter().map(Followed::Item)).chain(stream::pending()).boxed())
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<api::Event>, Error> {
        let mut events = vec![event(1, "web-shop"), event(2, "api"), event(3, "web-shop")];
        events.retain(|event| query.since.is_none_or(|since| event.id > since));
        events.drain(..events.len().saturating_sub(usize::from(query.limit.get())));
        Ok(events)
    }

    async fn follow_events(&self, query: &EventQuery) -> Result<Feed<api::Event>, Error> {
        let events = self.events(query).await?;
        let items = stream::iter(events.into_iter().map(Followed::Item));
        let next = stream::unfold(self.0.events.subscribe(), async |mut receiver| match receiver.recv().await {
            Ok(event) => Some((Followed::Item(event), receiver)),
            Err(RecvError::Lagged(count)) => Some((Followed::Missed(count), receiver)),
            Err(RecvError::Closed) => None,
        });
        Ok(items.chain(stream::iter([Followed::Missed(7)])).chain(next).boxed())
    }

    fn configuration(&self) -> api::Configuration {
        api::Configuration { accepted_at: None, files: Vec::new(), problems: Vec::new(), value: json!({ "daemon": {} }) }
    }

    async fn reload(&self, _by: &Principal) -> Result<api::Reloaded, Error> {
        Ok(api::Reloaded { change: Change::Unchanged, tunnels: 0 })
    }

    fn credentials(&self) -> Vec<api::Credential> {
        Vec::new()
    }

    async fn check_credentials(
        &self,
        _account: Option<&AccountName>,
        _progress: &Progress,
    ) -> Result<Vec<api::CredentialCheck>, Error> {
        Ok(Vec::new())
    }

    async fn look_at_tunnel(&self, name: &TunnelName, _asked: &api::AdoptTunnel) -> Result<api::TunnelAdoption, Error> {
        Err(Error::no_such_tunnel(name.as_str()))
    }

    async fn adopt_tunnel(
        &self,
        _by: &Principal,
        name: &TunnelName,
        _asked: &api::AdoptTunnel,
        _progress: &Progress,
    ) -> Result<api::TunnelAdopted, Error> {
        Err(Error::no_such_tunnel(name.as_str()))
    }

    async fn forget_tunnel(&self, _by: &Principal, name: &TunnelName, _progress: &Progress) -> Result<api::Forgotten, Error> {
        Err(Error::no_such_tunnel(name.as_str()))
    }

    async fn look_at_route(&self, asked: &api::AdoptRoute) -> Result<api::RouteAdoption, Error> {
        Err(Error::new(ErrorKind::NotFound, format!("cannot find {:?}", asked.hostname)))
    }

    async fn adopt_route(
        &self,
        _by: &Principal,
        asked: &api::AdoptRoute,
        _progress: &Progress,
    ) -> Result<api::RouteAdopted, Error> {
        Err(Error::new(ErrorKind::NotFound, format!("cannot find {:?}", asked.hostname)))
    }

    async fn check_origins(&self, _request: &api::CheckOrigins) -> Result<Vec<api::OriginCheck>, Error> {
        Ok(Vec::new())
    }

    fn identity(&self) -> api::Identity {
        let install = Some("a1b2c3d4".to_owned());
        api::Identity { install, since: None, seal: None, tunnels: 0, take_over: None, new: None }
    }

    async fn take_over_identity(&self, _by: &Principal) -> Result<api::Identity, Error> {
        Ok(self.identity())
    }

    async fn new_identity(&self, _by: &Principal) -> Result<api::Identity, Error> {
        Ok(self.identity())
    }

    async fn orphans(&self) -> Result<api::Orphans, Error> {
        let (orphans, unread, other_installations) = (Vec::new(), Vec::new(), BTreeMap::new());
        Ok(api::Orphans { hash: "none".to_owned(), orphans, unread, other_installations })
    }

    async fn delete_orphans(
        &self,
        _by: &Principal,
        request: &api::DeleteOrphans,
        _progress: &Progress,
    ) -> Result<api::DeletedOrphans, Error> {
        Ok(api::DeletedOrphans { deleted: request.items.clone(), left: Vec::new() })
    }

    async fn doctor(&self, _online: bool) -> Result<api::DoctorReport, Error> {
        Ok(api::DoctorReport { at: Timestamp::UNIX_EPOCH, result: api::DoctorResult::Ok, api_calls: 0, checks: Vec::new() })
    }

    async fn diagnose(&self, question: &DiagnoseQuery) -> Result<api::Diagnosis, Error> {
        let takes = |route: &api::Route| route.hostname.as_deref() == Some(question.hostname.as_str());
        let tunnels = self.0.tunnels.lock().unwrap();
        let mut seen = tunnels
            .values()
            .map(|(tunnel, _)| tunnel)
            .filter(|tunnel| question.seen.has(&tunnel.name.clone().try_into().unwrap()));
        let tunnel = seen.find(|tunnel| tunnel.routes.iter().any(takes)).map(|tunnel| tunnel.name.clone());
        let state = if tunnel.is_some() { api::LinkState::Ok } else { api::LinkState::Broken };
        let verdict = api::DiagnosisVerdict { state, link: None, sentence: "as it is".to_owned(), action: None };
        let (hostname, path) = (question.hostname.to_string(), question.path.clone());
        Ok(api::Diagnosis { hostname, path, at: Timestamp::UNIX_EPOCH, tunnel, verdict, links: Vec::new() })
    }

    async fn traffic(&self) -> Vec<api::ConnectorTraffic> {
        let connector = |name: &String| api::ConnectorTraffic {
            tunnel: name.clone(),
            replica: 0,
            generation: 1,
            pid: 4711,
            reading: None,
            unread: Some("its metrics server has not answered yet".to_owned()),
        };
        self.0.tunnels.lock().unwrap().keys().map(connector).collect()
    }

    fn audit(&self, entry: &Audit<'_>) {
        let result = entry.refused.map_or("done", |(kind, _)| kind.word());
        let line = format!("{} {} {} {result}", entry.by.who(), entry.verb, entry.tunnel.unwrap_or("-"));
        self.0.audit.lock().unwrap().push(line);
        self.0.audited.lock().unwrap().push(Audited {
            role: entry.role.map(|role| role.to_string()),
            needed: entry.needed.map(|role| role.to_string()),
            object: entry.object.map(str::to_owned),
            before: entry.before.map(str::to_owned),
            after: entry.after.map(str::to_owned),
        });
    }

    fn configuration_version(&self) -> String {
        "one".to_owned()
    }

    async fn audited(&self, query: &AuditQuery) -> Result<Vec<api::AuditEntry>, Error> {
        let mut entries: Vec<_> = (1..=ENTRIES).map(audit_entry).filter(|entry| query.wants(entry)).collect();
        entries.drain(..entries.len().saturating_sub(usize::from(query.limit.get())));
        Ok(entries)
    }

    async fn follow_audited(&self, query: &AuditQuery) -> Result<Feed<api::AuditEntry>, Error> {
        let entries = Backend::audited(self, query).await?;
        Ok(stream::iter(entries.into_iter().map(Followed::Item)).chain(stream::pending()).boxed())
    }

    fn watch(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }
}

/// How many entries the audit log that is read has: more than are given when nobody says how many.
const ENTRIES: u64 = 150;

fn audit_entry(id: u64) -> api::AuditEntry {
    let entry = json!({ "id": id, "at": Timestamp::UNIX_EPOCH, "who": "root", "verb": "stop", "result": api::AuditEntry::DONE });
    serde_json::from_value(entry).unwrap()
}

/// How far a follower may fall behind, as in the daemon.
const EVENTS_KEPT: usize = 256;

/// The connector that a step which changes a protocol replaces.
fn replaced() -> api::Replaced {
    let (tunnel, why) = ("web".to_owned(), "config".to_owned());
    api::Replaced { tunnel, replica: 0, pid: 4711, why, open_requests: Some(0), cut_after_millis: 30_000 }
}

fn event(id: u64, tunnel: &str) -> api::Event {
    api::Event {
        id,
        at: Timestamp::UNIX_EPOCH,
        level: api::Level::Info,
        kind: "operator-acted".to_owned(),
        subject: api::Subject { tunnel: Some(tunnel.to_owned()), ..api::Subject::default() },
        reason: None,
        sentence: format!("event {id}"),
    }
}

fn tunnel(name: &str, definition: &Value) -> api::Tunnel {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let rules = definition.get("ingress").and_then(Value::as_array).into_iter().flatten();
    let route = |rule: &Value| api::Route {
        kind: api::RouteKind::Hostname,
        network: None,
        virtual_network: None,
        hostname: text(rule, "hostname"),
        path: text(rule, "path"),
        service: text(rule, "service"),
        dns: true,
        state: api::RouteState::Live,
        reason: None,
        health: None,
    };
    api::Tunnel {
        name: name.to_owned(),
        origin: "api".to_owned(),
        account: text(definition, "account").unwrap_or_else(|| "default".to_owned()),
        id: None,
        cloudflare_status: None,
        state: api::State::Ready,
        reason: None,
        settled: true,
        replicas: 1,
        connectors: Vec::new(),
        routes: rules.map(route).collect(),
        stop: None,
        holds: Vec::new(),
        drift: None,
        written_version: None,
        secret: None,
    }
}
