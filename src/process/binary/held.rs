//! A program file that can be executed whatever becomes of its name.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use super::{BinaryError, check_binary};
use crate::connector::{Binary, BinaryId};

/// A usable program file, held by a descriptor that keeps its content even when its name is taken away or given to another.
#[derive(Debug)]
pub struct HeldBinary {
    binary: Binary,
    /// Where it was found.
    path: PathBuf,
    /// `O_PATH`: it cannot be read through it, only executed.
    file: File,
}

/// By what a program file is executed.
#[derive(Debug, Clone, Copy)]
pub(in crate::process) enum Access<'a> {
    /// By its name.
    Path(&'a Path),
    /// By its descriptor: the name stands for another file, or for none.
    Descriptor(BorrowedFd<'a>),
}

/// How often a file that changes while it is looked at is looked at again.
const LOOKS_MAX: usize = 3;

impl HeldBinary {
    /// Looks at the program at `path`, asks it for its version and holds it. It blocks, for at most half a minute.
    pub fn inspect(path: &Path) -> Result<Self, BinaryError> {
        if path.is_relative() {
            let source = io::Error::new(io::ErrorKind::NotFound, "it is in none of the folders of PATH");
            return Err(BinaryError::Missing { path: path.to_owned(), source });
        }
        let mut looks = 1;
        loop {
            let file = open(path).map_err(|source| BinaryError::Missing { path: path.to_owned(), source })?;
            let version = check_binary(path)?;
            let silent = |source| BinaryError::Silent { path: path.to_owned(), source };
            let id = id_of(&file.metadata().map_err(silent)?);
            // Asked by its name, which may have become another's meanwhile.
            if present_id(path) == Some(id) {
                return Ok(Self { binary: Binary { id, version: version.to_string() }, path: path.to_owned(), file });
            }
            if looks == LOOKS_MAX {
                return Err(silent(io::Error::other("it is replaced again and again")));
            }
            looks += 1;
        }
    }

    /// The program that the process `pid` runs, if that is `binary`. It works for a file that has no name any more.
    pub fn of_process(pid: u32, binary: &Binary, path: &Path) -> Option<Self> {
        let file = open(Path::new(&format!("/proc/{pid}/exe"))).ok()?;
        // Whatever has that number: the file is the one that is looked for, or it is not.
        let same = id_of(&file.metadata().ok()?) == binary.id;
        same.then(|| Self { binary: binary.clone(), path: path.to_owned(), file })
    }

    /// Which program it is.
    pub fn binary(&self) -> &Binary {
        &self.binary
    }

    /// What its process is to be called.
    pub(in crate::process) fn name(&self) -> &Path {
        &self.path
    }

    /// How to execute it at this moment; `None` when its content is gone, because it was written over in place.
    pub(in crate::process) fn access(&self) -> Option<Access<'_>> {
        let id = self.binary.id;
        // By its name where possible: the process is then called by it in `ps`.
        if present_id(&self.path) == Some(id) {
            return Some(Access::Path(&self.path));
        }
        let intact = self.file.metadata().is_ok_and(|metadata| id_of(&metadata) == id);
        intact.then(|| Access::Descriptor(self.file.as_fd()))
    }
}

/// The file that stands at `path`, if one does.
pub(super) fn present_id(path: &Path) -> Option<BinaryId> {
    fs::metadata(path).ok().map(|metadata| id_of(&metadata))
}

fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn id_of(metadata: &Metadata) -> BinaryId {
    BinaryId {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified_seconds: metadata.mtime(),
        modified_nanos: metadata.mtime_nsec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(directory: &tempfile::TempDir, name: &str, version: &str) -> PathBuf {
        crate::process::binary::tests::binary_named(directory, name, &format!("echo {version}"))
    }

    #[test]
    fn a_program_is_executed_by_its_name_as_long_as_that_is_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = program(&directory, "cloudflared", "2026.8.0");
        let held = HeldBinary::inspect(&path).unwrap();
        assert_eq!(held.binary().version, "2026.8.0");
        assert!(matches!(held.access(), Some(Access::Path(by)) if by == path));

        fs::rename(program(&directory, "new", "2026.9.0"), &path).unwrap();
        assert!(matches!(held.access(), Some(Access::Descriptor(_))));
        assert_eq!(HeldBinary::inspect(&path).unwrap().binary().version, "2026.9.0");

        fs::remove_file(&path).unwrap();
        assert!(matches!(held.access(), Some(Access::Descriptor(_))));
        assert!(matches!(HeldBinary::inspect(&path), Err(BinaryError::Missing { .. })));
    }

    #[test]
    fn a_program_that_is_written_over_in_place_is_not_held_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = program(&directory, "cloudflared", "2026.8.0");
        let held = HeldBinary::inspect(&path).unwrap();
        fs::write(&path, "#!/bin/sh\necho 2026.10.0\n").unwrap();
        assert!(held.access().is_none());
    }

    #[test]
    fn the_program_of_a_process_is_known_again_by_its_file() {
        let own = std::env::current_exe().unwrap();
        let id = present_id(&own).unwrap();
        let binary = Binary { id, version: "1.2.3".to_owned() };
        let held = HeldBinary::of_process(std::process::id(), &binary, Path::new("/nowhere/cloudflared")).unwrap();
        assert!(matches!(held.access(), Some(Access::Descriptor(_))));
        let other = Binary { id: BinaryId { inode: id.inode + 1, ..id }, ..binary };
        assert!(HeldBinary::of_process(std::process::id(), &other, &own).is_none());
    }
}
