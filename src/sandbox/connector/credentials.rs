//! Who a connector is to the edge: the token or the credentials file of its tunnel.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{arguments::Values, go};
use crate::{
    id::{AccountId, TunnelId},
    secret::Secret,
};

/// What a token or a credentials file says.
pub(super) struct Credentials {
    pub(super) account: AccountId,
    pub(super) tunnel: TunnelId,
    /// Standard base64.
    pub(super) secret: Secret,
}

/// What a token lacks counts as this, as with the zero values of Go: cloudflared runs with a token of `{}`.
const NO_ACCOUNT: &str = "0";
const NO_TUNNEL: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    a: Option<String>,
    #[serde(default)]
    t: Option<String>,
    #[serde(default)]
    s: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "AccountTag", alias = "accountTag", alias = "accounttag", default)]
    account: Option<String>,
    #[serde(rename = "TunnelSecret", alias = "tunnelSecret", alias = "tunnelsecret", default)]
    secret: Option<String>,
}

/// The token's text from `--token`, `TUNNEL_TOKEN` or the token file; empty when there is none.
///
/// # Errors
///
/// A usage error in cloudflared's words.
pub(super) fn token_text(values: &Values) -> Result<Secret, String> {
    let path = values.text("token-file");
    if !values.text("token").is_empty() || path.is_empty() {
        return Ok(Secret::new(values.text("token")));
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Secret::new(text)),
        Err(error) => {
            // Go opens a directory and fails to read it; everything else fails to open.
            let verb = if error.kind() == std::io::ErrorKind::IsADirectory { "read" } else { "open" };
            Err(format!("Failed to read token file: {verb} {path}: {}", go::error_text(&error)))
        }
    }
}

/// Reads a token: standard base64 with padding, of a JSON object.
pub(super) fn parse_token(token: &Secret) -> Option<Credentials> {
    let json = STANDARD.decode(token.expose()).ok()?;
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&json).ok()?;
    let token = Token::deserialize(serde_json::Value::Object(object)).ok()?;
    let secret = token.s.unwrap_or_default();
    STANDARD.decode(&secret).ok()?;
    Some(Credentials {
        account: token.a.as_deref().unwrap_or(NO_ACCOUNT).parse().ok()?,
        tunnel: token.t.as_deref().unwrap_or(NO_TUNNEL).parse().ok()?,
        secret: Secret::new(secret),
    })
}

/// Reads the credentials file of a tunnel that is named by its id.
///
/// # Errors
///
/// In cloudflared's words.
pub(super) fn read_file(path: &str, tunnel: &TunnelId) -> Result<Credentials, String> {
    if path.is_empty() {
        return Err("tunnel credentials file not found".to_owned());
    }
    if !fs::metadata(path).is_ok_and(|file| !file.is_dir()) {
        return Err(format!("Tunnel credentials file '{path}' doesn't exist or is not a file"));
    }
    let text = fs::read(path).map_err(|error| format!("open {path}: {}", go::error_text(&error)))?;
    let invalid = || "Invalid JSON when parsing tunnel credentials file".to_owned();
    let file: File = serde_json::from_slice(&text).map_err(|_| invalid())?;
    Ok(Credentials {
        account: file.account.as_deref().unwrap_or(NO_ACCOUNT).parse().map_err(|_| invalid())?,
        tunnel: tunnel.clone(),
        secret: Secret::new(file.secret.unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(json: &str) -> Option<Credentials> {
        parse_token(&Secret::new(STANDARD.encode(json)))
    }

    #[test]
    fn a_token_names_account_tunnel_and_secret() {
        let credentials =
            token(r#"{"a":"0123456789abcdef0123456789abcdef","t":"11111111-2222-3333-4444-555555555555","s":"c2VjcmV0"}"#)
                .unwrap();

        assert_eq!(credentials.account.as_str(), "0123456789abcdef0123456789abcdef");
        assert_eq!(credentials.tunnel.as_str(), "11111111-2222-3333-4444-555555555555");
        assert_eq!(credentials.secret.expose(), "c2VjcmV0");
    }

    #[test]
    fn only_the_form_of_a_token_is_checked() {
        assert_eq!(token("{}").unwrap().tunnel.as_str(), NO_TUNNEL);
        assert!(token("[]").is_none());
        assert!(token(r#"{"t":7}"#).is_none());
        assert!(parse_token(&Secret::new("not base64!")).is_none());
        assert!(parse_token(&Secret::new(STANDARD.encode("{}  ").trim_end_matches('='))).is_none());
    }
}
