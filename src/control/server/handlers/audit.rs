//! The audit log, as a list or followed.

use std::num::NonZeroU16;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App, bad_query,
    feed::{given, last_seen},
};
use crate::control::{
    api::{AuditEntry, Error},
    audit::AuditQuery,
    backend::Backend,
    server::{answer, stream},
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct Entries {
    /// Whether every entry is sent as it is kept, after those that there are.
    #[serde(default)]
    follow: bool,
    /// How many of the entries that there are, the newest: 100 unless told; more than 10000 are never given.
    limit: Option<NonZeroU16>,
    /// Only entries after the one of this id.
    since: Option<u64>,
    /// Only entries of this time or later.
    from: Option<Timestamp>,
    /// Only entries before this time.
    until: Option<Timestamp>,
    /// Only what this user did, by name or uid.
    who: Option<String>,
    /// Only this verb.
    verb: Option<String>,
    /// Only what was about this tunnel.
    tunnel: Option<String>,
    /// Only this result: `done`, or the kind of a refusal.
    result: Option<String>,
    /// Only what was refused, or only what was not.
    refused: Option<bool>,
}

pub(in crate::control::server) async fn audit<B: Backend>(
    State(shared): App<B>,
    query: Result<Query<Entries>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Query(Entries { follow, limit, since, from, until, who, verb, tunnel, result, refused }) =
        query.map_err(|error| bad_query(&error))?;
    let since = last_seen(&headers)?.or(since);
    let query = AuditQuery { limit: given(limit, follow, since), since, from, until, who, verb, tunnel, result, refused };
    if !follow {
        return Ok(answer::json(&shared.backend.audited(&query).await?));
    }
    let feed = shared.backend.follow_audited(&query).await?;
    Ok(stream::follow(feed, |entry: &AuditEntry| entry.id, |_| true, shared.shutdown.clone()))
}
