//! How many requests are worked on at once.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::control::api::{Error, ErrorKind};

/// How many requests are worked on at once. The daemon takes 16 connections from one user, who has other programs too.
const WORKING_MAX: usize = 4;

/// How many more may wait for that, before a client is told to be patient.
const WAITING_MAX: usize = 60;

/// Lets so many in.
#[derive(Debug)]
pub(super) struct Turnstile {
    inside: Semaphore,
    working: Semaphore,
}

/// A place inside; dropping it leaves.
#[derive(Debug)]
pub(super) struct Place<'t> {
    _inside: SemaphorePermit<'t>,
    _working: SemaphorePermit<'t>,
}

impl Turnstile {
    pub(super) fn new() -> Self {
        Self { inside: Semaphore::new(WORKING_MAX + WAITING_MAX), working: Semaphore::new(WORKING_MAX) }
    }

    /// Waits for a place to work in.
    ///
    /// # Errors
    ///
    /// `busy` when too many wait already.
    pub(super) async fn enter(&self) -> Result<Place<'_>, Error> {
        let busy = || {
            let message = format!("cannot take another request: {} are under way", WORKING_MAX + WAITING_MAX);
            Error::new(ErrorKind::Busy, message).with_hint("wait for some of them to be answered")
        };
        let inside = self.inside.try_acquire().map_err(|_| busy())?;
        let working = self.working.acquire().await.map_err(|_| busy())?;
        Ok(Place { _inside: inside, _working: working })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};

    use super::*;

    #[tokio::test]
    async fn so_many_work_some_wait_and_the_next_is_told_that_it_is_busy() {
        let turnstile = Turnstile::new();
        let working = join_all((0..WORKING_MAX).map(|_| turnstile.enter())).await;
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(turnstile.enter())).collect();
        assert!(waiting.iter_mut().all(|place| place.now_or_never().is_none()));
        assert_eq!(turnstile.enter().await.unwrap_err().kind, ErrorKind::Busy);
        drop(working);
        assert!(waiting.remove(0).await.is_ok());
    }
}
