//! Streams that are followed, as Server-Sent Events.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event as Message, KeepAlive},
};
use futures_util::StreamExt;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::control::{api::Followed, backend::Feed};

/// How often a silent stream says that it lives, so that a client which went away is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams what `feed` has and `shows` lets pass until `shutdown`: each element as a message `item` with its id, each gap as a
/// message `missed` with the number of elements left out.
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
        .map(move |followed| {
            let message = match followed {
                Followed::Item(item) => Message::default()
                    .event("item")
                    .id(id(&item).to_string())
                    .data(serde_json::to_string(&item).expect("the API's types are JSON")),
                Followed::Missed(count) => Message::default().event("missed").data(count.to_string()),
            };
            Ok::<_, Infallible>(message)
        })
        .take_until(shutdown.cancelled_owned());
    Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}
