//! The credentials file of a locally configured tunnel, made of its token: the same facts under other names
//! (`facts/cloudflared.md` 2).

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::secret::Secret;

#[derive(Deserialize)]
struct Token {
    #[serde(rename = "a")]
    account: String,
    #[serde(rename = "t")]
    tunnel: String,
    #[serde(rename = "s")]
    secret: String,
    #[serde(rename = "e")]
    endpoint: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials<'a> {
    account_tag: &'a str,
    #[serde(rename = "TunnelID")]
    tunnel_id: &'a str,
    tunnel_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
}

/// The credentials that `token` stands for; `None` when it is not a connector token.
pub(super) fn from_token(token: &Secret) -> Option<Secret> {
    let text = Zeroizing::new(BASE64_STANDARD.decode(token.expose()).ok()?);
    let mut token: Token = serde_json::from_slice(&text).ok()?;
    let credentials = Credentials {
        account_tag: &token.account,
        tunnel_id: &token.tunnel,
        tunnel_secret: &token.secret,
        endpoint: token.endpoint.as_deref(),
    };
    let credentials = serde_json::to_string(&credentials).ok().map(Secret::new);
    token.secret.zeroize();
    credentials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_say_what_the_token_says() {
        let token = |json: &str| Secret::new(BASE64_STANDARD.encode(json));
        let credentials = |json: &str| from_token(&token(json)).map(|secret| secret.expose().to_owned());
        assert_eq!(
            credentials(r#"{"a":"acc","t":"tun","s":"c2VjcmV0"}"#).as_deref(),
            Some(r#"{"AccountTag":"acc","TunnelID":"tun","TunnelSecret":"c2VjcmV0"}"#)
        );
        assert_eq!(
            credentials(r#"{"a":"acc","t":"tun","s":"c2VjcmV0","e":"us"}"#).as_deref(),
            Some(r#"{"AccountTag":"acc","TunnelID":"tun","TunnelSecret":"c2VjcmV0","Endpoint":"us"}"#)
        );
        for bad in ["{}", "[]", ""] {
            assert_eq!(credentials(bad), None, "{bad:?}");
        }
        assert!(from_token(&Secret::new("no base64!")).is_none());
    }
}
