//! The connectors' output: two files for each generation, followed, bounded, and read back.
//!
//! cloudflared writes its log as JSON lines to `REPLICA-GENERATION.log`, and what it says besides (panics, the last reason of an
//! exit) to `REPLICA-GENERATION.err`, both in `logs/TUNNEL` of the state directory. The files are the store, nothing is copied:
//! what Adit does or fails to do can neither stop a connector nor lose or tear one of its lines, and a reader finds them after any
//! crash. One thread follows them all by inotify. It numbers the lines of a tunnel in a ledger on the tmpfs, so that a reader goes
//! on behind the line that it saw last, whatever happened to the daemon in between, and sees none twice; and it keeps the files
//! within their bound, by punching holes behind itself and removing the files of generations that are over.
//!
//! What a reader is not given: lines that fell out of the bound before it came (it is told how many), lines that a connector could
//! not write because the disk was full when the room kept ahead of it was used up, and lines beyond what the ledger can hold.

mod book;
mod files;
mod follower;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hint;
mod journal;
mod ledger;
mod line;
#[cfg(test)]
mod mounted;
mod reader;
mod room;
mod shared;
mod split;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use tokio::sync::watch;

pub use files::Opened;
pub use hint::{Hint, SAID_MAX};
pub use journal::Journal;
pub use line::{LogLevel, LogLine, Stream};

use self::{
    files::Folders,
    follower::{Order, Waker},
    journal::News,
    ledger::Ledger,
    shared::{Coming, Watchers},
};
use crate::{
    connector::{Generation, SlotId},
    name::TunnelName,
};

/// How long a reader waits until what was written a moment ago is numbered; then it reads what is.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(2);
/// How long an event waits for the lines before it, twice: until they are numbered, and until the journal has them. Events wait for
/// one another in a queue with an end, so it is short; a line that is not through by then comes behind the event.
const ORDER_TIME_MAX: Duration = Duration::from_millis(50);

/// The name that a tunnel is shown under, by the name of its slots.
pub type Shown = Box<dyn Fn(&TunnelName) -> TunnelName + Send>;

/// Who is told of lines as they are found.
pub struct Sinks {
    /// Called from the follower's thread for what the supervisor wants to know at once; it must not wait.
    pub hint: Box<dyn Fn(Hint) + Send>,
    /// Where lines go beside the files, if anywhere.
    pub journal: Option<Journal>,
    /// What tunnels are called there.
    pub shown: Shown,
}

/// The connectors' output.
#[derive(Clone)]
pub struct Output {
    folders: Folders,
    orders: Arc<Orders>,
    watchers: Watchers,
    coming: Coming,
    losses: Arc<Losses>,
}

/// What was lost since the start.
#[derive(Debug, Default)]
pub struct Losses {
    journal_lines: AtomicU64,
    full_disks: AtomicU64,
}

impl Losses {
    /// How many lines the journal did not take. They are in the files.
    pub fn journal_lines(&self) -> u64 {
        self.journal_lines.load(Ordering::Relaxed)
    }

    /// How often connectors wrote to a disk that was full, with nothing older left to give up for it: lines may be lost, and only
    /// those who wrote them know how many.
    pub fn full_disks(&self) -> u64 {
        self.full_disks.load(Ordering::Relaxed)
    }
}

/// A line with its number, which it keeps until the host is started again.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberedLine {
    /// Grows with every line of the tunnel, by one and more, over all replicas and generations.
    pub id: u64,
    /// The line.
    pub line: LogLine,
}

/// Lines that follow one another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// How many lines before these fell out of the bound; at most, as some of them would not have been shown.
    pub missed: u64,
    /// The lines, oldest first.
    pub lines: Vec<NumberedLine>,
    /// The number to go on behind: that of the last line that was looked at, shown or not.
    pub last: Option<u64>,
}

/// The follower's inbox. The thread ends when the last of its owners is gone.
struct Orders {
    sender: mpsc::Sender<Order>,
    waker: Waker,
}

impl Output {
    /// Starts the follower. Files go to `store`, and to `spare` (on a tmpfs) where that takes none.
    pub fn start(store: PathBuf, spare: PathBuf, sinks: Sinks) -> io::Result<Self> {
        let folders = Folders { store, spare };
        let losses = Arc::new(Losses::default());
        let mut watchers = Watchers::default();
        if let Some(journal) = sinks.journal {
            let news = News::default();
            journal::start(journal, sinks.shown, folders.clone(), news.clone(), Arc::clone(&losses))?;
            watchers.news = Some(news);
        }
        let coming = Coming::default();
        let (sender, waker) =
            follower::start(folders.clone(), watchers.clone(), coming.clone(), Arc::clone(&losses), sinks.hint)?;
        Ok(Self { folders, orders: Arc::new(Orders { sender, waker }), watchers, coming, losses })
    }

    /// Makes the files of a generation and follows them. It blocks for as long as making two files takes. Where the store takes
    /// none the spare folder does, and where that takes none either the output is thrown away: the answer says why, and no start
    /// fails for it. Only a process that is out of descriptors, which could start nothing, gets an error.
    pub fn open(&self, slot: &SlotId, generation: Generation) -> io::Result<Opened> {
        self.coming.lock().insert((slot.clone(), generation));
        let opened = self.folders.open(slot, generation).inspect_err(|_| {
            self.coming.lock().remove(&(slot.clone(), generation));
        })?;
        if opened.trouble.as_ref().is_some_and(room::is_full) {
            self.send(Order::MakeRoom);
        }
        self.send(Order::Follow { slot: slot.clone(), generation, is_new: true });
        Ok(opened)
    }

    /// Follows the files of a generation that is running already, from where the last daemon came to.
    pub fn follow(&self, slot: &SlotId, generation: Generation) {
        self.send(Order::Follow { slot: slot.clone(), generation, is_new: false });
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

    /// The newest `count` lines of a tunnel: everything that was written before the call counts. It blocks for as long as reading
    /// the ends of its files takes.
    pub fn newest(&self, tunnel: &TunnelName, count: usize) -> Batch {
        reader::newest(&self.folders, tunnel, &self.ledger(tunnel), count)
    }

    /// The lines of a tunnel behind the number `after`, about `count` of them at once. It blocks for as long as reading them takes.
    pub fn behind(&self, tunnel: &TunnelName, after: u64, count: usize) -> Batch {
        reader::behind(&self.folders, tunnel, &self.ledger(tunnel), after, count)
    }

    /// Changes with every line of a tunnel.
    pub fn subscribe(&self, tunnel: &TunnelName) -> watch::Receiver<u64> {
        self.watchers.subscribe(tunnel)
    }

    /// Waits until the journal has what the connectors of a tunnel have written so far, for a moment at most: an event that is
    /// logged after this stands behind the lines that led to it. Without a journal there is nothing to wait for.
    pub fn pass_on(&self, tunnel: &TunnelName) {
        let Some(news) = &self.watchers.news else { return };
        let (reply, answer) = mpsc::sync_channel(1);
        self.send(Order::Catch { tunnel: tunnel.clone(), reply });
        if answer.recv_timeout(ORDER_TIME_MAX).is_ok() {
            news.wait_until_passed_on(tunnel, ORDER_TIME_MAX);
        }
    }

    /// What was lost since the start.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The last generation of each slot that has files. It blocks for as long as listing them takes.
    pub fn generations(&self) -> BTreeMap<SlotId, Generation> {
        self.folders.generations()
    }

    fn ledger(&self, tunnel: &TunnelName) -> Ledger {
        let (reply, answer) = mpsc::sync_channel(1);
        self.send(Order::Catch { tunnel: tunnel.clone(), reply });
        let pending = answer.recv_timeout(CATCH_UP_TIME_MAX).unwrap_or_default();
        let mut ledger = book::read(&self.folders.ledger(tunnel)).unwrap_or_default();
        for stretch in pending {
            // What was written down meanwhile is there already.
            if stretch.first >= ledger.next() {
                ledger.push(stretch);
            }
        }
        ledger
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
