//! Tells whoever waits how far the reconciler is with what they asked for.

use std::{collections::BTreeMap, future::Future, pin::pin};

use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::DaemonBackend;
use crate::{
    control::{Progress, Told},
    name::{AccountName, TunnelName},
    reconciler::{StepNews, Work},
};

/// Whose steps are counted.
#[derive(Debug, Clone)]
pub(super) enum Mine {
    /// Everybody's.
    All,
    /// Those of one tunnel.
    Of(TunnelName),
}

impl DaemonBackend {
    /// Does `work`, and tells meanwhile how far the reconciler is with `mine`.
    pub(super) async fn telling<T>(&self, progress: &Progress, mine: Mine, work: impl Future<Output = T>) -> T {
        self.telling_count(progress, mine, 0, work).await.0
    }

    /// The same, with how many steps it saw. `expected` is how many there are as far as that is known; 0 if it is not.
    pub(super) async fn telling_count<T>(
        &self,
        progress: &Progress,
        mine: Mine,
        expected: usize,
        work: impl Future<Output = T>,
    ) -> (T, u64) {
        let mut news = self.reconciler.watch_steps();
        let mut tally = Tally { mine, expected: expected as u64, accounts: BTreeMap::new() };
        let mut work = pin!(work);
        loop {
            // Cancel-safe: news that was not received is received the next time.
            let received = tokio::select! {
                biased;
                result = &mut work => {
                    // What it told last counts.
                    loop {
                        match news.try_recv() {
                            Ok(news) => tally.take(&news).into_iter().for_each(|told| progress.tell(told)),
                            Err(TryRecvError::Lagged(_)) => {}
                            Err(TryRecvError::Empty | TryRecvError::Closed) => return (result, tally.done()),
                        }
                    }
                }
                received = news.recv() => received,
            };
            match received {
                Ok(news) => tally.take(&news).into_iter().for_each(|told| progress.tell(told)),
                Err(RecvError::Lagged(_)) => {}
                // The reconciler ends; what was asked of it ends then, too.
                Err(RecvError::Closed) => return (work.await, tally.done()),
            }
        }
    }
}

/// Counts steps.
#[derive(Debug)]
struct Tally {
    mine: Mine,
    expected: u64,
    accounts: BTreeMap<AccountName, Count>,
}

#[derive(Debug, Default)]
struct Count {
    done: u64,
    ahead: u64,
}

impl Tally {
    /// Takes news in, and gives how far it is then, if it was about what is counted.
    fn take(&mut self, news: &StepNews) -> Option<Told> {
        match news {
            StepNews::Ahead { account, work } => {
                // Whatever was ahead and is not any more was left.
                let ahead = work.iter().filter(|work| self.is_mine(work)).count() as u64;
                self.accounts.entry(account.clone()).or_default().ahead = ahead;
                None
            }
            StepNews::Began { work, .. } => self.is_mine(work).then(|| self.told(work.what.clone())),
            StepNews::Ended { account, work } => self.is_mine(work).then(|| {
                let count = self.accounts.entry(account.clone()).or_default();
                count.done += 1;
                count.ahead = count.ahead.saturating_sub(1);
                self.told(work.what.clone())
            }),
        }
    }

    fn told(&self, sentence: String) -> Told {
        let known: u64 = self.accounts.values().map(|count| count.done + count.ahead).sum();
        Told { done: self.done(), total: known.max(self.expected), sentence }
    }

    fn done(&self) -> u64 {
        self.accounts.values().map(|count| count.done).sum()
    }

    fn is_mine(&self, work: &Work) -> bool {
        match &self.mine {
            Mine::All => true,
            Mine::Of(name) => work.tunnel.as_ref() == Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(tunnel: &str, what: &str) -> Work {
        Work { tunnel: Some(tunnel.parse().unwrap()), what: what.to_owned() }
    }

    fn account() -> AccountName {
        "default".parse().unwrap()
    }

    #[test]
    fn steps_are_counted_as_they_end_and_a_second_round_adds_its_own() {
        let mut tally = Tally { mine: Mine::Of("web".parse().unwrap()), expected: 0, accounts: BTreeMap::new() };
        let ahead = |work: &[Work]| StepNews::Ahead { account: account(), work: work.into() };
        let began = |work: Work| StepNews::Began { account: account(), work };
        let ended = |work: Work| StepNews::Ended { account: account(), work };
        let (first, second, other) = (work("web", "+ tunnel"), work("web", "+ record"), work("api", "+ tunnel"));
        let told = |done, total, sentence: &str| Some(Told { done, total, sentence: sentence.to_owned() });
        assert_eq!(tally.take(&ahead(&[first.clone(), other.clone(), second.clone()])), None);
        assert_eq!(tally.take(&began(first.clone())), told(0, 2, "+ tunnel"));
        assert_eq!(tally.take(&ended(first)), told(1, 2, "+ tunnel"));
        assert_eq!(tally.take(&ended(other)), None);
        assert_eq!(tally.take(&ended(second)), told(2, 2, "+ record"));
        let third = work("web", "~ configuration");
        assert_eq!(tally.take(&ahead(std::slice::from_ref(&third))), None);
        assert_eq!(tally.take(&began(third)), told(2, 3, "~ configuration"));
    }

    #[test]
    fn what_a_plan_has_is_the_least_that_is_expected() {
        let mut tally = Tally { mine: Mine::All, expected: 8, accounts: BTreeMap::new() };
        let work = work("web", "+ tunnel");
        let news = StepNews::Ahead { account: account(), work: [work.clone()].into() };
        assert_eq!(tally.take(&news), None);
        let told = tally.take(&StepNews::Ended { account: account(), work }).unwrap();
        assert_eq!((told.done, told.total), (1, 8));
    }
}
