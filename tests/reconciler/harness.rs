//! A reconciler with everything around it, in a temporary directory.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::Method;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use adit::{
    cloudflare::{Client, Settings},
    config::{Config, Source, parse},
    connector::{Holder, HolderRole, Holders, LaunchConfiguration, SlotId, document_number, token_fingerprint},
    desired::Intended,
    event::{AccountView, Event, ProvisioningEvent, Sink},
    name::TunnelName,
    plan::RouteState,
    reconciler::{Clients, PassReport, Reconciler, Refusals, Reported, Start},
    sandbox::{Api, start_api, world::World},
    store::Store,
};

use crate::contract::{self, Sender, Watch};

/// An embedded Cloudflare, a state directory, and at most one reconciler that works on both.
pub(super) struct Harness {
    pub(super) world: World,
    pub(super) directory: TempDir,
    api: Option<Api>,
    intended: watch::Sender<Arc<Intended>>,
    clients: watch::Sender<Arc<Clients>>,
    pub(super) reported: watch::Sender<Arc<Reported>>,
    /// How often connectors were refused.
    pub(super) refusals: watch::Sender<Arc<Refusals>>,
    /// Which processes hold which tunnel's secret.
    pub(super) holders: watch::Sender<Arc<Holders>>,
    pub(super) events: Arc<Mutex<Vec<ProvisioningEvent>>>,
    running: Option<Running>,
    /// Fails the test when an exchange breaks the contract of the API.
    _contract: Watch,
}

struct Running {
    reconciler: Reconciler,
    task: JoinHandle<()>,
    shutdown: CancellationToken,
}

/// A configuration whose tunnels are given as the lines of their tables.
pub(super) fn config(text: &str) -> Arc<Config> {
    let text = format!("[accounts.default]\napi_token = {{ file = \"/etc/adit/token\" }}\n{text}");
    Arc::new(parse(&[Source { path: "adit.toml".into(), text }]).unwrap())
}

/// A tunnel with these hostnames.
pub(super) fn tunnel(name: &str, hostnames: &[&str]) -> String {
    let rules: Vec<String> = hostnames
        .iter()
        .map(|hostname| format!("{{ hostname = \"{hostname}\", service = \"http://localhost:8080\" }}"))
        .collect();
    format!("[tunnels.{name}]\naccount = \"default\"\ningress = [{}]\n", rules.join(", "))
}

pub(super) fn name(text: &str) -> TunnelName {
    text.parse().unwrap()
}

/// Time passes, for timers alone.
pub(super) async fn pass_time(seconds: i64) {
    /// Lets time go on also when whoever waits goes away meanwhile.
    struct Paused;
    impl Drop for Paused {
        fn drop(&mut self) {
            tokio::time::resume();
        }
    }
    tokio::time::pause();
    let _paused = Paused;
    tokio::time::advance(Duration::from_secs(seconds.unsigned_abs())).await;
}

/// Sends a value if it is another one, and says whether it is.
fn renew<T: PartialEq>(sender: &watch::Sender<Arc<T>>, value: T) -> bool {
    sender.send_if_modified(|known| {
        let is_news = **known != value;
        if is_news {
            *known = Arc::new(value);
        }
        is_news
    })
}

impl Harness {
    /// With this configuration wanted, and nothing running.
    pub(super) async fn new(text: &str) -> Self {
        Self::on(World::new(), text).await
    }

    /// Another installation on the same account, whose first pass has ended.
    pub(super) async fn beside(other: &Self, text: &str) -> Self {
        let mut harness = Self::on(other.world.clone(), text).await;
        harness.start(None);
        harness.pass().await;
        harness
    }

    /// The same, with an account that others use as well.
    pub(super) async fn on(world: World, text: &str) -> Self {
        let api = start_api(world.clone()).await.unwrap();
        let (_, token) = watch::channel(Some(world.api_token()));
        let settings = Settings {
            api_base: api.base.clone(),
            budget_per_second: 10_000.0,
            user_agent: "adit-test".to_owned(),
            token,
            observer: Arc::new(|_| {}),
            book: None,
        };
        world.set_rate_limit(None);
        let clients = BTreeMap::from([("default".parse().unwrap(), Client::new(settings).map_err(|error| error.to_string()))]);
        let intended = Intended { config: config(text), stops: BTreeMap::new(), held: BTreeMap::new() };
        Self {
            directory: TempDir::new().unwrap(),
            api: Some(api),
            intended: watch::Sender::new(Arc::new(intended)),
            clients: watch::Sender::new(Arc::new(clients)),
            reported: watch::Sender::new(Arc::default()),
            refusals: watch::Sender::new(Arc::default()),
            holders: watch::Sender::new(Arc::default()),
            events: Arc::default(),
            running: None,
            _contract: contract::watch(&world, Sender::Client),
            world,
        }
    }

    /// The same, with a reconciler whose first pass has ended.
    pub(super) async fn settled(text: &str) -> Self {
        let mut harness = Self::new(text).await;
        harness.start(None);
        harness.pass().await;
        harness
    }

    pub(super) fn start(&mut self, accepted: Option<Arc<Config>>) {
        let store = Store::open(self.directory.path(), None).unwrap();
        let events = self.events.clone();
        let shutdown = CancellationToken::new();
        let (reconciler, task) = Reconciler::start(Start {
            ledger: store.ledger().unwrap(),
            intended: self.intended.subscribe(),
            accepted,
            clients: self.clients.subscribe(),
            reported: self.reported.subscribe(),
            refusals: self.refusals.subscribe(),
            holders: self.holders.subscribe(),
            binary: watch::Sender::new(Path::new("/usr/bin/cloudflared").into()).subscribe(),
            events: Sink::new(move |event| {
                let Event::Provisioning(event) = event else { panic!("not an event of provisioning") };
                events.lock().unwrap().push(event);
            }),
            // Every pass of a test is asked for.
            interval: Duration::from_secs(3_600),
            shutdown: shutdown.clone(),
        });
        self.running = Some(Running { reconciler, task, shutdown });
    }

    /// Ends the reconciler wherever it is, as a crash would.
    pub(super) async fn kill(&mut self) {
        let Running { task, shutdown, reconciler } = self.running.take().unwrap();
        shutdown.cancel();
        drop(reconciler);
        task.await.unwrap();
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn reconciler(&self) -> &Reconciler {
        &self.running.as_ref().unwrap().reconciler
    }

    /// Makes a pass and gives its report.
    pub(super) async fn pass(&self) -> PassReport {
        self.reconciler().reconcile_now("test").await.unwrap().remove(&"default".parse().unwrap()).unwrap()
    }

    pub(super) async fn plan(&self) -> String {
        self.reconciler().plan(None).await.unwrap().to_string()
    }

    pub(super) fn want(&self, text: &str) {
        self.want_config(config(text));
    }

    pub(super) fn want_config(&self, config: Arc<Config>) {
        self.intended.send_modify(|intended| *intended = Arc::new(Intended { config, ..(**intended).clone() }));
    }

    pub(super) fn without_client(&self, why: &str) -> Arc<Clients> {
        self.clients.send_replace(Arc::new(BTreeMap::from([("default".parse().unwrap(), Err(why.to_owned()))])))
    }

    pub(super) fn with_clients(&self, clients: Arc<Clients>) {
        self.clients.send_replace(clients);
    }

    /// Ready connectors of every wanted tunnel run what they are to run. Says whether that is news.
    pub(super) fn connectors_catch_up(&self) -> bool {
        let snapshot = self.world.snapshot();
        let wanted = self.reconciler().wanted().borrow().clone();
        let reported = wanted.tunnels.iter().filter_map(|(name, tunnel)| {
            let there = snapshot.tunnels.get(&tunnel.launch.tunnel_id).filter(|there| !there.deleted)?;
            let version = match &tunnel.launch.configuration {
                LaunchConfiguration::Remote => there.configuration.as_ref()?.0,
                LaunchConfiguration::Local(document) => document_number(document),
            };
            Some((name.clone(), version))
        });
        renew(&self.reported, reported.collect())
    }

    /// A ready connector of every wanted tunnel was started with the secret that it is to have. Says whether that is news.
    pub(super) fn connectors_start_anew(&self) -> bool {
        let wanted = self.reconciler().wanted().borrow().clone();
        let mut holders = Holders::default();
        for tunnel in wanted.tunnels.values() {
            let holder = Holder { token: token_fingerprint(&tunnel.launch.token), connector_id: None, role: HolderRole::Ready };
            holders.set(&SlotId::new(tunnel.slots.clone(), 0), vec![holder]);
        }
        renew(&self.holders, holders)
    }

    /// What the DNS record at a name leads to.
    pub(super) fn target(&self, hostname: &str) -> Option<String> {
        self.world.snapshot().records_named(hostname).first().map(|record| record.content.clone())
    }

    /// The ids of the live tunnels of this name in Adit.
    pub(super) fn live(&self, name: &str) -> Vec<String> {
        let tunnels = self.world.snapshot().tunnels;
        let named = |tunnel: &str| tunnel.starts_with(&format!("{name}.adit-"));
        let live = tunnels.values().filter(|tunnel| !tunnel.deleted && named(&tunnel.name));
        live.map(|tunnel| tunnel.id.to_string()).collect()
    }

    /// The hostnames that a tunnel's stored configuration has rules for.
    pub(super) fn rules(&self, name: &str) -> Vec<String> {
        let tunnels = self.world.snapshot().tunnels;
        let tunnel =
            tunnels.values().find(|tunnel| !tunnel.deleted && tunnel.name.starts_with(&format!("{name}.adit-"))).unwrap();
        let (_, document) = tunnel.configuration.clone().unwrap();
        let rules = document["ingress"].as_array().cloned().unwrap_or_default();
        rules.iter().filter_map(|rule| rule["hostname"].as_str().map(str::to_owned)).collect()
    }

    pub(super) fn told(&self, kind: &str) -> Vec<ProvisioningEvent> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| Event::from((*event).clone()).kind().as_str() == kind).cloned().collect()
    }

    pub(super) fn view(&self) -> Arc<AccountView> {
        let events = self.events.lock().unwrap();
        let seen = events.iter().rev().find_map(|event| {
            let ProvisioningEvent::Seen { view, .. } = event else { return None };
            Some(view.clone())
        });
        seen.unwrap()
    }

    pub(super) fn route_states(&self, tunnel: &str) -> Vec<RouteState> {
        self.view().tunnels[&name(tunnel)].routes.iter().map(|route| route.state).collect()
    }

    /// Requests of this method to paths with this part, so far.
    pub(super) fn requests(&self, method: &str, part: &str) -> usize {
        let requests = self.world.requests();
        requests.iter().filter(|request| request.method.as_str() == method && request.path.contains(part)).count()
    }

    /// Waits until the world is as it should be.
    pub(super) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        for _ in 0..3_000 {
            if condition(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}");
    }

    /// Everything in the account that carries no mark of ours, as text.
    pub(super) fn foreign(&self) -> Vec<String> {
        let snapshot = self.world.snapshot();
        let ours = |comment: &Option<String>| comment.as_deref().is_some_and(|comment| comment.starts_with("adit:"));
        let records = snapshot.records.values().filter(|record| !ours(&record.comment)).map(|record| format!("{record:?}"));
        let tunnels = snapshot.tunnels.values().filter(|tunnel| !tunnel.name.contains(".adit-"));
        records.chain(tunnels.map(|tunnel| format!("{tunnel:?}"))).collect()
    }

    pub(super) fn edit_configuration(&self, name: &str, document: Value) {
        let id = self.live(name)[0].parse().unwrap();
        self.world.dashboard().put_configuration(&id, document).unwrap();
    }

    /// Calls the account's API as somebody else would, and gives the result.
    pub(super) async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let base = &self.api.as_ref().unwrap().base;
        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        let request = client
            .request(method, format!("{base}/accounts/{}/{path}", self.world.account_id()))
            .bearer_auth(self.world.api_token().expose());
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["success"], true, "{answer}");
        answer["result"].clone()
    }

    pub(super) async fn stop_api(&mut self) {
        self.api.take().unwrap().shutdown().await;
    }
}
