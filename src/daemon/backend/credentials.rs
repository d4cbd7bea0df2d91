//! What is shown of an account's API token.

use jiff::Timestamp;

use crate::{
    cloudflare::TokenKind,
    config::{Account, TokenSource},
    control::api::{Credential, CredentialState, Reason},
    daemon::tokens::{KnownToken, Nearness, TokenState, nearness},
    name::AccountName,
};

/// The token of `account` as it is shown.
pub(super) fn shown(name: &AccountName, account: &Account, known: Option<&KnownToken>, now: Timestamp) -> Credential {
    let reason = |code: &str, sentence: String| Some(Reason { code: code.to_owned(), sentence });
    let expires_at = known.and_then(|known| known.expires_at);
    let remedy = remedy(&account.api_token);
    let (state, reason) = match known.map(|known| &known.state) {
        None | Some(TokenState::Unknown) => (CredentialState::Unknown, None),
        Some(TokenState::Usable) => match (expires_at, nearness(expires_at, now)) {
            (Some(at), Nearness::Soon | Nearness::VerySoon) => {
                (CredentialState::Usable, reason("expires-soon", format!("it expires at {at}; {remedy}")))
            }
            (None, _) | (Some(_), Nearness::Far) => (CredentialState::Usable, None),
        },
        Some(TokenState::Refused) => {
            let sentence = format!(
                "Cloudflare refuses the token, or something that it is needed for (`adit credential check` tells); {remedy}"
            );
            (CredentialState::Unusable, reason("refused", sentence))
        }
        Some(TokenState::Unreadable(error)) => (CredentialState::Unusable, reason("unreadable", error.clone())),
    };
    let kind = known.and_then(|known| known.kind).map(|kind| kind_word(kind).to_owned());
    Credential { account: name.to_string(), source: account.api_token.to_string(), state, reason, kind, expires_at }
}

/// How another token gets here.
fn remedy(source: &TokenSource) -> &'static str {
    match source {
        TokenSource::Credential(_) => {
            "systemd copied it when the unit started: store another one and run `systemctl restart adit`, which drops no tunnel"
        }
        TokenSource::File(_) => "another one in its file is read at once",
        TokenSource::Command(_) => "`adit config reload` asks the command for another one at once",
        TokenSource::Env(_) => "another one needs a restart of the daemon",
    }
}

fn kind_word(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::User => "user",
        TokenKind::Account => "account",
        TokenKind::Unmarked => "unmarked",
        TokenKind::GlobalKey => "global-key",
    }
}
