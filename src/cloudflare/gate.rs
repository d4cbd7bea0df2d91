//! Where every request of a credential passes: a few at a time, each when the pacer lets it go.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

use super::{
    book::{Book, CredentialId, Kept},
    pacer::{Budget, Pacer, Turn},
    rate_limit::RateLimit,
};
use crate::secret::Secret;

/// Requests of one credential that may be under way at once. Throttling has been met on bursts alone, so the number counts
/// beside the rate.
const CONCURRENT_MAX: usize = 4;

pub(super) struct Gate {
    pacer: Mutex<Pacer>,
    places: Semaphore,
    book: Option<Book>,
    /// The credential that passes, once there is one.
    credential: Mutex<Option<CredentialId>>,
}

/// Nothing may be sent on this credential before that moment.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) until: Instant,
}

impl Gate {
    /// A gate that keeps what is spent in `book`, if there is one.
    pub(super) fn new(pacer: Pacer, book: Option<Book>) -> Self {
        Self { pacer: Mutex::new(pacer), places: Semaphore::new(CONCURRENT_MAX), book, credential: Mutex::default() }
    }

    /// Says whose requests come from here on. What an earlier daemon spent on the first credential counts; one that takes its place
    /// may well belong to the same user, and gets no more because of that.
    pub(super) fn admit(&self, token: &Secret) {
        let Some(book) = &self.book else { return };
        let id = CredentialId::of(token);
        let mut credential = self.credential.lock().expect("nothing panics while it holds the credential");
        if credential.as_ref() == Some(&id) {
            return;
        }
        if credential.replace(id.clone()).is_none() {
            let now = Instant::now();
            match book.read(&id) {
                Kept::Nothing => {}
                Kept::Spent(spent) => self.pacer().resume(spent, now),
                Kept::Unreadable => self.pacer().resume_spent(now),
            }
        }
        self.pacer().not_kept();
    }

    /// Waits for a turn. The place is taken until the permit is dropped. A gate that is closed, or closes meanwhile, fails at
    /// once instead of holding its caller for minutes.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Closed> {
        if let Some(until) = self.budget().blocked_until {
            return Err(Closed { until });
        }
        let place = self.places.acquire().await.expect("the semaphore is never closed");
        loop {
            let turn = self.pacer().take(Instant::now());
            match turn {
                Turn::Now => {
                    self.keep();
                    return Ok(place);
                }
                Turn::At(next) => sleep_until(next).await,
                Turn::Blocked(until) => return Err(Closed { until }),
            }
        }
    }

    pub(super) fn observe(&self, limits: &[RateLimit]) {
        self.pacer().observe(limits, Instant::now());
    }

    /// Closes the gate for `pause` and returns how long it is closed from this moment on (longer, when it was already).
    pub(super) fn block(&self, pause: Duration) -> Duration {
        let now = Instant::now();
        let closed = self.pacer().block(pause, now) - now;
        self.keep();
        closed
    }

    /// Keeps what is spent, where the next daemon finds it. One that cannot be written is tried again at the next request: better no
    /// memory than no request.
    fn keep(&self) {
        let Some(book) = &self.book else { return };
        let Some(credential) = self.credential.lock().expect("nothing panics while it holds the credential").clone() else {
            return;
        };
        let mut pacer = self.pacer();
        if let Some(spent) = pacer.due_to_keep(Instant::now())
            && let Err(error) = book.write(&credential, spent)
        {
            pacer.not_kept();
            tracing::debug!(%error, "what the credential has spent is not kept");
        }
    }

    pub(super) fn budget(&self) -> Budget {
        self.pacer().budget(Instant::now())
    }

    fn pacer(&self) -> MutexGuard<'_, Pacer> {
        self.pacer.lock().expect("nothing panics while it holds the pacer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_fifth_request_waits_for_a_place() {
        let gate = Gate::new(Pacer::new(3.0), None);
        let mut places = Vec::new();
        for _ in 0..CONCURRENT_MAX {
            places.push(gate.turn().await.unwrap());
        }
        assert!(tokio::time::timeout(Duration::from_secs(3_600), gate.turn()).await.is_err());
        places.pop();
        assert!(gate.turn().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_at_the_pace_of_the_budget() {
        let gate = Gate::new(Pacer::new(3.0), None);
        let started = Instant::now();
        for _ in 0..930 {
            drop(gate.turn().await.unwrap());
        }
        let lasted = started.elapsed();
        assert!((Duration::from_secs(299)..Duration::from_secs(302)).contains(&lasted), "{lasted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn closing_the_gate_fails_those_who_wait_before_it() {
        let gate = Gate::new(Pacer::new(0.01), None);
        drop(gate.turn().await.unwrap());
        while gate.pacer().take(Instant::now()) == Turn::Now {}
        let closing = async {
            tokio::task::yield_now().await;
            assert_eq!(gate.block(Duration::from_secs(300)), Duration::from_secs(300));
        };
        let (waiting, ()) = tokio::join!(gate.turn(), closing);
        assert!(waiting.unwrap_err().until > Instant::now());
        assert!(gate.turn().await.is_err(), "and everyone after them");
    }
}
