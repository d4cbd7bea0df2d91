//! Where the daemon keeps what it knows, and that it alone does.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{options::Environment, run::StartError};
use crate::{
    control::{Lock, SocketError},
    intent::FirstReading,
    store::{Store, StoreError},
};

/// Where the state is when neither the files nor systemd say it.
const DEFAULT_STATE_DIR: &str = "/var/lib/adit";

/// What binds the state to this machine (`machine-id(5)`).
const MACHINE_ID: &str = "/etc/machine-id";

/// How long a lock may outlive its daemon. A daemon that was killed while it started a connector leaves the lock to that child until
/// the child has become cloudflared.
const LOCK_AFTERLIFE: Duration = Duration::from_secs(1);

/// The state directory: by the files, by systemd, or where it usually is.
pub(super) fn state_dir(reading: &FirstReading, environment: &Environment) -> PathBuf {
    let state_dir = reading.state_dir().or_else(|| environment.state_directory.clone());
    state_dir.unwrap_or_else(|| PathBuf::from(DEFAULT_STATE_DIR))
}

/// The machine's id; `None` on one that has none, where the state is bound to nothing.
pub(super) fn machine_id() -> Option<String> {
    std::fs::read_to_string(MACHINE_ID).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Opens the state directory; the lock of a daemon that has just died is waited for.
///
/// # Errors
///
/// As [`Store::open`].
pub(super) async fn open_store(directory: &Path) -> Result<Store, StoreError> {
    let open = || Store::open(directory, machine_id().as_deref());
    patiently(open, |error| matches!(error, StoreError::Locked { .. })).await
}

/// Makes the runtime directory and takes its lock; the lock of a daemon that has just died is waited for.
///
/// # Errors
///
/// When the directory cannot be made, and as [`Lock::take`].
pub(super) async fn take_lock(runtime_dir: &Path) -> Result<Lock, StartError> {
    make_runtime_dir(runtime_dir)?;
    Ok(patiently(|| Lock::take(runtime_dir), |error| matches!(error, SocketError::Locked { .. })).await?)
}

/// Takes something again and again while its lock may be that of a daemon that has just died.
async fn patiently<T, Error>(take: impl Fn() -> Result<T, Error>, is_locked: impl Fn(&Error) -> bool) -> Result<T, Error> {
    let end = Instant::now() + LOCK_AFTERLIFE;
    loop {
        match take() {
            Err(error) if is_locked(&error) && Instant::now() < end => sleep(LOCK_AFTERLIFE / 50).await,
            outcome => return outcome,
        }
    }
}

/// Everybody may look into it for the socket; what is private is in a folder of its own. Under systemd it is there already.
fn make_runtime_dir(directory: &Path) -> Result<(), StartError> {
    let made = DirBuilder::new().recursive(true).mode(0o755).create(directory);
    made.map_err(|source| StartError::RuntimeDir { directory: directory.to_owned(), source })
}
