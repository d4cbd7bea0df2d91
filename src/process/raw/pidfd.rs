//! What a pidfd tells besides being readable.
#![expect(unsafe_code, reason = "neither std, nix nor rustix has a safe form of this call")]

use std::{
    mem,
    os::fd::{AsRawFd, OwnedFd},
};

/// `PIDFS_MAGIC` of the kernel's `magic.h`.
const PIDFS: u64 = 0x5049_4446;

/// What the kernel says about how a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::process) enum ExitInformation {
    /// This, as `wait` would have given it.
    Status(i32),
    /// Nothing yet: whoever is to reap it has not (Linux 6.15), or never anything (Linux 6.13).
    NotYet,
    /// This kernel does not say (before 6.13).
    Unavailable,
}

/// The number that the kernel gives to this process and no other in this boot; `None` before Linux 6.9, where every pidfd has the
/// same.
pub(in crate::process) fn process_inode(pidfd: &OwnedFd) -> Option<u64> {
    let is_own_filesystem = rustix::fs::fstatfs(pidfd).is_ok_and(|status| u64::try_from(status.f_type) == Ok(PIDFS));
    is_own_filesystem.then(|| rustix::fs::fstat(pidfd).ok()).flatten().map(|status| status.st_ino)
}

/// How the process of a pidfd ended, child or not. The kernel knows it once the process has been reaped.
pub(in crate::process) fn exit_information(pidfd: &OwnedFd) -> ExitInformation {
    let wanted = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: the structure consists of integers, for which all bits zero is a value.
    let mut information: libc::pidfd_info = unsafe { mem::zeroed() };
    information.mask = wanted;
    // SAFETY: the request carries the size of the structure that is passed, which lives and is ours alone during the call.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut information) };
    match result {
        0 if information.mask & wanted != 0 => ExitInformation::Status(information.exit_code),
        0 => ExitInformation::NotYet,
        _ => ExitInformation::Unavailable,
    }
}
