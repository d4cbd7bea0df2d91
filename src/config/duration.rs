//! Durations as people write them: `30s`, `1m30s`, `500ms`.

use std::time::Duration;

use serde::Serializer;

/// The longest duration that can be written: a year. Everything that takes one has a lower limit of its own.
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

const RULE: &str = "a duration is made of numbers with h, m, s or ms, as in 30s, 1m30s or 500ms";

/// Reads a duration: numbers with `h`, `m`, `s` or `ms`, each unit once, the largest first.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut unit_before = u64::MAX;
    if rest.is_empty() {
        return Err(RULE.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit()).ok_or(if unit_before == u64::MAX {
            format!("a duration needs a unit, as in {text}s")
        } else {
            RULE.to_owned()
        })?;
        let (number, behind) = rest.split_at(digits);
        let unit_length = behind.find(|char: char| !char.is_ascii_lowercase()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_length);
        let unit: u64 = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return Err(RULE.to_owned()),
        };
        if number.is_empty() || unit >= unit_before {
            return Err(RULE.to_owned());
        }
        let milliseconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        total = milliseconds
            .and_then(|milliseconds| total.checked_add(Duration::from_millis(milliseconds)))
            .filter(|total| *total <= DURATION_MAX)
            .ok_or("a duration is at most a year")?;
        unit_before = unit;
        rest = behind;
    }
    Ok(total)
}

/// The shortest time between two looks at the same thing: two calls each stay below the default budget of three a second.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// The longest: what happens behind Adit's back is missed for that long.
const INTERVAL_MAX: Duration = Duration::from_secs(3_600);

/// Reads the time between two looks at the same thing: 1 s to 1 h.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let interval = parse(text)?;
    if (INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) { Ok(interval) } else { Err("it must be between 1s and 1h".to_owned()) }
}

/// Writes a duration so that [`parse`] reads it again; what is below a millisecond is cut off.
pub(super) fn display(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if rest >= length {
            text += &format!("{}{unit}", rest / length);
            rest %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// For serde's `serialize_with`.
pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&display(*duration))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, milliseconds) in
            [("30s", 30_000), ("1m30s", 90_000), ("500ms", 500), ("2h", 7_200_000), ("1h0m1s5ms", 3_601_005), ("0s", 0)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_rule() {
        assert_eq!(parse("30").unwrap_err(), "a duration needs a unit, as in 30s");
        for bad in ["", "s", "1.5s", "30 s", "-1s", "1s1m", "1s1s", "1d", "1S", "٣s", "1m30"] {
            assert_eq!(parse(bad).unwrap_err(), RULE, "{bad}");
        }
        for long in ["9999999h", "99999999999999999999h", "18446744073709551615h"] {
            assert_eq!(parse(long).unwrap_err(), "a duration is at most a year", "{long}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(milliseconds in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&display(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
