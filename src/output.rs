//! The connectors' output: two files for each generation, followed, bounded, and read back.
//!
//! cloudflared writes its log as JSON lines to `REPLICA-GENERATION.log`, and what it says besides (panics, the last reason of an
//! exit) to `REPLICA-GENERATION.err`, both in `logs/TUNNEL` of the state directory. The files are the store: nothing that Adit
//! does or fails to do can stop a connector or lose one of its lines, and a reader finds them after any crash. One thread follows
//! them all by inotify, for those who watch a tunnel live and for what the supervisor wants to know at once; it also keeps them
//! within their bound, by punching holes behind itself and removing the files of generations that are over.

mod files;
mod follower;
mod line;
mod split;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use tokio::sync::broadcast;

pub use files::Opened;
pub use line::{LogLevel, LogLine, Stream};

use self::{
    files::Folders,
    follower::{From, Order, Waker},
};
use crate::{
    connector::{Generation, SlotId},
    name::TunnelName,
};

/// How many lines a live reader may lag behind before it loses some, which it is told.
const LAG_MAX: usize = 512;

/// Something that a line of a connector says, for the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// It took in a configuration from the edge.
    Configured {
        /// The slot.
        slot: SlotId,
        /// The generation.
        generation: Generation,
    },
}

/// The connectors' output.
#[derive(Clone)]
pub struct Output {
    folders: Folders,
    orders: Arc<Orders>,
    listeners: Listeners,
}

/// Those who watch a tunnel live. A tunnel that nobody watches costs nothing.
type Listeners = Arc<Mutex<BTreeMap<TunnelName, broadcast::Sender<Arc<LogLine>>>>>;

/// The follower's inbox. The thread ends when the last of its owners is gone.
struct Orders {
    sender: mpsc::Sender<Order>,
    waker: Waker,
}

impl Output {
    /// Starts the follower. Files go to `store`, and to `spare` (on a tmpfs) where that takes none. `hint` is called from the
    /// follower's thread and must not wait.
    pub fn start(store: PathBuf, spare: PathBuf, hint: impl Fn(Hint) + Send + 'static) -> io::Result<Self> {
        let folders = Folders { store, spare };
        let listeners = Listeners::default();
        let (sender, waker) = follower::start(folders.clone(), Arc::clone(&listeners), hint)?;
        Ok(Self { folders, orders: Arc::new(Orders { sender, waker }), listeners })
    }

    /// Makes the files of a generation and follows them. It blocks for as long as making two files takes. Where no folder takes a
    /// file the output is thrown away, and the answer says why; only a host without `/dev/null` is an error.
    pub fn open(&self, slot: &SlotId, generation: Generation) -> io::Result<Opened> {
        let opened = self.folders.open(slot, generation)?;
        self.send(Order::Follow { slot: slot.clone(), generation, from: From::Start });
        Ok(opened)
    }

    /// Follows the files of a generation that is running already, from their ends.
    pub fn follow(&self, slot: &SlotId, generation: Generation) {
        self.send(Order::Follow { slot: slot.clone(), generation, from: From::End });
    }

    /// The generation is over: what it wrote last is read, and its files count as old from then on.
    pub fn finish(&self, slot: &SlotId, generation: Generation) {
        self.send(Order::Finish { slot: slot.clone(), generation });
    }

    /// Only these tunnels exist. Of the others, only the logs of those that were written to last are kept.
    pub fn retain(&self, tunnels: BTreeSet<TunnelName>) {
        self.send(Order::Retain { tunnels });
    }

    /// The last lines that a generation wrote to stderr, oldest first. It blocks for as long as reading a few kilobytes takes.
    pub fn last_words(&self, slot: &SlotId, generation: Generation) -> Vec<String> {
        self.folders.last_words(slot, generation)
    }

    /// The last `lines` lines of a tunnel, oldest first. It blocks for as long as reading the ends of its files takes.
    pub fn recent(&self, tunnel: &TunnelName, lines: usize) -> Vec<LogLine> {
        self.folders.recent(tunnel, lines)
    }

    /// The lines of a tunnel from here on.
    pub fn subscribe(&self, tunnel: &TunnelName) -> broadcast::Receiver<Arc<LogLine>> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.entry(tunnel.clone()).or_insert_with(|| broadcast::Sender::new(LAG_MAX)).subscribe()
    }

    /// The last generation of each slot that has files. It blocks for as long as listing them takes.
    pub fn generations(&self) -> BTreeMap<SlotId, Generation> {
        self.folders.generations()
    }

    fn send(&self, order: Order) {
        // The follower lives as long as any of its owners.
        if self.orders.sender.send(order).is_ok() {
            self.orders.waker.wake();
        }
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        let _ = self.sender.send(Order::End);
        self.waker.wake();
    }
}
