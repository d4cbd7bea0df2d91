//! Up to which event a hook has been told, kept over restarts, so that the next daemon goes on there.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{sync::watch, task::spawn_blocking};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    event::Hook,
    store::{Store, StoreError},
};

/// Where marks are kept, for one turn of the hooks: those of one configuration. A write of an earlier turn may still be on its way to
/// the disk when another configuration holds already, and then comes to nothing. What it does waits for the disk.
#[derive(Clone)]
pub(super) struct MarkBook {
    store: Store,
    turn: u64,
    now: Arc<Mutex<u64>>,
}

impl MarkBook {
    pub(super) fn new(store: Store) -> Self {
        Self { store, turn: 0, now: Arc::default() }
    }

    /// The same book for the next turn.
    pub(super) fn next(&self) -> Self {
        Self { turn: self.turn + 1, ..self.clone() }
    }

    /// Begins the turn for `hook`, and reads its mark.
    pub(super) fn begin(&self, hook: Hook) -> Option<u64> {
        self.turn_to(|| self.store.hook_mark(hook))
    }

    /// Begins the turn without `hook`: nothing is kept of it.
    pub(super) fn forget(&self, hook: Hook) -> Result<(), StoreError> {
        self.turn_to(|| self.store.write_hook_mark(hook, None))
    }

    fn turn_to<T>(&self, act: impl FnOnce() -> T) -> T {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = self.turn;
        act()
    }

    fn write(&self, hook: Hook, mark: Option<u64>) -> Result<(), StoreError> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if *now == self.turn { self.store.write_hook_mark(hook, mark) } else { Ok(()) }
    }
}

/// Keeps a hook's mark. Whoever moves it does not wait for the disk.
pub(super) struct Marks {
    told: watch::Sender<Option<u64>>,
    _writing: AbortOnDropHandle<()>,
}

impl Marks {
    /// Keeps the mark of `hook` in `book`.
    pub(super) fn start(book: MarkBook, hook: Hook) -> Self {
        let told = watch::Sender::new(None);
        let writing = tokio::spawn(write(book, hook, told.subscribe()));
        Self { told, _writing: AbortOnDropHandle::new(writing) }
    }

    /// Everything up to this event is settled.
    pub(super) fn move_to(&self, id: u64) {
        self.told.send_if_modified(|told| *told < Some(id) && told.replace(id) != Some(id));
    }
}

async fn write(book: MarkBook, hook: Hook, mut told: watch::Receiver<Option<u64>>) {
    let mut complained = false;
    while told.changed().await.is_ok() {
        let (book, mark) = (book.clone(), *told.borrow_and_update());
        let written = spawn_blocking(move || book.write(hook, mark)).await;
        match written.expect("writing a file does not panic") {
            Ok(()) => complained = false,
            // Without it the next daemon tells some events again, which is worth a line and no more.
            Err(error) if !complained => {
                tracing::warn!(hook = hook.as_str(), %error, "cannot keep up to which event a hook was told");
                complained = true;
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_of_an_earlier_turn_comes_to_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), None).unwrap();
        let first = MarkBook::new(store.clone()).next();
        assert_eq!(first.begin(Hook::Command), None);
        first.write(Hook::Command, Some(7)).unwrap();
        let second = first.next();
        second.forget(Hook::Command).unwrap();
        first.write(Hook::Command, Some(8)).unwrap();
        assert_eq!(store.hook_mark(Hook::Command), None);
        let third = second.next();
        assert_eq!(third.begin(Hook::Command), None);
        third.write(Hook::Command, Some(9)).unwrap();
        assert_eq!(store.hook_mark(Hook::Command), Some(9));
    }
}
