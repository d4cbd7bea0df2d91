//! Taking charge of descriptors that stand in nothing but an environment variable.
#![expect(unsafe_code, reason = "a descriptor's number becomes an owner of it, which nobody but the kernel can check")]

use std::{
    os::fd::{FromRawFd, OwnedFd, RawFd},
    sync::atomic::{AtomicBool, Ordering},
};

/// The first descriptor that systemd passes (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// Whether they were taken: a descriptor has one owner.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The `count` descriptors that the program was started with for itself (sd_listen_fds(3)). A second call gives none.
///
/// It may be called only when `LISTEN_PID` is this process and `count` is `LISTEN_FDS`: then systemd opened them before the program
/// began, and nothing in it has used their numbers.
pub(super) fn inherited(count: u16) -> Vec<OwnedFd> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Vec::new();
    }
    let numbers = (FIRST..).take(usize::from(count));
    // SAFETY: systemd opened these for this very process, as the caller has made sure, and the flag above lets them be taken once.
    numbers.map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect()
}
