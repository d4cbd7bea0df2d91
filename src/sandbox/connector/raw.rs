//! What a Go program does and safe Rust cannot.
#![expect(
    unsafe_code,
    reason = "an inherited descriptor is a bare number, and so is what Tokio watches; a signal's action is global"
)]

use std::{
    fs, io,
    net::TcpListener,
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

use nix::sys::{
    signal::{SigHandler, Signal, raise, signal},
    signalfd::SignalFd,
};
use tokio::io::unix::AsyncFd;

/// Takes over a listening socket that the parent process left open. It must be called before anything in this process opens a
/// descriptor, as `descriptor` could be that one otherwise.
///
/// # Errors
///
/// When `descriptor` is not open or no socket.
pub(super) fn adopt_listener(descriptor: RawFd) -> io::Result<TcpListener> {
    // The link is missing when the descriptor is not open; this keeps us from owning what does not exist.
    let target = fs::read_link(format!("/proc/self/fd/{descriptor}")).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    if !target.to_string_lossy().starts_with("socket:") {
        return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
    }
    // SAFETY: the descriptor is open, and nothing in this process owns it: it was inherited, and the caller runs first.
    let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
    Ok(TcpListener::from(owned))
}

/// Lets Tokio tell when signals can be read.
///
/// # Errors
///
/// When the system is out of memory for it.
pub(super) fn watch(descriptor: SignalFd) -> io::Result<AsyncFd<SignalFd>> {
    // SAFETY: the descriptor is open, owned by the value that goes in, and `SignalFd` offers no way to replace it.
    Ok(unsafe { AsyncFd::register(descriptor) }?)
}

/// Ends the process as a write to a closed pipe ends a Go program: by SIGPIPE, which Rust's runtime ignores by default.
pub(super) fn die_of_a_broken_pipe() -> ! {
    // SAFETY: the default action runs no code of this process.
    let restored = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    if restored.is_ok() {
        // The process ends inside this call, or below where it cannot.
        raise(Signal::SIGPIPE).ok();
    }
    std::process::exit(1)
}
