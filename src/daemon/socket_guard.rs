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
    inotify: Inotify,
}

impl SocketGuard {
    /// A guard of nothing yet, with a thread of its own that sleeps until the kernel tells of a removal.
    ///
    /// # Errors
    ///
    /// When the user has no more inotify instances, or no thread.
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared { files: Mutex::default(), inotify: Inotify::init(InitFlags::IN_CLOEXEC)? });
        let watched = Arc::clone(&shared);
        std::thread::Builder::new().name("adit-sockets".into()).spawn(move || {
            // It waits for as long as the daemon lives; the kernel ends it with the process.
            while watched.inotify.read_events().is_ok() {
                watched.restore();
            }
        })?;
        Ok(Self(shared))
    }

    /// Keeps the path of `file` in place from here on. Where it cannot be watched, it is looked at with the others'.
    pub(super) fn keep(&self, file: SocketFile) {
        let folder = file.path().parent().unwrap_or(Path::new("/"));
        if let Err(error) = self.0.inotify.add_watch(folder, AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM) {
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
