//! What the connector's tests stand on: a small account, a sandbox around it, and child processes that never outlive a test.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    net::{SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use adit::{
    id::{AccountId, ConnectorId, TunnelId},
    sandbox::{
        edge::{Directory, Edge},
        front::Front,
        switchboard::{self, Switchboard},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, time::Instant};

pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const TUNNEL: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const SECRET: &str = "c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMsIG5vIGxlc3M=";

/// How long a condition may take to come true on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until `condition` gives a value.
pub(crate) async fn wait_for<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until `condition` holds.
pub(crate) async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    wait_for(what, async || condition().await.then_some(())).await;
}

pub(crate) fn tunnel() -> TunnelId {
    TUNNEL.parse().unwrap()
}

/// The token of [`TUNNEL`] with this secret.
pub(crate) fn token(secret: &str) -> String {
    STANDARD.encode(json!({"a": ACCOUNT, "t": TUNNEL, "s": secret}).to_string())
}

/// An account with one tunnel.
pub(crate) struct Account {
    configuration: Mutex<Option<(i64, Value)>>,
    hostnames: Mutex<BTreeMap<String, TunnelId>>,
    pub(crate) opened: Mutex<Vec<(ConnectorId, u8)>>,
    pub(crate) closed: Mutex<Vec<(ConnectorId, u8)>>,
    pub(crate) reported: Mutex<Vec<i64>>,
    changes: watch::Sender<u64>,
}

impl Account {
    /// Gives the tunnel a configuration.
    pub(crate) fn configure(&self, version: i64, document: Value) {
        *self.configuration.lock().unwrap() = Some((version, document));
        self.changes.send_modify(|count| *count += 1);
    }

    /// Lets a hostname lead to the tunnel.
    pub(crate) fn route(&self, hostname: &str) {
        self.hostnames.lock().unwrap().insert(hostname.to_owned(), tunnel());
    }
}

impl Directory for Account {
    fn register(&self, account: &AccountId, tunnel: &TunnelId, secret_base64: &str) -> Result<(), String> {
        match (account.as_str(), tunnel.as_str(), secret_base64) {
            (ACCOUNT, TUNNEL, SECRET) => Ok(()),
            (ACCOUNT, TUNNEL, _) => Err("Unauthorized: Invalid tunnel secret".to_owned()),
            _ => Err("Unauthorized: Tunnel not found".to_owned()),
        }
    }

    fn configuration(&self, _tunnel: &TunnelId) -> Option<(i64, Value)> {
        self.configuration.lock().unwrap().clone()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn resolve(&self, hostname: &str) -> Option<TunnelId> {
        self.hostnames.lock().unwrap().get(hostname).cloned()
    }

    fn connection_opened(&self, _tunnel: &TunnelId, connector: &ConnectorId, index: u8, version: &str) {
        assert_eq!(version, "2026.8.0");
        self.opened.lock().unwrap().push((connector.clone(), index));
    }

    fn connection_closed(&self, _tunnel: &TunnelId, connector: &ConnectorId, index: u8) {
        self.closed.lock().unwrap().push((connector.clone(), index));
    }

    fn config_version_reported(&self, _tunnel: &TunnelId, _connector: &ConnectorId, version: i64) {
        self.reported.lock().unwrap().push(version);
    }
}

/// A sandbox for one test.
pub(crate) struct Stage {
    pub(crate) account: Arc<Account>,
    pub(crate) edge: Arc<Edge>,
    pub(crate) front: Front,
    pub(crate) switchboard: Switchboard,
    pub(crate) folder: tempfile::TempDir,
    program: PathBuf,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let account = Arc::new(Account {
            configuration: Mutex::default(),
            hostnames: Mutex::default(),
            opened: Mutex::default(),
            closed: Mutex::default(),
            reported: Mutex::default(),
            changes: watch::Sender::new(0),
        });
        let edge = Arc::new(Edge::start(Arc::clone(&account) as Arc<dyn Directory>).unwrap());
        let front = Front::start(Arc::clone(&edge), Arc::clone(&account) as Arc<dyn Directory>).unwrap();
        let switchboard = Switchboard::start(&folder.path().join("switchboard.sock")).unwrap();
        let program = stand_in(folder.path());
        Self { account, edge, front, switchboard, folder, program }
    }

    /// A connector of the tunnel, to be started.
    pub(crate) fn connector(&self) -> Launch {
        let mut launch = Launch::new(&self.program);
        launch.variables.insert("TUNNEL_EDGE".to_owned(), self.edge.tunnel_edge());
        launch.variables.insert(switchboard::ENVIRONMENT_VARIABLE.to_owned(), self.switchboard.path().display().to_string());
        launch.variables.insert("ADIT_SANDBOX_TIME_SCALE".to_owned(), "0.02".to_owned());
        launch.variables.insert("TUNNEL_TOKEN".to_owned(), token(SECRET));
        launch
    }

    /// A started connector with its four connections and, if there is one, its configuration.
    pub(crate) async fn ready_connector(&self) -> Connector {
        let connector = self.connector().start().await;
        connector.ready(4).await;
        let configuration = self.account.configuration(&tunnel());
        wait_until("the connector takes requests", async || {
            let links = self.edge.connections(&tunnel()).into_iter().filter(|link| link.connector == connector.id).count();
            links == 4 && configuration.as_ref().is_none_or(|_| self.account.reported.lock().unwrap().len() >= 4)
        })
        .await;
        connector
    }

    /// A request through the front; gives the status and the body.
    pub(crate) async fn get(&self, host: &str, path: &str) -> (u16, String) {
        request(self.front.addr(), host, path, None).await.unwrap()
    }
}

/// The binary under the name `cloudflared`.
pub(crate) fn stand_in(folder: &Path) -> PathBuf {
    let program = folder.join("cloudflared");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_adit"), &program).unwrap();
    program
}

/// How a child is to be started: `cloudflared tunnel BEFORE run AFTER` with only these variables.
pub(crate) struct Launch {
    /// The program, and in front of it what puts it where it is to run.
    program: Vec<OsString>,
    pub(crate) before: Vec<String>,
    pub(crate) after: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    /// What the child finds as its standard input.
    pub(crate) input: Option<OwnedFd>,
    pub(crate) error: Option<OwnedFd>,
    /// The child finds SIGHUP ignored.
    pub(crate) ignores_hang_up: bool,
}

impl Launch {
    pub(crate) fn new(program: &Path) -> Self {
        Self::wrapped(vec![program.into()])
    }

    /// A program that others in front of it execute.
    pub(crate) fn wrapped(program: Vec<OsString>) -> Self {
        let before = ["--config", "", "--no-autoupdate", "--no-prechecks", "--output", "json"].map(str::to_owned).to_vec();
        let variables = BTreeMap::new();
        Self { program, before, after: Vec::new(), variables, input: None, error: None, ignores_hang_up: false }
    }

    pub(crate) fn before(mut self, arguments: &[&str]) -> Self {
        self.before.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn after(mut self, arguments: &[&str]) -> Self {
        self.after.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Starts the child with its metrics socket as descriptor 3. Its log goes to a file.
    pub(crate) async fn start(self) -> Connector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let stderr = tempfile::NamedTempFile::new().unwrap();
        let metrics = address.to_string();
        let log_path = log.path().display().to_string();
        let mut launch = self.before(&["--metrics", &metrics, "--logfile", &log_path]).variable("LISTEN_FDS", "1");
        // The shell moves what it gets: the socket from standard output to descriptor 3.
        // What this process ignores, as under nohup or in the background of a shell, would be handed down.
        let hang_up = if launch.ignores_hang_up { "--ignore-signal=HUP" } else { "--default-signal=HUP" };
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec /usr/bin/env --default-signal=INT,QUIT "$0" "$@" 3<&1 1>/dev/null"#, hang_up]);
        command.args(&launch.program);
        command.arg("tunnel").args(&launch.before).arg("run").args(&launch.after);
        command.env_clear().envs(&launch.variables).stdout(OwnedFd::from(listener));
        command.stdin(launch.input.take().map_or_else(Stdio::null, Stdio::from));
        command.stderr(launch.error.take().map_or_else(|| Stdio::from(stderr.reopen().unwrap()), Stdio::from));
        let child = command.spawn().unwrap();
        let mut connector = Connector { child, address, log, stderr, id: "unknown".parse().unwrap() };
        if let Some(id) = connector.first_id().await {
            connector.id = id;
        }
        connector
    }
}

/// A running child. It is killed when the test ends.
pub(crate) struct Connector {
    child: Child,
    pub(crate) address: SocketAddr,
    log: tempfile::NamedTempFile,
    stderr: tempfile::NamedTempFile,
    pub(crate) id: ConnectorId,
}

impl Connector {
    /// The id that it makes for itself, or nothing when it ends before it has one.
    async fn first_id(&mut self) -> Option<ConnectorId> {
        wait_for("the connector has an id or has ended", async || {
            let line = self.log().lines().find_map(|line| line.split("Generated Connector ID: ").nth(1)?.get(..36)?.parse().ok());
            match line {
                Some(id) => Some(Some(id)),
                None => self.child.try_wait().unwrap().map(|_| None),
            }
        })
        .await
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log file so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.stderr.path()).unwrap()
    }

    /// The events of the log file with this message.
    pub(crate) fn events(&self, message: &str) -> Vec<Value> {
        let events = self.log().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
        events.into_iter().filter(|event| event["message"].as_str() == Some(message)).collect()
    }

    pub(crate) async fn logged(&self, message: &str) -> Value {
        wait_for(&format!("{message:?} is logged"), async || self.events(message).pop()).await
    }

    /// Waits until everything that it has logged is in the file: lines are written in order, and this provokes one more.
    pub(crate) async fn log_is_written(&self) {
        let before = self.events("Collection finished").len();
        self.page("/diag/tunnel").await;
        wait_until("the log is written", async || self.events("Collection finished").len() > before).await;
    }

    /// Asks the metrics address.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        request(self.address, "localhost", path, None).await
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        wait_for(&format!("{path} answers"), async || self.get(path).await).await.1
    }

    /// Waits until `/ready` counts at least this many connections, or none for 0.
    pub(crate) async fn ready(&self, connections: u64) {
        wait_until(&format!("{connections} connections are ready"), async || {
            let answer = self.get("/ready").await.map(|(_, body)| serde_json::from_str::<Value>(&body).unwrap());
            let count = answer.and_then(|body| body["readyConnections"].as_u64());
            count.is_some_and(|count| if connections == 0 { count == 0 } else { count >= connections })
        })
        .await;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        wait_for("the connector ends", async || self.child.try_wait().unwrap()).await
    }

    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        self.ended().await.code()
    }

    pub(crate) async fn ending_signal(&mut self) -> Option<i32> {
        self.ended().await.signal()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One HTTP/1.1 request on a connection of its own. `None` when there was no whole answer.
pub(crate) async fn request(address: SocketAddr, host: &str, path: &str, body: Option<&str>) -> Option<(u16, String)> {
    Client::new(address).request(host, path, body).await
}

/// An HTTP/1.1 client with one connection, which is made anew after a failure.
pub(crate) struct Client {
    address: SocketAddr,
    sender: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, sender: None }
    }

    /// `None` when there was no whole answer.
    pub(crate) async fn request(&mut self, host: &str, path: &str, body: Option<&str>) -> Option<(u16, String)> {
        let mut sender = match self.sender.take().filter(http1::SendRequest::is_ready) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let exchange = async {
            let method = if body.is_some() { "POST" } else { "GET" };
            let body = Full::new(Bytes::from(body.unwrap_or_default().to_owned()));
            let request = hyper::Request::builder().method(method).uri(path).header("host", host).body(body).unwrap();
            let response = sender.send_request(request).await.ok()?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.ok()?.to_bytes();
            Some((status, String::from_utf8_lossy(&body).into_owned()))
        };
        let answer = tokio::time::timeout(DEADLINE, exchange).await.ok().flatten()?;
        // An answer counts even when the connection behind it is over.
        if sender.ready().await.is_ok() {
            self.sender = Some(sender);
        }
        Some(answer)
    }

    async fn connect(&self) -> Option<http1::SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(async { connection.await.ok() });
        Some(sender)
    }
}
