//! A mark that a daemon runs, by which the next one can tell that it died.
//!
//! A small file in the private runtime folder, written at the start and once more when the daemon ends by itself. A reboot voids it
//! by the boot's id. What cannot be read or written is as if there were no mark, because nothing depends on it but a count.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    boot,
    control::private_folder,
    event::DaemonEvent,
    whole_file::{self, Keep},
};

/// The mark's file in the private folder.
const FILE: &str = "daemon.json";

/// The version of the file. One of another version is as none.
const VERSION: u32 = 1;

/// The largest file that is read, in bytes; what is written has some 200.
const FILE_MAX: u64 = 4 * 1024;

/// The mark of this daemon. Dropped, it says that the daemon ended by itself; a panic's unwinding leaves it as it is.
pub(super) struct RunMark {
    path: PathBuf,
    boot_id: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// How many daemons of this boot did not end by themselves.
    unclean_ends: u64,
    /// The daemon that runs; `None` after it ended by itself.
    running: Option<Running>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    adit: String,
    pid: u32,
    since: Timestamp,
}

impl RunMark {
    /// Marks that this daemon runs; it holds the lock of the runtime directory. Gives also what is to be told of the one before, when
    /// that died. `None` where the kernel does not say which boot this is.
    pub(super) fn set(runtime_dir: &Path) -> Option<(Self, Option<DaemonEvent>)> {
        let path = private_folder(runtime_dir).join(FILE);
        let boot_id = boot::id().ok()?;
        let this = Running { adit: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id(), since: Timestamp::now() };
        let (content, died) = succeed(read(&path, &boot_id), this);
        let mark = Self { path, boot_id, content };
        mark.write();
        Some((mark, died))
    }

    /// How many daemons of this boot did not end by themselves.
    pub(super) fn unclean_ends(&self) -> u64 {
        self.content.unclean_ends
    }

    fn write(&self) {
        let bytes = boot::render(VERSION, &self.boot_id, &self.content);
        if let Err(error) = whole_file::replace(&self.path, &bytes, Keep::ThisBoot) {
            tracing::debug!(path = %self.path.display(), %error, "whether this daemon ends by itself cannot be noted");
        }
    }
}

impl Drop for RunMark {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.content.running = None;
            self.write();
        }
    }
}

/// What stands in the file while `this` daemon runs, and what is to be told of the one before.
fn succeed(before: Option<Content>, this: Running) -> (Content, Option<DaemonEvent>) {
    let (earlier, running) = before.map_or((0, None), |before| (before.unclean_ends, before.running));
    let unclean_ends = earlier.saturating_add(u64::from(running.is_some()));
    let died = running.map(|Running { adit: version, pid, since }| DaemonEvent::EarlierDied {
        version,
        pid,
        since,
        count: unclean_ends,
    });
    (Content { unclean_ends, running: Some(this) }, died)
}

fn read(path: &Path, boot_id: &str) -> Option<Content> {
    boot::parse(VERSION, boot_id, &whole_file::read(path, FILE_MAX).ok()?).ok()?
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    use super::*;

    /// Whatever an earlier daemon left, this one counts on from there, and never back.
    pub(in crate::daemon) fn law(bytes: &[u8]) {
        let before: Option<Content> = serde_json::from_slice(bytes).ok();
        let this = Running { adit: "0".to_owned(), pid: 1, since: Timestamp::UNIX_EPOCH };
        let ends = before.as_ref().map_or(0, |before| before.unclean_ends);
        let ran = before.as_ref().is_some_and(|before| before.running.is_some());
        let (content, died) = succeed(before, this);
        assert_eq!((content.unclean_ends, died.is_some()), (ends.saturating_add(u64::from(ran)), ran));
        let written = boot::render(VERSION, "boot", &content);
        assert_eq!(boot::parse(VERSION, "boot", &written), Ok(Some(content)));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn host() -> tempfile::TempDir {
        let runtime_dir = tempfile::tempdir().unwrap();
        fs::create_dir(private_folder(runtime_dir.path())).unwrap();
        runtime_dir
    }

    /// The mark of a daemon that was killed: nothing of it runs any more.
    fn die(mark: RunMark) {
        std::mem::forget(mark);
    }

    #[test]
    fn a_daemon_that_ends_by_itself_is_not_counted() {
        let host = host();
        for _ in 0..2 {
            let (mark, died) = RunMark::set(host.path()).unwrap();
            assert!(died.is_none());
            assert_eq!(mark.unclean_ends(), 0);
        }
    }

    #[test]
    fn one_that_died_is_counted_by_every_later_daemon_and_told_of_by_the_next() {
        let host = host();
        die(RunMark::set(host.path()).unwrap().0);
        let (mark, died) = RunMark::set(host.path()).unwrap();
        assert!(matches!(died, Some(DaemonEvent::EarlierDied { count: 1, pid, .. }) if pid == std::process::id()), "{died:?}");
        drop(mark);
        let (mark, died) = RunMark::set(host.path()).unwrap();
        assert!(died.is_none());
        assert_eq!(mark.unclean_ends(), 1);
        die(mark);
        assert_eq!(RunMark::set(host.path()).unwrap().0.unclean_ends(), 2);
    }

    #[test]
    fn a_panic_is_no_end_by_itself() {
        let host = host();
        let path = host.path().to_owned();
        let thread = std::thread::spawn(move || {
            let _mark = RunMark::set(&path).unwrap();
            panic!("a defect");
        });
        assert!(thread.join().is_err());
        assert_eq!(RunMark::set(host.path()).unwrap().0.unclean_ends(), 1);
    }

    #[test]
    fn what_an_earlier_boot_left_and_what_nobody_can_read_is_as_none() {
        let running = Some(Running { adit: "1.0.0".to_owned(), pid: 2, since: Timestamp::UNIX_EPOCH });
        let before = Content { unclean_ends: 3, running };
        for (left, ends) in [
            (boot::render(VERSION, &boot::id().unwrap(), &before), 4),
            (boot::render(VERSION, "another", &before), 0),
            (boot::render(VERSION + 1, &boot::id().unwrap(), &before), 0),
            (b"{ torn".to_vec(), 0),
        ] {
            let host = host();
            fs::write(private_folder(host.path()).join(FILE), left).unwrap();
            let (mark, died) = RunMark::set(host.path()).unwrap();
            assert_eq!((mark.unclean_ends(), died.is_some()), (ends, ends > 0));
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_keeps_no_daemon_from_running() {
        let runtime_dir = tempfile::tempdir().unwrap();
        fs::write(private_folder(runtime_dir.path()), "no folder").unwrap();
        assert_eq!(RunMark::set(runtime_dir.path()).unwrap().0.unclean_ends(), 0);
    }
}
