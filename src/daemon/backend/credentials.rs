//! What is shown of an account's API token.

use jiff::Timestamp;

use super::{DaemonBackend, REQUEST_TIME_MAX, refusals::slow};
use crate::{
    cloudflare::TokenKind,
    config::{Account, TokenSource},
    control::{
        Progress, Told,
        api::{Credential, CredentialCheck, CredentialState, Error, ErrorKind, Reason},
    },
    daemon::{
        credential_check,
        tokens::{KnownToken, Nearness, TokenState, nearness},
    },
    name::AccountName,
};

impl DaemonBackend {
    /// Tries what the tokens may do: that of one account, or of all.
    pub(super) async fn try_credentials(
        &self,
        account: Option<&AccountName>,
        progress: &Progress,
    ) -> Result<Vec<CredentialCheck>, Error> {
        let intended = self.intended();
        if let Some(account) = account
            && !intended.config.accounts.contains_key(account)
        {
            let message = format!("cannot check the token of account \"{account}\": the configuration has no such account");
            let names: Vec<&str> = intended.config.accounts.keys().map(|name| name.as_str()).collect();
            return Err(Error::new(ErrorKind::NotFound, message).with_hint(format!("it has {}", names.join(", "))));
        }
        let mut answers = Vec::new();
        let is_asked = |name: &AccountName| account.is_none_or(|account| account == name);
        let total = intended.config.accounts.keys().filter(|name| is_asked(name)).count() as u64;
        for (name, settings) in intended.config.accounts.iter().filter(|(name, _)| is_asked(name)) {
            progress.tell(Told {
                done: answers.len() as u64,
                total,
                sentence: format!("what the token of account {name} may do is tried"),
            });
            let checks = match self.tokens.client(name) {
                Some(Ok(client)) => {
                    let checking = credential_check::of_account(&client, name, settings, &intended.config);
                    let (checks, status) = tokio::time::timeout(REQUEST_TIME_MAX, checking).await.map_err(|_| slow())?;
                    if let Some(status) = status {
                        self.tokens.learn(name, &status);
                    }
                    checks
                }
                Some(Err(why)) => vec![credential_check::unreadable(why)],
                None => vec![credential_check::unreadable("the account is being set up".to_owned())],
            };
            answers.push(CredentialCheck { account: name.to_string(), checks });
        }
        Ok(answers)
    }
}

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
