//! Following a stream over a restart of the daemon.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Context, Ending, Failure};
use crate::control::{
    Client, Follow, Trouble,
    api::{ErrorKind, Followed},
};

/// How long it is waited for the next daemon: a restart takes less than a second, one whose daemon hung some minutes.
pub(super) const NEXT_DAEMON_TIME_MAX: Duration = Duration::from_secs(5 * 60);

/// How long to wait between two attempts to reach it. Under systemd the first attempt waits in the socket's queue by itself.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(200);

/// A stream that lived for so long was no failed attempt, even if nothing came.
const STABLE_AFTER: Duration = Duration::from_secs(5);

/// The most events and audit entries that the daemon gives at once: so many are read of what came during a break.
pub(super) const READ_MAX: &str = "10000";

/// What is asked for: keys with their values.
pub(super) type Query = Vec<(&'static str, String)>;

/// The query that goes on behind `last`, whatever it began with; the same when nothing was shown yet.
pub(super) fn behind(last: Option<u64>, query: &[(&'static str, String)]) -> Query {
    let mut query = query.to_vec();
    if let Some(last) = last {
        query.retain(|(key, _)| !matches!(*key, "limit" | "since" | "from"));
        query.extend([("limit", READ_MAX.to_owned()), ("since", last.to_string())]);
    }
    query
}

/// Something that can be followed, and gone on with where it broke off.
pub(super) trait Resumable {
    /// What comes.
    type Item: serde::de::DeserializeOwned;

    /// Begins, or goes on behind what was shown.
    async fn open(&mut self, client: &Client) -> Result<Follow<Self::Item>, Trouble>;

    /// Shows what came, or passes it over because it was shown before.
    fn show(&mut self, next: Followed<Self::Item>, context: &mut Context<'_>) -> Result<(), Failure>;
}

/// Shows everything that comes, until the reader is gone or there is no daemon any more.
pub(super) async fn follow(followed: &mut impl Resumable, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut stream = followed.open(&context.client).await?;
    let mut opened_at = Instant::now();
    let mut give_up_at = None;
    loop {
        let came = show_all(followed, &mut stream, context).await?;
        if came || opened_at.elapsed() >= STABLE_AFTER {
            give_up_at = None;
        }
        let give_up_at = *give_up_at.get_or_insert_with(|| {
            context.terminal.tell("the daemon ended the stream; waiting for the next one");
            Instant::now() + NEXT_DAEMON_TIME_MAX
        });
        stream = when_it_is_back(give_up_at, async || followed.open(&context.client).await).await?;
        opened_at = Instant::now();
    }
}

/// Shows what comes until the stream ends or breaks, and says whether anything came.
async fn show_all<F: Resumable>(
    followed: &mut F,
    stream: &mut Follow<F::Item>,
    context: &mut Context<'_>,
) -> Result<bool, Failure> {
    let mut came = false;
    loop {
        match stream.next().await {
            Ok(Some(next)) => followed.show(next, context)?,
            Ok(None) | Err(Trouble::Broken { .. }) => return Ok(came),
            Err(trouble) => return Err(trouble.into()),
        }
        came = true;
    }
}

/// What the next daemon answers, or the trouble with the last attempt to reach one.
pub(super) async fn when_it_is_back<T>(
    give_up_at: Instant,
    mut ask: impl AsyncFnMut() -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    loop {
        sleep(RETRY_AFTER).await;
        match ask().await {
            Err(trouble) if may_pass(&trouble) && Instant::now() < give_up_at => {}
            result => return result,
        }
    }
}

/// Whether the next daemon may answer otherwise.
pub(super) fn may_pass(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::NotReachable { .. } | Trouble::Broken { .. } | Trouble::Slow { .. } => true,
        Trouble::Refused(error) => matches!(error.kind, ErrorKind::Busy | ErrorKind::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_followed_goes_on_behind_what_was_shown_and_keeps_what_it_is_about() {
        let query = vec![("tunnel", "web".to_owned()), ("from", "2026-01-02T03:04:05Z".to_owned()), ("limit", "7".to_owned())];
        assert_eq!(behind(None, &query), query);
        let expected = [("tunnel", "web"), ("limit", READ_MAX), ("since", "17")].map(|(key, value)| (key, value.to_owned()));
        assert_eq!(behind(Some(17), &query), expected);
    }
}
