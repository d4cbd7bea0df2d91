//! The thread that follows every file: it waits for the kernel to tell of a change, reads what is there, and keeps nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileExt,
    },
    path::PathBuf,
    sync::{Arc, PoisonError, mpsc},
};

use jiff::Timestamp;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fs::FallocateFlags,
};
use tokio::sync::broadcast;

use super::{
    Hint, Listeners,
    files::Folders,
    line::{LogLine, Stream, parse_log, parse_stderr},
    split::Splitter,
};
use crate::{
    connector::{Generation, SlotId},
    name::TunnelName,
};

/// What the follower is told.
pub(super) enum Order {
    Follow { slot: SlotId, generation: Generation, from: From },
    Finish { slot: SlotId, generation: Generation },
    Retain { tunnels: BTreeSet<TunnelName> },
    End,
}

/// Where following begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Start,
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
    listeners: Listeners,
    hint: impl Fn(Hint) + Send + 'static,
) -> io::Result<(mpsc::Sender<Order>, Waker)> {
    let (sender, orders) = mpsc::channel();
    let waker = Waker(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
    let mut follower = Follower {
        folders,
        listeners,
        hint: Box::new(hint),
        inotify: Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?,
        waker: waker.clone(),
        orders,
        files: BTreeMap::new(),
        unread: BTreeSet::new(),
        buffer: vec![0; CHUNK],
    };
    std::thread::Builder::new().name("adit-output".into()).spawn(move || follower.run())?;
    Ok((sender, waker))
}

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;
/// How many chunks are read of one file before the others have their turn.
const CHUNKS_A_TURN: usize = 16;
/// What the files of a tunnel's running generations may keep on disk together, in bytes.
const LIVE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What each may keep at least, in bytes.
const KEPT_MIN: u64 = 64 * 1024;
/// Holes are punched in steps of this many bytes, so that it is not done for each line.
const HOLE_STEP: u64 = 64 * 1024;
/// What cloudflared writes when it has taken in a configuration.
const CONFIGURED: &[u8] = b"Updated to new configuration";

struct Follower {
    folders: Folders,
    listeners: Listeners,
    hint: Box<dyn Fn(Hint) + Send>,
    inotify: Inotify,
    waker: Waker,
    orders: mpsc::Receiver<Order>,
    files: BTreeMap<WatchDescriptor, Followed>,
    /// Files whose turn ended before they were read to their ends.
    unread: BTreeSet<WatchDescriptor>,
    buffer: Vec<u8>,
}

/// A file that is followed. It is opened for each reading: the connectors of a large host would use up the descriptors.
struct Followed {
    path: PathBuf,
    slot: SlotId,
    generation: Generation,
    stream: Stream,
    /// Up to where it has been read.
    offset: u64,
    /// Up to where it has been emptied.
    hole: u64,
    splitter: Splitter,
}

impl Follower {
    fn run(&mut self) {
        loop {
            self.wait();
            while let Ok(order) = self.orders.try_recv() {
                match order {
                    Order::Follow { slot, generation, from } => self.follow(&slot, generation, from),
                    Order::Finish { slot, generation } => self.finish(&slot, generation),
                    Order::Retain { tunnels } => self.folders.retain(&tunnels),
                    Order::End => return,
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

    fn follow(&mut self, slot: &SlotId, generation: Generation, from: From) {
        for stream in [Stream::Log, Stream::Stderr] {
            let Some(path) = self.folders.find(slot, generation, stream) else { continue };
            let offset = match from {
                From::Start => 0,
                From::End => std::fs::metadata(&path).map_or(0, |metadata| metadata.len()),
            };
            let watch = match self.inotify.add_watch(&path, AddWatchFlags::IN_MODIFY) {
                Ok(watch) => watch,
                Err(error) => {
                    tracing::warn!(?path, %error, "Cannot follow a connector's output; it is neither shown live nor bounded");
                    continue;
                }
            };
            let splitter = if offset == 0 { Splitter::default() } else { Splitter::in_a_line() };
            let slot = slot.clone();
            self.files.insert(watch, Followed { path, slot, generation, stream, offset, hole: 0, splitter });
            self.unread.insert(watch);
        }
    }

    fn finish(&mut self, slot: &SlotId, generation: Generation) {
        let of_it = |followed: &Followed| followed.slot == *slot && followed.generation == generation;
        let watches: Vec<_> = self.files.iter().filter(|(_, followed)| of_it(followed)).map(|(watch, _)| *watch).collect();
        for watch in watches {
            // Nobody writes to it any more, so it comes to an end.
            while self.read(watch) {}
            self.unread.remove(&watch);
            // Fails when the file was removed, which ends the watch too.
            let _ = self.inotify.rm_watch(watch);
            if let Some(mut followed) = self.files.remove(&watch)
                && let Some(listener) = listener(&self.listeners, &followed.slot.tunnel)
            {
                let (slot, generation, stream) = (followed.slot.clone(), followed.generation, followed.stream);
                followed.splitter.finish(|line| publish(&listener, &slot, generation, stream, line));
            }
        }
        let running = self.files.values().map(|followed| (followed.slot.clone(), followed.generation)).collect();
        self.folders.prune(&slot.tunnel, &running);
    }

    /// Reads what a file has got, for one turn, and says whether there is more.
    fn read(&mut self, watch: WatchDescriptor) -> bool {
        let Some(tunnel) = self.files.get(&watch).map(|followed| followed.slot.tunnel.clone()) else { return false };
        let kept = self.kept_of_each(&tunnel);
        let Some(followed) = self.files.get_mut(&watch) else { return false };
        // A file that somebody removed or shut off has nothing to be read.
        let Ok(file) = File::open(&followed.path) else { return false };
        for _ in 0..CHUNKS_A_TURN {
            let Ok(length @ 1..) = file.read_at(&mut self.buffer, followed.offset) else {
                followed.punch(kept);
                return false;
            };
            followed.offset += length as u64;
            let chunk = &self.buffer[..length];
            // Looked up after reading: who asked before a line was written gets it.
            match &listener(&self.listeners, &tunnel) {
                Some(listener) => {
                    let (slot, generation, stream) = (&followed.slot, followed.generation, followed.stream);
                    followed.splitter.push(chunk, |line| publish(listener, slot, generation, stream, line));
                }
                // Lines that nobody watches are not made, only where one begins must be known.
                None if chunk.ends_with(b"\n") => followed.splitter = Splitter::default(),
                None => followed.splitter = Splitter::in_a_line(),
            }
            if followed.stream == Stream::Log && contains(chunk, CONFIGURED) {
                (self.hint)(Hint::Configured { slot: followed.slot.clone(), generation: followed.generation });
            }
        }
        followed.punch(kept);
        self.unread.insert(watch);
        true
    }

    fn kept_of_each(&self, tunnel: &TunnelName) -> u64 {
        let files = self.files.values().filter(|followed| followed.slot.tunnel == *tunnel).count();
        (LIVE_BYTES_MAX / files.max(1) as u64).max(KEPT_MIN)
    }
}

impl Followed {
    /// Gives back to the disk what has been read and is not among the last `kept` bytes. The file's length stays.
    fn punch(&mut self, kept: u64) {
        let end = self.offset.saturating_sub(kept) / HOLE_STEP * HOLE_STEP;
        if end <= self.hole {
            return;
        }
        let Ok(file) = OpenOptions::new().write(true).open(&self.path) else { return };
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // Where the file system cannot do it the file grows until its generation ends; cutting it would lose lines.
        let _ = rustix::fs::fallocate(&file, flags, 0, end);
        self.hole = end;
    }
}

/// Where the lines of a tunnel go while somebody watches it.
fn listener(listeners: &Listeners, tunnel: &TunnelName) -> Option<broadcast::Sender<Arc<LogLine>>> {
    let mut listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
    if listeners.get(tunnel)?.receiver_count() == 0 {
        listeners.remove(tunnel);
    }
    listeners.get(tunnel).cloned()
}

fn publish(listener: &broadcast::Sender<Arc<LogLine>>, slot: &SlotId, generation: Generation, stream: Stream, line: &[u8]) {
    let found = Timestamp::now();
    let line = match stream {
        Stream::Log => parse_log(slot, generation, line, found),
        Stream::Stderr => parse_stderr(slot, generation, line, found),
    };
    if let Some(line) = line {
        // Fails when the last reader has just gone.
        let _ = listener.send(Arc::new(line));
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::MetadataExt, sync::mpsc::Receiver, time::Duration};

    use super::{super::Output, *};

    struct Bench {
        _directory: tempfile::TempDir,
        output: Output,
        hints: Receiver<Hint>,
    }

    /// Longer than any of these tests takes; only a broken one waits for it.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn bench() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let (sender, hints) = mpsc::channel();
        let hint = move |hint| drop(sender.send(hint));
        let output = Output::start(directory.path().join("logs"), directory.path().join("spare"), hint).unwrap();
        Bench { _directory: directory, output, hints }
    }

    fn slot() -> SlotId {
        SlotId::new("web".parse().unwrap(), 0)
    }

    fn open(bench: &Bench) -> (File, File) {
        let opened = bench.output.open(&slot(), Generation(1)).unwrap();
        let log = OpenOptions::new().append(true).open(opened.logfile).unwrap();
        (log, opened.stderr.into())
    }

    async fn next(lines: &mut broadcast::Receiver<Arc<LogLine>>) -> String {
        tokio::time::timeout(PATIENCE, lines.recv()).await.expect("a line").unwrap().message.clone()
    }

    #[tokio::test]
    async fn lines_reach_those_who_watch_as_they_are_written() {
        let bench = bench();
        let mut lines = bench.output.subscribe(&"web".parse().unwrap());
        let (mut log, mut stderr) = open(&bench);
        log.write_all(b"{\"message\":\"one\"}\n{\"mess").unwrap();
        assert_eq!(next(&mut lines).await, "one");
        log.write_all(b"age\":\"two\"}\n").unwrap();
        assert_eq!(next(&mut lines).await, "two");
        stderr.write_all(b"the last reason").unwrap();
        bench.output.finish(&slot(), Generation(1));
        assert_eq!(next(&mut lines).await, "the last reason");
    }

    #[tokio::test]
    async fn who_comes_later_gets_whole_lines_from_then_on() {
        let bench = bench();
        let (mut log, _stderr) = open(&bench);
        log.write_all(b"{\"message\":\"Updated to new configuration\"}\n{\"mess").unwrap();
        bench.hints.recv_timeout(PATIENCE).unwrap();
        let mut lines = bench.output.subscribe(&"web".parse().unwrap());
        log.write_all(b"age\":\"torn\"}\n{\"message\":\"whole\"}\n").unwrap();
        assert_eq!(next(&mut lines).await, "whole");
    }

    #[test]
    fn a_configuration_that_was_taken_in_is_told_at_once() {
        let bench = bench();
        let (mut log, _stderr) = open(&bench);
        log.write_all(b"{\"version\":3,\"message\":\"Updated to new configuration\"}\n").unwrap();
        let hint = bench.hints.recv_timeout(PATIENCE).unwrap();
        assert_eq!(hint, Hint::Configured { slot: slot(), generation: Generation(1) });
    }

    #[test]
    fn a_flood_is_given_back_to_the_disk_and_its_end_is_kept() {
        let bench = bench();
        let (mut log, _stderr) = open(&bench);
        let line = format!("{{\"message\":\"{}\"}}\n", "x".repeat(1000));
        for _ in 0..20_000 {
            log.write_all(line.as_bytes()).unwrap();
        }
        log.write_all(b"{\"message\":\"Updated to new configuration\"}\n").unwrap();
        bench.hints.recv_timeout(PATIENCE).unwrap();
        bench.output.finish(&slot(), Generation(1));
        // The follower works its orders off one by one, so an order that shows has let the one before it end.
        bench.output.follow(&slot(), Generation(1));
        bench.output.finish(&slot(), Generation(1));
        let (mut log, _stderr) = open(&bench);
        log.write_all(b"{\"message\":\"Updated to new configuration\"}\n").unwrap();
        bench.hints.recv_timeout(PATIENCE).unwrap();
        let on_disk = log.metadata().unwrap().blocks() * 512;
        assert!(on_disk <= LIVE_BYTES_MAX, "{on_disk} bytes");
        let recent = bench.output.recent(&"web".parse().unwrap(), 3);
        assert_eq!(recent.last().unwrap().message, "Updated to new configuration");
        assert_eq!(recent.first().unwrap().message.len(), 1000);
    }
}
