//! What the workers do at this moment, for whoever waits for it: steps as they begin and end.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::name::{AccountName, TunnelName};

/// How many pieces of news a watcher may be behind. One that falls further behind counts too few steps, and delays nobody.
const BEHIND_MAX: usize = 1_024;

/// One thing that a worker does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The tunnel that it is for; `None` for what is left over.
    pub tunnel: Option<TunnelName>,
    /// What it does, as in a plan.
    pub what: String,
}

/// What a worker tells of its work.
#[derive(Debug, Clone)]
pub enum StepNews {
    /// It is about to do all this, in about this order.
    Ahead {
        /// Whose worker it is.
        account: AccountName,
        /// What it does, in order.
        work: Arc<[Work]>,
    },
    /// It begins with one of them.
    Began {
        /// Whose worker it is.
        account: AccountName,
        /// With which.
        work: Work,
    },
    /// It is through with one of them: it was done, or could not be.
    Ended {
        /// Whose worker it is.
        account: AccountName,
        /// With which.
        work: Work,
    },
}

/// Where workers tell it. Nothing is put together while nobody watches.
#[derive(Debug, Clone)]
pub(super) struct Steps(broadcast::Sender<StepNews>);

impl Default for Steps {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND_MAX))
    }
}

impl Steps {
    /// All that workers tell from now on.
    pub(super) fn watch(&self) -> broadcast::Receiver<StepNews> {
        self.0.subscribe()
    }

    pub(super) fn ahead(&self, account: &AccountName, work: impl Iterator<Item = Work>) {
        self.tell(|| StepNews::Ahead { account: account.clone(), work: work.collect() });
    }

    pub(super) fn began(&self, account: &AccountName, work: impl FnOnce() -> Work) {
        self.tell(|| StepNews::Began { account: account.clone(), work: work() });
    }

    pub(super) fn ended(&self, account: &AccountName, work: impl FnOnce() -> Work) {
        self.tell(|| StepNews::Ended { account: account.clone(), work: work() });
    }

    fn tell(&self, news: impl FnOnce() -> StepNews) {
        if self.0.receiver_count() > 0 {
            // The last watcher may have gone meanwhile.
            let _ = self.0.send(news());
        }
    }
}
