//! Whether a connector is at the other end of the control socket.
//!
//! A tunnel can be told to pass requests on to a Unix socket. The configuration refuses to publish the control socket, but not
//! under another name for it (a symbolic link, a bind mount), and where the daemon and its connectors run as root, or their user
//! has a role, whoever visits such a tunnel would have that role.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use nix::sys::socket::{UnixCredentials, getsockopt, sockopt};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, geteuid, pidfd_open},
};

use crate::process::is_of_connector;

/// Whether the process that connected is a connector, or was started by one.
pub(super) fn is_connector(stream: BorrowedFd<'_>, credentials: UnixCredentials) -> bool {
    // Connectors run as the daemon's user and can become nobody else.
    if credentials.uid() != geteuid().as_raw() {
        return false;
    }
    // Whoever is outside the daemon's PID namespace has the number 0 in it, and a connector cannot leave it upwards.
    let Some(pid) = Pid::from_raw(credentials.pid()) else { return false };
    // Of whom nothing can be known, the worst is assumed: a connector may have ended since, or hide.
    look(stream, pid).unwrap_or(true)
}

fn look(stream: BorrowedFd<'_>, pid: Pid) -> io::Result<bool> {
    // Before Linux 6.5 the number is all there is, and it may be another process's by now.
    let process = getsockopt(&stream, sockopt::PeerPidfd).map_err(io::Error::from).or_else(|_| open(pid))?;
    let answer = is_of_connector(pid)?;
    // While the process lives, what was read under its number was about it.
    if has_ended(&process)? { Err(io::Error::from(io::ErrorKind::NotFound)) } else { Ok(answer) }
}

fn open(pid: Pid) -> io::Result<OwnedFd> {
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

fn has_ended(process: &OwnedFd) -> io::Result<bool> {
    Ok(poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&Timespec::default()))? > 0)
}
