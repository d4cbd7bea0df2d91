//! Events and log lines: as lists, or followed.

use std::num::NonZeroU16;

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};
use futures_util::StreamExt;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{App, bad_query, tunnel_name};
use crate::control::{
    api::{Error, ErrorKind, Event, Followed, LogLine},
    backend::{Backend, EventQuery, LogQuery},
    server::{Shared, answer, gate::Caller, stream},
};

/// How many lines or events are given when nobody says how many.
const GIVEN: NonZeroU16 = NonZeroU16::new(100).expect("100 is not 0");

/// The most lines or events that are given at once.
const GIVEN_MAX: NonZeroU16 = NonZeroU16::new(10_000).expect("10,000 is not 0");

/// How many of those that there are already are given. Who goes on behind an element of a stream wants all that came after it.
pub(super) fn given(asked: Option<NonZeroU16>, follow: bool, since: Option<u64>) -> NonZeroU16 {
    let goes_on = follow && since.is_some();
    asked.unwrap_or(if goes_on { GIVEN_MAX } else { GIVEN }).min(GIVEN_MAX)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct Logs {
    /// Whether every line is sent as it is written, after those that there are.
    #[serde(default)]
    follow: bool,
    /// How many of the lines that there are, the newest: 100 unless told; more than 10000 are never given.
    lines: Option<NonZeroU16>,
    /// Only lines after the one of this id.
    since: Option<u64>,
    /// Only lines of this replica, counted from 0.
    replica: Option<u8>,
}

pub(in crate::control::server) async fn logs<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    query: Result<Query<Logs>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Query(Logs { follow, lines, since, replica }) = query.map_err(|error| bad_query(&error))?;
    let name = tunnel_name(&shared, &caller, &name)?;
    if shared.backend.tunnel(&name).is_none() {
        return Err(shared.no_such_tunnel(&caller, name.as_str()));
    }
    let since = last_seen(&headers)?.or(since);
    let query = LogQuery { lines: given(lines, follow, since), since, replica };
    if !follow {
        return Ok(answer::json(&shared.backend.logs(&name, &query).await?));
    }
    let feed = shared.backend.follow_logs(&name, &query).await?;
    Ok(stream::follow(feed, |line: &LogLine| line.id, |_| true, shared.shutdown.clone()))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct Events {
    /// Whether every event is sent as it happens, after those that there are.
    #[serde(default)]
    follow: bool,
    /// How many of the events that there are, the newest: 100 unless told; more than 10000 are never given.
    limit: Option<NonZeroU16>,
    /// Only events after the one of this id.
    since: Option<u64>,
    /// Only events from this time on.
    from: Option<Timestamp>,
    /// Only events of this tunnel.
    tunnel: Option<String>,
}

pub(in crate::control::server) async fn events<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    query: Result<Query<Events>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Query(Events { follow, limit, since, from, tunnel }) = query.map_err(|error| bad_query(&error))?;
    let tunnel = tunnel.map(|name| tunnel_name(&shared, &caller, &name)).transpose()?;
    let since = last_seen(&headers)?.or(since);
    let query = EventQuery { limit: given(limit, follow, since), since, from, tunnel };
    let shows = visible(&shared, &caller);
    if follow && (caller.sees_all() || since.is_some()) {
        let feed = shared.backend.follow_events(&query).await?;
        return Ok(stream::follow(feed, |event: &Event| event.id, shows, shared.shutdown.clone()));
    }
    // The limit counts what the caller may see.
    let limit = usize::from(query.limit.get());
    let query = EventQuery { limit: GIVEN_MAX, ..query };
    let mut events = shared.backend.events(&query).await?;
    let since = events.last().map(|event| event.id);
    events.retain(&shows);
    events.drain(..events.len().saturating_sub(limit));
    if !follow {
        return Ok(answer::json(&events));
    }
    let next = shared.backend.follow_events(&EventQuery { since, ..query }).await?;
    let feed = futures_util::stream::iter(events.into_iter().map(Followed::Item)).chain(next);
    Ok(stream::follow(Box::pin(feed), |event: &Event| event.id, shows, shared.shutdown.clone()))
}

/// Which events the caller may see: all, or those of the tunnels that they may see by now.
fn visible<B: Backend>(shared: &Shared<B>, caller: &Caller) -> impl Fn(&Event) -> bool + Send + 'static {
    let seen = (!caller.sees_all()).then(|| caller.seen_names(&shared.backend));
    move |event| match (&seen, &event.subject.tunnel) {
        (None, _) => true,
        (Some(seen), tunnel) => tunnel.as_ref().is_some_and(|tunnel| seen.contains(tunnel)),
    }
}

/// Where a reader that was cut off goes on: `Last-Event-ID`, as Server-Sent Events have it.
pub(super) fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let text = String::from_utf8_lossy(id.as_bytes());
    text.parse().map(Some).map_err(|_| {
        Error::new(ErrorKind::Malformed, format!("cannot go on behind {text:?}: Last-Event-ID is no id of an element"))
            .with_hint("it is a number, as in the \"id\" lines of the stream; leave it out to begin anew")
    })
}
