//! A stream that is followed.

use std::{collections::VecDeque, marker::PhantomData};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::{
    Trouble,
    messages::{Message, Messages},
};
use crate::control::api::{Followed, Missed};

/// What a stream is called in errors.
const STREAM: &str = "a request to follow";

/// A stream that is followed until the daemon ends it or this is dropped.
#[derive(Debug)]
pub struct Follow<T> {
    body: Incoming,
    messages: Messages,
    ready: VecDeque<Message>,
    item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Follow<T> {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, messages: Messages::default(), ready: VecDeque::new(), item: PhantomData }
    }

    /// The next element; `None` when the daemon ended the stream, which it does when it stops. Cancel-safe: what is not returned
    /// is returned by the next call.
    ///
    /// # Errors
    ///
    /// When the connection breaks or what comes cannot be read.
    pub async fn next(&mut self) -> Result<Option<Followed<T>>, Trouble> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return read(&message).map(Some);
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| Trouble::broken(STREAM, error))?;
            if let Some(bytes) = frame.data_ref() {
                let messages = self.messages.take(bytes);
                self.ready.extend(messages.ok_or_else(|| Trouble::broken(STREAM, "it is no stream of events"))?);
            }
        }
    }
}

fn read<T: DeserializeOwned>(message: &Message) -> Result<Followed<T>, Trouble> {
    let broken = |error| Trouble::broken(STREAM, error);
    match message.event.as_str() {
        "missed" => serde_json::from_str(&message.data).map(|Missed { count, .. }| Followed::Missed(count)).map_err(broken),
        _ => serde_json::from_str(&message.data).map(Followed::Item).map_err(broken),
    }
}
