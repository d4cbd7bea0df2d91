//! How long cloudflared waits before it tries again (`retry/backoffhandler.go`).

use std::time::Duration;

use rand::{Rng, RngExt};
use tokio::time::Instant;

/// A random wait below a bound that doubles with each try, up to a number of tries after which it stays.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    base: Duration,
    tries_max: u32,
    tries: u32,
    /// From when on the tries count as forgotten.
    reset_at: Option<Instant>,
}

/// The exponent's limit: beyond it the bound would overflow long before anybody waited it out.
const TRIES_MAX: u32 = 20;

impl Backoff {
    pub(super) fn new(base: Duration, tries_max: u32) -> Self {
        Self { base, tries_max: tries_max.min(TRIES_MAX), tries: 0, reset_at: None }
    }

    /// The bound as the log announces it. At the cap it is twice the real one, as in cloudflared.
    pub(super) fn announced(&self, now: Instant) -> Duration {
        if self.is_forgotten(now) { Duration::from_secs(1) } else { self.base * (1 << (self.tries + 1)) }
    }

    /// The wait before the next try.
    pub(super) fn next(&mut self, now: Instant, rng: &mut impl Rng) -> Duration {
        if self.is_forgotten(now) {
            self.tries = 0;
            self.reset_at = None;
        }
        self.tries = (self.tries + 1).min(self.tries_max);
        random_below(self.base * (1 << self.tries), rng)
    }

    /// A connection was registered: start over.
    pub(super) fn reset(&mut self, now: Instant) {
        self.tries = 0;
        self.reset_at = Some(now);
    }

    /// All connections are up: start over if they stay so for a while.
    pub(super) fn reset_later(&mut self, now: Instant, rng: &mut impl Rng) {
        self.reset_at = Some(now + random_below(self.base * (2 << (self.tries + 1)), rng));
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        self.reset_at.is_some_and(|reset_at| now >= reset_at)
    }
}

fn random_below(bound: Duration, rng: &mut impl Rng) -> Duration {
    bound.mul_f64(rng.random_range(0.0..1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_log_announces_the_doubled_bounds_up_to_the_cap() {
        let (mut backoff, now) = (Backoff::new(SECOND, 5), Instant::now());
        let mut rng = StdRng::seed_from_u64(1);
        let announced: Vec<u64> = (0..7)
            .map(|_| {
                let announced = backoff.announced(now).as_secs();
                backoff.next(now, &mut rng);
                announced
            })
            .collect();

        assert_eq!(announced, [2, 4, 8, 16, 32, 64, 64]);
    }

    #[test]
    fn a_registered_connection_starts_over() {
        let (mut backoff, now) = (Backoff::new(SECOND, 5), Instant::now());
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..5 {
            backoff.next(now, &mut rng);
        }
        backoff.reset(now);

        assert_eq!(backoff.announced(now), SECOND);
        assert!(backoff.next(now, &mut rng) < 2 * SECOND);
    }

    proptest! {
        #[test]
        fn no_wait_exceeds_its_bound(seed: u64, tries_max in 1_u32..8, rounds in 1_u32..20) {
            let (mut backoff, now) = (Backoff::new(SECOND, tries_max), Instant::now());
            let mut rng = StdRng::seed_from_u64(seed);
            for round in 1..=rounds {
                let wait = backoff.next(now, &mut rng);
                prop_assert!(wait < SECOND * (1 << round.min(tries_max)));
            }
        }
    }
}
