//! Answers: JSON, and errors in their one shape.

use std::hash::{DefaultHasher, Hasher};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::precondition::Tags;
use crate::control::api::{Error, ErrorBody, ErrorKind};

/// The kind of the error that an answer tells, for whoever keeps what came of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerKind(pub(super) ErrorKind);

/// The tunnel that a request was about, where its path does not say it.
#[derive(Debug, Clone)]
pub(super) struct AnswerTunnel(pub(super) String);

/// Why a request was refused, for whoever keeps what came of it.
#[derive(Debug, Clone)]
pub(super) struct AnswerReason(pub(super) String);

/// What a request was about beside a tunnel: a hostname, a plan's hash.
#[derive(Debug, Clone)]
pub(super) struct AnswerObject(pub(super) String);

/// The version of the definition that a change was made from.
#[derive(Debug, Clone)]
pub(super) struct AnswerBefore(pub(super) String);

/// Bytes that are JSON, and the hash that names exactly these.
#[derive(Debug, Clone)]
pub(super) struct Tagged {
    bytes: Bytes,
    hash: u64,
}

/// `result` as an answer that says what the request was about, whatever came of it.
pub(super) fn about(object: Option<String>, result: impl IntoResponse) -> Response {
    let mut response = result.into_response();
    if let Some(object) = object {
        response.extensions_mut().insert(AnswerObject(object));
    }
    response
}

/// The answer 200 with `value` as JSON.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Response {
    written(StatusCode::OK, serde_json::to_vec(value).expect("the API's types are JSON"))
}

/// A JSON list of whatever `visit` hands to its argument, each written at once and not kept.
pub(super) fn list<T: Serialize>(visit: impl FnOnce(&mut dyn FnMut(&T))) -> Vec<u8> {
    let mut bytes = vec![b'['];
    visit(&mut |element| {
        if bytes.len() > 1 {
            bytes.push(b',');
        }
        serde_json::to_writer(&mut bytes, element).expect("the API's types are JSON");
    });
    bytes.push(b']');
    bytes
}

impl Tagged {
    pub(super) fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        Self { bytes, hash: hasher.finish() }
    }

    /// The JSON `object` with one more key, whose value is this. It is not hashed again: of a thousand tunnels that takes longer than
    /// sending them.
    pub(super) fn as_key(&self, key: &str, mut object: Vec<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&object);
        hasher.write_u64(self.hash);
        object.pop();
        object.reserve(key.len() + self.bytes.len() + 5);
        object.extend_from_slice(format!(",\"{key}\":").as_bytes());
        object.extend_from_slice(&self.bytes);
        object.push(b'}');
        Self { bytes: object.into(), hash: hasher.finish() }
    }
}

/// An answer of bytes that are JSON, with their `ETag`; without the bytes, when the client has just these already.
pub(super) fn tagged(headers: &HeaderMap, Tagged { bytes, hash }: Tagged) -> Response {
    let tag = format!("{hash:016x}");
    let has_it = Tags::not_to_match(headers).is_some_and(|tags| tags.match_weakly(&tag));
    let mut response = if has_it { StatusCode::NOT_MODIFIED.into_response() } else { written(StatusCode::OK, bytes) };
    response.headers_mut().insert(header::ETAG, entity_tag(&tag));
    response
}

/// A version as it stands in `ETag`.
pub(super) fn entity_tag(version: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("a version is letters, digits and -")
}

/// An answer of bytes that are JSON.
fn written(status: StatusCode, bytes: impl Into<Body>) -> Response {
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let kind = self.kind;
        let reason = match self.details.first() {
            Some(first) => format!("{}: {}", self.message, first.problem),
            None => self.message.clone(),
        };
        let body = serde_json::to_vec(&ErrorBody { error: self }).expect("an error is JSON");
        let mut response = written(status(kind), body);
        response.extensions_mut().insert(AnswerKind(kind));
        response.extensions_mut().insert(AnswerReason(reason));
        response
    }
}

/// The error for what ended in a panic, which is in the log.
pub(super) fn mistake(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot tell what came of {what}: Adit made a mistake"))
        .with_hint("the daemon's log has more: journalctl -u adit")
}

/// The status of an answer that tells an error of that kind.
pub(in crate::control) fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::NotPermitted => StatusCode::FORBIDDEN,
        ErrorKind::Conflict | ErrorKind::ReadOnly | ErrorKind::Hold => StatusCode::CONFLICT,
        ErrorKind::Changed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Busy | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
