//! Writing so that a crash at any moment leaves the old content or the whole of the other.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use tempfile::{Builder, TempPath};

use super::StoreError;
use crate::failpoint::{self, Point};

/// What a file is called until it is complete. What a crash leaves behind under such a name is removed at the next start.
const UNFINISHED: &str = ".unfinished-";

/// The largest state file that is read, in bytes. A record with 10,000 hostnames has less than half of it.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// Makes a directory with mode 0700, and those above it; one that exists is left as it is.
pub(super) fn make_directory(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| StoreError::io("make state directory", path, error))
}

/// Replaces the file at `path`, mode 0600, durably.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let directory = path.parent().expect("a state file has a directory");
    make_directory(directory)?;
    failpoint::hit_at(Point::StateBegun, path);
    let complete = stage(directory, content).map_err(|error| StoreError::io("write", path, error))?;
    failpoint::hit_at(Point::StateSynced, path);
    complete.persist(path).map_err(|error| StoreError::io("replace", path, error.error))?;
    failpoint::hit_at(Point::StateRenamed, path);
    sync_directory(directory)?;
    failpoint::hit_at(Point::StateDurable, path);
    Ok(())
}

/// A complete and synced file beside the one that it is to replace.
pub(super) fn stage(directory: &Path, content: &[u8]) -> io::Result<TempPath> {
    // tempfile makes it with mode 0600.
    let mut file = Builder::new().prefix(UNFINISHED).tempfile_in(directory)?;
    failpoint::hit_at(Point::StateCreated, directory);
    file.write_all(content)?;
    failpoint::hit_at(Point::StateWritten, directory);
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// Removes a file durably. One that does not exist is removed.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Ok(()) => {
            failpoint::hit_at(Point::StateRemoved, path);
            sync_directory(path.parent().expect("a state file has a directory"))?;
            failpoint::hit_at(Point::StateRemovalDurable, path);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io("remove", path, error)),
    }
}

pub(super) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| StoreError::io("sync", directory, error))
}

/// The text of a file; `None` when there is none.
///
/// # Errors
///
/// When it cannot be read, is too large or is no text.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {FILE_MAX} bytes")));
    }
    Ok(Some(text))
}

/// The files of a directory with this ending, each with its name without the ending, in the order of names. None when there is no
/// such directory.
pub(super) fn list(directory: &Path, ending: &str) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let fail = |error| StoreError::io("list", directory, error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if let Some(stem) = name.strip_suffix(ending)
            && !stem.starts_with('.')
        {
            files.push((stem.to_owned(), entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// Removes what a crash left unfinished. What cannot be removed does no harm.
pub(super) fn remove_leftovers(state: &Path) {
    let below = fs::read_dir(state).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let directories = below.map(|entry| entry.path()).chain([state.to_owned()]);
    for entry in directories.flat_map(|directory| fs::read_dir(directory).into_iter().flatten().flatten()) {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
