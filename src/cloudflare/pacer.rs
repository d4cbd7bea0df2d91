//! When the next request may be sent: one pacer for each credential, shared by everything that uses it.
//!
//! A token bucket in its virtual-scheduling form (GCRA): `arrival` is the moment at which all requests so far would have been
//! spread out evenly, and a request may run ahead of it by `tolerance`. So no window of length `t` ever sees more than
//! `t / interval + burst` requests. On top of it stand two brakes: a block (after a 429 nothing is sent until it ends) and
//! a spacing (what Cloudflare says is left is spread over the time until its reset).

use std::time::Duration;

use tokio::time::Instant;

use super::rate_limit::{RETRY_AFTER_MAX, RateLimit, WINDOW, WINDOW_REQUESTS};

/// Requests that may follow each other at once after a quiet time: an idle pass over 20 zones. Not more, because throttling
/// (code 971) has been met on bursts far below the published limit.
const BURST_MAX: u64 = 30;

/// The fraction of a quota below which what is left of it is spread out: one in ten.
const SCARCE_FRACTION: u64 = 10;

/// The longest that a call waits for a turn because little is left of a quota. Beyond it the call fails as rate limited, so
/// that its caller can end the pass and do something else.
const SPACING_WAIT_MAX: Duration = Duration::from_secs(20);

/// The longest block that is taken over from an earlier daemon: the longest `Retry-After` that is believed, and what chance adds.
const BLOCK_MAX: Duration = RETRY_AFTER_MAX.saturating_mul(2);

/// The lowest budget that makes sense, in requests a second: one request in 100 s.
pub(super) const BUDGET_MIN: f64 = 0.01;

/// What is left of a credential's share, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Requests left in the scarcest of Cloudflare's windows, as the last answer said; `None` before any said so.
    pub remaining: Option<u64>,
    /// Until when nothing is sent on this credential (after a 429); `None` when nothing is held back.
    pub blocked_until: Option<Instant>,
}

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// At once; it is counted.
    Now,
    /// Not before this moment; ask again then. Nothing is counted.
    At(Instant),
    /// Not before this moment, which is too far away to wait for.
    Blocked(Instant),
}

/// Requests that are written down ahead: what is spent need not be kept at every request, and a daemon that crashes takes no more than
/// these for sent that were not.
const KEPT_AHEAD: u32 = 10;

/// What of a credential's share is spent, counted from this moment: what outlives the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    /// How far the requests so far run ahead of the pace.
    pub(super) ahead: Duration,
    /// How long nothing is sent.
    pub(super) blocked: Duration,
}

pub(super) struct Pacer {
    interval: Duration,
    tolerance: Duration,
    arrival: Option<Instant>,
    spacing: Option<Spacing>,
    blocked_until: Option<Instant>,
    remaining: Option<u64>,
    /// What was written down last: `arrival` may come so far, and the block ends then.
    kept: Option<(Instant, Option<Instant>)>,
}

struct Spacing {
    interval: Duration,
    next: Instant,
    until: Instant,
}

impl Pacer {
    /// A pacer for `per_second` sustained requests (at least [`BUDGET_MIN`]).
    ///
    /// Up to 4/s, burst and sustained rate together stay inside the 1,200 requests in 5 minutes that Cloudflare grants. A
    /// higher budget is the operator's word that Cloudflare raised the limit of this credential.
    pub(super) fn new(per_second: f64) -> Self {
        let window = WINDOW.as_secs_f64();
        let granted = WINDOW_REQUESTS as f64;
        let (per_second, burst) = if per_second > granted / window {
            (per_second, BURST_MAX)
        } else {
            // Room for one request beside the sustained rate, or there would be no burst to send it with.
            let per_second = per_second.clamp(BUDGET_MIN, (granted - 1.0) / window);
            (per_second, ((granted - per_second * window) as u64).clamp(1, BURST_MAX))
        };
        // Rounded up: a shorter interval would let one request too many into a long window.
        let interval = Duration::from_secs_f64(1.0 / per_second) + Duration::from_nanos(1);
        let tolerance = interval * (burst as u32 - 1);
        Self { interval, tolerance, arrival: None, spacing: None, blocked_until: None, remaining: None, kept: None }
    }

    /// Asks for a turn.
    pub(super) fn take(&mut self, now: Instant) -> Turn {
        if let Some(until) = self.blocked_until.filter(|&until| until > now) {
            return Turn::Blocked(until);
        }
        if let Some(spacing) = self.spacing.as_ref().filter(|spacing| now < spacing.until && now < spacing.next) {
            let wait = spacing.next - now;
            return if wait > SPACING_WAIT_MAX { Turn::Blocked(spacing.next) } else { Turn::At(spacing.next) };
        }
        let arrival = self.arrival.map_or(now, |arrival| arrival.max(now));
        let ahead = arrival - now;
        if ahead > self.tolerance {
            return Turn::At(now + (ahead - self.tolerance));
        }
        self.arrival = Some(arrival + self.interval);
        if let Some(spacing) = &mut self.spacing {
            spacing.next = now + spacing.interval;
        }
        Turn::Now
    }

    /// Takes in what an answer said about the limits; an answer that says nothing changes nothing.
    pub(super) fn observe(&mut self, limits: &[RateLimit], now: Instant) {
        let Some(remaining) = limits.iter().map(|limit| limit.remaining).min() else { return };
        self.remaining = Some(remaining);
        let scarce = limits.iter().filter(|limit| limit.remaining.saturating_mul(SCARCE_FRACTION) < limit.quota);
        let spread = |limit: &RateLimit| limit.resets_in / u32::try_from(limit.remaining.max(1)).unwrap_or(u32::MAX);
        self.spacing = scarce.max_by_key(|limit| spread(limit)).map(|limit| Spacing {
            interval: spread(limit),
            next: now + spread(limit),
            until: now + limit.resets_in,
        });
    }

    /// Sends nothing more for `pause`. An earlier block is never shortened, and there is no burst when it ends.
    pub(super) fn block(&mut self, pause: Duration, now: Instant) -> Instant {
        let until = self.blocked_until.map_or(now + pause, |earlier| earlier.max(now + pause));
        self.blocked_until = Some(until);
        self.arrival = Some(until + self.tolerance);
        until
    }

    /// Goes on from what an earlier daemon spent. However wrong that is, it holds nothing up for longer than a burst takes to be earned
    /// again, or a block may last.
    pub(super) fn resume(&mut self, spent: Spent, now: Instant) {
        let ahead = spent.ahead.min(self.tolerance + self.interval * (KEPT_AHEAD + 1));
        let arrival = now + ahead;
        self.arrival = Some(self.arrival.map_or(arrival, |own| own.max(arrival)));
        if !spent.blocked.is_zero() {
            self.block(spent.blocked.min(BLOCK_MAX), now);
        }
    }

    /// As [`Pacer::resume`], of a credential of which it is not known what it spent: its burst.
    pub(super) fn resume_spent(&mut self, now: Instant) {
        self.resume(Spent { ahead: self.tolerance, blocked: Duration::ZERO }, now);
    }

    /// What has to be written down before the request that was just let go is sent; `None` while what was written last covers it.
    pub(super) fn due_to_keep(&mut self, now: Instant) -> Option<Spent> {
        let arrival = self.arrival?;
        let covered = self.kept.is_some_and(|(until, blocked)| arrival <= until && blocked == self.blocked_until);
        if covered {
            return None;
        }
        let until = arrival + self.interval * KEPT_AHEAD;
        self.kept = Some((until, self.blocked_until));
        let left = |moment: Instant| moment.saturating_duration_since(now);
        Some(Spent { ahead: left(until), blocked: self.blocked_until.map(left).unwrap_or_default() })
    }

    /// What was to be written down was not.
    pub(super) fn not_kept(&mut self) {
        self.kept = None;
    }

    pub(super) fn budget(&self, now: Instant) -> Budget {
        Budget { remaining: self.remaining, blocked_until: self.blocked_until.filter(|&until| until > now) }
    }
}

#[cfg(test)]
mod tests;
