//! The state's files: replaced and removed durably, read with a bound.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::StoreError;
use crate::{
    failpoint::{self, Point},
    whole_file::{self, Keep, Step},
};

/// The largest state file that is read, in bytes. A record with 10,000 hostnames has less than half of it.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// Makes a directory with mode 0700, and those above it; one that exists is left as it is.
pub(super) fn make_directory(path: &Path) -> Result<(), StoreError> {
    whole_file::make_folder(path).map_err(|error| StoreError::io("make state directory", path, error))
}

/// Replaces the file at `path`, mode 0600, durably.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    make_directory(path.parent().expect("a state file has a directory"))?;
    failpoint::hit_at(Point::StateBegun, path);
    let mut action = "write";
    let written = whole_file::replace_in_steps(path, content, Keep::Durably, &mut |step| {
        let point = match step {
            Step::Created => Point::StateCreated,
            Step::Written => Point::StateWritten,
            Step::Synced => {
                action = "replace";
                Point::StateSynced
            }
            Step::Renamed => {
                action = "sync the directory of";
                Point::StateRenamed
            }
            Step::FolderSynced => Point::StateDurable,
        };
        failpoint::hit_at(point, path);
    });
    written.map_err(|error| StoreError::io(action, path, error))
}

/// Removes a file durably. One that does not exist is removed.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    if whole_file::remove(path).map_err(|error| StoreError::io("remove", path, error))? {
        failpoint::hit_at(Point::StateRemoved, path);
        sync_directory(path.parent().expect("a state file has a directory"))?;
        failpoint::hit_at(Point::StateRemovalDurable, path);
    }
    Ok(())
}

pub(super) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    whole_file::sync_folder(directory).map_err(|error| StoreError::io("sync", directory, error))
}

/// The text of a file; `None` when there is none.
///
/// # Errors
///
/// When it cannot be read, is too large or is no text.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    match whole_file::read(path, FILE_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => String::from_utf8(read?).map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text")),
    }
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
        if Keep::Durably.left_unfinished(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
