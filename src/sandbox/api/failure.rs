//! Refusals as the API words them: one table from what the world refuses to status and code.
//!
//! The codes are those that clients have met; where none is known for certain, the status decides and the code is the family's.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::sandbox::world::Error;

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    code: i64,
    message: String,
    /// The inner error that explains this one.
    cause: Option<(i64, String)>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: i64, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), cause: None }
    }

    /// The same with an inner error in `error_chain`.
    pub(super) fn because(self, code: i64, message: impl Into<String>) -> Self {
        Self { cause: Some((code, message.into())), ..self }
    }

    /// A path that leads nowhere, or an id that cannot be one.
    pub(super) fn no_route(status: StatusCode, path: &str) -> Self {
        Self::new(status, 7003, format!("Could not route to {path}, perhaps your object identifier is invalid?"))
    }

    /// A body or parameter of the wrong form.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::from(Error::Invalid(message.into()))
    }

    /// The item of the envelope's `errors`.
    pub(super) fn item(&self) -> Value {
        let mut item = json!({ "code": self.code, "message": self.message });
        if let Some((code, message)) = &self.cause {
            item["error_chain"] = json!([{ "code": code, "message": message }]);
        }
        item
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let (status, code) = match error {
            Error::TunnelNotFound | Error::ConnectorNotFound | Error::DocumentNotFound => (StatusCode::NOT_FOUND, 1003),
            Error::ZoneNotFound | Error::TokenNotFound => (StatusCode::NOT_FOUND, 7003),
            Error::TunnelNameTaken => (StatusCode::CONFLICT, 1013),
            Error::TunnelHasConnections => (StatusCode::BAD_REQUEST, 1022),
            Error::TunnelHasRoutes => (StatusCode::BAD_REQUEST, 1023),
            Error::RouteTaken => (StatusCode::CONFLICT, 1014),
            Error::BadConfiguration(_) => (StatusCode::BAD_REQUEST, 1056),
            Error::RecordNotFound => (StatusCode::NOT_FOUND, 81044),
            Error::HostTaken => (StatusCode::BAD_REQUEST, 81053),
            Error::CnameTaken => (StatusCode::BAD_REQUEST, 81054),
            Error::RecordExists => (StatusCode::BAD_REQUEST, 81057),
            Error::IdenticalRecord => (StatusCode::BAD_REQUEST, 81058),
            Error::RecordQuota => (StatusCode::BAD_REQUEST, 81045),
            Error::InvalidRecord { code, message } => {
                let failure = Self::new(StatusCode::BAD_REQUEST, 1004, "DNS Validation Error");
                return failure.because(code.unwrap_or(1004), message);
            }
            Error::BatchTooLarge(_) | Error::Quota { .. } | Error::Invalid(_) => (StatusCode::BAD_REQUEST, 1004),
        };
        Self::new(status, code, message)
    }
}
