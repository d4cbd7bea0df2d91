//! Who is at the other end of a connection.
//!
//! The kernel says it: `SO_PEERCRED` and `SO_PEERGROUPS` are taken when the client connects, cannot be forged and need no name
//! service. A connection that is handed on keeps the credentials of whoever opened it.

mod connector;
mod names;
mod raw;

use std::{io, os::fd::AsFd, sync::Arc};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use tokio::net::UnixStream;

pub(super) use names::Names;

/// A process that asks, and the user that it runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
    /// The process, for the audit log only: it may be gone, and its number used again. 0 when it is outside the daemon's PID
    /// namespace.
    pub pid: i32,
    /// The user's name, when the id has one.
    pub user: Option<String>,
    /// Whether the process is a connector, or was started by one: then whoever asks came through a tunnel, and may nothing.
    pub is_connector: bool,
}

/// How a connection's principal is found. The daemon uses [`identify`]; tests, which cannot become other users, say who it is.
pub type Identify = Arc<dyn Fn(&UnixStream) -> io::Result<Principal> + Send + Sync>;

impl Principal {
    /// The user's name, or the uid when it has none.
    pub fn who(&self) -> String {
        self.user.clone().unwrap_or_else(|| self.uid.to_string())
    }

    /// Whether the process runs in the group `gid`.
    pub fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

/// Asks the kernel who opened `stream`. The user's name is not looked up: that may take long.
///
/// # Errors
///
/// What getsockopt(2) reports.
pub fn identify(stream: &UnixStream) -> io::Result<Principal> {
    let credentials = getsockopt(stream, PeerCredentials)?;
    Ok(Principal {
        is_connector: connector::is_connector(stream.as_fd(), credentials),
        uid: credentials.uid(),
        gid: credentials.gid(),
        groups: raw::peer_groups(stream.as_fd())?,
        pid: credentials.pid(),
        user: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_names_the_process_at_the_other_end() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let principal = identify(&ours).unwrap();
        assert_eq!(principal.uid, rustix::process::getuid().as_raw());
        assert_eq!(principal.gid, rustix::process::getgid().as_raw());
        assert_eq!(principal.pid, i32::try_from(std::process::id()).unwrap());
        assert!(!principal.is_connector);
        let mut groups: Vec<u32> = rustix::process::getgroups().unwrap().iter().map(|group| group.as_raw()).collect();
        let mut seen = principal.groups.clone();
        groups.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, groups);
    }
}
