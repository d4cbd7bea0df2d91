//! How often something is told: a few times at once, and then now and again.

use std::time::{Duration, Instant};

/// So many at once, and then one each so often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// How many at once: at least 1.
    pub(super) at_once: u32,
    /// How long each of them takes to come back.
    pub(super) each: Duration,
}

/// What is left of an allowance.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Rest {
    /// When all of it is there again; it is when `None`.
    whole_at: Option<Instant>,
}

impl Rest {
    /// Whether there is any.
    pub(super) fn has_any(self, of: Allowance, now: Instant) -> bool {
        let missing_for = self.whole_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        missing_for <= of.each.saturating_mul(of.at_once - 1)
    }

    /// Takes so many, at worst more than there are.
    pub(super) fn take(&mut self, count: u32, of: Allowance, now: Instant) {
        let from = self.whole_at.map_or(now, |at| at.max(now));
        self.whole_at = Some(from + of.each.saturating_mul(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::testing::start_of_time;

    #[test]
    fn some_are_there_at_once_and_then_one_comes_back_each_so_often() {
        let of = Allowance { at_once: 3, each: Duration::from_secs(10) };
        let (mut rest, start) = (Rest::default(), start_of_time());
        let taken = (0..=60).filter(|second| {
            let now = start + Duration::from_secs(*second);
            let has_any = rest.has_any(of, now);
            if has_any {
                rest.take(1, of, now);
            }
            has_any
        });
        assert_eq!(taken.collect::<Vec<u64>>(), [0, 1, 2, 10, 20, 30, 40, 50, 60]);
    }
}
