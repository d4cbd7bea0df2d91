//! A program file that can be executed whatever becomes of its name.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use super::{BinaryError, check_binary};
use crate::{
    connector::{Binary, BinaryId},
    process::raw::start::BEYOND_PLACES,
};

/// A usable program file, held by a descriptor that keeps its content even when its name is taken away or given to another.
#[derive(Debug)]
pub struct HeldBinary {
    binary: Binary,
    /// Where it was found.
    path: PathBuf,
    /// `O_PATH`: it cannot be read through it, only executed.
    file: File,
    /// Its interpreter opens it by its name, which a descriptor that ends with the execution does not give it.
    is_script: bool,
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
                let is_script = is_script(path);
                return Ok(Self { binary: Binary { id, version: version.to_string() }, path: path.to_owned(), file, is_script });
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
        // What a process runs is never a script, but its interpreter.
        same.then(|| Self { binary: binary.clone(), path: path.to_owned(), file, is_script: false })
    }

    /// Which program it is.
    pub fn binary(&self) -> &Binary {
        &self.binary
    }

    /// Whether it can be executed at this moment.
    pub fn is_runnable(&self) -> bool {
        self.access().is_some()
    }

    /// What its process is to be called.
    pub(in crate::process) fn name(&self) -> &Path {
        &self.path
    }

    /// How to execute it at this moment; `None` when its content is gone, because it was written over in place, or when it is a
    /// script without its name.
    pub(in crate::process) fn access(&self) -> Option<Access<'_>> {
        let id = self.binary.id;
        // By its name where possible: the process is then called by it in `ps`.
        if present_id(&self.path) == Some(id) {
            return Some(Access::Path(&self.path));
        }
        let intact = self.file.metadata().is_ok_and(|metadata| id_of(&metadata) == id);
        (intact && !self.is_script).then(|| Access::Descriptor(self.file.as_fd()))
    }
}

/// The file that stands at `path`, if one does.
pub(super) fn present_id(path: &Path) -> Option<BinaryId> {
    fs::metadata(path).ok().map(|metadata| id_of(&metadata))
}

fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok_and(|()| start == *b"#!")
}

fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    // A child executes it by its number when its own descriptors are in their places.
    Ok(rustix::io::fcntl_dupfd_cloexec(file, BEYOND_PLACES)?.into())
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
    use std::process::Command;

    use super::*;
    use crate::process::binary::tests::binary_named;

    /// A program that is no script.
    fn compiled(directory: &tempfile::TempDir, name: &str) -> PathBuf {
        let path = directory.path().join(name);
        let copied = Command::new("cp").arg("/bin/sleep").arg(&path).status();
        assert!(copied.unwrap().success());
        path
    }

    fn held(path: &Path) -> HeldBinary {
        let binary = Binary { id: present_id(path).unwrap(), version: "2026.8.0".to_owned() };
        HeldBinary { binary, path: path.to_owned(), file: open(path).unwrap(), is_script: is_script(path) }
    }

    #[test]
    fn a_program_is_executed_by_its_name_as_long_as_that_is_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = compiled(&directory, "cloudflared");
        let held = held(&path);
        assert!(matches!(held.access(), Some(Access::Path(by)) if by == path));
        fs::rename(compiled(&directory, "new"), &path).unwrap();
        assert!(matches!(held.access(), Some(Access::Descriptor(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(held.access(), Some(Access::Descriptor(_))));
        assert!(matches!(HeldBinary::inspect(&path), Err(BinaryError::Missing { .. })));
    }

    #[test]
    fn a_script_runs_only_by_its_own_name() {
        let directory = tempfile::tempdir().unwrap();
        let script = |name: &str, version: &str| binary_named(&directory, name, &format!("echo {version}"));
        let path = script("cloudflared", "2026.8.0");
        let held = HeldBinary::inspect(&path).unwrap();
        assert_eq!((held.binary().version.as_str(), held.is_runnable()), ("2026.8.0", true));
        let number = std::os::fd::AsRawFd::as_raw_fd(&held.file);
        assert!(number >= BEYOND_PLACES, "a child's own descriptors must not cover it");
        fs::rename(script("new", "2026.9.0"), &path).unwrap();
        assert!(!held.is_runnable());
        assert_eq!(HeldBinary::inspect(&path).unwrap().binary().version, "2026.9.0");
    }

    #[test]
    fn a_program_that_is_written_over_in_place_is_not_held_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = compiled(&directory, "cloudflared");
        let held = held(&path);
        fs::write(&path, "something else").unwrap();
        assert!(held.access().is_none());
    }

    #[test]
    fn the_program_of_a_process_is_known_again_by_its_file_even_when_that_has_no_name_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = compiled(&directory, "cloudflared");
        let (id, mut process) = (present_id(&path).unwrap(), Command::new(&path).arg("600").spawn().unwrap());
        fs::remove_file(&path).unwrap();
        let binary = Binary { id, version: "1.2.3".to_owned() };
        let held = HeldBinary::of_process(process.id(), &binary, &path);
        let other = Binary { id: BinaryId { inode: id.inode + 1, ..id }, ..binary };
        let stranger = HeldBinary::of_process(process.id(), &other, &path);
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(matches!(held.unwrap().access(), Some(Access::Descriptor(_))), "the file outlives the process");
        assert!(stranger.is_none());
    }
}
