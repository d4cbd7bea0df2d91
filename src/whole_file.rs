//! Files that are whole at every moment: what is written is written beside their name and renamed into place.
//!
//! Whoever reads such a file sees the former content or all of the other, and so does whoever finds it after a crash. It has mode
//! 0600. Its folder is made, mode 0700, when it is missing: somebody may have tidied up. An error leaves the former content, and
//! nothing beside it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use tempfile::Builder;

/// How the name of an unfinished file begins that is to be kept durably.
const UNFINISHED: &str = ".unfinished-";

/// How the name of an unfinished file ends that is kept for this boot.
const UNFINISHED_ENDING: &str = "new";

/// For how long a file is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It outlives the daemon, and a reboot voids it: it lies on a tmpfs or says which boot it is of. Nothing is synced. The unfinished
    /// file always has the same name, so that crash after crash leaves one at most, and a path has one writer at a time.
    ThisBoot,
    /// It outlives a loss of power from when it was written: the file and its folder are synced. Several may write at once.
    Durably,
}

/// What was done of replacing a file. Each comes after those before it; those of syncing are left out where nothing is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The unfinished file is there and empty.
    Created,
    /// It is complete.
    Written,
    /// It is synced.
    Synced,
    /// It is in its place.
    Renamed,
    /// Its folder is synced.
    FolderSynced,
}

impl Keep {
    /// Whether this is what a crash left of a file that was to be kept so.
    pub fn left_unfinished(self, path: &Path) -> bool {
        match self {
            Self::ThisBoot => path.extension().is_some_and(|ending| ending == UNFINISHED_ENDING),
            Self::Durably => path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes())),
        }
    }

    /// An empty file beside `path`.
    fn begin(self, path: &Path) -> io::Result<(File, PathBuf)> {
        match self {
            Self::ThisBoot => {
                let unfinished = path.with_extension(UNFINISHED_ENDING);
                let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
                Ok((file, unfinished))
            }
            // tempfile makes it with mode 0600.
            Self::Durably => Ok(Builder::new().prefix(UNFINISHED).tempfile_in(folder_of(path))?.keep()?),
        }
    }
}

/// Replaces the file at `path`.
///
/// # Errors
///
/// What the file system refuses.
pub fn replace(path: &Path, content: &[u8], keep: Keep) -> io::Result<()> {
    replace_in_steps(path, content, keep, &mut |_| {})
}

/// Replaces the file at `path`, and tells `done` of every step.
///
/// # Errors
///
/// What the file system refuses. An error of the last step leaves the other content in place, where it may not outlive a loss of power.
pub fn replace_in_steps(path: &Path, content: &[u8], keep: Keep, done: &mut dyn FnMut(Step)) -> io::Result<()> {
    let (mut file, unfinished) = match keep.begin(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(folder_of(path))?;
            keep.begin(path)?
        }
        begun => begun?,
    };
    done(Step::Created);
    let mut finish = || {
        file.write_all(content)?;
        done(Step::Written);
        if keep == Keep::Durably {
            file.sync_all()?;
            done(Step::Synced);
        }
        fs::rename(&unfinished, path)
    };
    finish().inspect_err(|_| {
        // What stays behind is what a crash leaves behind.
        let _ = fs::remove_file(&unfinished);
    })?;
    done(Step::Renamed);
    if keep == Keep::Durably {
        sync_folder(folder_of(path))?;
        done(Step::FolderSynced);
    }
    Ok(())
}

/// The content of a file.
///
/// # Errors
///
/// When there is none, when it is no regular file or longer than `length_max` bytes, and what the file system refuses.
pub fn read(path: &Path, length_max: u64) -> io::Result<Vec<u8>> {
    // A pipe that nobody writes to would be waited for, and what is looked at before it is opened may be another file by then.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(length_max)).unwrap_or(0));
    file.take(length_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > length_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {length_max} bytes")));
    }
    Ok(bytes)
}

/// Removes a file, if there is one, and says whether there was.
///
/// # Errors
///
/// What the file system refuses.
pub fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}

/// Makes a folder with mode 0700, and those above it; one that exists is left as it is.
///
/// # Errors
///
/// What the file system refuses.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Has the names in a folder outlive a loss of power.
///
/// # Errors
///
/// What the file system refuses.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
