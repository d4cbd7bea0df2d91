//! How Go, in which cloudflared is written, spells durations and the system's errors.

use std::{io, time::Duration};

/// Reads a duration such as `30s`, `1m30s` or `1.5h`. A bare number other than 0 has no unit and is none; neither is a negative one.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = &rest[..rest.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(rest.len())];
        let after = &rest[number.len()..];
        let unit = &after[..after.find(|next: char| next.is_ascii_digit() || next == '.').unwrap_or(after.len())];
        let unit_seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit_seconds).ok()?)?;
        rest = &after[unit.len()..];
    }
    if text.is_empty() { None } else { Some(total) }
}

/// Spells a duration of whole milliseconds as Go does: `1m4s`, `1.5s`, `300ms`.
pub(super) fn format_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    if milliseconds < 1000 {
        return format!("{milliseconds}ms");
    }
    let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60);
    let seconds = format!("{}.{:03}", milliseconds / 1000 % 60, milliseconds % 1000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// The text of an error of the system: lower case, without its number.
pub(super) fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    let Some(code) = error.raw_os_error() else { return text };
    let text = text.trim_end_matches(&format!(" (os error {code})"));
    let first = text.chars().next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(text.chars().skip(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let cases = [
            ("30s", Some(30_000)),
            ("1m30s", Some(90_000)),
            ("1.5s", Some(1_500)),
            ("300ms", Some(300)),
            ("0", Some(0)),
            ("3h", Some(10_800_000)),
            ("30", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1d", None),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse_duration(text), milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn durations_are_spelt_as_go_spells_them() {
        for (milliseconds, text) in
            [(0, "0s"), (300, "300ms"), (1_000, "1s"), (1_500, "1.5s"), (64_000, "1m4s"), (60_000, "1m0s"), (3_600_000, "1h0m0s")]
        {
            assert_eq!(format_duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn errors_are_spelt_as_go_spells_them() {
        assert_eq!(error_text(&io::Error::from_raw_os_error(2)), "no such file or directory");
        assert_eq!(error_text(&io::Error::from_raw_os_error(98)), "address already in use");
        assert_eq!(error_text(&io::Error::from_raw_os_error(9)), "bad file descriptor");
        assert_eq!(error_text(&io::Error::from_raw_os_error(21)), "is a directory");
    }
}
