//! What a failure means for the rest of a pass. Pure.

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::cloudflare::{Error, Kind};
pub(super) use crate::error_text::with_causes;

/// How a pass goes on after a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// It concerns this object only.
    Continue,
    /// Cloudflare, or the way there, may be down; after some of these in a row nothing more is tried.
    Outage,
    /// Nothing more is asked on this credential.
    End,
}

/// Failures of Cloudflare in a row after which a pass ends: each may have taken a minute, and the rest would fail as well.
pub(super) const OUTAGES_MAX: u32 = 3;

/// The first wait after a failed pass; it doubles with each further one, up to the interval.
const RETRY_MIN: Duration = Duration::from_secs(2);

/// The wait after a refused credential. Cloudflare blocks who fails to authenticate too often, and nothing changes before a
/// person acts; a credential that changed is tried at once.
pub(super) const REFUSED_WAIT: Duration = Duration::from_secs(300);

/// How a pass goes on after `error`.
pub(super) fn course(error: &Error) -> Course {
    match error.kind() {
        Kind::NoToken | Kind::Auth { .. } | Kind::RateLimited => Course::End,
        Kind::NotFound | Kind::Conflict(_) | Kind::Quota | Kind::Invalid => Course::Continue,
        Kind::Server | Kind::Transport | Kind::Malformed | Kind::Incomplete => Course::Outage,
    }
}

/// Whether the credential itself, or a permission of it, was refused.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), Kind::Auth { .. })
}

/// The wait after the `failures`-th failed pass in a row: half of it by chance, so that hosts do not return together.
pub(super) fn retry_wait(failures: u32, interval: Duration, rng: &mut impl Rng) -> Duration {
    let doubled = RETRY_MIN.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    doubled.min(interval).mul_f64(rng.random_range(0.5..=1.0))
}

/// The wait after a pass that went well: the interval, a tenth more or less.
pub(super) fn interval_wait(interval: Duration, rng: &mut impl Rng) -> Duration {
    interval.mul_f64(rng.random_range(0.9..=1.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_retry_waits_at_most_the_interval(failures in 1..u32::MAX, seconds in 1_u64..3_600) {
            let interval = Duration::from_secs(seconds);
            let wait = retry_wait(failures, interval, &mut rand::rng());
            prop_assert!(wait <= interval);
            prop_assert!(wait >= interval.min(RETRY_MIN) / 2);
        }
    }
}
