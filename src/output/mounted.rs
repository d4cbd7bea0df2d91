//! File systems of their own, for tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Mounts a file system, where that is allowed: as root, outside a container that forbids it.
pub(super) struct Mounted(PathBuf);

impl Mounted {
    pub(super) fn at(path: &Path, kind: &str, options: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mount = Command::new("mount").args(["-t", kind, "-o", options, "adit-test"]).arg(path).output();
        mount.is_ok_and(|mount| mount.status.success()).then(|| Self(path.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
