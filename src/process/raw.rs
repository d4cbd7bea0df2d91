//! The calls that have no safe form.
//!
//! [`start`] is the one with a story: it starts a program with everything set before its first instruction.
#![expect(unsafe_code, reason = "neither std, tokio, nix nor rustix has a safe form of these calls")]

mod child;
mod clone;
pub(super) mod landlock;
mod pidfd;
pub(super) mod start;

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

pub(super) use pidfd::{ExitInformation, exit_information, process_inode};

/// Watches a descriptor for becoming readable. It must be called within a tokio runtime.
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd keeps its one descriptor open until it is dropped, and the AsyncFd owns it until then.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    watched.map_err(|error| error.into_parts().1)
}

/// The priority of this process's disk accesses, as `ioprio_get(2)` encodes it: 0 when nobody has set one.
pub(super) fn io_priority() -> io::Result<i64> {
    /// `IOPRIO_WHO_PROCESS`; the process 0 is the caller.
    const PROCESS: i32 = 1;
    // SAFETY: no memory is passed.
    let priority = unsafe { libc::syscall(libc::SYS_ioprio_get, PROCESS, 0) };
    if priority < 0 { Err(io::Error::last_os_error()) } else { Ok(priority) }
}
