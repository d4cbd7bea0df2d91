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
    pacer::{Budget, Pacer, Turn},
    rate_limit::RateLimit,
};

/// Requests of one credential that may be under way at once. Throttling has been met on bursts alone, so the number counts
/// beside the rate.
const CONCURRENT_MAX: usize = 4;

pub(super) struct Gate {
    pacer: Mutex<Pacer>,
    places: Semaphore,
}

/// Nothing may be sent on this credential before that moment.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) until: Instant,
}

impl Gate {
    pub(super) fn new(pacer: Pacer) -> Self {
        Self { pacer: Mutex::new(pacer), places: Semaphore::new(CONCURRENT_MAX) }
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
                Turn::Now => return Ok(place),
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
        self.pacer().block(pause, now) - now
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
        let gate = Gate::new(Pacer::new(3.0));
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
        let gate = Gate::new(Pacer::new(3.0));
        let started = Instant::now();
        for _ in 0..930 {
            drop(gate.turn().await.unwrap());
        }
        let lasted = started.elapsed();
        assert!((Duration::from_secs(299)..Duration::from_secs(302)).contains(&lasted), "{lasted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn closing_the_gate_fails_those_who_wait_before_it() {
        let gate = Gate::new(Pacer::new(0.01));
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
