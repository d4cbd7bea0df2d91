//! Where the version 2 cgroup tree is mounted, and which of its directories belongs to which path.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// A cgroup: as `/proc/PID/cgroup` names it, and as a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) directory: PathBuf,
}

/// One mount of the tree, or of a part of it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::process) struct Mount {
    /// The cgroup that is mounted.
    pub(in crate::process) root: PathBuf,
    pub(in crate::process) point: PathBuf,
}

impl Place {
    /// The cgroup of this process; `None` where no version 2 tree is mounted that shows it.
    pub(super) fn own() -> io::Result<Option<Self>> {
        let membership = fs::read_to_string("/proc/self/cgroup")?;
        let Some(path) = path_of(&membership) else { return Ok(None) };
        let directory = mounts()?.iter().find_map(|mount| mount.directory_of(path));
        Ok(directory.map(|directory| Self { path: path.to_owned(), directory }))
    }

    /// The cgroup that a directory stands for.
    pub(super) fn of_directory(directory: &Path) -> io::Result<Self> {
        let path = mounts()?.iter().find_map(|mount| mount.path_of(directory));
        let path = path.ok_or_else(|| io::Error::other(format!("{directory:?} is in no version 2 cgroup tree")))?;
        Ok(Self { path, directory: directory.to_owned() })
    }

    /// The last part of the path; empty for the root.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// The cgroup that this one is in; `None` for the root of what is mounted.
    pub(super) fn parent(&self) -> Option<Self> {
        let (path, name) = self.path.rsplit_once('/')?;
        let directory = self.directory.parent().filter(|_| !name.is_empty())?;
        let path = if path.is_empty() { "/" } else { path };
        Some(Self { path: path.to_owned(), directory: directory.to_owned() })
    }

    /// A cgroup in this one.
    pub(super) fn child(&self, name: &str) -> Self {
        Self { path: format!("{}/{name}", self.path.trim_end_matches('/')), directory: self.directory.join(name) }
    }
}

impl Mount {
    pub(in crate::process) fn directory_of(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(&self.root).ok()?;
        Some(if below.as_os_str().is_empty() { self.point.clone() } else { self.point.join(below) })
    }

    pub(in crate::process) fn path_of(&self, directory: &Path) -> Option<String> {
        let below = directory.strip_prefix(&self.point).ok()?;
        let path = if below.as_os_str().is_empty() { self.root.clone() } else { self.root.join(below) };
        path.into_os_string().into_string().ok()
    }
}

/// The version 2 path in the text of a `/proc/PID/cgroup`.
pub(in crate::process) fn path_of(membership: &str) -> Option<&str> {
    membership.lines().find_map(|line| line.strip_prefix("0::"))
}

fn mounts() -> io::Result<Vec<Mount>> {
    Ok(fs::read("/proc/self/mountinfo")?.split(|byte| *byte == b'\n').filter_map(mount).collect())
}

/// A line of a mountinfo: `ID PARENT DEVICE ROOT POINT OPTIONS [TAG…] - TYPE SOURCE OPTIONS`.
pub(in crate::process) fn mount(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ');
    let (root, point) = (words.nth(3)?, words.next()?);
    words.find(|word| *word == b"-")?;
    (words.next()? == b"cgroup2").then(|| Mount { root: unescaped(root), point: unescaped(point) })
}

/// The kernel writes space, tab, newline and backslash as a backslash and three octal digits.
fn unescaped(word: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, behind)) = rest.split_first() {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'7');
        let digits = behind.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(is_digit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

/// Whether the service manager marked the cgroup as its user's own (`user.delegate`, or `trusted.delegate` which root sees;
/// systemd 251).
pub(super) fn is_delegated(directory: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| attribute(directory, name).is_some_and(|value| value == "1"))
}

fn attribute(directory: &Path, name: &str) -> Option<OsString> {
    const LENGTH_MAX: usize = 16;
    let mut value = [0; LENGTH_MAX];
    let length = rustix::fs::getxattr(directory, name, &mut value).ok()?;
    Some(OsStr::from_bytes(value.get(..length)?).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_found_wherever_it_is_mounted() {
        for (line, path, directory) in [
            (
                "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw",
                "/system.slice/adit.service",
                Some("/sys/fs/cgroup/system.slice/adit.service"),
            ),
            (
                "41 31 0:38 / /sys/fs/cgroup/unified rw shared:9 master:1 - cgroup2 cgroup2 rw",
                "/",
                Some("/sys/fs/cgroup/unified"),
            ),
            ("41 31 0:38 /box /cg rw - cgroup2 none rw", "/box/adit", Some("/cg/adit")),
            ("41 31 0:38 /box /cg rw - cgroup2 none rw", "/boxer", None),
            ("41 31 0:38 / /a\\040b\\134c rw - cgroup2 none rw", "/x", Some("/a b\\c/x")),
            ("33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu", "/", None),
            ("41 31 0:38", "/", None),
            ("", "/", None),
        ] {
            let mount = mount(line.as_bytes());
            let found = mount.as_ref().and_then(|mount| mount.directory_of(path));
            assert_eq!(found.as_deref(), directory.map(Path::new), "{line:?}");
            if let (Some(mount), Some(found)) = (mount, found) {
                assert_eq!(mount.path_of(&found).as_deref(), Some(path), "{line:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_of_a_mountinfo_is_a_panic(line in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = mount(&line);
            let _ = unescaped(&line);
        }
    }

    #[test]
    fn only_the_line_of_version_2_counts() {
        assert_eq!(path_of("4:memory:/a\n1:cpu:/\n0::/adit.service\n"), Some("/adit.service"));
        assert_eq!(path_of("4:memory:/a\n"), None);
    }

    #[test]
    fn places_have_parents_and_children() {
        let place = |path: &str, directory: &str| Place { path: path.into(), directory: directory.into() };
        let unit = place("/adit.service", "/cg/adit.service");
        assert_eq!(unit.child("daemon"), place("/adit.service/daemon", "/cg/adit.service/daemon"));
        assert_eq!(unit.child("daemon").parent(), Some(unit.clone()));
        assert_eq!((unit.name(), unit.parent()), ("adit.service", Some(place("/", "/cg"))));
        assert_eq!(place("/", "/cg").parent(), None);
        assert_eq!(place("/", "/cg").child("a"), place("/a", "/cg/a"));
    }

    #[test]
    fn a_directory_without_the_mark_is_not_ours() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!is_delegated(directory.path()));
        assert!(Place::of_directory(directory.path()).is_err());
    }
}
