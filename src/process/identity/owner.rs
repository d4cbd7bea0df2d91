//! Whose connectors are meant: one daemon's on this host.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::Home;
use crate::{boot, process::cgroup::Subtree};

/// A daemon with its private folder, its user and its part of the cgroup tree.
pub(in crate::process) struct Owner {
    pub(in crate::process) private: PathBuf,
    pub(in crate::process) home: Home,
    /// Who its connectors run as.
    pub(in crate::process) user: u32,
    /// The present boot.
    pub(in crate::process) boot_id: String,
    /// `None` where no subtree was given to it.
    pub(in crate::process) subtree: Option<Subtree>,
}

impl Owner {
    /// The daemon that keeps its records in `private`.
    pub(in crate::process) fn of(private: &Path, subtree: Option<Subtree>) -> io::Result<Self> {
        Ok(Self { private: private.to_owned(), home: Home::of(private), user: user_of(private), boot_id: boot::id()?, subtree })
    }
}

/// Whoever owns the folder, or the runtime directory that it is in; this process's user where there is neither. A clean-up runs as
/// root for a daemon that does not.
fn user_of(private: &Path) -> u32 {
    let owner = private.ancestors().take(2).find_map(|folder| Some(fs::metadata(folder).ok()?.uid()));
    owner.unwrap_or_else(|| rustix::process::geteuid().as_raw())
}
