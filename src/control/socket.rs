//! The socket in the file system, and the lock that says whose it is.

mod error;
mod file;
mod lock;
mod obstacles;

use std::{
    fs::{self, DirBuilder},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{DirBuilderExt, FileTypeExt, MetadataExt},
            net::UnixListener as StdListener,
        },
    },
    path::{Path, PathBuf},
};

use rustix::net::sockopt;
use tokio::net::{UnixListener, UnixStream};

pub use error::SocketError;
pub use file::SocketFile;
pub use lock::Lock;
pub use obstacles::obstacles;

/// Binds the control socket at `path` with the permission bits `mode`.
///
/// It is bound in the private folder that `lock` guards, where nobody can connect, gets its mode there, and is then led to by `path`:
/// at no moment is there a socket with other rights than those asked for, and a socket that a former daemon left is replaced at once.
/// Both must be on one file system.
///
/// # Errors
///
/// When others than us and root could replace the socket, when a daemon answers there, or when the file system refuses.
pub async fn bind(path: &Path, mode: u32, lock: &Lock) -> Result<(UnixListener, SocketFile), SocketError> {
    check_place(path, own_user())?;
    let runtime_dir = lock.folder().parent().unwrap_or(lock.folder());
    check_file_system(runtime_dir, path)?;
    check_former(path).await?;
    SocketFile::bind(lock.folder(), "control", path, mode).map_err(|source| {
        // One file system that is mounted twice is as good as two.
        if source.kind() == io::ErrorKind::CrossesDevices {
            return other_file_system(runtime_dir, path);
        }
        SocketError::Failed { doing: "bind", path: path.to_owned(), source }
    })
}

/// The socket gets its path by a second link to its file, which cannot lead from one file system to another. A folder that does not
/// exist yet is judged by the one that it will be made in.
///
/// # Errors
///
/// [`SocketError::OtherFileSystem`].
pub fn check_file_system(runtime_dir: &Path, socket: &Path) -> Result<(), SocketError> {
    let device = |path: &Path| path.ancestors().find_map(|path| fs::metadata(path).ok()).map(|metadata| metadata.dev());
    match (device(runtime_dir), socket.parent().and_then(device)) {
        (Some(ours), Some(theirs)) if ours != theirs => Err(other_file_system(runtime_dir, socket)),
        (Some(_), Some(_)) | (None, _) | (_, None) => Ok(()),
    }
}

fn other_file_system(runtime_dir: &Path, socket: &Path) -> SocketError {
    SocketError::OtherFileSystem { socket: socket.to_owned(), runtime_dir: runtime_dir.to_owned() }
}

/// Takes over a listening socket that somebody else bound, such as one that systemd kept over a restart.
///
/// # Errors
///
/// When it is no listening Unix stream socket.
pub fn adopt(descriptor: OwnedFd) -> io::Result<UnixListener> {
    let is_ours = sockopt::socket_domain(&descriptor)? == rustix::net::AddressFamily::UNIX
        && sockopt::socket_type(&descriptor)? == rustix::net::SocketType::STREAM
        && sockopt::socket_acceptconn(&descriptor)?;
    if !is_ours {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no listening Unix stream socket"));
    }
    let listener = StdListener::from(descriptor);
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Whoever can write to the folder can put another socket in the place of ours and be asked instead.
fn check_place(path: &Path, daemon: u32) -> Result<(), SocketError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let metadata = fs::metadata(folder).map_err(|source| SocketError::Failed {
        doing: "look at the folder of",
        path: path.to_owned(),
        source,
    })?;
    check_owner_and_mode(folder, &metadata, 0o022, daemon)
}

/// `daemon` is the user that the daemon runs as.
fn check_owner_and_mode(folder: &Path, metadata: &fs::Metadata, forbidden: u32, daemon: u32) -> Result<(), SocketError> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != ROOT && owner != daemon {
        return Err(SocketError::FolderOfOthers { folder: folder.to_owned(), owner });
    }
    if mode & forbidden != 0 {
        return Err(SocketError::FolderOpen { folder: folder.to_owned(), mode, allowed: 0o777 & !forbidden });
    }
    Ok(())
}

/// What stands at `path` may be replaced only when it is a socket on which nobody listens. The lock already keeps out a daemon
/// with the same private folder; this keeps out one with another.
///
/// # Errors
///
/// [`SocketError::NoSocket`] and [`SocketError::InUse`], or when the file system refuses.
pub async fn check_former(path: &Path) -> Result<(), SocketError> {
    if !is_socket(path)? {
        return Ok(());
    }
    match UnixStream::connect(path).await {
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(()),
        // Also when the answer is anything else, such as a full backlog: somebody listens.
        Ok(_) | Err(_) => Err(SocketError::InUse(path.to_owned())),
    }
}

/// Whether a socket stands at `path`, or nothing at all.
fn is_socket(path: &Path) -> Result<bool, SocketError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(true),
        Ok(_) => Err(SocketError::NoSocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(SocketError::Failed { doing: "look at", path: path.to_owned(), source }),
    }
}

/// Where the daemon with this runtime directory keeps what is nobody else's business.
pub fn private_folder(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("private")
}

/// Makes the private folder if it is missing, and checks that nobody else can look into it.
fn make_private_folder(runtime_dir: &Path) -> Result<PathBuf, SocketError> {
    let folder = private_folder(runtime_dir);
    let failed = |doing| {
        let path = folder.clone();
        move |source| SocketError::Failed { doing, path, source }
    };
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed("make the folder")(error)),
        Ok(()) | Err(_) => {}
    }
    check_private_folder(&folder, own_user())?;
    Ok(folder)
}

fn check_private_folder(folder: &Path, daemon: u32) -> Result<(), SocketError> {
    let failed = |doing| move |source| SocketError::Failed { doing, path: folder.to_owned(), source };
    let metadata = fs::symlink_metadata(folder).map_err(failed("look at the folder"))?;
    if !metadata.is_dir() {
        return Err(failed("use as a folder")(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    check_owner_and_mode(folder, &metadata, 0o077, daemon)
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The user that may replace anything anyway.
const ROOT: u32 = 0;
