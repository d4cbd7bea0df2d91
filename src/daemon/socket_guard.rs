//! Keeps the sockets' paths in place: whoever removes one by mistake shuts out every client, and nothing else would notice.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::control::SocketFile;

/// The guard. Cheap to clone.
#[derive(Clone)]
pub(super) struct SocketGuard(Arc<Shared>);

struct Shared {
    files: Mutex<Vec<SocketFile>>,
    /// `None` where the kernel gives the user no more of them.
    inotify: Option<Inotify>,
}

impl SocketGuard {
    /// A guard of nothing yet, with a thread of its own that sleeps until the kernel tells of a removal. Where that cannot be, the
    /// daemon runs all the same.
    pub(super) fn start() -> Self {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC).map_err(io::Error::from);
        let inotify =
            inotify.inspect_err(|error| tracing::warn!(%error, "Cannot watch the sockets; one that is removed stays away"));
        let guard = Self(Arc::new(Shared { files: Mutex::default(), inotify: inotify.ok() }));
        let watched = Arc::clone(&guard.0);
        let thread = std::thread::Builder::new().name("adit-sockets".into()).spawn(move || {
            let Some(inotify) = &watched.inotify else { return };
            // It waits for as long as the daemon lives; the kernel ends it with the process.
            while inotify.read_events().is_ok() {
                watched.restore();
            }
        });
        if let Err(error) = thread {
            tracing::warn!(%error, "Cannot start the thread that watches the sockets");
        }
        guard
    }

    /// Keeps the path of `file` in place from here on. Where it cannot be watched, it is looked at with the others'.
    pub(super) fn keep(&self, file: SocketFile) {
        let folder = file.path().parent().unwrap_or(Path::new("/"));
        let mask = AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM;
        if let Some(inotify) = &self.0.inotify
            && let Err(error) = inotify.add_watch(folder, mask)
        {
            tracing::warn!(?folder, %error, "cannot watch the folder of a socket");
        }
        self.0.lock().push(file);
    }

    /// Lets the path of `file` go, which is about to be removed for good.
    pub(super) fn let_go(&self, file: &SocketFile) {
        self.0.lock().retain(|kept| kept != file);
    }
}

impl Shared {
    fn restore(&self) {
        for file in self.lock().iter() {
            match file.restore() {
                Ok(false) => {}
                Ok(true) => tracing::warn!(path = ?file.path(), "somebody removed a socket, and it is in place again"),
                Err(error) => {
                    tracing::error!(path = ?file.path(), %error, "somebody removed a socket, and it cannot be put back")
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SocketFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
