//! The rate limit: 1,200 requests in five minutes, then nothing for five minutes ("Rate limits" of the API documentation).

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// How many requests a token may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests in one window.
    pub requests: u32,
    /// The length of a window, and of the block that follows when a request is one too many.
    pub window: Duration,
}

impl Default for RateLimit {
    /// Cloudflare's own numbers.
    fn default() -> Self {
        Self { requests: 1_200, window: Duration::from_secs(300) }
    }
}

/// What is left of a budget, for the headers of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) limit: RateLimit,
    pub(crate) left: u32,
    /// Until the window or the block ends.
    pub(crate) reset: Duration,
    pub(crate) verdict: Verdict,
}

/// Whether a request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admitted,
    Blocked,
}

/// The windows of all budgets.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: Option<RateLimit>,
    windows: BTreeMap<String, Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Instant,
    used: u32,
    blocked: bool,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { limit: Some(RateLimit::default()), windows: BTreeMap::new() }
    }
}

impl Limiter {
    /// Starts over with another limit; `None` admits everything.
    pub(crate) fn set(&mut self, limit: Option<RateLimit>) {
        self.limit = limit;
        self.windows.clear();
    }

    /// Counts one request against `budget`. Blocked requests do not count, and do not prolong the block.
    pub(crate) fn admit(&mut self, budget: &str, now: Instant) -> Quota {
        let Some(limit) = self.limit else { return self.untouched() };
        let fresh = Window { ends: now + limit.window, used: 0, blocked: false };
        let window = self.windows.entry(budget.to_owned()).or_insert(fresh);
        if window.ends <= now {
            *window = fresh;
        }
        if !window.blocked && window.used == limit.requests {
            *window = Window { ends: now + limit.window, used: limit.requests, blocked: true };
        }
        if !window.blocked {
            window.used += 1;
        }
        let verdict = if window.blocked { Verdict::Blocked } else { Verdict::Admitted };
        Quota { limit, left: limit.requests - window.used, reset: window.ends - now, verdict }
    }

    /// What an answer shows to a caller who has no budget.
    pub(crate) fn untouched(&self) -> Quota {
        let limit = self.limit.unwrap_or_default();
        Quota { limit, left: limit.requests, reset: limit.window, verdict: Verdict::Admitted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_request_too_many_blocks_a_whole_window_and_only_that_budget() {
        let mut limiter = Limiter::default();
        let limit = RateLimit { requests: 2, window: Duration::from_secs(300) };
        limiter.set(Some(limit));
        let start = Instant::now();
        assert_eq!(limiter.admit("a", start).left, 1);
        assert_eq!(limiter.admit("a", start).left, 0);

        let late = start + Duration::from_secs(299);
        let blocked = limiter.admit("a", late);
        assert_eq!((blocked.verdict, blocked.reset), (Verdict::Blocked, limit.window));
        assert_eq!(limiter.admit("b", late).verdict, Verdict::Admitted);
        assert_eq!(limiter.admit("a", late + Duration::from_secs(299)).verdict, Verdict::Blocked);
        assert_eq!(limiter.admit("a", late + limit.window).verdict, Verdict::Admitted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_that_ended_gives_the_whole_budget_back() {
        let mut limiter = Limiter::default();
        limiter.set(Some(RateLimit { requests: 2, window: Duration::from_secs(10) }));
        let start = Instant::now();
        limiter.admit("a", start);
        limiter.admit("a", start);
        assert_eq!(limiter.admit("a", start + Duration::from_secs(10)).left, 1);
    }
}
