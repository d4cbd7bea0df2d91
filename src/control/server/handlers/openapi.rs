//! The control socket's own description.

use std::sync::LazyLock;

use axum::{http::HeaderMap, response::Response};

use crate::control::{
    schema,
    server::answer::{self, Tagged},
};

pub(in crate::control::server) async fn openapi(headers: HeaderMap) -> Response {
    /// Made once somebody asks for it.
    static DOCUMENT: LazyLock<Tagged> = LazyLock::new(|| Tagged::new(schema::written()));
    answer::tagged(&headers, DOCUMENT.clone())
}
