//! The threads that start processes.
//!
//! ```text
//!   Task ─┬─▶ adit-start (a few): everything else ──┬─▶ process
//!         └─▶ adit-files: the files of its output ──┘
//! ```
//!
//! They wait, ready to run: when a connector dies, its successor is to wait for the exec of cloudflared and for as little else as
//! possible. A pool that ends idle threads would make one first. They are even called when it has died and nobody knows yet what is
//! to follow. Only `adit-files` touches the disk; a start does not wait long for it, so that a disk that hangs stops no tunnel.

use std::{
    fs::OpenOptions,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    desk::{Desk, look_out},
    task::Reported,
};
use crate::{
    connector::{Generation, Launch, SlotId},
    failpoint::{self, Point},
    output::{Opened, Output},
    process::{ConnectorOutput, HeldBinary, SpawnRequest, Spawner},
};

/// How many processes are started at once. Starting takes a millisecond, so a thousand take less than a second all the same.
pub(super) const SPAWNS_MAX: usize = 4;
/// How long a start waits for the files of its output. Longer than a healthy disk takes under load.
const FILES_TIME_MAX: Duration = Duration::from_secs(1);
/// With so many files still to be made the disk hangs, and no start waits for it any more.
const FILES_PENDING_MAX: usize = 8;

/// Starts processes, a few at a time. Its threads end when it is gone.
pub(super) struct Starter {
    jobs: Arc<Desk<(Job, Awaited)>>,
    files: Files,
}

/// Has a starter's threads get up, before there is anything to start.
#[derive(Clone)]
pub(super) struct Caller {
    jobs: Arc<Desk<(Job, Awaited)>>,
    orders: Arc<Desk<Order>>,
}

/// One start, and who is told what came of it.
pub(super) struct Job {
    pub(super) slot: Arc<SlotId>,
    pub(super) generation: Generation,
    pub(super) launch: Arc<Launch>,
    pub(super) program: Arc<HeldBinary>,
    pub(super) told: Box<dyn FnOnce(Reported) + Send>,
}

impl Starter {
    /// It must be called within a tokio runtime.
    pub(super) fn new(spawner: &Arc<Spawner>, output: Output) -> io::Result<Self> {
        let files = Files::start(output)?;
        let jobs = Arc::new(Desk::new());
        for _ in 0..SPAWNS_MAX {
            let (jobs, spawner) = (Arc::clone(&jobs), Arc::clone(spawner));
            let runtime = Handle::current();
            thread::Builder::new().name("adit-start".into()).spawn(move || {
                let _runtime = runtime.enter();
                work(&jobs, &spawner);
            })?;
        }
        Ok(Self { jobs, files })
    }

    /// What whoever sees a death first is to call: its successor is started soon.
    pub(super) fn caller(&self) -> Caller {
        Caller { jobs: Arc::clone(&self.jobs), orders: Arc::clone(&self.files.orders) }
    }

    /// Has a process started.
    pub(super) fn start(&self, job: Job) {
        let files = self.files.ask_for(&job.slot, job.generation);
        self.jobs.send((job, files));
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        self.jobs.close();
    }
}

impl Caller {
    pub(super) fn call(&self) {
        self.jobs.call();
        self.orders.call();
    }
}

fn work(jobs: &Desk<(Job, Awaited)>, spawner: &Spawner) {
    loop {
        spawner.prepare();
        let Some((Job { slot, generation, launch, program, told }, files)) = jobs.next() else { return };
        let mut log_trouble = None;
        let request = SpawnRequest { slot: (*slot).clone(), generation, launch, program };
        let result = spawner.spawn(request, || {
            let Opened { stderr, logfile, trouble } = files.wait()?;
            log_trouble = trouble;
            failpoint::hit(Point::OutputOpened);
            Ok(ConnectorOutput { stderr, logfile })
        });
        told(Reported::Spawned { result: result.map(Box::new), log_trouble });
    }
}

/// The thread that makes files.
struct Files {
    orders: Arc<Desk<Order>>,
    pending: Arc<AtomicUsize>,
}

struct Order {
    slot: Arc<SlotId>,
    generation: Generation,
    made: mpsc::SyncSender<io::Result<Opened>>,
}

/// Files that are being made; `None` where it was not even tried.
struct Awaited(Option<mpsc::Receiver<io::Result<Opened>>>);

impl Files {
    fn start(output: Output) -> io::Result<Self> {
        let orders = Arc::new(Desk::<Order>::new());
        let pending = Arc::new(AtomicUsize::new(0));
        let (queue, left) = (Arc::clone(&orders), Arc::clone(&pending));
        thread::Builder::new().name("adit-files".into()).spawn(move || {
            while let Some(Order { slot, generation, made }) = queue.next() {
                let opened = output.open(&slot, generation);
                left.fetch_sub(1, Ordering::Relaxed);
                // Fails when it comes too late: the files stay empty, and go as those of any generation that is over.
                let _ = made.send(opened);
            }
        })?;
        Ok(Self { orders, pending })
    }

    fn ask_for(&self, slot: &Arc<SlotId>, generation: Generation) -> Awaited {
        if self.pending.fetch_add(1, Ordering::Relaxed) >= FILES_PENDING_MAX {
            self.pending.fetch_sub(1, Ordering::Relaxed);
            return Awaited(None);
        }
        let (made, opened) = mpsc::sync_channel(1);
        self.orders.send(Order { slot: Arc::clone(slot), generation, made });
        Awaited(Some(opened))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.orders.close();
    }
}

impl Awaited {
    /// The files, or nothing in their place: a connector serves without its log.
    fn wait(self) -> io::Result<Opened> {
        let made =
            |files: mpsc::Receiver<_>| look_out(|| files.try_recv().ok()).or_else(|| files.recv_timeout(FILES_TIME_MAX).ok());
        let opened = self.0.and_then(made);
        opened.unwrap_or_else(|| {
            let nowhere = PathBuf::from("/dev/null");
            let stderr = OpenOptions::new().write(true).open(&nowhere)?.into();
            let trouble = io::Error::new(io::ErrorKind::TimedOut, "the disk does not make files in time");
            Ok(Opened { stderr, logfile: nowhere, trouble: Some(trouble) })
        })
    }
}
