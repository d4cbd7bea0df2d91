//! What an answer of the webhook means for a delivery. Pure: the chance is an argument.

use std::time::Duration;

/// How often a delivery is sent at most, and for how long it is tried: an hour bridges the restart of whatever listens there, and what
/// is older is no news.
pub(super) const TRIES_MAX: u32 = 20;
pub(super) const AGE_MAX: Duration = Duration::from_secs(3_600);

/// The pause after the first try at most; it doubles with each, up to the longest. The lower half of it is certain.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// The longest `Retry-After` that is obeyed in full; a longer one counts as this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(900);

/// What came of sending a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// How long the answer asks to wait.
        retry_after: Option<Duration>,
    },
    /// It was not answered, or could not be sent: why.
    Unanswered(String),
}

/// What follows from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was taken.
    Delivered,
    /// It is sent again.
    Again {
        /// After this time.
        pause: Duration,
        /// What happened.
        why: String,
    },
    /// It is not sent again.
    GiveUp {
        /// What happened.
        why: String,
    },
}

/// Judges `outcome` of try number `tries`, counted from 1, of a delivery that is `age` old; `chance` is from 0 to 1.
pub(super) fn judge(outcome: Outcome, tries: u32, age: Duration, chance: f64) -> Verdict {
    let (why, asked) = match outcome {
        Outcome::Answered { status: 200..=299, .. } => return Verdict::Delivered,
        Outcome::Answered { status: status @ 300..=399, .. } => {
            let why = format!("it answers {status}, a redirect, and those are not followed; give the address that it leads to");
            return Verdict::GiveUp { why };
        }
        Outcome::Answered { status: status @ (401 | 403), .. } => {
            return Verdict::GiveUp { why: format!("it answers {status}: the secret here and there may differ") };
        }
        Outcome::Answered { status: 410, .. } => {
            return Verdict::GiveUp { why: "it answers 410: it is gone for good; take [hooks.webhook] out".to_owned() };
        }
        Outcome::Answered { status: status @ (408 | 429), retry_after } => (format!("it answers {status}"), retry_after),
        Outcome::Answered { status: status @ 400..=499, .. } => return Verdict::GiveUp { why: format!("it answers {status}") },
        Outcome::Answered { status, retry_after } => (format!("it answers {status}"), retry_after),
        Outcome::Unanswered(why) => (why, None),
    };
    let longest = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1))).min(PAUSE_MAX);
    let own = longest.mul_f64(0.5 + chance / 2.0);
    let pause = asked.unwrap_or_default().min(RETRY_AFTER_MAX).max(own);
    if tries >= TRIES_MAX || age + pause > AGE_MAX {
        let why = format!("{why}, and it was tried {tries} times in {} min", age.as_secs().div_ceil(60));
        return Verdict::GiveUp { why };
    }
    Verdict::Again { pause, why }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    fn pause(outcome: Outcome, tries: u32, chance: f64) -> Duration {
        match judge(outcome, tries, SOON, chance) {
            Verdict::Again { pause, .. } => pause,
            other @ (Verdict::Delivered | Verdict::GiveUp { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [200, 202, 204] {
            assert_eq!(judge(answered(status), 1, SOON, 0.5), Verdict::Delivered);
        }
        for status in [408, 429, 500, 502, 503, 504, 599, 100] {
            assert!(matches!(judge(answered(status), 1, SOON, 0.5), Verdict::Again { .. }), "{status}");
        }
        for status in [301, 302, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422, 425] {
            assert!(matches!(judge(answered(status), 1, SOON, 0.5), Verdict::GiveUp { .. }), "{status}");
        }
        assert!(matches!(judge(Outcome::Unanswered("no".to_owned()), 1, SOON, 0.5), Verdict::Again { .. }));
    }

    #[test]
    fn pauses_double_and_end() {
        let no = || Outcome::Unanswered("no answer".to_owned());
        assert_eq!((pause(no(), 1, 0.0), pause(no(), 1, 1.0)), (Duration::from_millis(500), Duration::from_secs(1)));
        assert_eq!(pause(no(), 4, 1.0), Duration::from_secs(8));
        assert_eq!(pause(no(), 19, 1.0), PAUSE_MAX);
        let why = "no answer, and it was tried 20 times in 1 min".to_owned();
        assert_eq!(judge(no(), TRIES_MAX, SOON, 0.0), Verdict::GiveUp { why });
        assert!(matches!(judge(no(), 2, AGE_MAX, 0.0), Verdict::GiveUp { .. }));
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_within_bounds() {
        let asking = |seconds| Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(pause(asking(20), 1, 0.5), Duration::from_secs(20));
        assert_eq!(pause(asking(0), 1, 1.0), Duration::from_secs(1));
        assert_eq!(pause(asking(86_400), 1, 0.5), RETRY_AFTER_MAX);
    }

    proptest! {
        #[test]
        fn every_delivery_ends(statuses in prop::collection::vec(100u16..600, TRIES_MAX as usize), chance in 0.0..=1.0) {
            let mut age = Duration::ZERO;
            for (tries, status) in (1..).zip(statuses) {
                match judge(answered(status), tries, age, chance) {
                    Verdict::Again { pause, .. } => {
                        prop_assert!(tries < TRIES_MAX && pause <= PAUSE_MAX.max(RETRY_AFTER_MAX));
                        age += pause;
                        prop_assert!(age <= AGE_MAX);
                    }
                    Verdict::Delivered | Verdict::GiveUp { .. } => break,
                }
            }
        }
    }
}
