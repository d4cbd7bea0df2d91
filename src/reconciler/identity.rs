//! Which installation the state is of, when an operator decides it while the daemon runs.

use super::{Reconciler, RequestError, trouble};
use crate::{
    record::Seal,
    store::{Ledger, StoreError},
};

/// Why the identity was not changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The state is of this machine already.
    #[error(
        "cannot change the identity: the state directory is this machine's own (installation {install:?}); nothing waits for it"
    )]
    Ours {
        /// The installation.
        install: String,
    },
    /// The state directory does not take it.
    #[error("cannot change the identity: {}", trouble::with_causes(.0))]
    Store(#[from] StoreError),
}

impl Reconciler {
    /// The records, and the state directory that they are kept in.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Goes on with state of another machine, because that one is gone. Connectors start and passes go on at once.
    ///
    /// # Errors
    ///
    /// When the state is of this machine, when it cannot be written, and when it is not known which installation this is.
    pub async fn take_over(&self, machine_id: Option<String>) -> Result<(), IdentityError> {
        self.sealed()?;
        self.ledger.take_over(machine_id).await?;
        self.go_on();
        Ok(())
    }

    /// Becomes an installation that has made nothing, because this machine is a clone. The records are set aside, nothing at
    /// Cloudflare is touched, and what the configuration wants is made for this installation.
    ///
    /// # Errors
    ///
    /// When the state is of this machine, and when something cannot be written or moved.
    pub async fn begin_anew(&self, machine_id: Option<String>) -> Result<(), IdentityError> {
        self.sealed()?;
        self.ledger.begin_anew(machine_id).await?;
        self.go_on();
        Ok(())
    }

    fn sealed(&self) -> Result<Seal, IdentityError> {
        let records = self.ledger.records();
        let ours = || IdentityError::Ours { install: records.install.as_str().to_owned() };
        records.seal.clone().ok_or_else(ours)
    }

    /// The passes that follow need nobody who waits for them.
    fn go_on(&self) {
        let reconciler = self.clone();
        tokio::spawn(async move {
            match reconciler.reconcile_now("identity").await {
                Ok(_) | Err(RequestError::Stopping) => {}
                Err(error) => tracing::warn!(%error, "the pass after a change of identity waits for its turn"),
            }
        });
    }
}
