//! The calls that have no safe form. All but [`watch`] are made by the exec helper, in a process that has one thread and is about
//! to become another program.
#![expect(unsafe_code, reason = "neither std, tokio, nix nor rustix has a safe form of these calls")]

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Watches a descriptor for becoming readable. It must be called within a tokio runtime.
pub(super) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd keeps its one descriptor open until it is dropped, and the AsyncFd owns it until then.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    watched.map_err(|error| error.into_parts().1)
}

/// Ignores SIGHUP from here on, in the program that is executed next too. cloudflared would die of it at once.
pub(super) fn ignore_hangup() -> io::Result<()> {
    // SAFETY: SIG_IGN installs no handler, so no code of ours can run at a bad time.
    let before = unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets every descriptor from `first` on end with the next exec.
pub(super) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: no memory is passed. Marking a descriptor changes nothing for whoever uses it in this program.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::EINVAL) {
        return Err(error);
    }
    // Linux 5.9 and 5.10 know the call without the flag.
    // SAFETY: the helper holds nothing that owns a descriptor from `first` on, so none is closed under its owner.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
