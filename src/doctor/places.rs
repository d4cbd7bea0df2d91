//! The folders that the daemon keeps things in: room, and who can enter.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{Advised, bytes, check};
use crate::control::api::{
    DoctorCheck,
    DoctorGroup::State,
    DoctorResult::{Failure, Ok as Fine, Unknown, Warning},
};

/// The room below which it is told, in bytes: what logs and records of a large host may take.
const ROOM_LOW: u64 = 256 << 20;

/// The room below which nothing is made at Cloudflare and log lines are dropped soon.
const ROOM_NONE: u64 = 16 << 20;

/// Of so many inodes fewer than one in a hundred left is scarce.
const INODES_SHARE: u64 = 100;

/// One folder.
#[derive(Debug, Clone)]
pub struct Place {
    /// What it is called in the configuration: `state_dir` or `runtime_dir`.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Whether nobody else may enter it.
    pub private: bool,
    /// What was found, or why nothing was.
    pub found: Result<Found, String>,
}

/// A folder as it is.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Bytes left for whoever is not root.
    pub room: u64,
    /// Inodes left.
    pub inodes: u64,
    /// All inodes; 0 where the file system does not count them.
    pub inodes_all: u64,
    /// Its mode, without the type.
    pub mode: u32,
    /// Whose it is.
    pub owner: u32,
    /// As whom the daemon runs.
    pub daemon: u32,
}

/// Looks at a folder.
pub fn look(name: &'static str, path: &Path, private: bool) -> Place {
    Place { name, path: path.to_owned(), private, found: found(path).map_err(|error| error.to_string()) }
}

fn found(path: &Path) -> io::Result<Found> {
    let metadata = fs::metadata(path)?;
    let room = rustix::fs::statvfs(path)?;
    Ok(Found {
        room: room.f_bavail.saturating_mul(room.f_frsize),
        inodes: room.f_favail,
        inodes_all: room.f_files,
        mode: metadata.mode() & 0o7777,
        owner: metadata.uid(),
        daemon: rustix::process::geteuid().as_raw(),
    })
}

/// What that means.
pub fn judge(place: &Place) -> Vec<DoctorCheck> {
    let Place { name, path, private, found } = place;
    let found = match found {
        Ok(found) => found,
        Err(why) => {
            return vec![
                check(State, "room", Unknown, format!("{name} ({}) cannot be looked at: {why}", path.display())).about(name),
            ];
        }
    };
    let mut checks = vec![room(place, found).about(name)];
    if *private {
        checks.push(privacy(place, found).about(name));
    }
    checks
}

fn room(place: &Place, found: &Found) -> DoctorCheck {
    let path = place.path.display();
    let left = bytes(found.room);
    let scarce_inodes = found.inodes_all > 0 && found.inodes < found.inodes_all / INODES_SHARE;
    if found.room < ROOM_NONE {
        let sentence = format!("{path} has {left} left: nothing new is made at Cloudflare, and log lines are dropped");
        return check(State, "room", Failure, sentence).advised("make room there");
    }
    if scarce_inodes {
        let sentence = format!("{path} has {} of {} inodes left", found.inodes, found.inodes_all);
        return check(State, "room", Warning, sentence).advised("remove files there that nobody needs");
    }
    if found.room < ROOM_LOW {
        return check(State, "room", Warning, format!("{path} has only {left} left")).advised("make room there");
    }
    check(State, "room", Fine, format!("{path} has {left} left"))
}

fn privacy(place: &Place, found: &Found) -> DoctorCheck {
    let path = place.path.display();
    let mode = found.mode;
    if mode & 0o077 != 0 {
        let sentence = format!("{path} can be entered by others (mode {mode:04o}), and tunnels' secrets lie in it");
        return check(State, "privacy", Failure, sentence).advised(format!("chmod 700 {path}"));
    }
    if found.owner != found.daemon {
        let sentence = format!("{path} is user {}'s, and the daemon runs as user {}", found.owner, found.daemon);
        return check(State, "privacy", Failure, sentence).advised("give the folder to the daemon's user");
    }
    check(State, "privacy", Fine, format!("{path} is the daemon's alone (mode {mode:04o})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::DoctorResult;

    fn results(change: impl FnOnce(&mut Found)) -> Vec<(String, DoctorResult)> {
        let mut found = Found { room: 10 << 30, inodes: 900, inodes_all: 1_000, mode: 0o700, owner: 7, daemon: 7 };
        change(&mut found);
        let place = Place { name: "state_dir", path: "/var/lib/adit".into(), private: true, found: Ok(found) };
        judge(&place).into_iter().filter(|check| check.result != Fine).map(|check| (check.id, check.result)).collect()
    }

    #[test]
    fn room_and_privacy_are_told_by_their_ids() {
        let named = |id: &str, result| [(id.to_owned(), result)];
        assert_eq!(results(|_| {}), []);
        assert_eq!(results(|found| found.inodes_all = 0), []);
        assert_eq!(results(|found| found.room = 100 << 20), named("room", Warning));
        assert_eq!(results(|found| found.room = 1 << 20), named("room", Failure));
        assert_eq!(results(|found| found.inodes = 5), named("room", Warning));
        assert_eq!(results(|found| found.mode = 0o750), named("privacy", Failure));
        assert_eq!(results(|found| found.owner = 8), named("privacy", Failure));
    }

    #[test]
    fn a_folder_that_is_there_is_looked_at_and_one_that_is_not_is_unknown() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(judge(&look("state_dir", directory.path(), true)).len(), 2);
        let missing = judge(&look("state_dir", &directory.path().join("missing"), true));
        assert_eq!((missing.len(), missing[0].result), (1, Unknown));
    }
}
