//! The token that a connector starts with, computed from what is known anyway.
//!
//! It is standard base64 of `{"a":account,"t":tunnel,"s":secret}` (cloudflared `connection/connection.go`, `TunnelToken`), so
//! that whoever chose the tunnel's secret needs no call to learn the token.

use base64::{
    Engine,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use rand::Rng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    id::{AccountId, TunnelId},
    secret::Secret,
};

/// Bytes of a new tunnel's secret: the fewest that Cloudflare takes, and as many as a key needs.
const TUNNEL_SECRET_BYTES: usize = 32;

/// The longest connector token that is read: several times the real length of about 180 characters.
const TOKEN_MAX: usize = 4 * 1024;

/// Padding or none, as tokens get copied by people.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What a connector token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorToken {
    /// The account that the tunnel belongs to.
    pub account: AccountId,
    /// The tunnel.
    pub tunnel: TunnelId,
    /// The tunnel's secret: base64, as it is sent when a tunnel is created.
    pub secret: Secret,
}

/// Why a text is no connector token. It says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorTokenError {
    /// It is not base64, or far too long.
    #[error("cannot read the connector token: it is not base64 (it starts with eyJ and is one line)")]
    Encoding,
    /// What it encodes is something else.
    #[error("cannot read the connector token: it does not hold an account, a tunnel and a secret")]
    Content,
}

/// Borrowed where no copy of the secret is wanted.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    a: &'a str,
    t: &'a str,
    s: &'a str,
}

/// The token of a connector of `tunnel`; `secret` is the tunnel's secret as base64, as it was sent when the tunnel was
/// created.
pub fn connector_token(account: &AccountId, tunnel: &TunnelId, secret: &Secret) -> Secret {
    let written = Written { a: account.as_str(), t: tunnel.as_str(), s: secret.expose() };
    let json = Zeroizing::new(serde_json::to_vec(&written).expect("three texts can be written"));
    Secret::new(STANDARD.encode(&*json))
}

/// Reads a connector token.
///
/// # Errors
///
/// When `token` is not base64 of an account, a tunnel and a base64 secret.
pub fn parse_connector_token(token: &Secret) -> Result<ConnectorToken, ConnectorTokenError> {
    if token.expose().len() > TOKEN_MAX {
        return Err(ConnectorTokenError::Encoding);
    }
    let json = Zeroizing::new(LENIENT.decode(token.expose()).map_err(|_| ConnectorTokenError::Encoding)?);
    let Written { a, t, s } = serde_json::from_slice(&json).map_err(|_| ConnectorTokenError::Content)?;
    let secret = Zeroizing::new(LENIENT.decode(s).map_err(|_| ConnectorTokenError::Content)?);
    match (a.parse(), t.parse()) {
        (Ok(account), Ok(tunnel)) if !secret.is_empty() => Ok(ConnectorToken { account, tunnel, secret: Secret::new(s) }),
        _ => Err(ConnectorTokenError::Content),
    }
}

/// A new secret for a tunnel: 32 random bytes as base64.
pub fn new_tunnel_secret() -> Secret {
    let mut bytes = Zeroizing::new([0; TUNNEL_SECRET_BYTES]);
    rand::rng().fill_bytes(&mut *bytes);
    Secret::new(STANDARD.encode(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account() -> AccountId {
        "0a1b".parse().unwrap()
    }

    fn tunnel() -> TunnelId {
        "11111111-2222-3333-4444-555555555555".parse().unwrap()
    }

    #[test]
    fn the_token_is_what_cloudflared_reads() {
        let token = connector_token(&account(), &tunnel(), &Secret::new("c2VjcmV0"));
        let json = String::from_utf8(STANDARD.decode(token.expose()).unwrap()).unwrap();
        assert_eq!(json, r#"{"a":"0a1b","t":"11111111-2222-3333-4444-555555555555","s":"c2VjcmV0"}"#);
    }

    #[test]
    fn tokens_of_others_are_read_with_and_without_padding_and_with_more_in_them() {
        let json = r#"{"s":"c2VjcmV0","a":"0a1b","e":"fed","t":"11111111-2222-3333-4444-555555555555"}"#;
        let padded = STANDARD.encode(json);
        for text in [padded.as_str(), padded.trim_end_matches('=')] {
            let token = parse_connector_token(&Secret::new(text)).unwrap();
            assert_eq!((token.account, token.tunnel, token.secret.expose()), (account(), tunnel(), "c2VjcmV0"));
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_showing_it() {
        let encoded = |json: &str| STANDARD.encode(json);
        for (text, error) in [
            ("canary!".to_owned(), ConnectorTokenError::Encoding),
            ("a".repeat(TOKEN_MAX + 1), ConnectorTokenError::Encoding),
            (encoded("canary"), ConnectorTokenError::Content),
            (encoded(r#"{"a":"0a1b","t":"1"}"#), ConnectorTokenError::Content),
            (encoded(r#"{"a":"0a1b","t":"1","s":""}"#), ConnectorTokenError::Content),
            (encoded(r#"{"a":"0a1b","t":"1","s":"canary!"}"#), ConnectorTokenError::Content),
            (encoded(r#"{"a":"../x","t":"1","s":"c2VjcmV0"}"#), ConnectorTokenError::Content),
        ] {
            let refusal = parse_connector_token(&Secret::new(text)).unwrap_err();
            assert_eq!(refusal, error);
            assert!(!format!("{refusal} {refusal:?}").contains("canary"));
        }
    }

    #[test]
    fn new_secrets_have_32_bytes_and_differ() {
        let [first, second] = [new_tunnel_secret(), new_tunnel_secret()];
        assert_eq!(STANDARD.decode(first.expose()).unwrap().len(), 32);
        assert_eq!(first.expose().len(), 44);
        assert!(first != second);
    }

    proptest! {
        #[test]
        fn every_token_can_be_read_back(account in "[0-9a-f]{32}", bytes in prop::collection::vec(any::<u8>(), 1..80)) {
            let (account, secret) = (account.parse().unwrap(), Secret::new(STANDARD.encode(bytes)));
            let token = parse_connector_token(&connector_token(&account, &tunnel(), &secret)).unwrap();
            prop_assert_eq!(token, ConnectorToken { account, tunnel: tunnel(), secret });
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".*") {
            let _ = parse_connector_token(&Secret::new(text));
        }
    }
}
