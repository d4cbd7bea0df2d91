//! Processes: starting connectors, knowing them again, signalling them, learning how they ended.
//!
//! Only this module knows process ids and signals. A connector is a plain child of the daemon, watched through a pidfd:
//!
//! ```text
//!   Spawner ── posix_spawn ──▶ adit connector-exec ── exec ──▶ cloudflared
//!      │                         sheds descriptors, limits, privileges     metrics socket on 3, token on 4
//!      ├── generation record, before and after ──▶ survivors() of the next daemon
//!      └── Process: pidfd, signals, end
//! ```
//!
//! - A signal goes through the pidfd of a process that this daemon started or proved to be its own. The process group is
//!   signalled only while the child is certainly not reaped, so that its number cannot be another's.
//! - What must be set between fork and exec is set by a helper mode of our own binary ([`exec_helper`]): the fast path of
//!   `posix_spawn` stays usable, and no code runs in a forked copy of a threaded process.

mod binary;
mod command_line;
mod credentials;
mod exec_helper;
mod generation_record;
mod handle;
mod identity;
mod leftovers;
mod limits;
mod out_of_memory;
mod raw;
mod readable;
mod spawn;
mod survivors;

pub use binary::{BinaryError, Version, check_binary};
pub use exec_helper::{EXEC_HELPER, exec_helper};
pub use handle::{End, Process};
pub use leftovers::{Leftovers, end_leftovers};
pub use limits::raise_descriptor_limit;
pub use readable::{ReadableRecords, readable_records};
pub use spawn::{SpawnRequest, Spawned, Spawner};
pub use survivors::{Survivors, survivors};

/// An error with its causes, in one line.
pub fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
