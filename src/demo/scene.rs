//! What the demo plays on: the sandbox, origins and a real daemon, all in one temporary directory.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getuid},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    control::{
        Client,
        api::{Connector, RouteState, State, Status, Tunnel},
    },
    sandbox::{
        faults::{Fault, Matching, Times},
        origin::Origin,
        stage::Stage,
        world::World,
    },
    whole_file::{self, Keep},
};

/// How often the demo looks whether something has come true.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long anything may take to come true; beyond it the demo has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The hostnames that visitors ask for all the time. `docs.example.com` is left out: its DNS record is what gets deleted.
pub(super) const VISITED: [&str; 2] = ["app.example.com", "api.example.com"];

/// A running scene. Dropping it ends the daemon and everything else.
pub(super) struct Scene {
    /// The sandbox.
    pub stage: Stage,
    /// The daemon's control socket.
    pub client: Client,
    metrics: SocketAddr,
    origins: Origins,
    /// Whether `app.example.com` leads to the second of its two origins.
    app_moved: bool,
    /// Whether the API fails on request.
    api_fails: bool,
    daemon: Child,
    // Last, so that the directory goes when nothing uses it any more.
    directory: TempDir,
}

/// The local services behind the tunnels.
struct Origins {
    app: Origin,
    app_moved: Origin,
    api: Origin,
    docs: Origin,
}

impl Scene {
    /// Starts everything and waits until the daemon answers and three tunnels serve.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("adit-demo-").tempdir().context("cannot make a temporary directory")?;
        let program = std::env::current_exe().context("cannot tell which program this is")?;
        let stage = Stage::start(directory.path(), &program, World::new()).await.context("cannot start the sandbox")?;
        let origins = Origins {
            app: Origin::start("app")?,
            app_moved: Origin::start("app, moved")?,
            api: Origin::start("api")?,
            docs: Origin::start("docs")?,
        };
        let metrics = free_port().context("cannot find a port for the metrics")?;
        write_configuration(directory.path(), &stage, metrics, &origins, &origins.app)?;
        let daemon = Command::new(program)
            .arg("daemon")
            .arg("--config")
            .arg(directory.path().join("adit.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.path().join("daemon.log"))?)
            .spawn()
            .context("cannot start the daemon")?;
        let client = Client::new(directory.path().join("adit.sock"));
        let mut scene = Self { stage, client, metrics, origins, app_moved: false, api_fails: false, daemon, directory };
        scene.until("the daemon answers", async |scene| scene.client.version().await.is_ok()).await?;
        // The third is made over the socket, as `adit tunnel create docs` does.
        let service = scene.origins.docs.url();
        let definition = json!({ "ingress": [{ "hostname": "docs.example.com", "service": service }] });
        scene.client.create_tunnel("docs", definition).await.context("cannot create the tunnel docs")?;
        scene.until_all_serve().await?;
        Ok(scene)
    }

    /// Where everything is: a label and a text to copy.
    pub(super) fn places(&self) -> Vec<(&'static str, String)> {
        vec![
            ("socket", format!("adit --socket {} status", self.directory.path().join("adit.sock").display())),
            ("metrics", format!("curl http://{}/metrics", self.metrics)),
            ("visit", format!("curl -H 'Host: app.example.com' http://{}/", self.stage.front())),
            ("log", self.directory.path().join("daemon.log").display().to_string()),
        ]
    }

    /// Whether the API fails on request at the moment.
    pub(super) fn api_fails(&self) -> bool {
        self.api_fails
    }

    /// Lets the API fail, or work again.
    pub(super) fn set_api_fails(&mut self, fails: bool) {
        self.api_fails = fails;
        let faults = self.stage.world.faults();
        if fails {
            faults.add(Fault::ServerError(500), Matching::everything(), Times::UntilCleared);
        } else {
            faults.clear();
        }
    }

    /// Leads `app.example.com` to its other origin: writes the file and has it read again.
    pub(super) async fn move_app(&mut self) -> anyhow::Result<()> {
        self.app_moved = !self.app_moved;
        let app = if self.app_moved { &self.origins.app_moved } else { &self.origins.app };
        write_configuration(self.directory.path(), &self.stage, self.metrics, &self.origins, app)?;
        self.client.reload_configuration().await.context("cannot reload the configuration")?;
        Ok(())
    }

    /// The name of the origin behind `app.example.com`, as it answers.
    pub(super) fn app_origin(&self) -> &str {
        if self.app_moved { self.origins.app_moved.name() } else { self.origins.app.name() }
    }

    /// The connector of `tunnel`'s replica that runs now.
    pub(super) async fn connector(&self, tunnel: &str, replica: u8) -> anyhow::Result<(Connector, u32)> {
        let status = self.client.status().await?;
        let connector = find(&status, tunnel).and_then(|tunnel| tunnel.connectors.iter().find(|found| found.replica == replica));
        let connector = connector.with_context(|| format!("no connector {tunnel}/{replica}"))?.clone();
        let pid = connector.pid.with_context(|| format!("the connector {tunnel}/{replica} does not run"))?;
        Ok((connector, pid))
    }

    /// Sends SIGKILL to a connector, as a person would.
    pub(super) fn kill(pid: u32) -> anyhow::Result<()> {
        let pid = i32::try_from(pid).context("no pid is as large")?;
        kill(Pid::from_raw(pid), Signal::SIGKILL).with_context(|| format!("cannot kill the process {pid}"))
    }

    /// Waits until every tunnel serves with all of its connections and every route leads to it.
    pub(super) async fn until_all_serve(&mut self) -> anyhow::Result<()> {
        self.until("every tunnel serves", async |scene| scene.client.status().await.is_ok_and(|status| all_serve(&status))).await
    }

    /// Waits until `holds`, and says what it waited for when it does not come true or the daemon ends.
    pub(super) async fn until(&mut self, what: &str, holds: impl AsyncFn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self).await {
            if let Some(status) = self.daemon.try_wait()? {
                bail!("the daemon ended ({status}): {}", self.last_log_lines());
            }
            if Instant::now() > deadline {
                return Err(anyhow!("{}", self.last_log_lines()).context(format!("not within {} s: {what}", PATIENCE.as_secs())));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn last_log_lines(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("daemon.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Stops the daemon as systemd would, and waits until it has drained everything.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.daemon.id()).context("no pid is as large")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).context("cannot signal the daemon")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.daemon.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the daemon ended with {status}: {}", self.last_log_lines()),
                None if Instant::now() > deadline => bail!("the daemon did not stop: {}", self.last_log_lines()),
                None => sleep(LOOK_EVERY).await,
            }
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Only what `stop` did not end: a demo that failed or was cut short. The connectors are the daemon's children and outlive it
        // by design, so they are ended first.
        if let Ok(None) = self.daemon.try_wait() {
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
            for connector in self.stage.switchboard.connectors() {
                let _ = Self::kill(connector.pid);
            }
        }
    }
}

/// Whether every tunnel has all its connectors ready and all its routes live.
pub(super) fn all_serve(status: &Status) -> bool {
    status.tunnels.len() == 3
        && status.tunnels.iter().all(|tunnel| {
            tunnel.state == State::Ready
                && tunnel.connectors.len() == usize::from(tunnel.replicas)
                && tunnel.connectors.iter().all(|connector| connector.state == State::Ready)
                && tunnel.routes.iter().all(|route| route.state == RouteState::Live)
        })
}

/// The tunnel of that name.
pub(super) fn find<'a>(status: &'a Status, name: &str) -> Option<&'a Tunnel> {
    status.tunnels.iter().find(|tunnel| tunnel.name == name)
}

fn write_configuration(
    directory: &Path,
    stage: &Stage,
    metrics: SocketAddr,
    origins: &Origins,
    app: &Origin,
) -> anyhow::Result<()> {
    let path = |name: &str| toml::Value::String(directory.join(name).to_string_lossy().into_owned());
    let mut text = stage.configuration();
    write!(
        text,
        "\n\
         [daemon]\n\
         state_dir = {state}\n\
         runtime_dir = {run}\n\
         sync_interval = \"2s\"\n\n\
         [control]\n\
         socket = {socket}\n\n\
         [metrics]\n\
         listen = \"{metrics}\"\n\n\
         [access]\n\
         admin = [\"{uid}\"]\n\n\
         [tunnels.web]\n\
         replicas = 2\n\
         ingress = [{{ hostname = \"app.example.com\", service = \"{app}\" }}]\n\n\
         [tunnels.api]\n\
         replicas = 2\n\
         ingress = [{{ hostname = \"api.example.com\", service = \"{api}\" }}]\n",
        state = path("state"),
        run = path("run"),
        socket = path("adit.sock"),
        uid = getuid(),
        app = app.url(),
        api = origins.api.url(),
    )?;
    let written = whole_file::replace(&directory.join("adit.toml"), text.as_bytes(), Keep::ThisBoot);
    written.context("cannot write the demo's configuration")
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}
