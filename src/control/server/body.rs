//! Request bodies: JSON, within bounds of size and time.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::header,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::control::api::{Error, ErrorKind};

/// The largest body that is read, in bytes: a definition with thousands of rules fits.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a client may take to send a body.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// A request's body as JSON. No body at all counts as `{}`.
pub(super) struct Document<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Document<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Error> {
        let bytes = read(request).await?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|error| Error::new(ErrorKind::Malformed, format!("cannot read the request's body as JSON: {error}")))
    }
}

async fn read(request: Request) -> Result<Bytes, Error> {
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
            Err(Error::new(ErrorKind::TooSlow, format!("cannot read the request's body: it did not arrive within {seconds} s")))
        }
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, format!("cannot read the request's body: it is larger than {BODY_BYTES_MAX} bytes"))
}
