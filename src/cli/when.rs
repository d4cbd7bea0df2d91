//! Times and durations as people type them.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil, tz::TimeZone};

/// A point in time as it was typed. All of them are in UTC, as are the times that Adit prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    /// So long before now.
    Ago(SignedDuration),
    /// Exactly then.
    At(Timestamp),
    /// At the beginning of the day that lies so many days back.
    Day(i64),
}

/// What a point in time may look like.
pub(super) const RULE: &str =
    "it must be a duration back from now (90s, 1h30m, 7d, 2w), a time (2026-01-02, 2026-01-02T03:04:05Z), today or yesterday";

impl When {
    /// Reads what was typed.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "now" => return Ok(Self::Ago(SignedDuration::ZERO)),
            "today" => return Ok(Self::Day(0)),
            "yesterday" => return Ok(Self::Day(1)),
            _ => {}
        }
        if let Some(ago) = elapsed(text.strip_suffix(" ago").unwrap_or(text)) {
            return if ago.is_negative() { Err("it must not be in the future".to_owned()) } else { Ok(Self::Ago(ago)) };
        }
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        // A date alone is its beginning.
        let civil: Result<civil::DateTime, _> = text.parse();
        let at = civil.ok().and_then(|civil| civil.to_zoned(TimeZone::UTC).ok()).map(|zoned| zoned.timestamp());
        at.map(Self::At).ok_or_else(|| RULE.to_owned())
    }

    /// The time that is meant, at the time `now`.
    pub(super) fn timestamp(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => *at,
            Self::Ago(ago) => now.checked_sub(*ago).unwrap_or(Timestamp::MIN),
            Self::Day(back) => {
                let midnight = now.to_zoned(TimeZone::UTC).start_of_day().map_or(now, |zoned| zoned.timestamp());
                midnight.checked_sub(SignedDuration::from_hours(24 * back)).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

/// A duration as people write it: `90s`, `10m`, `1h 30m`, `2d`.
///
/// # Errors
///
/// The rule that it breaks.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = elapsed(text).ok_or_else(|| "it must be a duration, such as 90s, 10m, 1h30m or 2d".to_owned())?;
    Duration::try_from(duration).map_err(|_| "it must not be negative".to_owned())
}

/// A duration in which a day has 24 hours; none in months or years, which have no length.
fn elapsed(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> String {
        let now: Timestamp = "2026-01-10T03:04:05Z".parse().unwrap();
        When::parse(text).map_or_else(|why| why, |when| when.timestamp(now).to_string())
    }

    #[test]
    fn a_time_is_typed_in_many_ways() {
        for (text, time) in [
            ("90s", "2026-01-10T03:02:35Z"),
            ("1h30m", "2026-01-10T01:34:05Z"),
            ("1h 30m", "2026-01-10T01:34:05Z"),
            ("7d", "2026-01-03T03:04:05Z"),
            ("2w", "2025-12-27T03:04:05Z"),
            ("1 hour ago", "2026-01-10T02:04:05Z"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
            ("2026-01-02 03:04", "2026-01-02T03:04:00Z"),
            ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
            ("now", "2026-01-10T03:04:05Z"),
            ("today", "2026-01-10T00:00:00Z"),
            ("yesterday", "2026-01-09T00:00:00Z"),
        ] {
            assert_eq!(at(text), time, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_what_would_be_one() {
        for text in ["", "soon", "1mo", "1y", "-1h", "17"] {
            assert!(at(text).starts_with("it must"), "{text}: {}", at(text));
        }
        assert_eq!(duration("2d"), Ok(Duration::from_hours(48)));
        assert!(duration("-1s").is_err() && duration("1mo").is_err() && duration("10").is_err());
    }
}
