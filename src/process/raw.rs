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
    watch_for(descriptor, Interest::READABLE)
}

/// Watches a descriptor for `interest`. It must be called within a tokio runtime.
pub(crate) fn watch_for(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd keeps its one descriptor open until it is dropped, and the AsyncFd owns it until then.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, interest) };
    watched.map_err(|error| error.into_parts().1)
}

/// The signals that this process ignores, the lowest bit for the first.
pub(super) fn ignored_signals() -> u64 {
    let is_ignored = |signal: &usize| {
        // The kernel's own structure begins with the handler.
        let (mut action, nothing) = ([0_usize; 4], std::ptr::null::<usize>());
        // SAFETY: the structure is as large as the kernel's and ours alone; nothing is changed. Of two signals that the C library keeps
        // to itself it would not tell.
        let asked = unsafe { libc::syscall(libc::SYS_rt_sigaction, *signal, nothing, action.as_mut_ptr(), size_of::<u64>()) };
        asked == 0 && action[0] == libc::SIG_IGN
    };
    (1..=child::SIGNAL_LAST).filter(is_ignored).fold(0, |signals, signal| signals | 1 << (signal - 1))
}

/// The priority of this process's disk accesses, as `ioprio_get(2)` encodes it: 0 when nobody has set one.
pub(super) fn io_priority() -> io::Result<i64> {
    /// `IOPRIO_WHO_PROCESS`; the process 0 is the caller.
    const PROCESS: i32 = 1;
    // SAFETY: no memory is passed.
    let priority = unsafe { libc::syscall(libc::SYS_ioprio_get, PROCESS, 0) };
    if priority < 0 { Err(io::Error::last_os_error()) } else { Ok(priority) }
}
