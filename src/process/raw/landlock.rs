//! Landlock's two system calls of the parent; the third is the child's.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// Linux's `struct landlock_ruleset_attr`. An older kernel takes it as long as what it does not know is zero.
#[repr(C)]
struct RulesetAttributes {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// Linux's `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

const CREATE_RULESET_VERSION: u32 = 1;
const RULE_PATH_BENEATH: u32 = 1;

/// Which version of Landlock the kernel has, from 1; an error where it has none or it is switched off.
pub(in crate::process) fn version() -> io::Result<u32> {
    // SAFETY: asked for its version, the call takes no memory.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<()>(), 0_usize, CREATE_RULESET_VERSION) };
    u32::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// A ruleset that forbids these kinds of access to files unless a rule allows them, and these kinds of reaching other processes.
pub(in crate::process) fn ruleset(access: u64, scoped: u64) -> io::Result<OwnedFd> {
    let attributes = RulesetAttributes { handled_access_fs: access, handled_access_net: 0, scoped };
    let (attributes, size) = (&raw const attributes, size_of::<RulesetAttributes>());
    // SAFETY: the attributes outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attributes, size, 0_u32) };
    match i32::try_from(result) {
        // SAFETY: the kernel has just opened it, and nobody else knows it.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        Ok(_) | Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Allows these kinds of access to the file `path`, or to all below the directory `path`.
pub(in crate::process) fn allow(ruleset: BorrowedFd<'_>, path: BorrowedFd<'_>, access: u64) -> io::Result<()> {
    let rule = PathBeneath { allowed_access: access, parent_fd: path.as_raw_fd() };
    let rule = &raw const rule;
    // SAFETY: the rule outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), RULE_PATH_BENEATH, rule, 0_u32) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
