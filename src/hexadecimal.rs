//! Bytes as text that people and files can hold.

use std::fmt::Write as _;

/// `bytes` in hexadecimal: two digits of `0-9a-f` each.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String never fails");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(hexadecimal(&[0, 0x0a, 0xff, 0x10]), "000aff10");
        assert_eq!(hexadecimal(&[]), "");
    }
}
