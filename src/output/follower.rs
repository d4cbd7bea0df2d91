//! The thread that follows every file: it waits for the kernel to tell of a change, numbers the lines that are there, and keeps
//! nothing of them.

mod followed;
mod numbering;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering, mpsc},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor},
};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use tokio::time::Instant;

use self::followed::{Followed, Known};
use super::{
    Losses,
    book::Book,
    files::Folders,
    hint::Hint,
    ledger::{FileName, Stretch},
    line::Stream,
    room,
    shared::{Coming, Watchers},
};
use crate::{
    connector::{Generation, SlotId},
    name::TunnelName,
};

/// What the follower is told.
pub(super) enum Order {
    /// A generation writes, or is about to. One that is not new may have been read by an earlier daemon.
    Follow {
        slot: SlotId,
        generation: Generation,
        is_new: bool,
    },
    /// It has ended.
    Finish {
        slot: SlotId,
        generation: Generation,
    },
    /// Somebody wants to read: everything that is there is to be numbered, and the answer is what the ledger lacks.
    Catch {
        tunnel: TunnelName,
        reply: mpsc::SyncSender<Vec<Stretch>>,
    },
    /// Only these tunnels exist.
    Retain {
        tunnels: BTreeSet<TunnelName>,
    },
    /// The disk is full.
    MakeRoom,
    End,
}

/// Gets the follower out of its wait.
#[derive(Clone)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(super) fn wake(&self) {
        // The one way to fail is a full counter, which wakes as well.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

pub(super) fn start(
    folders: Folders,
    watchers: Watchers,
    coming: Coming,
    losses: Arc<Losses>,
    hint: Box<dyn Fn(Hint) + Send>,
) -> io::Result<(mpsc::Sender<Order>, Waker)> {
    let (sender, orders) = mpsc::channel();
    let waker = Waker(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
    let mut follower = Follower {
        folders,
        watchers,
        coming,
        losses,
        hint,
        inotify: watcher()?,
        waker: waker.clone(),
        orders,
        files: BTreeMap::new(),
        unread: BTreeSet::new(),
        books: BTreeMap::new(),
        buffer: vec![0; CHUNK],
        made_room_at: None,
    };
    std::thread::Builder::new().name("adit-output".into()).spawn(move || follower.run())?;
    Ok((sender, waker))
}

/// How often a start asks the kernel to watch files for it, with [`WATCHER_PAUSE`] between: a user may have 128 such descriptors by
/// default, and those of a daemon that has just ended go within a moment.
const WATCHER_TRIES: usize = 100;
const WATCHER_PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

fn watcher() -> io::Result<Inotify> {
    for _ in 1..WATCHER_TRIES {
        match Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) {
            // With nothing to wait for, this is a pause.
            Err(Errno::EMFILE) => drop(poll(&mut [], Some(&WATCHER_PAUSE))),
            watcher => return Ok(watcher?),
        }
    }
    Ok(Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?)
}

/// How much is read at once, in bytes. A longer line is cut.
const CHUNK: usize = 64 * 1024;
/// A disk that stays full is not searched for room more often.
const ROOM_PAUSE: Duration = Duration::from_secs(5);

struct Follower {
    folders: Folders,
    watchers: Watchers,
    coming: Coming,
    losses: Arc<Losses>,
    hint: Box<dyn Fn(Hint) + Send>,
    inotify: Inotify,
    waker: Waker,
    orders: mpsc::Receiver<Order>,
    files: BTreeMap<WatchDescriptor, Followed>,
    /// Files whose turn ended before they were read to their ends.
    unread: BTreeSet<WatchDescriptor>,
    books: BTreeMap<TunnelName, TunnelBook>,
    buffer: Vec<u8>,
    made_room_at: Option<Instant>,
}

struct TunnelBook {
    book: Book,
    /// What ended before this daemon began to follow has been numbered to its last byte.
    is_caught_up: bool,
}

impl Follower {
    fn run(&mut self) {
        loop {
            self.wait();
            while let Ok(order) = self.orders.try_recv() {
                match order {
                    Order::Follow { slot, generation, is_new } => self.follow(&slot, generation, is_new),
                    Order::Finish { slot, generation } => self.finish(&slot, generation),
                    Order::Catch { tunnel, reply } => {
                        // Whoever asked may have gone.
                        let _ = reply.send(self.catch_up(&tunnel));
                    }
                    Order::Retain { tunnels } => self.retain(&tunnels),
                    Order::MakeRoom => self.make_room(),
                    Order::End => {
                        self.watchers.end();
                        return;
                    }
                }
            }
            // Fails when nothing has changed.
            for event in self.inotify.read_events().unwrap_or_default() {
                self.unread.insert(event.wd);
            }
            for watch in std::mem::take(&mut self.unread) {
                self.read(watch);
            }
        }
    }

    /// Waits for a change or an order; not at all while something is unread.
    fn wait(&self) {
        let at_once = Timespec::default();
        let timeout = if self.unread.is_empty() { None } else { Some(&at_once) };
        let mut sources =
            [PollFd::from_borrowed_fd(self.inotify.as_fd(), PollFlags::IN), PollFd::new(&self.waker.0, PollFlags::IN)];
        // An interruption is a wake-up like another.
        let _ = poll(&mut sources, timeout);
        let _ = rustix::io::read(&self.waker.0, &mut [0; 8]);
    }

    // ---- orders ----

    fn follow(&mut self, slot: &SlotId, generation: Generation, is_new: bool) {
        if is_new {
            // Whose place it takes may have ended while nobody followed it.
            self.number_unfollowed(&slot.tunnel);
        }
        for stream in [Stream::Log, Stream::Stderr] {
            let Some(path) = self.folders.find(slot, generation, stream) else { continue };
            let watch = match self.inotify.add_watch(&path, AddWatchFlags::IN_MODIFY) {
                Ok(watch) => watch,
                Err(error) => {
                    tracing::warn!(?path, %error, "Cannot follow a connector's output; it is neither shown live nor bounded");
                    continue;
                }
            };
            let file = FileName { replica: slot.replica, generation, stream };
            let known = if is_new { Known::New } else { self.known(&slot.tunnel, file) };
            self.files.insert(watch, Followed::begin(path, slot.tunnel.clone(), file, known));
            self.unread.insert(watch);
        }
        self.coming.lock().remove(&(slot.clone(), generation));
    }

    fn finish(&mut self, slot: &SlotId, generation: Generation) {
        let watches = self.watches(|followed| followed.is_of(slot, generation));
        for watch in watches {
            // Nobody writes to it any more, so it comes to an end.
            while self.read(watch) {}
            self.unread.remove(&watch);
            // Fails when the file was removed, which ends the watch too.
            let _ = self.inotify.rm_watch(watch);
            if let Some(mut followed) = self.files.remove(&watch) {
                self.number_last_line(&mut followed);
                followed.give_back_ahead();
            }
        }
        self.folders.prune(&slot.tunnel, &self.running(), self.share());
    }

    fn retain(&mut self, tunnels: &BTreeSet<TunnelName>) {
        self.folders.retain(tunnels);
        let followed: BTreeSet<&TunnelName> = self.files.values().map(|followed| &followed.tunnel).collect();
        // The ledger of another is read again when somebody asks for it.
        self.books.retain(|tunnel, _| tunnels.contains(tunnel) || followed.contains(tunnel));
    }

    /// Numbers everything that a tunnel's files hold by now, and gives what its ledger lacks.
    fn catch_up(&mut self, tunnel: &TunnelName) -> Vec<Stretch> {
        self.number_unfollowed(tunnel);
        for watch in self.watches(|followed| followed.tunnel == *tunnel) {
            // One turn: what is written from now on need not be waited for.
            self.read(watch);
        }
        self.book(tunnel).book.pending()
    }

    /// Removes the oldest files of all tunnels, then the past of those that are written to, until the disk has room.
    fn make_room(&mut self) {
        let now = Instant::now();
        if self.made_room_at.is_some_and(|at| now - at < ROOM_PAUSE) {
            return;
        }
        self.made_room_at = Some(now);
        self.folders.remove_oldest(&self.running(), || room::is_out_of_room(&self.folders.store));
        if room::is_out_of_room(&self.folders.store) {
            tracing::warn!(store = %self.folders.store.display(), "The disk is full; connectors' older output is given up for newer");
            for followed in self.files.values_mut() {
                followed.punch(room::KEPT_MIN);
            }
        }
        let is_full = |followed: &mut Followed| followed.keep_ahead().is_err_and(|error| room::is_full(&error));
        // What is kept ahead is used up soon.
        if self.files.values_mut().map(is_full).filter(|full| *full).count() > 0 {
            self.losses.full_disks.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn watches(&self, which: impl Fn(&Followed) -> bool) -> Vec<WatchDescriptor> {
        self.files.iter().filter(|(_, followed)| which(followed)).map(|(watch, _)| *watch).collect()
    }

    fn running(&self) -> BTreeSet<(SlotId, Generation)> {
        self.files.values().map(|followed| (followed.slot(), followed.file.generation)).collect()
    }

    /// What the running generations of each tunnel may take on disk.
    fn share(&self) -> u64 {
        room::share(self.books.len())
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
