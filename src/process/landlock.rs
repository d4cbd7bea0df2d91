//! The box that a connector runs in: by Landlock it cannot open Adit's own files, nor those of other tunnels.
//!
//! Landlock has no way to forbid a folder; it forbids everything and allows hierarchies. So whatever is not Adit's is allowed: each
//! entry of `/`, but for the way down to Adit's folders, of which each entry beside the way is allowed, and so on. That way caPools,
//! sockets, certificates and a wrapper script's own files keep working wherever they are. A connector's own configuration and log,
//! which lie in Adit's folders, are allowed by name.
//!
//! Making the list takes a hundred system calls, so it is made ahead, by [`Confinement::prepare`], and thrown away when one of the
//! folders that were listed has changed, or a file system was mounted.
//!
//! Landlock also keeps a connector from reading the memory and the descriptors of processes outside its box, from signalling them,
//! and from abstract sockets that they opened. It does not keep it from sockets that have a path.

mod listing;

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
};
use tokio::sync::watch;

use self::listing::{Kind, Listing};
use super::{identity::resolved, raw::landlock};

/// Kinds of access to files (`linux/landlock.h`).
mod access {
    pub(super) const EXECUTE: u64 = 1 << 0;
    pub(super) const WRITE_FILE: u64 = 1 << 1;
    pub(super) const READ_FILE: u64 = 1 << 2;
    pub(super) const TRUNCATE: u64 = 1 << 14;
    pub(super) const IOCTL_DEVICE: u64 = 1 << 15;
    /// Of these, what a file that is no folder can have.
    pub(super) const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE;

    /// Everything that this version of Landlock can forbid.
    pub(super) fn all(version: u32) -> u64 {
        let kinds = match version {
            0 => 0,
            1 => 13,
            2 => 14,
            3 | 4 => 15,
            5.. => 16,
        };
        (1 << kinds) - 1
    }

    /// To connect to abstract sockets, and to signal processes, outside the box.
    pub(super) fn scopes(version: u32) -> u64 {
        if version >= 6 { 0b11 } else { 0 }
    }
}

/// Rulesets kept ready: as many as connectors are started at once.
const READY_MAX: usize = 4;

/// What keeps connectors in their boxes.
pub(super) struct Confinement {
    version: u32,
    /// Folders that are closed to connectors.
    folders: Vec<PathBuf>,
    /// Files that are.
    secrets: watch::Receiver<Vec<PathBuf>>,
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    /// The closed files that the listing knows of.
    secrets: Vec<PathBuf>,
    /// What the rulesets were made from.
    listing: Option<Listing>,
    rulesets: Vec<OwnedFd>,
}

/// What one connector may open of what is closed.
pub(super) struct Own<'a> {
    /// The program itself.
    pub(super) program: &'a Path,
    /// Its log.
    pub(super) logfile: &'a Path,
    /// Its configuration.
    pub(super) config: Option<&'a Path>,
}

impl Confinement {
    /// A confinement that closes these folders and files, also those that are not there yet. An error where the kernel has no
    /// Landlock.
    pub(super) fn new(folders: Vec<PathBuf>, secrets: watch::Receiver<Vec<PathBuf>>) -> io::Result<Self> {
        Ok(Self { version: landlock::version()?, folders, secrets, ready: Mutex::default() })
    }

    /// Landlock's version, from 1.
    pub(super) fn version(&self) -> u32 {
        self.version
    }

    /// A ruleset for one connector. It is whole, or there is an error: with half of it a connector could not run.
    pub(super) fn ruleset(&self, own: &Own<'_>) -> io::Result<OwnedFd> {
        let ready = self.take_ready();
        let ruleset = match ready {
            Some(ruleset) => ruleset,
            None => self.make(&self.list()?)?,
        };
        self.allow_own(&ruleset, own.program, access::EXECUTE | access::READ_FILE)?;
        self.allow_own(&ruleset, own.logfile, access::READ_FILE | access::WRITE_FILE | access::TRUNCATE)?;
        if let Some(config) = own.config {
            self.allow_own(&ruleset, config, access::READ_FILE)?;
        }
        Ok(ruleset)
    }

    /// Makes rulesets ahead. It blocks for some hundred system calls.
    pub(super) fn prepare(&self) -> io::Result<()> {
        let ready = &mut *self.lock();
        ready.check(&self.secrets.borrow());
        while ready.rulesets.len() < READY_MAX {
            let listing = match &mut ready.listing {
                Some(listing) => listing,
                none => none.insert(self.list()?),
            };
            ready.rulesets.push(self.make(listing)?);
        }
        Ok(())
    }

    /// One that was made ahead, if it is still right. Whoever makes some meanwhile is not waited for.
    fn take_ready(&self) -> Option<OwnedFd> {
        let mut ready = self.ready.try_lock().ok()?;
        ready.check(&self.secrets.borrow());
        ready.rulesets.pop()
    }

    fn list(&self) -> io::Result<Listing> {
        let secrets = self.secrets.borrow().clone();
        let closed: Vec<PathBuf> = self.folders.iter().chain(&secrets).map(|path| resolved(path)).collect();
        Listing::of_root(&closed)
    }

    fn make(&self, listing: &Listing) -> io::Result<OwnedFd> {
        let all = access::all(self.version);
        let ruleset = landlock::ruleset(all, access::scopes(self.version))?;
        for (path, kind) in &listing.open {
            let access = match kind {
                Kind::Folder => all,
                Kind::File => all & access::OF_FILES,
            };
            // What went meanwhile, or is on a file system that Landlock cannot hold on to, stays closed.
            unless_short(allow(&ruleset, path, access))?;
        }
        Ok(ruleset)
    }

    fn allow_own(&self, ruleset: &OwnedFd, path: &Path, access: u64) -> io::Result<()> {
        allow(ruleset, path, access & access::all(self.version))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    /// Throws away what was made for other closed files than `secrets`, or for folders that have changed.
    fn check(&mut self, secrets: &[PathBuf]) {
        let holds = self.secrets == secrets && self.listing.as_mut().is_none_or(Listing::holds);
        if !holds {
            *self = Self { secrets: secrets.to_vec(), ..Self::default() };
        }
    }
}

/// What became of a call about a file: `None` for an error that says something of the file. One that says that this process or the
/// host is short of something stays an error, as the next try may go well.
fn unless_short<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_short(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether this process or the host is short of descriptors or of memory.
pub(super) fn is_short(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

fn allow(ruleset: &OwnedFd, path: &Path, access: u64) -> io::Result<()> {
    let opened = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    landlock::allow(ruleset.as_fd(), opened.as_fd(), access)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_version_forbids_what_it_knows() {
        assert_eq!(access::all(1), (1 << 13) - 1);
        assert_eq!(access::all(2) & (1 << 13), 1 << 13, "moving files between folders");
        assert_eq!((access::all(2) & access::TRUNCATE, access::all(3) & access::TRUNCATE), (0, access::TRUNCATE));
        assert_eq!((access::all(4) & access::IOCTL_DEVICE, access::all(9) & access::IOCTL_DEVICE), (0, access::IOCTL_DEVICE));
        assert_eq!((access::scopes(5), access::scopes(6)), (0, 3));
    }

    /// In a process of its own, whose limit is low and nobody else's.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test has no main that reads the environment")]
    fn without_descriptors_there_is_no_ruleset_in_place_of_half_of_one() {
        if std::env::var_os("ADIT_TEST_FEW_DESCRIPTORS").is_some() {
            return runs_out_of_descriptors();
        }
        let name = "process::landlock::tests::without_descriptors_there_is_no_ruleset_in_place_of_half_of_one";
        let mut itself = std::process::Command::new("sh");
        itself.args(["-c", r#"ulimit -n 64; exec "$0" --exact "$1""#]).arg(std::env::current_exe().unwrap()).arg(name);
        let output = itself.env("ADIT_TEST_FEW_DESCRIPTORS", "1").output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
    }

    fn runs_out_of_descriptors() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = watch::Sender::default();
        let Ok(confinement) = Confinement::new(vec![directory.path().join("state")], secrets.subscribe()) else { return };
        let nothing = fs::File::open("/dev/null").unwrap();
        let mut all: Vec<_> = std::iter::from_fn(|| nothing.try_clone().ok()).collect();
        // The table of mounts, rulesets that are ready, one more and what it is to allow: with so many left it is too few for all.
        for _ in 0..READY_MAX + 2 {
            assert!(is_short(&confinement.prepare().unwrap_err()));
            all.pop();
        }
        confinement.prepare().unwrap();
        let ready = confinement.lock();
        assert_eq!(ready.rulesets.len(), READY_MAX);
        assert!(ready.listing.as_ref().unwrap().open.contains(&("/usr".into(), Kind::Folder)));
    }

    #[test]
    fn rulesets_made_ahead_are_used_and_made_anew_when_the_folders_change() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir(root.join("state")).unwrap();
        let secrets = watch::Sender::new(Vec::new());
        let Ok(confinement) = Confinement::new(vec![root.join("state")], secrets.subscribe()) else { return };
        let ready = || confinement.lock().rulesets.len();
        // What others make beside the test's folder meanwhile is a change as well.
        let taken = (0..10_000).any(|_| {
            confinement.prepare().unwrap();
            assert_eq!(ready(), READY_MAX);
            confinement.take_ready().is_some()
        });
        assert!(taken);
        assert_eq!(ready(), READY_MAX - 1);
        fs::write(directory.path().join("more"), "").unwrap();
        assert!(confinement.take_ready().is_none(), "the folder beside the state has changed");
        confinement.prepare().unwrap();
        assert_eq!(ready(), READY_MAX);
        secrets.send_replace(vec![root.join("token")]);
        assert!(confinement.take_ready().is_none(), "another file is closed");
    }
}
