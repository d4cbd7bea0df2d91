//! The thread that writes the files.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use crate::whole_file::{self, Keep};

/// Writes files one after another. Of a file that changes faster than it is written only the last content is, so that no more waits
/// than there are files. Dropping it writes what waits.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

#[derive(Default)]
struct Jobs {
    /// By path; `None` removes.
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
    ended: bool,
}

impl Writer {
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new().name("adit-memory".into()).spawn({
            let shared = Arc::clone(&shared);
            move || run(&shared)
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn write(&self, path: PathBuf, content: Vec<u8>) {
        self.queue(path, Some(content));
    }

    pub(super) fn remove(&self, path: PathBuf) {
        self.queue(path, None);
    }

    fn queue(&self, path: PathBuf, content: Option<Vec<u8>>) {
        self.shared.lock().files.insert(path, content);
        self.shared.changed.notify_one();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(shared: &Shared) {
    let mut complained = false;
    loop {
        let mut jobs = shared.lock();
        while jobs.files.is_empty() && !jobs.ended {
            jobs = shared.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
        let Some((path, content)) = jobs.files.pop_first() else { return };
        drop(jobs);
        let result = match content {
            Some(content) => whole_file::replace(&path, &content, Keep::ThisBoot),
            None => whole_file::remove(&path).map(drop),
        };
        if let Err(error) = result
            && !std::mem::replace(&mut complained, true)
        {
            // The connectors run all the same; a next daemon knows less.
            tracing::warn!(path = %path.display(), %error, "Cannot keep what the next daemon should know");
        }
    }
}
