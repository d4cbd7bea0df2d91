//! `hooks/HOOK.toml`: up to which event a hook has been told.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, durable, versioned};
use crate::event::Hook;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The id of the last event that the hook was told of, or that was given up.
    told: u64,
}

impl Store {
    /// The id of the last event that the hook was told of; `None` for a hook that was never told of any, and when it cannot be read.
    pub fn hook_mark(&self, hook: Hook) -> Option<u64> {
        let text = durable::read(&self.hook_file(hook)).ok()??;
        versioned::parse::<Written>(&text).ok().map(|written| written.told)
    }

    /// Keeps the id of the last event that the hook was told of; `None` for a hook that is no more.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write_hook_mark(&self, hook: Hook, told: Option<u64>) -> Result<(), StoreError> {
        self.check_writable()?;
        match told {
            Some(told) => durable::write(&self.hook_file(hook), versioned::render(&Written { told }).as_bytes()),
            None => durable::remove(&self.hook_file(hook)),
        }
    }

    fn hook_file(&self, hook: Hook) -> PathBuf {
        self.path("hooks").join(hook.as_str()).with_extension("toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_kept_until_the_hook_is_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), None).unwrap();
        assert_eq!(store.hook_mark(Hook::Webhook), None);
        store.write_hook_mark(Hook::Webhook, None).unwrap();
        store.write_hook_mark(Hook::Webhook, Some(1_763_000_000_000_000)).unwrap();
        assert_eq!((store.hook_mark(Hook::Webhook), store.hook_mark(Hook::Command)), (Some(1_763_000_000_000_000), None));
        store.write_hook_mark(Hook::Webhook, None).unwrap();
        assert_eq!(store.hook_mark(Hook::Webhook), None);
    }
}
