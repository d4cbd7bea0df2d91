//! What stands in the place of a file at every moment, and what stands beside it.

use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::*;

const KEEPS: [Keep; 2] = [Keep::ThisBoot, Keep::Durably];

/// A folder in which `file.json` says "former".
fn before() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    fs::write(&path, "former").unwrap();
    (folder, path)
}

fn steps(path: &Path, keep: Keep) -> Vec<Step> {
    let mut steps = Vec::new();
    replace_in_steps(path, b"other", keep, &mut |step| steps.push(step)).unwrap();
    steps
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_kept_durably_is_synced_before_it_gets_its_name_and_its_folder_after() {
    let (_folder, path) = before();
    assert_eq!(steps(&path, Keep::ThisBoot), [Step::Created, Step::Written, Step::Renamed]);
    let durably = [Step::Created, Step::Written, Step::Synced, Step::Renamed, Step::FolderSynced];
    assert_eq!(steps(&path, Keep::Durably), durably);
}

#[test]
fn a_crash_at_any_step_leaves_one_content_whole_and_the_next_write_succeeds() {
    for keep in KEEPS {
        let (_folder, path) = before();
        for last in steps(&path, keep) {
            let (folder, path) = before();
            let crash = |step| {
                let content = fs::read_to_string(&path).unwrap();
                assert_eq!(content, if step < Step::Renamed { "former" } else { "other" }, "{keep:?} {step:?}");
                assert!(step != last, "the daemon dies here");
            };
            let crashed = catch_unwind(AssertUnwindSafe(|| replace_in_steps(&path, b"other", keep, &mut { crash })));
            assert!(
                crashed.unwrap_err().downcast_ref::<&str>().is_some_and(|why| why.contains("dies here")),
                "{keep:?} {last:?}"
            );

            let left: Vec<PathBuf> = files(folder.path()).into_iter().filter(|file| *file != path).collect();
            assert_eq!(left.len(), usize::from(last < Step::Renamed), "{keep:?} {last:?}");
            assert!(left.iter().all(|file| keep.left_unfinished(file)), "{left:?}");
            assert!(!keep.left_unfinished(&path));
            replace(&path, b"third", keep).unwrap();
            assert_eq!(read(&path, 5).unwrap(), b"third");
            // Crash after crash leaves one at most where nobody tidies up.
            assert!(keep == Keep::Durably || files(folder.path()) == [path]);
        }
    }
}

#[test]
fn a_full_disk_leaves_the_former_content_and_nothing_beside_it() {
    let (folder, path) = before();
    symlink("/dev/full", path.with_extension("new")).unwrap();
    let error = replace(&path, b"other", Keep::ThisBoot).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(fs::read_to_string(&path).unwrap(), "former");
    assert_eq!(files(folder.path()), [path]);
}

#[test]
fn a_place_that_is_taken_leaves_nothing_beside_it() {
    for keep in KEEPS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        fs::create_dir(&path).unwrap();
        replace(&path, b"other", keep).unwrap_err();
        assert_eq!(files(folder.path()), [path]);
    }
}

#[test]
fn nobody_else_may_read_it_or_enter_a_folder_that_is_made_for_it() {
    for keep in KEEPS {
        let (folder, path) = before();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let deep = folder.path().join("a/b/file.json");
        for path in [&path, &deep] {
            replace(path, b"other", keep).unwrap();
            assert_eq!(mode(path), 0o600);
        }
        assert_eq!((mode(&folder.path().join("a")), mode(&folder.path().join("a/b"))), (0o700, 0o700));
    }
}

#[test]
fn what_is_too_large_or_no_file_is_not_read() {
    let (folder, path) = before();
    assert_eq!(read(&path, 6).unwrap(), b"former");
    assert_eq!(read(&path, 5).unwrap_err().to_string(), "it is larger than 5 bytes");
    assert_eq!(read(folder.path(), 6).unwrap_err().to_string(), "it is not a regular file");
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
    assert_eq!(read(&pipe, 6).unwrap_err().to_string(), "it is not a regular file");
    assert_eq!(read(&folder.path().join("none"), 6).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn what_is_not_there_is_removed() {
    let (_folder, path) = before();
    assert!(remove(&path).unwrap());
    assert!(!remove(&path).unwrap());
}
