//! What goes on, and what came of it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response, Sse, sse::Event as Message},
};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{App, bad_query, feed::last_seen};
use crate::{
    config::Role,
    control::{
        access::Object,
        api::{Error, ErrorKind, Operation, OperationState, Tunnel},
        backend::Backend,
        server::{
            Shared, answer,
            gate::Caller,
            operations::{Entry, unknown},
            stream::{keep_alive, retry},
        },
        table::Need,
    },
    name::TunnelName,
};

/// How long one request waits for the end of an operation. A client asks again: so a connection that is dead is noticed.
const WAIT_MAX: Duration = Duration::from_secs(60);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct Listed {
    /// Only operations in this state.
    state: Option<OperationState>,
    /// Only operations about this tunnel.
    tunnel: Option<String>,
}

pub(in crate::control::server) async fn operations<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    query: Result<Query<Listed>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(Listed { state, tunnel }) = query.map_err(|error| bad_query(&error))?;
    let is_asked = |operation: &Operation| {
        state.is_none_or(|state| operation.state == state) && (tunnel.is_none() || operation.tunnel == tunnel)
    };
    let entries = shared.operations.all().into_iter().filter(|entry| is_asked(&entry.operation));
    let shown: Vec<Operation> = entries.filter_map(|entry| shown(&shared, &caller, entry)).collect();
    Ok(answer::json(&shown))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct One {
    /// Whether the operation is sent each time that it changes, until it has ended.
    #[serde(default)]
    follow: bool,
    /// How long to wait for its end: `30s`, or seconds; at most 60 s count.
    #[schemars(regex(pattern = "^[0-9]{1,9}s?$"))]
    wait: Option<String>,
    /// Only changes after the one of this id.
    since: Option<u64>,
}

pub(in crate::control::server) async fn operation<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<One>, QueryRejection>,
    headers: axum::http::HeaderMap,
) -> Result<Response, Error> {
    let Query(One { follow, wait, since }) = query.map_err(|error| bad_query(&error))?;
    let wait = wait.as_deref().map(duration).transpose()?;
    // Watched before it is looked at, so that nothing comes between.
    let mut changed = shared.operations.watch();
    let mut operation = look(&shared, &caller, &id)?.1;
    let seen = last_seen(&headers)?.or(since);
    if follow {
        return Ok(followed(shared, caller, id, seen));
    }
    if let Some(wait) = wait {
        let deadline = Instant::now() + wait.min(WAIT_MAX);
        while operation.is_running() {
            let ended = tokio::select! {
                () = shared.shutdown.cancelled() => break,
                changed = timeout_at(deadline, changed.changed()) => changed.is_err(),
            };
            operation = look(&shared, &caller, &id)?.1;
            if ended {
                break;
            }
        }
    }
    Ok(answer::json(&operation))
}

/// Streams the operation each time it changes, until it has ended. Of several changes in short order only the last is streamed.
fn followed<B: Backend>(shared: Arc<Shared<B>>, caller: Caller, id: String, seen: Option<u64>) -> Response {
    let mut changed = shared.operations.watch();
    changed.mark_changed();
    let shutdown = shared.shutdown.clone();
    let changes = stream::unfold(Some((shared, caller, changed, seen)), move |state| {
        let id = id.clone();
        async move {
            let (shared, caller, mut changed, seen) = state?;
            loop {
                // Its sender is as old as the server.
                changed.changed().await.ok()?;
                let (revision, operation) = look(&shared, &caller, &id).ok()?;
                let has_ended = !operation.is_running();
                if has_ended || seen.is_none_or(|seen| revision > seen) {
                    let data = serde_json::to_string(&operation).expect("the API's types are JSON");
                    let message = Message::default().event("item").id(revision.to_string()).data(data);
                    let next = (!has_ended).then_some((shared, caller, changed, Some(revision)));
                    return Some((Ok::<_, Infallible>(message), next));
                }
            }
        }
    });
    Sse::new(retry().chain(changes).take_until(shutdown.cancelled_owned())).keep_alive(keep_alive()).into_response()
}

/// The operation with its revision, as the caller may see it.
fn look<B: Backend>(shared: &Shared<B>, caller: &Caller, id: &str) -> Result<(u64, Operation), Error> {
    let entry = shared.operations.get(id)?;
    let revision = entry.revision;
    shown(shared, caller, entry).map(|operation| (revision, operation)).ok_or_else(|| unknown(id))
}

/// The operation as the caller may see it; `None`: not at all. Whoever asked for it sees all of it; others may see that it is there
/// who may see its tunnel, and what it does and what came of it who might have asked for it themselves.
fn shown<B: Backend>(shared: &Shared<B>, caller: &Caller, entry: Entry) -> Option<Operation> {
    let Entry { operation, uid, need, .. } = entry;
    if uid == caller.principal.uid {
        return Some(operation);
    }
    let tunnel = operation.tunnel.clone().and_then(|name| TunnelName::try_from(name).ok());
    let tunnel = tunnel.and_then(|name| shared.backend.tunnel(&name));
    if !covers(caller, Role::Viewer, tunnel.as_ref()) {
        return None;
    }
    let may_ask = match need {
        Need::Nothing => true,
        Need::Everywhere(role) => caller.standing.everywhere(role),
        Need::ForTunnel(role) | Need::Anywhere(role) => covers(caller, role, tunnel.as_ref()),
    };
    Some(if may_ask { operation } else { withheld(operation) })
}

/// Whether the caller may what `role` may, for that tunnel or everywhere.
fn covers(caller: &Caller, role: Role, tunnel: Option<&Tunnel>) -> bool {
    let standing = &caller.standing;
    standing.everywhere(role) || tunnel.is_some_and(|tunnel| standing.covers(role, &Object::of_tunnel(tunnel)))
}

fn withheld(mut operation: Operation) -> Operation {
    operation.progress.sentence = None;
    operation.result = None;
    operation.error = None;
    operation.withheld = true;
    operation
}

/// How long to wait: `30s`, `1m`, or seconds.
fn duration(text: &str) -> Result<Duration, Error> {
    let seconds = text.parse::<u64>().ok().map(Duration::from_secs);
    let read = || text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    seconds.or_else(read).ok_or_else(|| {
        Error::new(ErrorKind::Malformed, format!("cannot read the request's query: wait={text:?} is no duration"))
            .with_hint(format!("write it as in wait=30s; at most {} s count", WAIT_MAX.as_secs()))
    })
}
