//! Amounts of memory as people write them: `256MiB`.

use std::fmt;

use serde::{Serialize, Serializer};

/// An amount of memory, in bytes: 32 MiB to 1 TiB. Displayed as cloudflared's Go runtime reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(u64);

/// The units, the largest first.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// With less, cloudflared does little but look for memory that it could free.
const MIN: u64 = 32 << 20;
/// No connector needs as much; a larger number is a slip.
const MAX: u64 = 1 << 40;

const RULE: &str = "an amount of memory is a number with B, KiB, MiB or GiB, as in 256MiB";

/// Reads an amount of memory: a whole number and a unit.
pub(super) fn parse(text: &str) -> Result<Bytes, &'static str> {
    let digits = text.find(|char: char| !char.is_ascii_digit()).ok_or(RULE)?;
    let (number, unit) = text.split_at(digits);
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(RULE)?;
    if number.is_empty() {
        return Err(RULE);
    }
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*unit));
    match bytes {
        Some(bytes @ MIN..=MAX) => Ok(Bytes(bytes)),
        Some(0..MIN) => Err("with less than 32MiB cloudflared does little but look for memory that it could free"),
        Some(_) | None => Err("at most 1024GiB can be given"),
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        let (unit, length) =
            UNITS.iter().find(|(_, length)| bytes.is_multiple_of(*length)).expect("every number is one of bytes");
        write!(formatter, "{}{unit}", bytes / length)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_in_the_largest_unit_that_fits() {
        for (text, written) in [
            ("256MiB", "256MiB"),
            ("33554432B", "32MiB"),
            ("33554433B", "33554433B"),
            ("2048MiB", "2GiB"),
            ("102400KiB", "100MiB"),
            ("1024GiB", "1024GiB"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_is_no_amount_or_no_sensible_one_is_refused() {
        for text in ["", "256", "MiB", "256MB", "256 MiB", "1.5GiB", "-1GiB", "256mib", "é"] {
            assert_eq!(parse(text), Err(RULE), "{text:?}");
        }
        for text in ["0B", "31MiB", "1025GiB", "99999999999999999999GiB"] {
            assert!(parse(text).is_err_and(|why| why != RULE), "{text:?}");
        }
    }
}
