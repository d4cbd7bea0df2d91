//! Whether a failed call is sent again, and when. Pure: the chance is an argument.

use std::time::Duration;

use super::{Error, Kind, call::Call};

/// How often one call is sent at most: a hiccup is over by then, an outage is the next pass's business.
const ATTEMPTS_MAX: u32 = 3;

/// The longest pause before the first repetition; it doubles with each. Full jitter: anything from nothing to the whole of it.
pub(super) const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// No repetition starts later than this after the first attempt, so that a call with slow failures still ends.
const REPEAT_WITHIN: Duration = Duration::from_secs(60);

/// How long to wait before attempt `attempt + 1`, or `None` to give up.
///
/// Only failures of Cloudflare or of the way there are worth a repetition. A POST is repeated only when it provably was not
/// sent, because there is no idempotency key. A pause that Cloudflare asks for is kept in full or not begun.
pub(super) fn pause(
    error: &Error,
    call: &Call,
    attempt: u32,
    elapsed: Duration,
    pause_first: Duration,
    chance: f64,
) -> Option<Duration> {
    let worth_it = match error.kind() {
        Kind::Server | Kind::Transport => call.method.may_be_repeated() || !error.may_have_happened(),
        Kind::NoToken | Kind::Auth { .. } | Kind::NotFound | Kind::Conflict(_) | Kind::RateLimited => false,
        Kind::Quota | Kind::Invalid | Kind::Malformed | Kind::Incomplete => false,
    };
    if !worth_it || attempt >= ATTEMPTS_MAX {
        return None;
    }
    let jittered = (pause_first * 2_u32.pow(attempt - 1)).mul_f64(chance);
    let pause = error.retry_after().unwrap_or_default().max(jittered);
    (elapsed + pause <= REPEAT_WITHIN).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::call::{Method, Resource};

    const SOON: Duration = Duration::from_secs(1);

    fn call(method: Method) -> Call {
        Call::new(method, Resource::Zones, ["zones"], "list zones")
    }

    fn decide(method: Method, kind: Kind, perhaps_done: bool, attempt: u32, elapsed: Duration) -> bool {
        let call = call(method);
        pause(&Error::of(kind, &call).perhaps_done(perhaps_done), &call, attempt, elapsed, PAUSE_FIRST, 0.5).is_some()
    }

    #[test]
    fn only_failures_that_may_pass_are_repeated() {
        for (kind, repeated) in [
            (Kind::Server, true),
            (Kind::Transport, true),
            (Kind::RateLimited, false),
            (Kind::Auth { permission: None }, false),
            (Kind::NotFound, false),
            (Kind::Invalid, false),
            (Kind::Malformed, false),
        ] {
            assert_eq!(decide(Method::Get, kind, false, 1, SOON), repeated, "{kind:?}");
        }
    }

    #[test]
    fn a_post_is_repeated_only_when_it_was_not_sent() {
        for method in [Method::Put, Method::Patch, Method::Delete] {
            assert!(decide(method, Kind::Transport, true, 1, SOON));
        }
        assert!(!decide(Method::Post, Kind::Transport, true, 1, SOON));
        assert!(!decide(Method::Post, Kind::Server, true, 1, SOON));
        assert!(decide(Method::Post, Kind::Transport, false, 1, SOON));
    }

    #[test]
    fn repetitions_end_by_count_and_by_time() {
        assert!(decide(Method::Get, Kind::Server, false, ATTEMPTS_MAX - 1, SOON));
        assert!(!decide(Method::Get, Kind::Server, false, ATTEMPTS_MAX, SOON));
        assert!(!decide(Method::Get, Kind::Server, false, 1, REPEAT_WITHIN));
    }

    #[test]
    fn pauses_double_and_are_jittered_in_full() {
        let call = call(Method::Get);
        let error = Error::of(Kind::Server, &call);
        let pause = |attempt, chance| pause(&error, &call, attempt, SOON, PAUSE_FIRST, chance).unwrap();
        assert_eq!(pause(1, 0.0), Duration::ZERO);
        assert_eq!(pause(1, 1.0), PAUSE_FIRST);
        assert_eq!(pause(2, 1.0), PAUSE_FIRST * 2);
    }

    #[test]
    fn a_pause_that_was_asked_for_is_kept_or_not_begun() {
        let call = call(Method::Get);
        let resting = |seconds| Error::of(Kind::Server, &call).resting(Some(Duration::from_secs(seconds)));
        assert_eq!(pause(&resting(20), &call, 1, SOON, PAUSE_FIRST, 0.5), Some(Duration::from_secs(20)));
        assert_eq!(pause(&resting(600), &call, 1, SOON, PAUSE_FIRST, 0.5), None);
    }
}
