//! `SO_PEERGROUPS`, which no safe binding offers.
#![expect(unsafe_code, reason = "getsockopt(SO_PEERGROUPS) writes into a buffer that we lend it")]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

/// The most groups that the kernel gives a process (`NGROUPS_MAX`).
const GROUPS_MAX: usize = 65_536;

/// The supplementary groups that the process at the other end of `socket` had when it connected (unix(7); Linux 4.13).
///
/// # Errors
///
/// What getsockopt(2) reports, or `ERANGE` when the kernel names more groups than a process can have.
pub(super) fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<libc::gid_t>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let room = groups.len() * size_of::<libc::gid_t>();
        let mut length = libc::socklen_t::try_from(room).expect("65,536 groups of 4 bytes fit a length");
        // SAFETY: `groups` is valid for writes of `length` bytes and outlives the call; every bit pattern is a gid_t.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast::<libc::c_void>(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<libc::gid_t>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // With too little room the kernel tells how much it needs.
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() || count > GROUPS_MAX {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}
