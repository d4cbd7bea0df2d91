//! A secret in a file: opened once, then judged by what was opened, so that nobody can exchange it in between.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, Stat, fstat, open},
    process::geteuid,
};
use zeroize::Zeroizing;

use super::{Bytes, Refusal};

/// The largest file that is read: a token and its newline need far less.
const FILE_MAX: u64 = 4 * 1024;

/// The widest mode of a file that holds a secret.
const MODE_MAX: u32 = 0o600;

/// Reads a file that nobody but its owner, we or root, may read.
pub(super) fn read_private(path: PathBuf) -> Result<Bytes, Refusal> {
    read(open_private(&path)?)
}

/// Reads a file that something else keeps safe.
pub(super) fn read_any(path: PathBuf) -> Result<Bytes, Refusal> {
    read(open_any(&path)?.0)
}

/// Opens a file that nobody but its owner, we or root, may read.
pub(super) fn open_private(path: &Path) -> Result<File, Refusal> {
    let (file, stat) = open_any(path)?;
    let checked = check_private(stat.st_mode & 0o7777, stat.st_uid, geteuid().as_raw());
    checked.map_err(|reason| Refusal::new(reason.replace("FILE", &format!("{path:?}"))))?;
    Ok(file)
}

fn open_any(path: &Path) -> Result<(File, Stat), Refusal> {
    // Links are followed: what counts is the file at their end. Opening a pipe or a device must neither wait nor take it over.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file: File = open(path, flags, Mode::empty()).map_err(|error| unopened(error.into()))?.into();
    let stat = fstat(&file).map_err(|error| unreadable(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Refusal::new("it is not a regular file"));
    }
    Ok((file, stat))
}

fn read(file: File) -> Result<Bytes, Refusal> {
    // Room for everything from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_MAX as usize + 1));
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Refusal::new(format!("it is larger than {FILE_MAX} bytes; a secret is one short line")));
    }
    Ok(bytes)
}

fn unopened(error: io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::PermissionDenied {
        let me = geteuid().as_raw();
        return Refusal::caused(format!("user {me} may not read it; it must belong to the daemon's user"), error);
    }
    unreadable(error)
}

fn unreadable(error: io::Error) -> Refusal {
    Refusal::caused("it cannot be opened or read", error)
}

/// Whether a file with this mode and owner keeps a secret of user `me`. `FILE` in the reason stands for its path.
fn check_private(mode: u32, owner: u32, me: u32) -> Result<(), String> {
    if owner != me && owner != 0 {
        return Err(format!("it belongs to user {owner}, who could replace it; it must belong to root or to user {me}"));
    }
    if mode & !MODE_MAX != 0 {
        return Err(format!("its mode is {mode:04o}, wider than 0600; run: chmod 600 FILE"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_we_and_root_may_own_and_read_the_file() {
        for (mode, owner, me, fine) in [
            (0o600, 1_000, 1_000, true),
            (0o400, 1_000, 1_000, true),
            (0o600, 0, 1_000, true),
            (0o600, 0, 0, true),
            (0o600, 1_001, 1_000, false),
            (0o600, 1_000, 0, false),
            (0o640, 1_000, 1_000, false),
            (0o604, 1_000, 1_000, false),
            (0o660, 0, 1_000, false),
            (0o700, 1_000, 1_000, false),
            (0o4600, 1_000, 1_000, false),
        ] {
            assert_eq!(check_private(mode, owner, me).is_ok(), fine, "{mode:o} {owner} {me}");
        }
    }
}
