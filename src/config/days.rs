//! Long times as people write them: `90d`.

use std::time::Duration;

use serde::Serializer;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The most days. Longer than a year nobody means it, or remembers it.
const DAYS_MAX: u32 = 365;

/// Reads a number of days, 1 to 365.
pub(super) fn parse(text: &str) -> Result<Duration, &'static str> {
    const RULE: &str = "it is a number of days from 1d to 365d, as in 90d";
    let digits = text.strip_suffix('d').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())).ok_or(RULE)?;
    match digits.parse::<u32>() {
        Ok(days @ 1..=DAYS_MAX) => Ok(DAY * days),
        Ok(_) | Err(_) => Err(RULE),
    }
}

/// For serde's `serialize_with`, of a key that may be left out.
pub(super) fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => serializer.collect_str(&format_args!("{}d", span.as_secs() / DAY.as_secs())),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_at_least_one() {
        assert_eq!(parse("90d"), Ok(DAY * 90));
        assert_eq!(parse("1d"), Ok(DAY));
        assert_eq!(parse("365d"), Ok(DAY * 365));
        for bad in ["", "d", "0d", "366d", "90", "24h", "-1d", "+1d", "1.5d", "99999999999d", "٣d"] {
            assert!(parse(bad).unwrap_err().contains("90d"), "{bad}");
        }
    }
}
