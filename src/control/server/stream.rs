//! Streams that are followed, as Server-Sent Events.
//!
//! Each element has an id; a reader that was cut off goes on behind the last that it saw by `Last-Event-ID` or `?since=`. A reader
//! that does not read holds up its own connection and nobody else: what it is too slow for is counted, and told as `missed`.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event as Message, KeepAlive},
};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::control::{
    api::{Followed, Missed},
    backend::Feed,
};

/// How often a silent stream says that it lives: whoever reads it knows, and whoever does not is noticed in the end.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a client that was cut off is asked to wait before it comes again: a restart of the daemon takes less than a second.
const RETRY: Duration = Duration::from_secs(1);

/// Streams what `feed` has and `shows` lets pass until `shutdown`: each element as a message `item` with its id, each gap as a
/// message `missed`.
pub(super) fn follow<T: Serialize + Send + 'static>(
    feed: Feed<T>,
    id: fn(&T) -> u64,
    shows: impl Fn(&T) -> bool + Send + 'static,
    shutdown: CancellationToken,
) -> Response {
    let messages = feed
        .filter(move |followed| {
            std::future::ready(match followed {
                Followed::Item(item) => shows(item),
                Followed::Missed(_) => true,
            })
        })
        .scan(None, move |last, followed| {
            let message = match followed {
                Followed::Item(item) => {
                    *last = Some(id(&item));
                    Message::default()
                        .event("item")
                        .id(id(&item).to_string())
                        .data(serde_json::to_string(&item).expect("the API's types are JSON"))
                }
                // It has no id: a reader that is cut off here goes on behind what it saw.
                Followed::Missed(count) => Message::default()
                    .event("missed")
                    .data(serde_json::to_string(&missed(count, *last)).expect("the API's types are JSON")),
            };
            std::future::ready(Some(Ok::<_, Infallible>(message)))
        });
    Sse::new(retry().chain(messages).take_until(shutdown.cancelled_owned())).keep_alive(keep_alive()).into_response()
}

/// What a stream begins with: how soon a client that is cut off may come again.
pub(super) fn retry() -> impl Stream<Item = Result<Message, Infallible>> + Send + 'static {
    stream::once(std::future::ready(Ok(Message::default().retry(RETRY))))
}

/// What keeps a silent stream alive.
pub(super) fn keep_alive() -> KeepAlive {
    KeepAlive::new().interval(KEEP_ALIVE)
}

fn missed(count: u64, last: Option<u64>) -> Missed {
    let hint = match last {
        Some(last) => format!("ask without follow and with since={last} for what is still kept of them"),
        None => "they are not kept any more; ask without since for all that is".to_owned(),
    };
    Missed { count, hint }
}
