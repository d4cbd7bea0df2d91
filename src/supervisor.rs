//! The loop over all connectors.
//!
//! ```text
//!   wanted (watch) ───────────┐                       ┌─▶ spawn: blocking threads, few at a time ──┐
//!   requests (bounded) ───────┤                       ├─▶ signals                                  │
//!   mode: drain, detach ──────┼─▶ Task: slots, timers ┼─▶ probes apart: tasks, bounded ────────────┤
//!   READY=1 of connectors ────┤      ▲        ▲ │     └─▶ events                                   │
//!   hints from their logs ────┘      │        │ └─ probes of those that are well: rounds, in the loop itself
//!                                    │        └─── and their answers, at the next moment of the grid
//!                                    └──────────────── reports: spawned, ended, probed ◀───────────┘
//! ```
//!
//! [`Supervisor`] is the handle, the task behind it owns every [`Slot`](crate::connector::Slot): it hands each what happened, and
//! carries out what it asks for. The task never waits for anything slow. What is slow runs elsewhere and reports back with the
//! generation that it was about, so that what comes too late is recognised.

mod adoption;
mod alarm;
mod children;
mod clock;
mod desk;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod grid;
mod heartbeat;
mod hints;
mod holders;
mod memory;
mod names;
mod probes;
mod programs;
mod requests;
mod rollout;
mod rounds;
mod starter;
mod starts;
mod surplus;
mod task;
mod turns;
mod uplink;
mod wanted;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

pub use requests::{RequestError, Restart};

use self::{
    heartbeat::Heartbeat,
    names::{Names, SharedNames},
    requests::{Mode, Request},
    rollout::OBSERVATION,
    starter::Starter,
    task::Task,
};
use crate::{
    boot,
    connector::{self, Holders, Wanted},
    event::{DaemonEvent, Sink},
    name::TunnelName,
    notify::Notifications,
    output::{Batch, Journal, Losses, Output, Sinks},
    process::{Spawner, SpawnerSettings, own_folder, raise_descriptor_limit, surviving_slots},
};

/// Where the supervisor keeps things, and the times that it goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `/run/adit`: what must not outlive a reboot goes to `private` in it.
    pub runtime_dir: PathBuf,
    /// `/var/lib/adit`: the connectors' output goes to `logs` in it.
    pub state_dir: PathBuf,
    /// Folders that no connector may open, besides these two: where the daemon's credentials are, for one.
    pub closed: Vec<PathBuf>,
    /// Files that no connector may open; a change holds from the next start on.
    pub secrets: watch::Receiver<Vec<PathBuf>>,
    /// The cgroup below which each connector gets one of its own. `None` for the one that the service manager gave to the daemon,
    /// if it gave one; another must be known to be ours, and the daemon itself stays where it is.
    pub cgroup: Option<PathBuf>,
    /// Where connectors' lines go beside the files, if anywhere.
    pub journal: Option<Journal>,
    /// The machine's times.
    pub connector: connector::Settings,
    /// Where a program that is named without a folder is looked for.
    pub program_folders: Vec<PathBuf>,
    /// How long a connector with another cloudflared must be well before others follow.
    pub observation: Duration,
    /// `HOST:PORT`s that take TCP connections when Cloudflare's edge can be reached; a change holds from the next question on.
    pub edge_probe: watch::Receiver<Vec<String>>,
    /// Where it is said which processes hold which tunnel's secret.
    pub holders: watch::Sender<Arc<Holders>>,
}

/// How many requests may wait. They are answered at once, so more are a flood.
const REQUESTS_MAX: usize = 32;
/// How many hints from logs may wait; what does not fit is found out by the next probe.
const HINTS_MAX: usize = 256;
/// About how many log lines are read at once for a reader who follows.
const LINES_AT_ONCE: usize = 500;
/// The private folder of the runtime directory.
const PRIVATE: &str = "private";
/// The socket that connectors report to, in the private folder.
const NOTIFY_SOCKET: &str = "notify.sock";

/// The handle of the supervisor.
#[derive(Clone)]
pub struct Supervisor {
    requests: mpsc::Sender<Request>,
    mode: Arc<watch::Sender<Mode>>,
    observation: Arc<watch::Sender<Duration>>,
    output: Output,
    names: SharedNames,
    heartbeat: Arc<Heartbeat>,
}

impl Settings {
    /// The settings of a daemon with these directories, which never asks the edge.
    pub fn new(runtime_dir: PathBuf, state_dir: PathBuf) -> Self {
        Self {
            runtime_dir,
            state_dir,
            closed: Vec::new(),
            secrets: watch::Sender::new(Vec::new()).subscribe(),
            cgroup: None,
            journal: None,
            connector: connector::Settings::default(),
            program_folders: Vec::new(),
            observation: OBSERVATION,
            edge_probe: watch::Sender::new(Vec::new()).subscribe(),
            holders: watch::Sender::default(),
        }
    }
}

impl Supervisor {
    /// Adopts what an earlier daemon left running, then starts the loop. When it returns, adoption is done and nothing has been
    /// started yet.
    ///
    /// An empty first value of `wanted` means that what is wanted is not known yet: what was adopted goes on until the first
    /// change. The task ends after [`Supervisor::shutdown`] when the last connector is gone, at once after
    /// [`Supervisor::detach`], and when every handle is gone as if detached.
    pub async fn start(
        settings: Settings,
        wanted: watch::Receiver<Arc<Wanted>>,
        events: Sink,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let descriptors = raise_descriptor_limit();
        if let Err(error) = &descriptors {
            // A host with few connectors does not need it.
            tracing::warn!(%error, "Cannot raise the limit of open descriptors");
        }
        let private = settings.runtime_dir.join(PRIVATE);
        make_private(&private)?;
        let (hint_sender, hints) = mpsc::channel(HINTS_MAX);
        let hint = move |hint| drop(hint_sender.try_send(hint));
        let (name_sender, names) = watch::channel(Arc::new(Names::default()));
        let shown = {
            let names = names.clone();
            move |slots: &TunnelName| names.borrow().shown(slots).clone()
        };
        let sinks = Sinks { hint: Box::new(hint), journal: settings.journal, shown: Box::new(shown) };
        let output = Output::start(settings.state_dir.join("logs"), private.join("logs"), sinks)?;
        let notify = private.join(NOTIFY_SOCKET);
        let notifications = match Notifications::bind(&notify) {
            Ok(notifications) => Some(notifications),
            Err(error) => {
                // Probes find out the same, a little later.
                tracing::warn!(path = %notify.display(), %error, "Cannot listen for connectors that report to be connected");
                None
            }
        };
        let mut closed = settings.closed;
        closed.extend([settings.state_dir, settings.runtime_dir]);
        let spawner = Spawner::new(SpawnerSettings {
            directory: private.clone(),
            notify: notifications.as_ref().map(|_| notify),
            closed,
            secrets: settings.secrets,
            descriptors: descriptors.ok(),
            subtree: adoption::subtree(settings.cgroup.as_deref()),
        })?;
        events.tell(DaemonEvent::ConnectorsBoxed { landlock: spawner.landlock() });
        let (request_sender, requests) = mpsc::channel(REQUESTS_MAX);
        let (mode_sender, mode) = watch::channel(Mode::Run);
        let (observation_sender, observation) = watch::channel(settings.observation);
        let heartbeat = Arc::<Heartbeat>::default();
        let spawner = Arc::new(spawner);
        let parts = task::Parts {
            settings: settings.connector,
            starter: Starter::new(&spawner, output.clone())?,
            spawner,
            output: output.clone(),
            notifications,
            wanted,
            requests,
            mode,
            observation,
            hints,
            events,
            shared_names: name_sender,
            heartbeat: Arc::clone(&heartbeat),
            edge_probe: settings.edge_probe,
            holders: settings.holders,
        };
        let task = Task::adopt(parts, private, settings.program_folders).await?;
        let observation = Arc::new(observation_sender);
        let handle = Self { requests: request_sender, mode: Arc::new(mode_sender), observation, output, names, heartbeat };
        Ok((handle, tokio::spawn(task.run())))
    }

    /// Gives every connector of a tunnel a successor, one after another: the old one goes when the new one is ready. It returns
    /// when the wish is taken, not when it is fulfilled.
    pub async fn restart(&self, tunnel: &TunnelName, how: Restart) -> Result<(), RequestError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Restart { tunnel: tunnel.clone(), how, reply };
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RequestError::Busy,
            mpsc::error::TrySendError::Closed(_) => RequestError::Stopping,
        })?;
        answer.await.unwrap_or(Err(RequestError::Stopping))
    }

    /// Watches connectors with another program for `period` from here on, before others follow.
    pub fn observe_for(&self, period: Duration) {
        self.observation.send_replace(period);
    }

    /// The last `lines` lines of a tunnel's connectors, oldest first.
    pub async fn recent_logs(&self, tunnel: &TunnelName, lines: usize) -> Batch {
        let (output, tunnel) = (self.output.clone(), self.slots_of(tunnel));
        tokio::task::spawn_blocking(move || output.newest(&tunnel, lines)).await.unwrap_or_default()
    }

    /// Lines of a tunnel's connectors behind the one with the number `after`, as many as are read at once.
    pub async fn logs_behind(&self, tunnel: &TunnelName, after: u64) -> Batch {
        let (output, tunnel) = (self.output.clone(), self.slots_of(tunnel));
        let read = tokio::task::spawn_blocking(move || output.behind(&tunnel, after, LINES_AT_ONCE));
        read.await.unwrap_or(Batch { last: Some(after), ..Batch::default() })
    }

    /// Changes with every line of a tunnel's connectors.
    pub fn watch_logs(&self, tunnel: &TunnelName) -> watch::Receiver<u64> {
        self.output.subscribe(&self.slots_of(tunnel))
    }

    /// Waits, for a moment at most, until the journal has what a tunnel's connectors have written so far. It blocks.
    pub fn pass_on_lines(&self, tunnel: &TunnelName) {
        self.output.pass_on(&self.slots_of(tunnel));
    }

    /// What was lost of connectors' lines since the start.
    pub fn log_losses(&self) -> &Losses {
        self.output.losses()
    }

    /// Drains and stops every connector.
    pub fn shutdown(&self) {
        self.set_mode(Mode::Drain);
    }

    /// Kills every connector that has not stopped yet.
    pub fn abort(&self) {
        self.set_mode(Mode::Abort);
    }

    /// Leaves every connector running, for the next daemon to adopt.
    pub fn detach(&self) {
        self.set_mode(Mode::Detach);
    }

    /// A number that has grown soon after it was asked for, as long as the loop makes progress. Nobody else makes an idle loop turn.
    pub fn heartbeat(&self) -> u64 {
        self.heartbeat.feel()
    }

    /// The name that the logs of a tunnel's connectors are kept under.
    fn slots_of(&self, tunnel: &TunnelName) -> TunnelName {
        self.names.borrow().slots(tunnel).clone()
    }

    /// A mode gives way only to a stronger one.
    fn set_mode(&self, mode: Mode) {
        self.mode.send_if_modified(|present| {
            let stronger = mode > *present;
            if stronger {
                *present = mode;
            }
            stronger
        });
    }
}

/// The tunnels of which an earlier daemon with this runtime directory left a connector running that can be proved to be its own. It
/// changes nothing, and blocks.
///
/// # Errors
///
/// When `/proc` or what that daemon left cannot be read.
pub fn surviving_tunnels(runtime_dir: &Path) -> io::Result<BTreeSet<TunnelName>> {
    let private = runtime_dir.join(PRIVATE);
    let names = Names::resume(memory::names(&private, &boot::id()?));
    Ok(surviving_slots(&private)?.iter().map(|slots| names.shown(slots).clone()).collect())
}

fn make_private(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    own_folder(folder)
}
