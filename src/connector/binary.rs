//! Which file a connector's program is.

use serde::{Deserialize, Serialize};

/// What tells one program file from another: two files that were ever written differ in it, wherever they lie and whatever they
/// are called. A file that is written over in place differs from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BinaryId {
    /// The number of the file system's device.
    pub device: u64,
    /// The file's number on it.
    pub inode: u64,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written, in seconds since 1970.
    pub modified_seconds: i64,
    /// The rest of that time, in nanoseconds.
    pub modified_nanos: i64,
}

/// A program file that was looked at: it can be executed and said its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// Which file.
    pub id: BinaryId,
    /// What it says of itself, such as `2026.8.0`.
    pub version: String,
}
