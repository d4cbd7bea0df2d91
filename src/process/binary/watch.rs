//! The thread that notices another program in the place of the one that runs.
//!
//! Package managers write a file beside the old one and rename it over; people copy in place or turn a symbolic link. The kernel
//! tells of each, so nothing is looked at while nothing changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::{held::HeldBinary, held::present_id, places::Places};
use crate::connector::{BinaryId, SpawnFailure};

/// A file that was touched is looked at when nothing has happened to it for this long: whoever writes it may not be done.
const QUIET: Duration = Duration::from_millis(250);
/// Something that changes without an end is looked at all the same after this long.
const SETTLE_MAX: Duration = Duration::from_secs(5);
/// How often the way to a file that changes while it is looked at is walked again; the next change comes as an event.
const WALKS_MAX: usize = 3;

/// What is found at the watched path.
#[derive(Debug)]
pub struct Inspection {
    /// Where.
    pub path: PathBuf,
    /// A usable program, or why there is none.
    pub result: Result<HeldBinary, SpawnFailure>,
}

/// Watches one path. Dropping it ends the watch.
#[derive(Debug)]
pub struct BinaryWatch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: Mutex<Option<PathBuf>>,
    look: AtomicBool,
    ended: AtomicBool,
    waker: OwnedFd,
}

impl BinaryWatch {
    /// Starts the thread, which has nothing to do yet. A program that is named without a folder is looked for in `folders`, in that
    /// order. `found` is called from the thread whenever something else is found than before; it may wait.
    pub fn start(folders: Vec<PathBuf>, found: impl Fn(Inspection) + Send + 'static) -> io::Result<Self> {
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared =
            Arc::new(Shared { path: Mutex::default(), look: AtomicBool::default(), ended: AtomicBool::default(), waker });
        let mut watcher = Watcher {
            shared: Arc::clone(&shared),
            folders,
            found: Box::new(found),
            path: None,
            eyes: None,
            unsettled: None,
            last: None,
            is_blind: false,
        };
        std::thread::Builder::new().name("adit-binary".into()).spawn(move || watcher.run())?;
        Ok(Self(shared))
    }

    /// Watches `path` from here on, and tells what is there.
    pub fn follow(&self, path: &Path) {
        let mut followed = self.0.path.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.as_deref() != Some(path) {
            *followed = Some(path.to_owned());
            self.0.wake();
        }
    }

    /// Looks again, where the kernel may not have told of a change: a network file system, or a mount over the path.
    pub fn look(&self) {
        self.0.look.store(true, Ordering::Relaxed);
        self.0.wake();
    }
}

impl Drop for BinaryWatch {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
        self.0.wake();
    }
}

impl Shared {
    fn wake(&self) {
        // The one way to fail is a full counter, which wakes as well.
        let _ = rustix::io::write(&self.waker, &1u64.to_ne_bytes());
    }
}

struct Watcher {
    shared: Arc<Shared>,
    folders: Vec<PathBuf>,
    found: Box<dyn Fn(Inspection) + Send>,
    path: Option<PathBuf>,
    eyes: Option<Eyes>,
    unsettled: Option<Unsettled>,
    /// What was told last.
    last: Option<Result<BinaryId, SpawnFailure>>,
    /// The kernel watches nothing for it, which was said.
    is_blind: bool,
}

/// The kernel's watches over all places of a path.
struct Eyes {
    inotify: Inotify,
    places: Places,
    names: BTreeMap<WatchDescriptor, BTreeSet<OsString>>,
}

/// Something happened, and more may.
#[derive(Clone, Copy)]
struct Unsettled {
    first: Instant,
    last: Instant,
}

impl Watcher {
    fn run(&mut self) {
        while !self.shared.ended.load(Ordering::Relaxed) {
            self.wait();
            let followed = self.shared.path.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let is_other = followed != self.path;
            if is_other {
                (self.path, self.last) = (followed, None);
            }
            if self.eyes.as_ref().is_some_and(Eyes::saw_something) {
                let now = now();
                let first = self.unsettled.map_or(now, |unsettled| unsettled.first);
                self.unsettled = Some(Unsettled { first, last: now });
            }
            let is_asked = self.shared.look.swap(false, Ordering::Relaxed) && self.looks_different();
            let is_settled = self.unsettled.is_some_and(|unsettled| unsettled.due() <= now());
            if is_other || is_asked || is_settled {
                self.unsettled = None;
                self.inspect();
            }
        }
    }

    /// Waits for a change, an order, or the end of a time without changes.
    fn wait(&self) {
        let left = self.unsettled.map(|unsettled| unsettled.due().saturating_duration_since(now()));
        let left = left.map(|left| Timespec::try_from(left + Duration::from_millis(1)).expect("seconds fit"));
        let mut sources = vec![PollFd::new(&self.shared.waker, PollFlags::IN)];
        if let Some(eyes) = &self.eyes {
            sources.push(PollFd::from_borrowed_fd(eyes.inotify.as_fd(), PollFlags::IN));
        }
        // An interruption is a wake-up like another.
        let _ = poll(&mut sources, left.as_ref());
        // Fails when it was something else that woke it.
        let _ = rustix::io::read(&self.shared.waker, &mut [0; 8]);
    }

    fn looks_different(&self) -> bool {
        match (&self.last, &self.path) {
            (Some(Ok(id)), Some(path)) => self.candidates(path).iter().find_map(|path| present_id(path)) != Some(*id),
            (Some(Err(_)) | None, _) | (_, None) => true,
        }
    }

    fn inspect(&mut self) {
        let Some(named) = self.path.clone() else { return };
        let candidates = self.candidates(&named);
        let mut path = named.clone();
        let mut result = Err(None);
        for _ in 0..WALKS_MAX {
            // Watched first: what changes after it is looked at comes as an event.
            self.watch(&candidates);
            path = candidates.iter().find(|path| path.exists()).unwrap_or(&named).clone();
            result = HeldBinary::inspect(&path).map_err(|error| Some(SpawnFailure::from(&error)));
            if self.eyes.as_ref().is_none_or(|eyes| eyes.places == Places::of(&candidates)) {
                break;
            }
        }
        let result = result.map_err(|failure| failure.expect("it was looked at least once"));
        let key = result.as_ref().map(|held| held.binary().id).map_err(Clone::clone);
        if self.last.as_ref() != Some(&key) {
            self.last = Some(key);
            (self.found)(Inspection { path, result });
        }
    }

    /// Where a program of that name may be.
    fn candidates(&self, path: &Path) -> Vec<PathBuf> {
        if path.is_absolute() {
            return vec![path.to_owned()];
        }
        self.folders.iter().map(|folder| folder.join(path)).collect()
    }

    fn watch(&mut self, candidates: &[PathBuf]) {
        match Eyes::on(candidates) {
            Ok(eyes) => self.eyes = Some(eyes),
            Err(error) => {
                self.eyes = None;
                if !std::mem::replace(&mut self.is_blind, true) {
                    tracing::warn!(%error, "Cannot watch for another cloudflared; it is looked for whenever a connector starts");
                }
            }
        }
    }
}

impl Unsettled {
    fn due(self) -> Instant {
        (self.last + QUIET).min(self.first + SETTLE_MAX)
    }
}

impl Eyes {
    fn on(candidates: &[PathBuf]) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let places = Places::of(candidates);
        let mut names = BTreeMap::new();
        let of_names = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ONLYDIR;
        let of_content = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_ATTRIB;
        for (folder, of_folder) in &places.names {
            let mask = if places.last.contains(folder) { of_names | of_content } else { of_names };
            // A folder that does not exist has an event in the one above when it is made; one that cannot be read is its owner's.
            if let Ok(watch) = inotify.add_watch(folder, mask) {
                names.insert(watch, of_folder.clone());
            }
        }
        Ok(Self { inotify, places, names })
    }

    /// Whether anything happened to one of the names since it was asked last.
    fn saw_something(&self) -> bool {
        let mut saw = false;
        // Fails when nothing is left to be read.
        while let Ok(events) = self.inotify.read_events() {
            saw |= events.iter().any(|event| match &event.name {
                Some(name) => self.names.get(&event.wd).is_some_and(|names| names.contains(name)),
                // The queue ran over, or a folder is gone.
                None => true,
            });
        }
        saw
    }
}

#[expect(clippy::disallowed_methods, reason = "this waits for other programs on a thread of its own, in real time")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, sync::mpsc};

    use super::*;
    use crate::process::binary::tests::binary_named;

    /// Longer than any look takes; only a broken watch waits for it.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Bench {
        directory: tempfile::TempDir,
        watch: BinaryWatch,
        found: mpsc::Receiver<Inspection>,
    }

    impl Bench {
        fn on(name: &str, prepare: impl FnOnce(&tempfile::TempDir)) -> Self {
            let directory = tempfile::tempdir().unwrap();
            prepare(&directory);
            let (sender, found) = mpsc::channel();
            let watch =
                BinaryWatch::start(vec![directory.path().join("bin")], move |inspection| drop(sender.send(inspection))).unwrap();
            watch.follow(&if name == "nowhere" { name.into() } else { directory.path().join(name) });
            Self { directory, watch, found }
        }

        /// The version that is found next, or the code of why there is none.
        fn next(&self) -> String {
            let inspection = self.found.recv_timeout(PATIENCE).expect("something is found");
            match inspection.result {
                Ok(held) => held.binary().version.clone(),
                Err(failure) => failure.reason.code.into_owned(),
            }
        }
    }

    #[test]
    fn a_renamed_a_rewritten_a_removed_and_a_new_file_are_noticed() {
        let bench = Bench::on("cloudflared", |directory| drop(binary_named(directory, "cloudflared", "echo 2026.8.0")));
        let path = bench.directory.path().join("cloudflared");
        assert_eq!(bench.next(), "2026.8.0");
        fs::rename(binary_named(&bench.directory, "dpkg-new", "echo 2026.9.0"), &path).unwrap();
        assert_eq!(bench.next(), "2026.9.0");
        binary_named(&bench.directory, "cloudflared", "echo 2020.1.0");
        assert_eq!(bench.next(), "binary-too-old");
        fs::remove_file(&path).unwrap();
        assert_eq!(bench.next(), "binary-missing");
        binary_named(&bench.directory, "cloudflared", "echo 2026.10.0");
        assert_eq!(bench.next(), "2026.10.0");
    }

    #[test]
    fn a_link_that_is_turned_on_the_way_is_noticed() {
        let bench = Bench::on("current/cloudflared", |directory| {
            for version in ["2026.8.0", "2026.9.0"] {
                fs::create_dir(directory.path().join(version)).unwrap();
                binary_named(directory, &format!("{version}/cloudflared"), &format!("echo {version}"));
            }
            symlink("2026.8.0", directory.path().join("current")).unwrap();
        });
        assert_eq!(bench.next(), "2026.8.0");
        let other = bench.directory.path().join("other");
        symlink("2026.9.0", &other).unwrap();
        fs::rename(other, bench.directory.path().join("current")).unwrap();
        assert_eq!(bench.next(), "2026.9.0");
    }

    #[test]
    fn a_program_without_a_folder_is_noticed_when_it_appears() {
        let bench = Bench::on("nowhere", |_| {});
        assert_eq!(bench.next(), "binary-missing");
        fs::create_dir(bench.directory.path().join("bin")).unwrap();
        binary_named(&bench.directory, "bin/nowhere", "echo 2026.8.0");
        assert_eq!(bench.next(), "2026.8.0");
    }

    #[test]
    fn another_path_is_looked_at_and_the_same_file_is_told_once() {
        let bench = Bench::on("one", |directory| {
            binary_named(directory, "one", "echo 2026.8.0");
            binary_named(directory, "two", "echo 2026.9.0");
        });
        assert_eq!(bench.next(), "2026.8.0");
        bench.watch.look();
        bench.watch.follow(&bench.directory.path().join("two"));
        assert_eq!(bench.next(), "2026.9.0");
    }
}
