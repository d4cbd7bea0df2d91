//! A host with Adit on it: the sandbox, a temporary directory and the built program as a real daemon process.
//!
//! ```text
//!  test ─┬─ configure, start, signals ──▶ adit daemon ──▶ sandbox's API ◀── world (faults, dashboard, snapshot)
//!        ├─ client, adit(…) ──▶ socket ──┘    └─▶ connectors ──▶ sandbox's edge ◀── front ◀── visits
//!        └─ until(…): looks again and again, and tells everything it knows when it does not come true
//! ```

#![allow(dead_code, reason = "each test program uses its own part of this")]

#[path = "contract.rs"]
pub(crate) mod contract;
#[path = "description.rs"]
mod description;
#[path = "host/life.rs"]
mod life;
#[path = "host/look.rs"]
mod look;
#[path = "openapi.rs"]
mod openapi;
#[path = "processes.rs"]
pub(crate) mod processes;
#[path = "service_manager.rs"]
pub(crate) mod service_manager;
#[path = "host/unit.rs"]
mod unit;
#[path = "visitor.rs"]
pub(crate) mod visitor;

use std::{
    cell::RefCell,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use adit::{
    control::Client,
    sandbox::{
        origin::Origin,
        stage::Stage,
        switchboard::Switches,
        world::{Snapshot, World},
    },
};
use nix::unistd::getuid;
use tempfile::TempDir;
use tokio::time::timeout;

use self::{
    contract::{Sender, Watch},
    description::Listener,
    processes::{PROGRAM, Process},
    service_manager::ServiceManager,
    visitor::{Load, Visit, visit},
};
pub(crate) use self::{
    look::{PATIENCE, serves},
    unit::Unit,
};

/// How many of the daemon's last log lines a failure shows.
const LOG_LINES_SHOWN: usize = 60;

/// A host with Adit on it. Dropping it ends every process that it started.
pub(crate) struct Host {
    /// The sandbox.
    pub(crate) stage: Stage,
    /// The local service that rules lead to; it answers `here`.
    pub(crate) origin: Origin,
    /// The client of the control socket.
    pub(crate) client: Client,
    /// Who is told what systemd is told.
    pub(crate) manager: ServiceManager,
    daemon: RefCell<Option<Child>>,
    /// The cgroup that daemons are started in, where it is not the test's.
    pub(crate) unit: RefCell<Option<Unit>>,
    /// How often the daemon compares Cloudflare with what is wanted.
    pub(crate) sync_interval: &'static str,
    // The test fails when these are dropped and an exchange broke the API's contract, or what the client was answered the control
    // socket's own description.
    _watch: Option<Watch>,
    _listener: Option<Listener>,
    // Last, so that it goes when nothing uses it any more.
    directory: TempDir,
}

/// How a program that ended by itself ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Host {
    /// A host whose configuration is still to be written and whose daemon is still to be started.
    pub(crate) async fn prepare() -> Self {
        let world = World::new();
        let watch = contract::watch(&world, Sender::Client);
        let mut host = Self::prepare_with(world).await;
        let listener = Listener::start(host.path("heard.sock"), host.path("run/adit.sock"));
        host.client = Client::new(listener.socket());
        (host._watch, host._listener) = (Some(watch), Some(listener));
        host
    }

    /// The same, in this world, without a check of every exchange: for many connectors over a long time.
    pub(crate) async fn prepare_with(world: World) -> Self {
        let directory = tempfile::Builder::new().prefix("adit-test-").tempdir().unwrap();
        let stage = Stage::start(directory.path(), Path::new(PROGRAM), world).await.unwrap();
        stage.switchboard.set(None, brisk());
        let origin = Origin::start("here").unwrap();
        let manager = ServiceManager::listen(&directory.path().join("notify.sock")).unwrap();
        let client = Client::new(directory.path().join("run/adit.sock"));
        let (daemon, unit) = (RefCell::default(), RefCell::default());
        let sync_interval = "1s";
        Self { stage, origin, client, manager, daemon, unit, sync_interval, _watch: None, _listener: None, directory }
    }

    /// A host whose daemon runs with these tunnels (TOML), all of which serve.
    pub(crate) async fn serving(tunnels: &str) -> Self {
        let host = Self::prepare().await;
        host.configure(tunnels);
        host.start().await;
        host.until_all_serve().await;
        host
    }

    /// Something in the host's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A whole configuration with these tunnels (TOML). `ORIGIN` in it is the address of the host's local service.
    pub(crate) fn configuration(&self, tunnels: &str) -> String {
        let path = |name: &str| toml::Value::String(self.path(name).to_string_lossy().into_owned());
        let mut text = self.stage.configuration();
        write!(
            text,
            "\n[daemon]\nstate_dir = {}\nruntime_dir = {}\nsync_interval = \"{}\"\n\n\
             [metrics]\nlisten = \"unix:{}\"\n\n\
             [access]\nadmin = [\"{}\"]\n\n{}",
            path("state"),
            path("run"),
            self.sync_interval,
            self.path("metrics.sock").display(),
            getuid(),
            tunnels.replace("ORIGIN", &self.origin.url()),
        )
        .unwrap();
        text
    }

    /// Writes the configuration with these tunnels (TOML).
    pub(crate) fn configure(&self, tunnels: &str) {
        self.write_configuration(&self.configuration(tunnels));
    }

    /// Writes the configuration's main file. It is renamed into place, so that the daemon never reads half a file.
    pub(crate) fn write_configuration(&self, text: &str) {
        fs::write(self.path("adit.toml.new"), text).unwrap();
        fs::rename(self.path("adit.toml.new"), self.path("adit.toml")).unwrap();
    }

    /// Runs the program as a person would, with this host's socket.
    pub(crate) async fn adit(&self, arguments: &[&str]) -> Ended {
        let mut command = tokio::process::Command::new(PROGRAM);
        command
            .args(arguments)
            .env_clear()
            .env("ADIT_SOCKET", self.path("run/adit.sock"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("adit {arguments:?} does not end\n{}", self.log_tail())).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What lasts at Cloudflare.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.stage.world.snapshot()
    }

    /// A visitor's request.
    pub(crate) async fn visit(&self, hostname: &str) -> Visit {
        visit(self.stage.front(), hostname, "/").await.unwrap_or_else(|error| panic!("cannot visit {hostname}: {error}"))
    }

    /// Visitors who come again and again.
    pub(crate) fn load(&self, hostname: &str) -> Load {
        Load::start(self.stage.front(), hostname)
    }

    /// The running connectors, by the kernel's account.
    pub(crate) fn connectors(&self) -> Vec<Process> {
        self.processes().into_iter().filter(Process::is_connector).collect()
    }

    /// Their numbers, in order.
    pub(crate) fn connector_pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.connectors().iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        pids
    }

    /// Every running process of this host.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::of_host(self.directory.path())
    }

    /// All that the daemons of this host have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        format!("--- the end of the daemon's log\n{}", lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n"))
    }
}

/// A stand-in that behaves well and does not take cloudflared's time for it.
pub(crate) fn brisk() -> Switches {
    Switches { time_scale: 0.1, ..Switches::default() }
}
