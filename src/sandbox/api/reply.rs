//! An answer on its way out: what it says, how it is sent, and the HTTP response that it becomes.

use std::{io, time::Duration};

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Response, StatusCode,
    body::{Bytes, Frame},
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde_json::json;

use super::{
    answer::{Answer, envelope},
    failure::Failure,
};
use crate::sandbox::world::Quota;

/// The body of a response; it fails when a fault cuts it off.
pub(super) type ResponseBody = BoxBody<Bytes, io::Error>;

/// How much of an endless body comes at once, in bytes.
const ENDLESS_CHUNK: usize = 64 * 1024;

/// An answer that is ready to be sent.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    pub(super) sending: Sending,
    /// Whether a fault made it on purpose what no contract describes.
    pub(super) damaged: bool,
    content_type: &'static str,
    quota: Quota,
    retry_after: Option<Duration>,
}

/// How the body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    Whole,
    /// Half of it, then the connection closes.
    Half,
    /// All of it, then spaces without end.
    Endless,
}

impl Reply {
    /// The envelope of an operation's outcome.
    pub(super) fn new(outcome: &Result<Answer, Failure>, quota: Quota) -> Self {
        let status = match outcome {
            Ok(answer) => answer.status,
            Err(failure) => failure.status,
        };
        Self {
            status,
            body: envelope(outcome).to_string().into_bytes(),
            sending: Sending::Whole,
            damaged: false,
            content_type: "application/json",
            quota,
            retry_after: None,
        }
    }

    /// A 429 as a caller meets it who was too fast, with or without `Retry-After`.
    pub(super) fn throttled(quota: Quota, retry_after: Option<Duration>) -> Self {
        let (requests, seconds) = (quota.limit.requests, quota.limit.window.as_secs());
        let message = format!(
            "More than {requests} requests per {seconds} seconds reached. Please wait and consider throttling your request speed"
        );
        let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, 971, message);
        Self { retry_after, ..Self::new(&Err(failure), quota) }
    }

    /// A page for people, as proxies answer.
    pub(super) fn html(status: StatusCode, quota: Quota) -> Self {
        let page = format!("<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
        Self {
            status,
            body: page.into_bytes(),
            damaged: true,
            content_type: "text/html; charset=UTF-8",
            ..Self::new(&Ok(Answer::one(json!(null))), quota)
        }
    }

    /// The same answer with another body, one that no contract describes.
    pub(super) fn damaged(self, body: Vec<u8>, sending: Sending) -> Self {
        Self { body, sending, damaged: true, ..self }
    }

    /// The HTTP response, with the headers that every answer of Cloudflare has.
    pub(super) fn into_response(self) -> Response<ResponseBody> {
        let length = self.body.len();
        let mut response = Response::new(body(self.body, self.sending));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert("cf-ray", text(format!("{:016x}-SBX", rand::random::<u64>())));
        let Quota { limit, left, reset, .. } = self.quota;
        headers.insert("Ratelimit", text(format!("\"default\";r={left};t={}", whole_seconds(reset))));
        headers.insert("Ratelimit-Policy", text(format!("\"burst\";q={};w={}", limit.requests, limit.window.as_secs())));
        if let Some(delay) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(delay)));
        }
        if self.sending == Sending::Half {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

fn body(bytes: Vec<u8>, sending: Sending) -> ResponseBody {
    let never = |never| match never {};
    match sending {
        Sending::Whole => BoxBody::new(Full::new(Bytes::from(bytes)).map_err(never)),
        Sending::Half => {
            let half = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
            let cut = io::Error::new(io::ErrorKind::ConnectionAborted, "the answer is cut off, as a fault asked for");
            let start = stream::iter([Ok(Frame::data(half))]);
            // The pause lets the server send the first half; without it the client would see no answer at all.
            let end = stream::once(async {
                tokio::task::yield_now().await;
                Err(cut)
            });
            BoxBody::new(StreamBody::new(start.chain(end)))
        }
        Sending::Endless => {
            let spaces = Bytes::from(vec![b' '; ENDLESS_CHUNK]);
            let endless = std::iter::once(Bytes::from(bytes)).chain(std::iter::repeat(spaces));
            BoxBody::new(StreamBody::new(stream::iter(endless.map(|chunk| Ok(Frame::data(chunk))))))
        }
    }
}

/// Seconds as `Retry-After` counts them: rounded up.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits and ASCII words make a header")
}
