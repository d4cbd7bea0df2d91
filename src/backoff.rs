//! How long to wait before starting again: one connector's own pace, and everyone's together.
//!
//! The formula is that of the design: at once after a stable run, then `U(d/2, d)` with `d = min(60 s, 0.5 s · 2^(n-1))`. Only a
//! ready period ends a series of failures; merely running does not, or a process that dies after ten seconds would be restarted
//! at once for ever.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// The longest wait after the first failure that waits.
const STEP_MIN: Duration = Duration::from_millis(500);
/// No wait is longer.
pub const STEP_MAX: Duration = Duration::from_secs(60);
/// A ready period shorter than this proves nothing.
const STABLE_MIN: Duration = Duration::from_secs(30);

/// The pace of one connector's restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// Failures since the last stable run.
    failures: u32,
    /// Those of them that were followed by a wait.
    steps: u32,
    /// Whether the next failure is the first after a stable run.
    stable: bool,
}

impl Backoff {
    /// No wait is longer.
    pub const WAIT_MAX: Duration = STEP_MAX;

    /// A connector that has neither failed nor been stable.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a failure and says how long to wait before the next start: nothing after a stable run, 250 ms to 60 s otherwise.
    pub fn fail(&mut self, rng: &mut impl Rng) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if std::mem::take(&mut self.stable) {
            return Duration::ZERO;
        }
        self.steps = self.steps.saturating_add(1);
        jittered(step(self.steps), rng)
    }

    /// Counts a failure that trying again soon cannot cure, such as a missing binary: 30 s to 60 s.
    pub fn fail_for_long(&mut self, rng: &mut impl Rng) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.stable = false;
        jittered(STEP_MAX, rng)
    }

    /// Takes in that the connector has been ready for `period` without a break; a long enough one ends the series of failures.
    pub fn settle(&mut self, period: Duration) {
        if period >= STABLE_MIN.max(step(self.steps)) {
            *self = Self { failures: 0, steps: 0, stable: true };
        }
    }

    /// Forgets the failures: an operator or a change asks for a start.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// How many failures there have been since the last stable run.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// The upper end of the wait after the `n`-th failure that waits; zero for none.
fn step(n: u32) -> Duration {
    match n.checked_sub(1) {
        None => Duration::ZERO,
        // 2^7 steps of 0.5 s exceed the maximum, so a larger exponent changes nothing and must not overflow.
        Some(exponent) => (STEP_MIN * 2u32.pow(exponent.min(7))).min(STEP_MAX),
    }
}

fn jittered(longest: Duration, rng: &mut impl Rng) -> Duration {
    rng.random_range(longest / 2..=longest)
}

/// How many restarts all connectors together may make: a token bucket that grows with their number and holds one second's worth.
/// One bad edge or binary then cannot start a storm.
#[derive(Debug, Clone)]
pub struct RestartBudget {
    rates: Rates,
    rate: f64,
    tokens: f64,
    counted_at: Instant,
}

/// How many restarts a second a bucket gives.
#[derive(Debug, Clone, Copy)]
struct Rates {
    /// Even to a single connector.
    least: f64,
    /// For each connector.
    share: f64,
}

/// After failures, which may come again at once.
const AFTER_FAILURES: Rates = Rates { least: 2.0, share: 0.1 };
/// After an outage. Each connector is restarted once, those who are restarted serve nobody, and 30 are to serve again after five
/// seconds: the bucket for failures would take ten.
const AFTER_OUTAGES: Rates = Rates { least: 20.0, share: 0.5 };

impl RestartBudget {
    /// A full bucket of `max(2, connectors / 10)` restarts a second, for no connectors yet.
    pub fn after_failures(now: Instant) -> Self {
        Self::new(AFTER_FAILURES, now)
    }

    /// A full bucket of `max(20, connectors / 2)` restarts a second, for no connectors yet.
    pub fn after_outages(now: Instant) -> Self {
        Self::new(AFTER_OUTAGES, now)
    }

    fn new(rates: Rates, now: Instant) -> Self {
        Self { rates, rate: rates.least, tokens: rates.least, counted_at: now }
    }

    /// Takes in how many connectors there are.
    pub fn resize(&mut self, connectors: usize, now: Instant) {
        self.refill(now);
        let rate = (connectors as f64 * self.rates.share).max(self.rates.least);
        // A larger fleet brings its share at once, as a new bucket is full.
        self.tokens = (self.tokens + (rate - self.rate).max(0.0)).min(rate);
        self.rate = rate;
    }

    /// Takes one restart, or says when there will be one.
    pub fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.take_beyond(0.0, now)
    }

    /// The same for somebody who must leave half of the bucket to others.
    pub fn take_beyond_half(&mut self, now: Instant) -> Result<(), Instant> {
        self.take_beyond(self.rate / 2.0, now)
    }

    /// How long it takes until another restart is there.
    pub fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }

    fn take_beyond(&mut self, rest: f64, now: Instant) -> Result<(), Instant> {
        self.refill(now);
        let missing = rest + 1.0 - self.tokens;
        if missing <= 0.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        // Rounded up, so that the moment that is named is never a little too early.
        Err(now + Duration::from_secs_f64(missing / self.rate) + Duration::from_millis(1))
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.counted_at);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.rate).min(self.rate);
        self.counted_at = self.counted_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn the_first_failure_after_a_stable_run_restarts_at_once() {
        let (mut backoff, mut rng) = (Backoff::new(), SmallRng::seed_from_u64(1));
        backoff.settle(Duration::from_secs(30));
        assert_eq!(backoff.fail(&mut rng), Duration::ZERO);
        assert!(backoff.fail(&mut rng) >= STEP_MIN / 2);
        assert_eq!(backoff.failures(), 2);
    }

    #[test]
    fn a_first_start_that_fails_waits() {
        let wait = Backoff::new().fail(&mut SmallRng::seed_from_u64(1));
        assert!(wait >= STEP_MIN / 2 && wait <= STEP_MIN, "{wait:?}");
    }

    #[test]
    fn a_ready_period_shorter_than_the_last_wait_ends_no_series() {
        let (mut backoff, mut rng) = (Backoff::new(), SmallRng::seed_from_u64(1));
        for _ in 0..10 {
            backoff.fail(&mut rng);
        }
        backoff.settle(Duration::from_secs(59));
        assert_eq!(backoff.failures(), 10);
        backoff.settle(Duration::from_secs(60));
        assert_eq!(backoff.failures(), 0);
    }

    #[test]
    fn a_fleet_may_restart_a_tenth_of_itself_in_a_second() {
        let start = start_of_time();
        let mut budget = RestartBudget::after_failures(start);
        budget.resize(100, start);
        for _ in 0..10 {
            assert_eq!(budget.take(start), Ok(()));
        }
        let next = budget.take(start).unwrap_err();
        assert!(next > start && next <= start + Duration::from_millis(110), "{:?}", next - start);
        assert_eq!(budget.take(next), Ok(()));
    }

    #[test]
    fn thirty_connectors_are_restarted_in_half_a_second_after_an_outage() {
        let start = start_of_time();
        let mut budget = RestartBudget::after_outages(start);
        budget.resize(30, start);
        let mut now = start;
        for _ in 0..30 {
            while let Err(at) = budget.take(now) {
                now = at;
            }
        }
        assert!(now - start <= Duration::from_millis(600), "{:?}", now - start);
    }

    #[test]
    fn who_must_leave_half_leaves_it() {
        let start = start_of_time();
        let mut budget = RestartBudget::after_failures(start);
        budget.resize(100, start);
        while budget.take_beyond_half(start).is_ok() {}
        for _ in 0..5 {
            assert_eq!(budget.take(start), Ok(()));
        }
        assert!(budget.take(start).is_err());
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where these tests get an instant to count from")]
    fn start_of_time() -> Instant {
        Instant::now()
    }

    proptest! {
        #[test]
        fn no_wait_leaves_its_bounds(seed: u64, failures in 1u32..200) {
            let (mut backoff, mut rng) = (Backoff::new(), SmallRng::seed_from_u64(seed));
            for n in 1..=failures {
                let wait = backoff.fail(&mut rng);
                let longest = Duration::from_secs_f64((0.5 * 2f64.powi(n as i32 - 1)).min(60.0));
                prop_assert!(wait >= longest / 2 && wait <= longest, "failure {n}: {wait:?}");
            }
        }

        #[test]
        fn the_moment_that_a_budget_names_is_late_enough(connectors in 0usize..2000, takes in 1usize..300) {
            let start = start_of_time();
            let mut budget = RestartBudget::after_failures(start);
            budget.resize(connectors, start);
            let mut now = start;
            for _ in 0..takes {
                if let Err(at) = budget.take(now) {
                    prop_assert!(at > now);
                    now = at;
                    prop_assert_eq!(budget.take(now), Ok(()));
                }
            }
        }
    }
}
