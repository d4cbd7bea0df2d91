//! When a token's file may have changed, by the kernel's word.

use std::{io, os::fd::OwnedFd, path::Path};

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use tokio::io::unix::AsyncFd;

use crate::process::watch_descriptor;

/// Tells that the file at a path may have changed: written in place, renamed over, or reached by another link.
#[derive(Debug)]
pub(super) struct FileChanges(AsyncFd<OwnedFd>);

impl FileChanges {
    /// Watches the folders that `path` lies in: that of its name, and that of the file that links lead to. The file itself need not be
    /// there yet.
    ///
    /// # Errors
    ///
    /// When there is no such folder, or the kernel watches no more.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let flags = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::CREATE | WatchFlags::ATTRIB | WatchFlags::DELETE;
        let folder = |path: &Path| path.parent().map(Path::to_owned).ok_or(io::ErrorKind::InvalidInput);
        add_watch(&inotify, folder(path)?, flags)?;
        if let Ok(real) = path.canonicalize() {
            add_watch(&inotify, folder(&real)?, flags)?;
        }
        Ok(Self(watch_descriptor(inotify)?))
    }

    /// Waits until something happened in one of the folders. Cancel-safe: what is not waited for is there the next time.
    pub(super) async fn next(&self) {
        // Fails only when the runtime ends, and then nobody waits.
        let Ok(mut ready) = self.0.readable().await else { return std::future::pending().await };
        // What happened does not matter: the file is read in any case.
        let mut events = [0; 4_096];
        while rustix::io::read(self.0.get_ref(), &mut events).is_ok_and(|read| read > 0) {}
        ready.clear_ready();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, time::Duration};

    use tokio::time::timeout;

    use super::*;
    use crate::process::testing::is_quiet;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_file_that_is_written_renamed_over_or_linked_anew_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let changes = FileChanges::of(&path("token")).unwrap();
        fs::write(path("token"), "one").unwrap();
        timeout(PATIENCE, changes.next()).await.expect("it was made");
        fs::write(path("token.new"), "two").unwrap();
        fs::rename(path("token.new"), path("token")).unwrap();
        timeout(PATIENCE, changes.next()).await.expect("it was renamed over");
        fs::create_dir(path("data")).unwrap();
        fs::write(path("data/token"), "three").unwrap();
        fs::remove_file(path("token")).unwrap();
        symlink(path("data/token"), path("token")).unwrap();
        let changes = FileChanges::of(&path("token")).unwrap();
        fs::write(path("data/token"), "four").unwrap();
        timeout(PATIENCE, changes.next()).await.expect("what the link leads to was written");
    }

    #[tokio::test]
    async fn nothing_is_told_while_nothing_happens_and_a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let changes = FileChanges::of(&folder.path().join("token")).unwrap();
        assert!(is_quiet(changes.next()).await);
        assert!(FileChanges::of(&folder.path().join("nowhere/token")).is_err());
    }
}
