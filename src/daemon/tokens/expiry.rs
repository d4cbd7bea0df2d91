//! When a token stops working: asked of Cloudflare, told in time, and a reason to read the token again.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::{Shared, Tokens, lock};
use crate::{
    cloudflare::{Client, Kind, TokenStatus},
    config::Account,
    event::DaemonEvent,
    id::AccountId,
    name::AccountName,
};

/// How long a token is used before it is asked when it expires: what the tunnels need goes first.
const ASK_AFTER: Duration = Duration::from_secs(30);

/// How often it is asked again: somebody may give a token more time.
const ASK_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// How soon it is asked again when nobody answered.
const ASK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// How long before its end a token is told to expire soon: a fortnight, so that a holiday lies between at worst.
const SOON: Duration = Duration::from_secs(14 * 24 * 3_600);

/// How long before its end it is told once more, louder.
const VERY_SOON: Duration = Duration::from_secs(24 * 3_600);

/// How long before its end a token is read again: whoever hands out short-lived ones has the next one by then.
const READ_AHEAD: Duration = Duration::from_secs(10 * 60);

/// The shortest wait for that: a source that goes on giving a token that ends is not asked all the time.
const READ_AGAIN_MIN: Duration = Duration::from_secs(60);

/// How near the end of a token is. Ordered by nearness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::daemon) enum Nearness {
    Far,
    Soon,
    VerySoon,
}

/// How near `expires_at` is.
pub(in crate::daemon) fn nearness(expires_at: Option<Timestamp>, now: Timestamp) -> Nearness {
    let Some(left) = expires_at.map(|at| until(at, now)) else { return Nearness::Far };
    if left <= VERY_SOON {
        Nearness::VerySoon
    } else if left <= SOON {
        Nearness::Soon
    } else {
        Nearness::Far
    }
}

/// How long a token may be used before it is read again.
pub(super) fn read_again_in(expires_at: Timestamp, now: Timestamp) -> Duration {
    until(expires_at, now).saturating_sub(READ_AHEAD).max(READ_AGAIN_MIN)
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

impl Tokens {
    /// Keeps asking when the account's token expires.
    pub(super) async fn keep_asking(self, name: AccountName, account: Account, client: Client, shared: Arc<Shared>) {
        let mut token = shared.token.subscribe();
        loop {
            while token.borrow_and_update().is_none() {
                if token.changed().await.is_err() {
                    return;
                }
            }
            let mut wait = ASK_AFTER;
            // Another token begins anew.
            while timeout(wait, token.changed()).await.is_err() {
                wait = match ask(&client, account.account_id.as_ref()).await {
                    Some(status) => {
                        self.learn_expiry(&name, &shared, &status);
                        next_question(status.expires_on, Timestamp::now())
                    }
                    None => ASK_AGAIN,
                };
            }
        }
    }

    /// Takes in what Cloudflare says of the account's token.
    pub(in crate::daemon) fn learn(&self, name: &AccountName, status: &TokenStatus) {
        let shared = lock(&self.0.accounts).get(name).map(|keeper| keeper.shared.clone());
        if let Some(shared) = shared {
            self.learn_expiry(name, &shared, status);
        }
    }

    fn learn_expiry(&self, name: &AccountName, shared: &Shared, status: &TokenStatus) {
        let expires_at = status.expires_on;
        self.0.metrics.set_credential_expiry(name, expires_at);
        let near = nearness(expires_at, Timestamp::now());
        let before = shared.expiry.send_replace(expires_at);
        let told = std::mem::replace(&mut *lock(&shared.nearness), near);
        if let Some(at) = expires_at
            && near > Nearness::Far
            && (near > told || before != expires_at)
        {
            self.0.events.tell(DaemonEvent::CredentialExpires {
                account: name.clone(),
                at,
                very_soon: near == Nearness::VerySoon,
            });
        }
    }

    /// Waits until the token has to be read again because it ends; for ever when it does not, as far as is known.
    pub(super) async fn until_it_ends(shared: &Shared) {
        let mut expiry = shared.expiry.subscribe();
        loop {
            let known = *expiry.borrow_and_update();
            let ends = async {
                match known {
                    Some(at) => sleep(read_again_in(at, Timestamp::now())).await,
                    None => std::future::pending().await,
                }
            };
            // Cancel-safe: the wait is worked out anew from what is known then.
            tokio::select! {
                () = ends => return,
                changed = expiry.changed() => if changed.is_err() { std::future::pending::<()>().await },
            }
        }
    }
}

/// When it is asked again: once a day, and when the next thing is to be told.
fn next_question(expires_at: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(left) = expires_at.map(|at| until(at, now)) else { return ASK_EVERY };
    let told_in = [SOON, VERY_SOON].into_iter().filter_map(|span| left.checked_sub(span)).filter(|wait| !wait.is_zero());
    // A moment later, so that it has come.
    told_in.map(|wait| wait + Duration::from_secs(1)).fold(ASK_EVERY, Duration::min)
}

/// What Cloudflare says of the token; `None` when it does not say. A token of an account is asked at its account.
async fn ask(client: &Client, account: Option<&AccountId>) -> Option<TokenStatus> {
    match client.verify_token(account).await {
        Ok(status) => Some(status),
        Err(error) if account.is_none() && error.kind() == Kind::Invalid => {
            let zones = client.zones().await.ok()?;
            let account = zones.first().map(|zone| zone.account_id.clone())?;
            let is_only_one = zones.iter().all(|zone| zone.account_id == account);
            if is_only_one { client.verify_token(Some(&account)).await.ok() } else { None }
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_end_of_a_token_is_told_a_fortnight_and_a_day_before() {
        for (days, expected) in
            [(30, Nearness::Far), (14, Nearness::Soon), (2, Nearness::Soon), (1, Nearness::VerySoon), (-1, Nearness::VerySoon)]
        {
            assert_eq!(nearness(Some(at(100 * DAY + days * DAY)), at(100 * DAY)), expected, "{days}");
        }
        assert_eq!(nearness(None, at(0)), Nearness::Far);
    }

    #[test]
    fn a_token_is_read_again_before_it_ends_and_never_all_the_time() {
        assert_eq!(read_again_in(at(3_600), at(0)).as_secs(), 3_000);
        assert_eq!(read_again_in(at(300), at(0)).as_secs(), 60);
        assert_eq!(read_again_in(at(0), at(300)).as_secs(), 60, "it has ended");
    }

    #[test]
    fn it_is_asked_once_a_day_and_when_something_is_to_be_told() {
        assert_eq!(next_question(None, at(0)), ASK_EVERY);
        assert_eq!(next_question(Some(at(100 * DAY)), at(0)), ASK_EVERY);
        assert_eq!(next_question(Some(at(14 * DAY + 60)), at(0)).as_secs(), 61);
        assert_eq!(next_question(Some(at(14 * DAY)), at(0)), ASK_EVERY);
        assert_eq!(next_question(Some(at(DAY + 60)), at(0)).as_secs(), 61);
    }
}
