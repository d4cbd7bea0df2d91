//! A reload: the files and the tokens are read again, and systemd is told.

use std::sync::Arc;

use super::{
    audit::{Audit, By},
    systemd::ServiceManager,
    tokens::Tokens,
};
use crate::{desired::Intended, intent::Intent};

/// Whoever holds it can reload. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reload {
    pub(super) intent: Intent,
    pub(super) tokens: Tokens,
    pub(super) manager: ServiceManager,
    pub(super) audit: Arc<Audit>,
}

impl Reload {
    /// Reads everything again because `by` asked for it. When it returns, good files are in force; of bad ones nothing is.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the files, one problem each.
    pub(super) async fn now(&self, by: By<'_>) -> Result<Arc<Intended>, Vec<String>> {
        self.manager.reloading();
        let before = self.intent.intended();
        let outcome = self.intent.reload().await;
        self.tokens.read_again();
        let taken = outcome.as_ref().map(|intended| &*intended.config).map_err(Vec::as_slice);
        self.audit.keep_reading(by, Some(&before.config), taken);
        // Ready ends the reload for systemd, also when the files were refused, which the status line tells.
        self.manager.ready();
        outcome
    }
}
