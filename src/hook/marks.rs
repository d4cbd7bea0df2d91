//! Up to which event a hook has been told, kept over restarts, so that the next daemon goes on there.

use tokio::{sync::watch, task::spawn_blocking};
use tokio_util::task::AbortOnDropHandle;

use crate::{event::Hook, store::Store};

/// Keeps a hook's mark. Whoever moves it does not wait for the disk.
pub(super) struct Marks {
    told: watch::Sender<Option<u64>>,
    _writing: AbortOnDropHandle<()>,
}

impl Marks {
    /// Keeps the mark of `hook` in `store`.
    pub(super) fn start(store: Store, hook: Hook) -> Self {
        let told = watch::Sender::new(None);
        let writing = tokio::spawn(write(store, hook, told.subscribe()));
        Self { told, _writing: AbortOnDropHandle::new(writing) }
    }

    /// Everything up to this event is settled.
    pub(super) fn move_to(&self, id: u64) {
        self.told.send_if_modified(|told| *told < Some(id) && told.replace(id) != Some(id));
    }
}

async fn write(store: Store, hook: Hook, mut told: watch::Receiver<Option<u64>>) {
    let mut complained = false;
    while told.changed().await.is_ok() {
        let (store, mark) = (store.clone(), *told.borrow_and_update());
        let written = spawn_blocking(move || store.write_hook_mark(hook, mark)).await;
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
