//! Events and log lines: which are wanted, and how they follow one another.

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    control::{
        AuditQuery, EventQuery, LogQuery,
        api::{AuditEntry, Event, Followed, LogLine},
        view,
    },
    event::Entry,
    name::TunnelName,
    output::Batch,
    recorder::Feed,
    supervisor::Supervisor,
};

pub(super) fn wants_entry(query: &EventQuery, entry: &Entry) -> bool {
    query.from.is_none_or(|from| entry.at >= from)
        && query.tunnel.as_ref().is_none_or(|tunnel| entry.subject.tunnel.as_ref() == Some(tunnel))
}

pub(super) fn newest(mut events: Vec<Event>, query: &EventQuery) -> Vec<Event> {
    events.drain(..events.len().saturating_sub(usize::from(query.limit.get())));
    events
}

pub(super) fn wants_line(query: &LogQuery, line: &LogLine) -> bool {
    query.since.is_none_or(|since| line.id > since) && query.replica.is_none_or(|replica| line.replica == replica)
}

/// The newest of the events that there are, and then every one as it happens.
pub(super) fn follow_events(feed: &Feed, query: &EventQuery) -> impl Stream<Item = Followed<Event>> + Send + use<> {
    let following = feed.follow(query.since);
    let past = following.past.iter().filter(|entry| wants_entry(query, entry)).map(|entry| view::event(entry));
    let past: Vec<Event> = past.collect();
    let left_out = past.len().saturating_sub(usize::from(query.limit.get())) as u64;
    // Who goes on behind an event is told what it does not get; who begins gets the newest.
    let missed = query.since.map(|_| left_out + u64::from(following.has_gap)).filter(|missed| *missed > 0);
    let past = missed.map(Followed::Missed).into_iter().chain(newest(past, query).into_iter().map(Followed::Item));
    let query = query.clone();
    let next = followed(following.next).filter_map(move |followed| {
        std::future::ready(match followed {
            Followed::Item(entry) if wants_entry(&query, &entry) => Some(Followed::Item(view::event(&entry))),
            Followed::Item(_) => None,
            Followed::Missed(count) => Some(Followed::Missed(count)),
        })
    });
    stream::iter(past).chain(next)
}

/// The lines that there are, and then every line as it is written: each once, in the order of their numbers. With `since` they
/// begin behind that one, otherwise with the last of those that there are.
pub(super) async fn follow_lines(
    supervisor: Supervisor,
    name: TunnelName,
    query: LogQuery,
) -> impl Stream<Item = Followed<LogLine>> + Send {
    // Watching begins before the past is read, so that nothing comes between them.
    let mut changes = supervisor.watch_logs(&name);
    let (first, last) = match query.since {
        Some(since) => (Batch::default(), since),
        None => {
            let batch = supervisor.recent_logs(&name, usize::from(query.lines.get())).await;
            let last = batch.last.unwrap_or(0);
            (batch, last)
        }
    };
    changes.mark_changed();
    let wanted = query.clone();
    let next = stream::unfold((supervisor, name, changes, last), async |(supervisor, name, mut changes, last)| {
        // Its sender is as old as the daemon.
        changes.changed().await.ok()?;
        let batch = supervisor.logs_behind(&name, last).await;
        let reached = batch.last.unwrap_or(last);
        if reached > last {
            // There may be more than is read at once.
            changes.mark_changed();
        }
        Some((batch, (supervisor, name, changes, reached)))
    });
    stream::once(async { first }).chain(next).flat_map(move |batch| stream::iter(elements(&batch, &wanted)))
}

fn elements(batch: &Batch, query: &LogQuery) -> Vec<Followed<LogLine>> {
    let missed = (batch.missed > 0).then_some(Followed::Missed(batch.missed));
    let lines = batch.lines.iter().map(view::log_line).filter(|line| wants_line(query, line));
    missed.into_iter().chain(lines.map(Followed::Item)).collect()
}

/// The entries that there are, and then each that is written: each once, in the order of their ids.
pub(super) fn follow_entries(
    past: Vec<AuditEntry>,
    next: Receiver<AuditEntry>,
    query: AuditQuery,
) -> impl Stream<Item = Followed<AuditEntry>> + Send {
    let last = past.last().map(|entry| entry.id);
    let next = followed(next).filter(move |followed| {
        std::future::ready(match followed {
            Followed::Item(entry) => last.is_none_or(|last| entry.id > last) && query.wants(entry),
            Followed::Missed(_) => true,
        })
    });
    stream::iter(past.into_iter().map(Followed::Item)).chain(next)
}

/// Everything that a broadcast brings, until its sender is gone.
pub(super) fn followed<T: Clone + Send + 'static>(receiver: Receiver<T>) -> impl Stream<Item = Followed<T>> + Send {
    stream::unfold(receiver, async |mut receiver| match receiver.recv().await {
        Ok(item) => Some((Followed::Item(item), receiver)),
        Err(RecvError::Lagged(missed)) => Some((Followed::Missed(missed), receiver)),
        Err(RecvError::Closed) => None,
    })
}
