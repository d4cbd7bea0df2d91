//! The state directory: versioned TOML files, written durably and read with suspicion.
//!
//! ```text
//!  install.toml            the installation's id and the machine that it belongs to
//!  accounts.toml           the id of each account, pinned when it was first used
//!  records/NAME.toml       what Adit made at Cloudflare for a tunnel, with its secret
//!  tunnels/NAME.toml       a tunnel made over the control socket, in the configuration's grammar, as it was given
//!  stops.toml              operators' stops
//!  accepted/sources.toml   the configuration in force: the files' paths and texts
//!  replaced/NAME.V.json    a configuration that somebody else wrote and Adit wrote over; dns.HOSTNAME.N.json: its DNS records
//!  hooks/HOOK.toml         up to which event a hook has been told
//!  forgotten/NAME.toml     what a tunnel has at Cloudflare that is ours no longer; no secret
//!  set-aside/ID-TIME/      what was here of the installation ID before `adit identity new`: its install.toml and records
//!  cache/zones-NAME.toml   an account's zones; nothing is lost with it
//! ```
//!
//! Every file is read alone: one that is torn, foreign or of a newer release holds what it is about, is left as it is, and never
//! touches the others. Writing goes to a file beside it, which is synced and renamed, and then the directory is synced, so that
//! after a crash there is the old content or the whole of the other. One daemon at a time: it locks the directory.

mod accepted;
mod account_ids;
mod balancing;
mod definitions;
mod durable;
mod forgotten;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hook_marks;
mod identity;
mod ledger;
mod private_routes;
mod records;
mod replaced;
mod stops;
mod versioned;
mod zones;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

pub use definitions::Definitions;
pub use ledger::Ledger;

use crate::record::{InstallId, Records, Seal};

/// The state directory, locked. Cheap to clone; every method does file I/O and may block.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    standing: RwLock<Standing>,
    purpose: Purpose,
    /// Holds the lock for as long as the store lives.
    lock: File,
}

/// Which installation the state is of, and why nothing may be written, if that is so. It changes only by an operator's word.
#[derive(Debug, Clone)]
struct Standing {
    install: InstallId,
    seal: Option<Seal>,
    since: Option<Timestamp>,
}

/// What a state directory was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To run with it; it is locked.
    Run,
    /// To look at it; nothing is locked, and nothing may be written.
    Look,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It was opened to be looked at.
    #[error("cannot write to state directory {directory:?}: it was opened to be looked at")]
    OnlyLooked {
        /// The directory.
        directory: PathBuf,
    },
    /// Another daemon uses it.
    #[error(
        "cannot use state directory {directory:?}: another adit daemon uses it (stop that one, or give this one its own state_dir)"
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// The system refused.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It may be read and not changed.
    #[error("cannot write to the state directory: {0}")]
    Sealed(Seal),
    /// A file that cannot be trusted stands where this would be written.
    #[error("cannot write {path:?}: what stands there cannot be read and is left as it is: {why}")]
    Held {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.purpose == Purpose::Run {
            // A child that is just being started has a copy of the descriptor until its exec, and the lock would last as long.
            let _ = flock(&self.lock, FlockOperation::Unlock);
        }
    }
}

impl StoreError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

impl Store {
    /// Opens and locks the state directory, which is made if it does not exist (mode 0700). `machine_id` is the content of
    /// `/etc/machine-id`; without one the state is not bound to a machine.
    ///
    /// A directory that can only be read opens as well, if it was used before: tunnels on record can run.
    ///
    /// # Errors
    ///
    /// When another daemon has the lock, and when the directory cannot be made or read.
    pub fn open(directory: &Path, machine_id: Option<&str>) -> Result<Self, StoreError> {
        durable::make_directory(directory)?;
        let lock = File::open(directory).map_err(|error| StoreError::io("open", directory, error))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StoreError::Locked { directory: directory.to_owned() }),
            Err(error) => return Err(StoreError::io("lock", directory, error.into())),
        }
        let standing = identity::establish(directory, machine_id)?;
        if standing.seal.is_none() {
            durable::remove_leftovers(directory);
        }
        let inner = Inner { directory: directory.to_owned(), standing: RwLock::new(standing), purpose: Purpose::Run, lock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens the state directory to look at it, also while a daemon runs with it: nothing is made, locked or written. `None` when it
    /// was never used.
    ///
    /// # Errors
    ///
    /// When the directory cannot be opened.
    pub fn look(directory: &Path, machine_id: Option<&str>) -> Result<Option<Self>, StoreError> {
        let opened = match File::open(directory) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("open", directory, error)),
        };
        let Some(standing) = identity::known(directory, machine_id) else { return Ok(None) };
        let standing = RwLock::new(standing);
        let inner = Inner { directory: directory.to_owned(), standing, purpose: Purpose::Look, lock: opened };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    /// The id of this installation.
    pub fn install(&self) -> InstallId {
        self.standing().install
    }

    /// Since when it is of this machine; unknown for state of an early release.
    pub fn since(&self) -> Option<Timestamp> {
        self.standing().since
    }

    /// Why nothing may be written, if that is so.
    pub fn seal(&self) -> Option<Seal> {
        self.standing().seal
    }

    fn standing(&self) -> Standing {
        self.inner.standing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the records and hands out the ledger that keeps them from here on. Called once.
    ///
    /// # Errors
    ///
    /// When the directory of the records cannot be listed.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        Ok(Ledger::new(self.clone(), self.records()?))
    }

    /// Reads the records. Those that cannot be trusted are held.
    ///
    /// # Errors
    ///
    /// When the directory of the records cannot be listed.
    pub fn records(&self) -> Result<Records, StoreError> {
        let mut records = Records::new(self.install());
        records.seal = self.seal();
        records::read_all(&self.path("records"), &mut records)?;
        Ok(records)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.inner.directory.join(name)
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        match self.seal() {
            _ if self.inner.purpose == Purpose::Look => Err(StoreError::OnlyLooked { directory: self.inner.directory.clone() }),
            None => Ok(()),
            Some(seal) => Err(StoreError::Sealed(seal)),
        }
    }
}
