//! What takes long goes on as an operation: it can be waited for and looked at, by others too, and ends whether or not its client
//! is still there.
//!
//! ```text
//!  request ─▶ operate ─▶ a task of its own ─▶ gate ─▶ handler ─▶ backend ─┬─ tells ─▶ Registry ─▶ GET /v1/operations
//!                │                                                        └─ answers
//!                ├─ "respond-async": 202, as soon as the backend tells something
//!                └─ else: the answer, when it is there
//! ```

mod preference;
mod registry;
mod run;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{extract::FromRequestParts, http::request::Parts};
use jiff::Timestamp;
use rand::RngExt;
use serde_json::Value;
use tokio::sync::watch;

use crate::control::{
    api::{Error, ErrorKind},
    progress::Progress,
};
use registry::{Absent, Full, Registry};

pub(super) use registry::{Beginning, Entry};
pub(in crate::control) use run::kind;
pub(super) use run::{cut_off, operate};

/// All operations of this run of the daemon.
#[derive(Debug)]
pub(super) struct Operations {
    registry: Mutex<Registry>,
    changed: watch::Sender<()>,
}

/// One that goes on. When this is dropped before it was ended, it failed because the daemon stops.
#[derive(Debug)]
pub(super) struct Running {
    operations: Arc<Operations>,
    id: String,
}

impl Default for Operations {
    fn default() -> Self {
        /// What a run's name is made of: no letter or digit that is taken for another.
        const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
        /// Its length: a run gets the name of another once in 10¹¹ times.
        const LENGTH: usize = 8;
        let mut rng = rand::rng();
        let run = (0..LENGTH).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect();
        Self { registry: Mutex::new(Registry::new(run)), changed: watch::Sender::new(()) }
    }
}

impl Operations {
    /// Takes in what begins.
    ///
    /// # Errors
    ///
    /// `busy` when too many go on.
    pub(super) fn begin(self: &Arc<Self>, beginning: Beginning) -> Result<Running, Error> {
        let kind = beginning.kind;
        let id = self.lock().begin(beginning, Timestamp::now()).map_err(|full| {
            let message = match full {
                Full::OfUser => format!("cannot begin to {kind}: too many operations of yours go on"),
                Full::OfAll => format!("cannot begin to {kind}: too many operations go on"),
            };
            Error::new(ErrorKind::Busy, message).with_hint("wait until one has ended; \"adit operation list\" shows them")
        })?;
        Ok(Running { operations: Arc::clone(self), id })
    }

    /// The operation of that id.
    ///
    /// # Errors
    ///
    /// `not_found`, with why it is not there.
    pub(super) fn get(&self, id: &str) -> Result<Entry, Error> {
        self.lock().get(id).cloned().map_err(|absent| not_found(id, absent))
    }

    /// All, the newest first.
    pub(super) fn all(&self) -> Vec<Entry> {
        self.lock().all().cloned().collect()
    }

    /// Changes with every change of any of them.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Registry)) {
        change(&mut self.lock());
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error for an operation that is not there, or that the caller may not know of.
pub(super) fn unknown(id: &str) -> Error {
    not_found(id, Absent::Unknown)
}

fn not_found(id: &str, absent: Absent) -> Error {
    let (why, hint) = match absent {
        Absent::OfAnotherRun => (
            "the daemon was started again since, and keeps operations no longer than it runs",
            "what was stored goes on by itself: \"adit status\" shows how things are, \"adit events\" what was done",
        ),
        Absent::NoLongerKept => ("it ended, and newer ones took its place", "\"adit events\" shows what was done"),
        Absent::Unknown => ("no operation has that id", "\"adit operation list\" shows them"),
    };
    Error::new(ErrorKind::NotFound, format!("cannot find operation {id:?}: {why}")).with_hint(hint)
}

impl Running {
    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Where its backend tells how far it is.
    pub(super) fn progress(&self) -> Progress {
        let (operations, id) = (Arc::clone(&self.operations), self.id.clone());
        Progress::new(move |told| operations.change(|registry| registry.tell(&id, told)))
    }

    /// It as it is, once it is shown.
    async fn shown(&self) -> Entry {
        let mut changed = self.operations.watch();
        loop {
            if let Ok(entry) = self.operations.get(&self.id) {
                return entry;
            }
            // Its sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    /// How many steps are done, and of how many.
    fn steps(&self) -> (u64, u64) {
        let progress = self.operations.get(&self.id).map(|entry| entry.operation.progress);
        progress.map_or((0, 0), |progress| (progress.done, progress.total))
    }

    fn name_tunnel(&self, tunnel: &str) {
        self.operations.change(|registry| registry.name_tunnel(&self.id, tunnel));
    }

    fn accept(&self, result: Value) {
        self.operations.change(|registry| registry.accept(&self.id, result));
    }

    fn end(&self, error: Option<Error>) {
        self.operations.change(|registry| registry.end(&self.id, error, Timestamp::now()));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // For one that was ended, this changes nothing.
        let message = "cannot tell what came of it: the daemon is stopping";
        self.end(Some(Error::new(ErrorKind::Unavailable, message).with_hint("what was stored goes on when it runs again")));
    }
}

/// A handler's request for where it tells how far it is. Every request that changes something has one.
impl<S: Send + Sync> FromRequestParts<S> for Progress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().expect("each request that is an operation is given one").clone())
    }
}
