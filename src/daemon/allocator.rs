//! How the allocator is to deal with the daemon's memory.
#![expect(unsafe_code, reason = "the allocator's settings have no safe form")]

use std::time::Duration;

use tokio::{sync::broadcast::error::RecvError, task::spawn_blocking, time::sleep};

use crate::recorder::Recorder;

/// How long after something happened memory is given back: by then what came of it is over, mostly.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// Makes the allocator frugal; to be called before the process has a second thread.
///
/// By default each thread that allocates gets an arena of its own, and what dozens of short-lived threads have freed stays with
/// them. The daemon allocates little at a time, so its threads share one. Larger pieces are taken from the kernel and given back to
/// it, whatever was freed before: by default the first large piece that is freed makes the heap keep all those that follow.
#[cfg(target_env = "gnu")]
pub fn be_frugal() {
    const SETTINGS: [(libc::c_int, libc::c_int); 3] =
        [(libc::M_ARENA_MAX, 1), (libc::M_MMAP_THRESHOLD, 128 * 1024), (libc::M_TRIM_THRESHOLD, 128 * 1024)];
    for (setting, value) in SETTINGS {
        // SAFETY: it takes two numbers. A setting that is refused leaves the allocator as it is.
        unsafe { libc::mallopt(setting, value) };
    }
}

/// Another allocator is left as it is.
#[cfg(not(target_env = "gnu"))]
pub fn be_frugal() {}

/// Gives back what provisioning, many starts or a reload have left in holes of the heap. While nothing happens it does nothing.
pub(super) async fn stay_frugal(recorder: Recorder) {
    let mut entries = recorder.feed().follow(None).next;
    loop {
        match entries.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
        sleep(SETTLED_AFTER).await;
        entries = entries.resubscribe();
        // It fails when the runtime goes down.
        let _ = spawn_blocking(give_back).await;
    }
}

/// Gives memory that was freed back to the kernel, wherever it lies. It takes some milliseconds for a heap of some ten MiB.
#[cfg(target_env = "gnu")]
fn give_back() {
    // SAFETY: it takes a number.
    unsafe { libc::malloc_trim(0) };
}

/// Another allocator does it by itself, or never.
#[cfg(not(target_env = "gnu"))]
fn give_back() {}
