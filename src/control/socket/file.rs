//! A listening socket's file, under two names.
//!
//! The kernel tells of a listening socket by which name it was bound, but not whether a file that is called so today still leads to
//! it. So each is bound under a name of its own that is never used twice, and the path that clients know is a second link to the same
//! file:
//!
//! ```text
//!  listener ── getsockname ──▶ control-1a2b3c4d ══ same file? ══ adit.sock ◀── clients
//! ```
//!
//! While both names are one file, who connects to the path reaches this listener. A path that somebody removed is linked again.

use std::{
    fs::{self, Permissions},
    io,
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::net::{SocketAddrUnix, getsockname};
use tokio::net::UnixListener;

/// The two names of a listening Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFile {
    /// The name that it was bound by.
    own: PathBuf,
    /// The name that clients know.
    path: PathBuf,
}

/// How many hexadecimal digits tell one bound socket from another.
const DIGITS: usize = 8;

impl SocketFile {
    /// Binds a socket as `FOLDER/STEM-XXXXXXXX`, gives it the permission bits `mode`, and then leads `path` to it. The folder must be
    /// on the file system of `path`. Sockets that were bound so before and that no path leads to lose their own names.
    ///
    /// Connections are taken from the moment at which `path` leads here, and at no moment with other rights than those asked for.
    ///
    /// # Errors
    ///
    /// What the file system refuses.
    pub fn bind(folder: &Path, stem: &str, path: &Path, mode: u32) -> io::Result<(UnixListener, Self)> {
        let own = folder.join(format!("{stem}-{:0DIGITS$x}", rand::random::<u32>()));
        let listener = UnixListener::bind(&own)?;
        fs::set_permissions(&own, Permissions::from_mode(mode))?;
        let file = Self { own, path: path.to_owned() };
        match file.link() {
            Ok(()) => {}
            // A file system without links: the socket serves, and the next daemon binds another.
            Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => {
                fs::rename(&file.own, path).inspect_err(|_| file.give_up())?;
            }
            Err(error) => {
                file.give_up();
                return Err(error);
            }
        }
        remove_former(folder, stem);
        Ok((listener, file))
    }

    /// Leaves nothing behind of a socket that did not get its path.
    fn give_up(&self) {
        let _ = fs::remove_file(&self.own);
    }

    /// The names of `listener`, if it was bound by [`Self::bind`] and who connects to `path` still reaches it, with the permission
    /// bits `mode`.
    pub fn of(listener: impl AsFd, path: &Path, mode: u32) -> Option<Self> {
        let address = SocketAddrUnix::try_from(getsockname(listener).ok()?).ok()?;
        let own = PathBuf::from(address.path()?.to_str().ok()?);
        let file = Self { own, path: path.to_owned() };
        let metadata = fs::symlink_metadata(path).ok()?;
        (file.stands() && metadata.mode() & 0o7777 == mode).then_some(file)
    }

    /// The name that clients know.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether who connects to the path reaches the socket.
    pub fn stands(&self) -> bool {
        let identity = |path: &Path| {
            let metadata = fs::symlink_metadata(path).ok()?;
            metadata.file_type().is_socket().then(|| (metadata.dev(), metadata.ino()))
        };
        identity(&self.own).is_some_and(|own| identity(&self.path) == Some(own))
    }

    /// Leads the path to the socket again after somebody removed it, and says whether that was needed. What somebody put in its place
    /// is left alone.
    ///
    /// # Errors
    ///
    /// What the file system refuses.
    pub fn restore(&self) -> io::Result<bool> {
        if fs::symlink_metadata(&self.path).is_ok() {
            return Ok(false);
        }
        self.link().map(|()| true)
    }

    /// Removes both names: nobody listens any more. A path that leads elsewhere stays.
    pub fn remove(&self) {
        // What stays behind refuses connections, and is replaced by the next daemon.
        if self.stands() {
            let _ = fs::remove_file(&self.path);
        }
        let _ = fs::remove_file(&self.own);
    }

    /// Leads the path to the socket, in place of what was there, in one step.
    fn link(&self) -> io::Result<()> {
        let unfinished = self.own.with_extension("new");
        fs::hard_link(&self.own, &unfinished)?;
        let renamed = fs::rename(&unfinished, &self.path);
        // Renaming one name of a file to another name of the same file does nothing at all.
        let _ = fs::remove_file(&unfinished);
        renamed
    }
}

/// Removes the own names of sockets that were bound before and that no path leads to any more.
fn remove_former(folder: &Path, stem: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(stem)?.strip_prefix('-'));
        let digits = digits.map(|digits| digits.trim_end_matches(".new"));
        let is_own = digits.is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let is_alone = entry.metadata().is_ok_and(|metadata| metadata.file_type().is_socket() && metadata.nlink() == 1);
        if is_own && is_alone {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn bind(folder: &Path) -> (UnixListener, SocketFile) {
        SocketFile::bind(folder, "control", &folder.join("adit.sock"), 0o666).unwrap()
    }

    #[tokio::test]
    async fn a_listener_is_known_again_by_its_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adit.sock");
        let (listener, file) = bind(folder.path());
        assert_eq!(SocketFile::of(&listener, &path, 0o666), Some(file.clone()));
        assert_eq!(SocketFile::of(&listener, &path, 0o660), None, "another mode");
        assert_eq!(SocketFile::of(&listener, &folder.path().join("other.sock"), 0o666), None, "another path");
        UnixStream::connect(&path).unwrap();

        let (successor, successors) = bind(folder.path());
        assert_eq!(SocketFile::of(&listener, &path, 0o666), None, "the path leads to another socket");
        assert_eq!(SocketFile::of(&successor, &path, 0o666), Some(successors));
        file.remove();
        UnixStream::connect(&path).expect("who was replaced takes nothing away");
    }

    #[tokio::test]
    async fn a_path_that_was_removed_is_led_to_the_socket_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adit.sock");
        let (listener, file) = bind(folder.path());
        assert!(!file.restore().unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!file.stands());
        assert!(file.restore().unwrap() && file.stands());
        let (accepted, connected) = tokio::join!(listener.accept(), tokio::net::UnixStream::connect(&path));
        assert!(accepted.is_ok() && connected.is_ok());
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_socket_that_was_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (_listener, file) = bind(folder.path());
        let (_successor, successors) = bind(folder.path());
        file.remove();
        successors.remove();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
