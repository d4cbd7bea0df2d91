//! Times: as ages for people who look now, and absolute for whoever reads it later or elsewhere.

use jiff::Timestamp;

use super::Look;

/// How long ago `then` was: in the largest unit that it fills.
pub(in crate::cli) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `at` as RFC 3339 in UTC, to the second.
pub(in crate::cli) fn stamp(at: Timestamp) -> String {
    at.strftime("%FT%TZ").to_string()
}

impl Look {
    /// Whether times are shown as ages: on a terminal. What is kept or sent on has the times themselves.
    fn shows_ages(self) -> bool {
        self.width.is_some()
    }

    /// When it began, for a column: `3m`.
    pub(in crate::cli) fn moment(self, then: Timestamp, now: Timestamp) -> String {
        if self.shows_ages() { age(then, now) } else { stamp(then) }
    }

    /// When it was, for a column: `3m ago`.
    pub(in crate::cli) fn ago_in_column(self, then: Timestamp, now: Timestamp) -> String {
        if self.shows_ages() { format!("{} ago", age(then, now)) } else { stamp(then) }
    }

    /// When it was, in a sentence: `3m ago`, or `at 2026-01-02T03:04:05Z`.
    pub(in crate::cli) fn ago(self, then: Timestamp, now: Timestamp) -> String {
        if self.shows_ages() { format!("{} ago", age(then, now)) } else { format!("at {}", stamp(then)) }
    }

    /// Since when it lasts, in a sentence: `for 3m`, or `since 2026-01-02T03:04:05Z`.
    pub(in crate::cli) fn lasting(self, since: Timestamp, now: Timestamp) -> String {
        if self.shows_ages() { format!("for {}", age(since, now)) } else { format!("since {}", stamp(since)) }
    }

    /// When it will be, in a sentence: `in 3m`, or `at 2026-01-02T03:04:05Z`.
    pub(in crate::cli) fn ahead(self, then: Timestamp, now: Timestamp) -> String {
        if self.shows_ages() { format!("in {}", age(now, then.max(now))) } else { format!("at {}", stamp(then)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    #[test]
    fn ages_are_in_the_largest_unit_that_they_fill() {
        for (seconds, text) in [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m"), (3_600, "1h"), (86_400, "1d")] {
            assert_eq!(age(now() - jiff::SignedDuration::from_secs(seconds), now()), text);
        }
    }

    #[test]
    fn a_terminal_shows_ages_and_everything_else_shows_times() {
        let then = now() - jiff::SignedDuration::from_mins(3);
        let terminal = Look { colour: true, width: Some(80) };
        let file = Look { colour: false, width: None };
        let all =
            |look: Look| [look.moment(then, now()), look.ago(then, now()), look.lasting(then, now()), look.ahead(now(), then)];
        assert_eq!(all(terminal), ["3m", "3m ago", "for 3m", "in 3m"]);
        let time = "2026-01-02T03:01:05Z";
        assert_eq!(all(file)[..3], [time.to_owned(), format!("at {time}"), format!("since {time}")]);
        assert_eq!(all(file)[3], "at 2026-01-02T03:04:05Z");
    }
}
