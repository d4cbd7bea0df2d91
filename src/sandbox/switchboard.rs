//! How tests and the demo make a stand-in connector misbehave, while it runs or before it starts.
//!
//! The sandbox serves a Unix socket; its path reaches a stand-in by the environment ([`ENVIRONMENT_VARIABLE`]). A stand-in says
//! who it is, gets its [`Switches`] before it does anything else and again whenever they change, and may get one
//! [`Command`] after another. All messages are JSON, one a line.

pub(in crate::sandbox) mod message;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

pub use self::message::{Command, Crash, Dns, Switches};
use self::message::{Hello, LINE_BYTES_MAX, Order};
use super::edge::listener::accepted;
use crate::id::{ConnectorId, TunnelId};

/// Where a stand-in finds the path of the switchboard's socket.
pub const ENVIRONMENT_VARIABLE: &str = "ADIT_SANDBOX_SWITCHBOARD";

/// How many stand-ins at once: 1,000 run in the largest tests, twice that while all are replaced.
const STAND_INS_MAX: usize = 4_096;

/// How many commands may wait for one stand-in; it reads them at once unless it is crashing.
const COMMANDS_MAX: usize = 16;

/// A stand-in that is connected to the switchboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// The tunnel of its token.
    pub tunnel: TunnelId,
    /// The id that it made for itself at its start.
    pub connector: ConnectorId,
    /// Its process id.
    pub pid: u32,
}

/// A running switchboard. Dropping it leaves the stand-ins as they are switched.
pub struct Switchboard {
    path: PathBuf,
    shared: Arc<Shared>,
    _accept: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    switches: watch::Sender<Table>,
    stand_ins: Mutex<BTreeMap<u32, (StandIn, mpsc::Sender<Command>)>>,
}

#[derive(Debug, Default)]
struct Table {
    all: Switches,
    tunnels: BTreeMap<TunnelId, Switches>,
}

impl Table {
    fn of(&self, tunnel: &TunnelId) -> &Switches {
        self.tunnels.get(tunnel).unwrap_or(&self.all)
    }
}

impl Switchboard {
    /// Serves the socket at `path`, which must not exist. It must be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// When the socket cannot be bound.
    pub fn start(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let shared = Arc::new(Shared::default());
        let accept = AbortOnDropHandle::new(tokio::spawn(accept(listener, Arc::clone(&shared))));
        Ok(Self { path: path.to_owned(), shared, _accept: accept })
    }

    /// The socket's path, for [`ENVIRONMENT_VARIABLE`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Switches the stand-ins of one tunnel, or of all tunnels that have no switches of their own: those that run and those to
    /// come.
    pub fn set(&self, tunnel: Option<&TunnelId>, switches: Switches) {
        self.shared.switches.send_modify(|table| match tunnel {
            Some(tunnel) => drop(table.tunnels.insert(tunnel.clone(), switches)),
            None => table.all = switches,
        });
    }

    /// Takes away a tunnel's own switches: those for all tunnels hold for it again.
    pub fn clear(&self, tunnel: &TunnelId) {
        self.shared.switches.send_modify(|table| drop(table.tunnels.remove(tunnel)));
    }

    /// The stand-ins that are connected, by process id.
    pub fn connectors(&self) -> Vec<StandIn> {
        self.shared.lock().values().map(|(stand_in, _)| stand_in.clone()).collect()
    }

    /// Tells one stand-in to do something once. Whether there is such a stand-in and it will hear the command.
    pub fn command(&self, pid: u32, command: Command) -> bool {
        self.shared.lock().get(&pid).is_some_and(|(_, commands)| commands.try_send(command).is_ok())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, (StandIn, mpsc::Sender<Command>)>> {
        self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let mut stand_ins = JoinSet::new();
    loop {
        tokio::select! {
            (stream, _) = accepted(|| listener.accept()), if stand_ins.len() < STAND_INS_MAX => {
                let shared = Arc::clone(&shared);
                stand_ins.spawn(async move { serve(stream, &shared).await.ok() });
            }
            Some(_) = stand_ins.join_next() => {}
        }
    }
}

async fn serve(mut stream: UnixStream, shared: &Shared) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader.take(LINE_BYTES_MAX));
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let Hello { tunnel, connector, pid } = serde_json::from_str(&line)?;

    let mut switches = shared.switches.subscribe();
    let mut last = switches.borrow_and_update().of(&tunnel).clone();
    write_order(&mut writer, &Order::Switches(last.clone())).await?;
    let (sender, mut commands) = mpsc::channel(COMMANDS_MAX);
    shared.lock().insert(pid, (StandIn { tunnel: tunnel.clone(), connector, pid }, sender));
    let _presence = Presence { shared, pid };

    let mut rest = [0; 64];
    loop {
        tokio::select! {
            // Cancel-safe: a watch receiver, a channel, and a read whose bytes nobody wants.
            changed = switches.changed() => {
                changed.map_err(io::Error::other)?;
                let current = switches.borrow_and_update().of(&tunnel).clone();
                if current != last {
                    last = current;
                    write_order(&mut writer, &Order::Switches(last.clone())).await?;
                }
            }
            Some(command) = commands.recv() => write_order(&mut writer, &Order::Command(command)).await?,
            read = reader.read(&mut rest) => if read? == 0 { return Ok(()) },
        }
    }
}

async fn write_order(writer: &mut (impl AsyncWriteExt + Unpin), order: &Order) -> io::Result<()> {
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// Forgets a stand-in when its connection ends.
struct Presence<'a> {
    shared: &'a Shared,
    pid: u32,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.shared.lock().remove(&self.pid);
    }
}
