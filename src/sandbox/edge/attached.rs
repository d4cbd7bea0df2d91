//! A body that keeps something alive until it has ended or is dropped.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// A received body with what must live as long.
pub(in crate::sandbox) struct AttachedBody<T> {
    body: Incoming,
    _attached: T,
}

impl<T> AttachedBody<T> {
    pub(in crate::sandbox) fn new(body: Incoming, attached: T) -> Self {
        Self { body, _attached: attached }
    }
}

impl<T: Unpin> Body for AttachedBody<T> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
