//! Request bodies: JSON, within bounds of size and time.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderValue, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{self, DeserializeOwned, IgnoredAny};

use super::complaint;
use crate::control::api::{Error, ErrorKind};

/// The largest body that is read, in bytes: a definition with thousands of rules fits.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a client may take to send a body.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// A request's body: a JSON object. No body at all counts as `{}`.
pub(super) struct Document<T>(pub(super) T);

/// A request's body: a JSON object, which has to be there because `{}` means something else.
pub(super) struct Whole<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Document<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Error> {
        let bytes = read_json(request).await?;
        if bytes.is_empty() { parse(b"{}") } else { parse(&bytes) }.map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Whole<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Error> {
        parse(&read_json(request).await?).map(Self)
    }
}

async fn read_json(request: Request) -> Result<Bytes, Error> {
    let named = request.headers().get(header::CONTENT_TYPE).cloned();
    let bytes = read(request).await?;
    // Without a body nothing is said about one.
    if bytes.is_empty() { Ok(bytes) } else { check_type(named.as_ref()).map(|()| bytes) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // A list of values would be taken for an object whose keys were left out.
    let parsed = match bytes.trim_ascii_start().starts_with(b"{") {
        true => serde_json::from_slice(bytes),
        false => serde_json::from_slice::<IgnoredAny>(bytes).and_then(|_| Err(de::Error::custom("it must be an object"))),
    };
    parsed.map_err(|error| {
        let complaint = error.to_string();
        let message = format!("cannot read the request's body as JSON: {complaint}");
        Error { hint: complaint::suggested(&complaint), ..Error::new(ErrorKind::Malformed, message) }
    })
}

/// A body that says nothing of its type is taken for JSON.
fn check_type(named: Option<&HeaderValue>) -> Result<(), Error> {
    let Some(named) = named else { return Ok(()) };
    let text = String::from_utf8_lossy(named.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let message = format!("cannot read the request's body: its content-type is {text:?}, and only JSON is understood");
    Err(Error::new(ErrorKind::UnsupportedMediaType, message)
        .with_hint("send \"content-type: application/json\"; curl does with --json in the place of --data"))
}

/// The bytes of a request's body.
pub(super) async fn read(request: Request) -> Result<Bytes, Error> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIME_MAX, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Error::new(ErrorKind::Malformed, format!("cannot read the request's body: {error}"))),
        Err(_) => {
            let seconds = BODY_TIME_MAX.as_secs();
            Err(Error::new(ErrorKind::TooSlow, format!("cannot read the request's body: it did not arrive within {seconds} s"))
                .with_hint("send it at once, or in a smaller body"))
        }
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, format!("cannot read the request's body: it is larger than {BODY_BYTES_MAX} bytes"))
        .with_hint("no definition is that large; spread it over several tunnels")
}
