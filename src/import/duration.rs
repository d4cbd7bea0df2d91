//! Go's durations, as cloudflared's files have them: `30s`, `1m30s`, `1.5h`.

/// The whole seconds of a duration; `None` when it is none, is negative, or has a part of a second.
pub(super) fn whole_seconds(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    let mut nanoseconds: u128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, behind) = rest.split_at(digits);
        let unit_end = behind.find(|char: char| char.is_ascii_digit() || char == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        nanoseconds = nanoseconds.checked_add(scaled(number, unit)?)?;
        rest = behind;
    }
    nanoseconds.is_multiple_of(1_000_000_000).then(|| u64::try_from(nanoseconds / 1_000_000_000).ok())?
}

/// `number`, which may have a fraction, times `unit`.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    /// More digits than any real duration has, and few enough that nothing overflows.
    const DIGITS_MAX: usize = 12;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || whole.len() > DIGITS_MAX || fraction.len() > DIGITS_MAX {
        return None;
    }
    let parse = |digits: &str| if digits.is_empty() { Some(0_u128) } else { digits.parse().ok() };
    let power = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some(parse(whole)? * unit + parse(fraction)? * unit / power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gos_durations_are_read_when_they_are_whole_seconds() {
        for (text, seconds) in [("30s", 30), ("1m30s", 90), ("1.5m", 90), ("2h", 7200), ("1000ms", 1), ("0", 0), ("0s", 0)] {
            assert_eq!(whole_seconds(text), Some(seconds), "{text}");
        }
        for text in ["", "30", "1.5s", "500ms", "-1s", "s", "1d", ".s", "9999999999999999s"] {
            assert_eq!(whole_seconds(text), None, "{text}");
        }
    }
}
