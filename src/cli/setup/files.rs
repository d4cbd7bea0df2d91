//! Writing files where root may: into folders that nobody but root and the caller can change.
//!
//! A file appears whole or not at all, and none that holds something else is replaced unless the caller says so.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf, absolute},
};

use nix::unistd::{Gid, Uid};
use rustix::process::{getegid, geteuid};
use tempfile::Builder;

use crate::whole_file;

/// What a file is called until it is complete. The configuration's reader leaves hidden files out.
const UNFINISHED: &str = ".adit-setup-";

/// The mode's bits that let others write, and the one that keeps them from what is not theirs.
const WRITABLE_BY_ALL: u32 = 0o002;
const WRITABLE_BY_GROUP: u32 = 0o020;
const STICKY: u32 = 0o1000;

/// What stands where a file is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Nothing,
    /// The very content.
    Same,
    /// Something else.
    Other,
}

/// A file to be written.
#[derive(Debug)]
pub(super) struct NewFile<'a> {
    /// Where.
    pub(super) path: &'a Path,
    /// What.
    pub(super) content: &'a [u8],
    /// Its permission bits, whatever the umask says.
    pub(super) mode: u32,
    /// Whose it is to be; the caller's when `None`.
    pub(super) owner: Option<(Uid, Gid)>,
    /// The permission bits of its folder, if that has to be made.
    pub(super) folder_mode: u32,
}

/// Compares what stands at `path` with `content`. A link is something else, wherever it leads.
///
/// # Errors
///
/// When it cannot be looked at.
pub(super) fn standing(path: &Path, content: &[u8]) -> io::Result<Standing> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Nothing),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() || metadata.len() != content.len() as u64 {
        return Ok(Standing::Other);
    }
    let mut found = Vec::new();
    File::open(path)?.take(content.len() as u64 + 1).read_to_end(&mut found)?;
    Ok(if found == content { Standing::Same } else { Standing::Other })
}

/// Writes a file where nothing stands.
///
/// # Errors
///
/// When something stands there, when others could change its folder, and when the system refuses.
pub(super) fn create(file: &NewFile<'_>) -> io::Result<()> {
    write(file, |unfinished, path| unfinished.persist_noclobber(path).map(drop).map_err(|error| error.error))
}

/// Writes a file in the place of what stands there.
///
/// # Errors
///
/// When others could change its folder, and when the system refuses.
pub(super) fn replace(file: &NewFile<'_>) -> io::Result<()> {
    write(file, |unfinished, path| unfinished.persist(path).map(drop).map_err(|error| error.error))
}

/// Whether nobody but root and the caller can change what is in this folder, or on the way to it. Of a folder that does not exist, it is
/// the way that counts.
///
/// # Errors
///
/// When somebody can, or it cannot be told.
pub(super) fn check_folder(folder: &Path) -> io::Result<()> {
    let written = absolute(folder)?;
    let existing = written.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    // Both the way as it is written, on which links may stand, and where it leads.
    let real = existing.canonicalize()?;
    for folder in existing.ancestors().chain(real.ancestors()) {
        let metadata = fs::symlink_metadata(folder)?;
        let folder_seen =
            Folder { mode: metadata.mode(), owner: metadata.uid(), group: metadata.gid(), is_link: metadata.is_symlink() };
        if let Some(reason) = objection(&folder_seen, geteuid().as_raw(), getegid().as_raw()) {
            return Err(io::Error::other(format!("its folder {folder:?} {reason}, so that it could be led elsewhere")));
        }
    }
    Ok(())
}

/// A folder, or a link on the way to one.
#[derive(Debug, Clone, Copy)]
struct Folder {
    mode: u32,
    owner: u32,
    group: u32,
    is_link: bool,
}

/// Who besides root and the caller, who is `user` of `group`, can change what is in a folder.
fn objection(folder: &Folder, user: u32, group: u32) -> Option<String> {
    // A link has no mode of its own, and what is sticky belongs to whoever made it.
    let is_guarded = folder.is_link || folder.mode & STICKY != 0;
    // The daemon's user may be in any group but ours and root's.
    let is_foreign_group = folder.group != 0 && folder.group != group;
    if folder.owner != 0 && folder.owner != user {
        Some(format!("belongs to user {}", folder.owner))
    } else if folder.mode & WRITABLE_BY_ALL != 0 && !is_guarded {
        Some("can be written by everyone".to_owned())
    } else if folder.mode & WRITABLE_BY_GROUP != 0 && is_foreign_group && !is_guarded {
        Some(format!("can be written by group {}", folder.group))
    } else {
        None
    }
}

fn write(file: &NewFile<'_>, put: impl FnOnce(tempfile::NamedTempFile, &Path) -> io::Result<()>) -> io::Result<()> {
    let folder = folder_of(file.path)?;
    check_folder(folder)?;
    if !folder.exists() {
        make_folder(folder, file.folder_mode)?;
    }
    remove_unfinished(folder);
    // tempfile makes it with mode 0600, for us alone.
    let mut unfinished = Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    unfinished.write_all(file.content)?;
    unfinished.as_file().set_permissions(Permissions::from_mode(file.mode))?;
    if let Some((user, group)) = file.owner {
        nix::unistd::fchown(unfinished.as_file(), Some(user), Some(group))?;
    }
    unfinished.as_file().sync_all()?;
    put(unfinished, file.path)?;
    whole_file::sync_folder(folder)
}

fn folder_of(path: &Path) -> io::Result<&Path> {
    path.parent().filter(|folder| folder.is_absolute()).ok_or_else(|| io::Error::other("it needs an absolute path"))
}

/// Makes a folder, and those above it that are missing, with these permission bits whatever the umask says.
fn make_folder(folder: &Path, mode: u32) -> io::Result<()> {
    let missing: Vec<PathBuf> = folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
    for folder in missing.iter().rev() {
        DirBuilder::new().mode(0o700).create(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Removes what an earlier call that was killed left behind. What cannot be removed does no harm.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn file(path: &Path) -> NewFile<'_> {
        NewFile { path, content: b"content", mode: 0o640, owner: None, folder_mode: 0o755 }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_file_and_its_folder_have_the_modes_that_were_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file");
        create(&file(&path)).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o640, 0o755));
        assert_eq!(standing(&path, b"content").unwrap(), Standing::Same);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn what_stands_there_is_replaced_only_when_that_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "another").unwrap();
        assert_eq!(standing(&path, b"content").unwrap(), Standing::Other);
        assert_eq!(create(&file(&path)).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"another");
        replace(&file(&path)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"content");
    }

    #[test]
    fn a_link_is_something_else_and_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, path) = (folder.path().join("target"), folder.path().join("file"));
        fs::write(&target, "content").unwrap();
        symlink(&target, &path).unwrap();
        assert_eq!(standing(&path, b"content").unwrap(), Standing::Other);
        assert!(create(&file(&path)).is_err());
        replace(&NewFile { content: b"mine", ..file(&path) }).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"content", "the link went, and not what it led to");
    }

    #[test]
    fn a_folder_that_everybody_can_change_is_refused_also_behind_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(open.join("inner")).unwrap();
        symlink(&open, folder.path().join("link")).unwrap();
        for path in ["open/file", "open/inner/file", "open/missing/file", "link/file"] {
            let error = create(&file(&folder.path().join(path))).unwrap_err();
            assert!(error.to_string().contains("can be written by everyone"), "{path}: {error}");
        }
        assert_eq!(fs::read_dir(&open).unwrap().count(), 1, "nothing was written");
    }

    #[test]
    fn a_folder_of_another_user_or_group_is_refused() {
        let own = Folder { mode: 0o40_755, owner: 1000, group: 1000, is_link: false };
        for (folder, part) in [
            (own, None),
            (Folder { owner: 0, group: 0, mode: 0o40_775, ..own }, None),
            (Folder { mode: 0o40_775, ..own }, None),
            (Folder { owner: 65_534, ..own }, Some("belongs to user 65534")),
            (Folder { owner: 65_534, is_link: true, ..own }, Some("belongs to user 65534")),
            (Folder { owner: 65_534, mode: 0o41_777, ..own }, Some("belongs to user 65534")),
            (Folder { group: 65_534, mode: 0o40_775, ..own }, Some("can be written by group 65534")),
            (Folder { group: 65_534, mode: 0o41_775, ..own }, None),
            (Folder { mode: 0o40_777, ..own }, Some("can be written by everyone")),
            (Folder { mode: 0o41_777, ..own }, None),
            (Folder { mode: 0o120_777, is_link: true, ..own }, None),
        ] {
            assert_eq!(objection(&folder, 1000, 1000).as_deref(), part, "{folder:?}");
        }
    }

    #[test]
    fn what_a_killed_call_left_behind_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".adit-setup-x"), "half").unwrap();
        create(&file(&folder.path().join("file"))).unwrap();
        assert!(!folder.path().join(".adit-setup-x").exists());
    }
}
