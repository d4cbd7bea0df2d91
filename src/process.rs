//! Processes: starting connectors, knowing them again, signalling them, learning how they ended.
//!
//! Only this module knows process ids and signals. A connector is a plain child of the daemon, watched through a pidfd:
//!
//! ```text
//!   Spawner ── raw::start ──▶ child: session, descriptors, limits, no privileges, Landlock ── exec ──▶ cloudflared
//!      │                                                                   metrics socket on 3, token on 4
//!      ├── generation record, before and after ──▶ survivors() of the next daemon
//!      └── Process: pidfd, signals, end
//! ```
//!
//! - A signal goes through the pidfd of a process that this daemon started or proved to be its own. The process group is
//!   signalled only while the child is certainly not reaped, so that its number cannot be another's.
//! - A process of an earlier daemon is adopted when two of three prove it: its birth, its instance id, its leaf ([`Subtree`]). With
//!   one it is watched and never signalled. What a process carries stands in for a record that is lost.
//! - What is executed is a file that was looked at and is held ([`HeldBinary`]): by its name while that is its own, by its
//!   descriptor when the name stands for another file or for none. [`BinaryWatch`] tells when another file takes its place.
//! - What must be set between fork and exec is set by the child itself, by system calls alone, from a plan that is complete before
//!   it is born: no second exec, no copy of the daemon's memory, and which step failed is known exactly.

mod binary;
mod cgroup;
mod command_line;
mod credentials;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod generation_record;
mod handle;
mod identity;
mod landlock;
mod leftovers;
mod limits;
mod lineage;
mod out_of_memory;
mod own_folder;
mod privileges;
mod raw;
mod readable;
mod spawn;
mod survivors;
#[cfg(test)]
pub(crate) mod testing;

pub use binary::{BinaryError, BinaryWatch, HeldBinary, Inspection, Version, check_binary};
pub use cgroup::{Subtree, own_cgroup};
pub use handle::{End, Onlooker, Process};
pub use leftovers::{Leftovers, end_leftovers};
pub use limits::{DescriptorLimit, raise_descriptor_limit};
pub use lineage::is_of_connector;
pub use own_folder::own_folder;
pub(crate) use raw::{watch as watch_descriptor, watch_for as watch_descriptor_for};
pub use readable::{ReadableRecords, readable_records};
pub use spawn::{ConnectorOutput, SpawnRequest, Spawned, Spawner, SpawnerSettings};
pub use survivors::{Survivors, Watched, surviving_slots, survivors};

/// Which version of Landlock the kernel has, from 1; `None` where it has none or it is switched off.
pub fn landlock_version() -> Option<u32> {
    raw::landlock::version().ok()
}
