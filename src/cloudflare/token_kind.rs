//! What an API token's prefix says about it.

use crate::secret::Secret;

/// The kinds of API tokens ("Token formats" in Cloudflare's documentation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `cfut_`: owned by a user, whose whole rate limit it shares.
    User,
    /// `cfat_`: owned by an account, with a rate limit of its own. The better choice for a daemon.
    Account,
    /// `cfk_`: a Global API Key. It may do everything, so that it is refused.
    GlobalKey,
    /// No known prefix: an older token of a user or an account.
    Unmarked,
}

impl TokenKind {
    /// The kind of `token`, by its prefix alone.
    pub fn of(token: &Secret) -> Self {
        let prefixes = [("cfut_", Self::User), ("cfat_", Self::Account), ("cfk_", Self::GlobalKey)];
        let known = prefixes.iter().find(|(prefix, _)| token.expose().starts_with(prefix));
        known.map_or(Self::Unmarked, |&(_, kind)| kind)
    }
}

/// What to tell someone who gave a Global API Key.
pub(super) const GLOBAL_KEY_REFUSED: &str = "the credential is a Global API Key (cfk_…), which may do anything to the account: \
     make an API token with Account > Cloudflare Tunnel > Edit, Zone > DNS > Edit and Zone > Zone > Read instead";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_tells_the_kind() {
        for (token, kind) in [
            ("cfut_abc", TokenKind::User),
            ("cfat_abc", TokenKind::Account),
            ("cfk_abc", TokenKind::GlobalKey),
            ("abccfk_", TokenKind::Unmarked),
            ("CFUT_abc", TokenKind::Unmarked),
        ] {
            assert_eq!(TokenKind::of(&Secret::new(token)), kind, "{token}");
        }
    }
}
