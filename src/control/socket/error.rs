//! Why the control socket cannot be had.

use std::{io, path::PathBuf};

/// Why the control socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon holds the lock.
    #[error("cannot take {}: another adit daemon {}runs with this runtime directory; stop it first, or use another one",
        path.display(), holder.map(|pid| format!("(process {pid}) ")).unwrap_or_default())]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// The process that holds it, when it wrote its number.
        holder: Option<u32>,
    },
    /// Another program answers at the socket's path.
    #[error("cannot bind {0:?}: a daemon already listens there; stop it first, or set another control.socket")]
    InUse(PathBuf),
    /// Something that is no socket stands at the socket's path.
    #[error("cannot bind {0:?}: something that is not a socket stands there, and is left alone")]
    NoSocket(PathBuf),
    /// The folder belongs to somebody else.
    #[error(
        "cannot put the control socket into {folder:?}: it belongs to uid {owner} (its owner must be root or the daemon's user)"
    )]
    FolderOfOthers {
        /// The folder.
        folder: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others have rights to the folder that they must not have.
    #[error(
        "cannot put the control socket into {folder:?}: others can reach too far into it (mode {mode:04o}, at most {allowed:04o} is allowed)"
    )]
    FolderOpen {
        /// The folder.
        folder: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The most that is allowed.
        allowed: u32,
    },
    /// The socket's folder and the runtime directory are on two file systems.
    #[error(
        "cannot put the control socket at {socket:?}: it must be on the file system of the runtime directory {runtime_dir:?} \
         (set control.socket to a path in there)"
    )]
    OtherFileSystem {
        /// The socket.
        socket: PathBuf,
        /// The runtime directory, where it is bound.
        runtime_dir: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {doing} {path:?}")]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// With which path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}
