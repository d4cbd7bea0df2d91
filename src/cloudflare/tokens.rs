//! Whether an API token works at all. What it may do shows only in the calls themselves.

use jiff::Timestamp;
use serde::Deserialize;

use crate::id::AccountId;

use super::{
    Client, Error, Kind, TokenKind,
    call::{Call, Method, Resource},
    lenient,
};

/// What Cloudflare says about a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TokenStatus {
    /// Whether it can be used.
    pub status: TokenState,
    /// When it stops working; `None` for never.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub expires_on: Option<Timestamp>,
    /// When it starts working; `None` when it does already.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub not_before: Option<Timestamp>,
}

/// The life of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenState {
    /// It works.
    Active,
    /// Someone switched it off.
    Disabled,
    /// Its time is over.
    Expired,
}

impl Client {
    /// What the token is by its form; `None` while there is none.
    pub fn token_kind(&self) -> Option<TokenKind> {
        self.transport.token.borrow().as_ref().map(TokenKind::of)
    }

    /// Asks whether the token works. Its prefix decides where: a user's token at the user, an account's at `account`, one
    /// without a prefix at the user and then, refused there, at `account`.
    ///
    /// # Errors
    ///
    /// [`Kind::Auth`] when it is refused, [`Kind::Invalid`] when it is an account's and `account` is not given.
    pub async fn verify_token(&self, account: Option<&AccountId>) -> Result<TokenStatus, Error> {
        match self.token_kind() {
            Some(TokenKind::Account) => match account {
                Some(account) => self.verify(&at_account(account)).await,
                None => Err(Error::of(Kind::Invalid, &at_user())
                    .detail("a token of an account (cfat_…) is verified at its account, whose id is not known")),
            },
            Some(TokenKind::Unmarked) => match (self.verify(&at_user()).await, account) {
                // The user's endpoint refuses an account's token as if it were a bad one.
                (Err(error), Some(account)) if matches!(error.kind(), Kind::Auth { .. }) => {
                    self.verify(&at_account(account)).await
                }
                (answer, _) => answer,
            },
            // Without a token, or with a Global API Key, the call itself says what is wrong.
            Some(TokenKind::User | TokenKind::GlobalKey) | None => self.verify(&at_user()).await,
        }
    }

    async fn verify(&self, call: &Call) -> Result<TokenStatus, Error> {
        Ok(self.transport.call(call).await?.value)
    }
}

fn at_user() -> Call {
    Call::new(Method::Get, Resource::Verify, ["user", "tokens", "verify"], "verify the API token")
}

fn at_account(account: &AccountId) -> Call {
    let path = ["accounts", account.as_str(), "tokens", "verify"];
    Call::new(Method::Get, Resource::Verify, path, format!("verify the API token at account {account}"))
}
