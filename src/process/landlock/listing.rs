//! What is beside the way to some folders, from `/` on.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, open},
};

use super::unless_short;

/// A folder on the way with more entries than this is closed altogether: listing it would take longer than a start may.
const ENTRIES_MAX: usize = 4096;

/// The mode's bit of folders where everybody may put things and nobody may take away what is another's.
const STICKY: u32 = 0o1000;

/// The kernel's table of mounts. It becomes readable out of band when the table changes.
const MOUNTS: &str = "/proc/self/mountinfo";

/// What Landlock tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A folder, with everything below it.
    Folder,
    /// Anything else.
    File,
}

/// What is open, and what that was found in.
pub(super) struct Listing {
    pub(super) open: Vec<(PathBuf, Kind)>,
    /// The folders on the way, as they were just before they were listed.
    listed: Vec<(PathBuf, Stamp)>,
    mounts: Option<OwnedFd>,
}

/// What changes when an entry of a folder is made, removed or renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Listing {
    /// Everything but what is closed. The paths are absolute and have no symbolic links in them. An error when there are too few
    /// descriptors or too little memory for it.
    pub(super) fn of_root(closed: &[PathBuf]) -> io::Result<Self> {
        // Opened first: a mount during the listing is noticed.
        let mounts = unless_short(open(MOUNTS, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(io::Error::from))?;
        let mut listing = Self { open: Vec::new(), listed: Vec::new(), mounts };
        listing.add(Path::new("/"), closed)?;
        Ok(listing)
    }

    fn add(&mut self, folder: &Path, closed: &[PathBuf]) -> io::Result<()> {
        if closed.iter().any(|closed| closed == folder) {
            return Ok(());
        }
        if !closed.iter().any(|closed| closed.starts_with(folder)) {
            self.open.push((folder.to_owned(), Kind::Folder));
            return Ok(());
        }
        let Some(metadata) = unless_short(fs::symlink_metadata(folder))? else { return Ok(()) };
        // Where everybody may put things (`/tmp`) they come and go all the time, and what comes later is nothing that a connector
        // was started for.
        if metadata.mode() & STICKY == 0 {
            self.listed.push((folder.to_owned(), Stamp::of(&metadata)));
        }
        // What cannot be listed stays closed.
        let Some(entries) = unless_short(entries(folder))? else { return Ok(()) };
        for (path, kind) in entries {
            match kind {
                Kind::Folder => self.add(&path, closed)?,
                Kind::File if closed.contains(&path) => {}
                Kind::File => self.open.push((path, Kind::File)),
            }
        }
        Ok(())
    }

    /// Whether it would come out the same again.
    pub(super) fn holds(&mut self) -> bool {
        let remounted = self.mounts.as_ref().is_some_and(|mounts| {
            let mut mounts = [PollFd::new(mounts, PollFlags::PRI)];
            poll(&mut mounts, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
        });
        let unchanged = |(folder, stamp): &(PathBuf, Stamp)| {
            fs::symlink_metadata(folder).is_ok_and(|metadata| Stamp::of(&metadata) == *stamp)
        };
        !remounted && self.listed.iter().all(unchanged)
    }
}

/// The entries of a folder; symbolic links are none, as what they lead to has a place of its own.
fn entries(folder: &Path) -> io::Result<Vec<(PathBuf, Kind)>> {
    let mut entries = Vec::new();
    for (count, entry) in fs::read_dir(folder)?.enumerate() {
        if count >= ENTRIES_MAX {
            return Ok(Vec::new());
        }
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_symlink() => {}
            kind if kind.is_dir() => entries.push((entry.path(), Kind::Folder)),
            _ => entries.push((entry.path(), Kind::File)),
        }
    }
    Ok(entries)
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino(), changed: (metadata.ctime(), metadata.ctime_nsec()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn all_but_what_is_closed_is_open() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        for folder in ["var/state/logs", "var/other", "run/private", "run/more"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["token", "var/state/secret", "run/socket"] {
            fs::write(root.join(file), "").unwrap();
        }
        symlink(root.join("var/state"), root.join("link")).unwrap();
        let closed = ["var/state", "run/private", "token"].map(|path| root.join(path));
        let listing = Listing::of_root(&closed).unwrap();
        let mut open: Vec<_> =
            listing.open.iter().filter_map(|(path, kind)| Some((path.strip_prefix(&root).ok()?, *kind))).collect();
        open.sort_by_key(|(path, _)| *path);
        let expected = [("run/more", Kind::Folder), ("run/socket", Kind::File), ("var/other", Kind::Folder)];
        assert_eq!(open, expected.map(|(path, kind)| (Path::new(path), kind)));
        assert!(listing.open.contains(&("/usr".into(), Kind::Folder)));
        assert!(!listing.open.iter().any(|(path, _)| root.starts_with(path)), "nothing that leads to what is closed");
    }

    #[test]
    fn a_listing_holds_until_an_entry_beside_the_way_changes() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir_all(root.join("var/state")).unwrap();
        let mut listing = Listing::of_root(&[root.join("var/state")]).unwrap();
        assert!(listing.holds());
        fs::write(root.join("var/state/log"), "").unwrap();
        assert!(listing.holds(), "what changes in a closed folder changes nothing");
        fs::write(root.join("var/more"), "").unwrap();
        assert!(!listing.holds());
    }
}
