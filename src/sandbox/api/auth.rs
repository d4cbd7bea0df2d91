//! Who calls, and whether they may: the status and code depend on the part of Cloudflare that a path belongs to.

use hyper::{HeaderMap, StatusCode, header::AUTHORIZATION};
use jiff::Timestamp;

use super::{call::Params, failure::Failure};
use crate::sandbox::world::{Permission, Token, TokenStatus, state::State};

/// The parts of Cloudflare, as far as they refuse differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// The verification of tokens.
    Verify,
    /// What belongs to an account, tunnels among it.
    Account,
    /// Zones and what is in them.
    Zone,
}

impl Family {
    /// The family of a path, known or not.
    pub(super) fn of(path: &str) -> Self {
        if path.ends_with("/tokens/verify") {
            Self::Verify
        } else if path == "/zones" || path.starts_with("/zones/") {
            Self::Zone
        } else {
            Self::Account
        }
    }

    /// The answer to a token that is not known, or does not count any more.
    fn bad_token(self) -> Failure {
        match self {
            Self::Verify => Failure::new(StatusCode::UNAUTHORIZED, 1000, "Invalid API Token"),
            Self::Account => Failure::new(StatusCode::UNAUTHORIZED, 10000, "Authentication error"),
            Self::Zone => Failure::new(StatusCode::FORBIDDEN, 9109, "Invalid access token"),
        }
    }

    /// The answer to a token that may not do this. For accounts it is the answer to a bad token, too.
    fn not_permitted(self) -> Failure {
        match self {
            Self::Verify | Self::Account => self.bad_token(),
            Self::Zone => Failure::new(StatusCode::FORBIDDEN, 9109, "Unauthorized to access requested resource"),
        }
    }

    /// The answer to a header that holds no token.
    fn malformed(self) -> Failure {
        match self {
            Self::Verify | Self::Zone => Failure::new(StatusCode::BAD_REQUEST, 6003, "Invalid request headers")
                .because(6111, "Invalid format for Authorization header"),
            Self::Account => Failure::new(StatusCode::BAD_REQUEST, 9106, "Authentication failed (status: 400)"),
        }
    }
}

/// The token that a request carries. One that does not count any more passes only to the verification, which tells why.
pub(super) fn authenticate(state: &State, headers: &HeaderMap, family: Family, now: Timestamp) -> Result<Token, Failure> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let text = header.and_then(|value| value.strip_prefix("Bearer ")).filter(|text| is_token_shaped(text));
    let text = text.ok_or_else(|| family.malformed())?;
    let token = state.tokens.iter().find(|token| token.text.expose() == text).ok_or_else(|| family.bad_token())?;
    match (token.status(now), family) {
        (TokenStatus::Active, _) | (TokenStatus::Disabled | TokenStatus::Expired, Family::Verify) => Ok(token.clone()),
        (TokenStatus::Disabled | TokenStatus::Expired, Family::Account | Family::Zone) => Err(family.bad_token()),
    }
}

/// Whether `token` may use an operation that needs any one of `needs`, on the account or zone of the path.
pub(super) fn authorize(
    state: &State,
    token: &Token,
    family: Family,
    needs: &[Permission],
    params: &Params,
    path: &str,
) -> Result<(), Failure> {
    let refused = || family.not_permitted();
    if !needs.is_empty() && !needs.iter().any(|permission| token.spec.permissions.contains(permission)) {
        return Err(refused());
    }
    let reaches = |account: &str| token.spec.accounts.iter().any(|own| own.as_str() == account);
    if params.get("account_id").is_some_and(|account| !reaches(account)) {
        return Err(refused());
    }
    if let Some(id) = params.get("zone_id") {
        let zone = state.zones.values().find(|zone| zone.id.as_str() == id);
        let zone = zone.ok_or_else(|| Failure::no_route(StatusCode::NOT_FOUND, path))?;
        if !reaches(zone.account.as_str()) {
            return Err(refused());
        }
    }
    Ok(())
}

fn is_token_shaped(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (40..=80).contains(&text.len()) && text.bytes().all(allowed)
}
