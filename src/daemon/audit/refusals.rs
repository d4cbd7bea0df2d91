//! How many refusals of one user are kept: the log has a bound, and whoever may nothing must not push out of it what others did.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// The refusals of one user that are kept in a period: more than a person makes; at this pace it takes days to fill the log.
const KEPT_MAX: u32 = 30;

/// After this time they count anew.
const PERIOD: Duration = Duration::from_secs(60);

/// The most users that are told apart; who has been quiet for a period is forgotten first.
const USERS_MAX: usize = 1_024;

/// The refusals of each user that were kept lately.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<u32, Lately>);

#[derive(Debug)]
struct Lately {
    since: Instant,
    kept: u32,
    left_out: u64,
}

impl Refusals {
    /// Whether one more refusal of `uid` is kept: `Some` with how many of theirs were left out since the last that was.
    pub(super) fn take(&mut self, uid: u32, now: Instant) -> Option<u64> {
        if self.0.len() >= USERS_MAX && !self.0.contains_key(&uid) {
            self.0.retain(|_, lately| now.duration_since(lately.since) < PERIOD);
        }
        if self.0.len() >= USERS_MAX && !self.0.contains_key(&uid) {
            return None;
        }
        let lately = self.0.entry(uid).or_insert(Lately { since: now, kept: 0, left_out: 0 });
        if now.duration_since(lately.since) >= PERIOD {
            (lately.since, lately.kept) = (now, 0);
        }
        if lately.kept >= KEPT_MAX {
            lately.left_out += 1;
            return None;
        }
        lately.kept += 1;
        Some(std::mem::take(&mut lately.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_too_fast_is_counted_instead_and_the_others_are_kept() {
        let mut refusals = Refusals::default();
        let begun = Instant::now();
        assert!((0..KEPT_MAX).all(|_| refusals.take(1000, begun) == Some(0)));
        assert!((0..500).all(|_| refusals.take(1000, begun).is_none()));
        assert_eq!(refusals.take(1001, begun), Some(0));
        assert_eq!(refusals.take(1000, begun + PERIOD), Some(500), "the next that is kept says how many were not");
        assert_eq!(refusals.take(1000, begun + PERIOD), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_users_is_bounded_and_forgotten() {
        let mut refusals = Refusals::default();
        let begun = Instant::now();
        let crowd = u32::try_from(USERS_MAX).unwrap();
        assert!((0..crowd).all(|uid| refusals.take(uid, begun).is_some()));
        assert_eq!(refusals.take(crowd, begun), None);
        assert_eq!(refusals.take(crowd, begun + PERIOD), Some(0));
        assert_eq!(refusals.0.len(), 1);
    }
}
