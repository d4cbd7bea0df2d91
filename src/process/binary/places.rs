//! Where a change can make a path stand for another file.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// The kernel follows no more symbolic links than this in one path.
const LINKS_MAX: usize = 40;

/// The names that decide what paths stand for, by the folder that they stand in: that of the file itself, and of every folder and
/// symbolic link on the way to it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) names: BTreeMap<PathBuf, BTreeSet<OsString>>,
    /// The folders that the files themselves are in.
    pub(super) last: BTreeSet<PathBuf>,
}

impl Places {
    /// The places of absolute paths. Where a part of one does not exist, the rest is taken as it is written.
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut places = Self::default();
        paths.iter().for_each(|path| places.add(path));
        places
    }

    fn add(&mut self, path: &Path) {
        let mut at = PathBuf::from("/");
        let mut rest: VecDeque<OsString> = components(path).collect();
        let (mut links, mut last) = (0, at.clone());
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            self.names.entry(at.clone()).or_default().insert(name.clone());
            last.clone_from(&at);
            let path = at.join(&name);
            match fs::read_link(&path) {
                Ok(target) if links < LINKS_MAX => {
                    links += 1;
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    for name in components(&target).collect::<Vec<_>>().into_iter().rev() {
                        rest.push_front(name);
                    }
                }
                // A ring of links leads nowhere.
                Ok(_) => break,
                Err(_) => at = path,
            }
        }
        self.last.insert(last);
    }
}

fn components(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_and_every_folder_is_a_place() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("opt/2026.8.0")).unwrap();
        fs::write(root.join("opt/2026.8.0/cloudflared"), "").unwrap();
        symlink("2026.8.0", root.join("opt/current")).unwrap();
        fs::create_dir(root.join("bin")).unwrap();
        symlink("../opt/current/cloudflared", root.join("bin/cloudflared")).unwrap();

        let places = Places::of(&[root.join("bin/./cloudflared")]);

        let names = |folder: &str| {
            let names = places.names.get(&root.join(folder)).into_iter().flatten();
            names.map(|name| name.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("bin"), ["cloudflared"]);
        assert_eq!(names("opt"), ["2026.8.0", "current"]);
        assert_eq!(names("opt/2026.8.0"), ["cloudflared"]);
        assert_eq!(places.last, BTreeSet::from([root.join("opt/2026.8.0")]));
    }

    #[test]
    fn a_path_that_is_not_there_and_a_ring_of_links_have_places_too() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let places = Places::of(&[root.join("a/b")]);
        assert!(places.names[&root].contains(&OsString::from("a")) && places.last.contains(&root.join("a")));
        symlink("ring", root.join("ring")).unwrap();
        assert!(Places::of(&[root.join("ring/x")]).names.contains_key(&root));
    }
}
