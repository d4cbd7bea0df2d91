//! How a delivery is signed, so that whoever gets it knows where it is from and that it is not an old one sent again.

use jiff::Timestamp;
use ring::hmac;

use crate::{hexadecimal::hexadecimal, secret::Secret};

/// The header with the signature.
pub(super) const HEADER: &str = "adit-signature";

/// The signature of `body`, sent at `at`: `t=SECONDS,v1=HEX`, where the latter is HMAC-SHA256 over `SECONDS.BODY`.
pub(super) fn sign(secret: &Secret, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_second();
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()));
    context.update(seconds.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    format!("t={seconds},v1={}", hexadecimal(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_the_time_and_the_body() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let (secret, at) = (Secret::new("0123456789abcdef"), Timestamp::from_second(1_700_000_000).unwrap());
        let expected = "t=1700000000,v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23";
        assert_eq!(sign(&secret, at, br#"{"a":1}"#), expected);
    }
}
