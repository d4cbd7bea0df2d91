//! The control socket's own description.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::control::{schema, server::answer};

pub(in crate::control::server) async fn openapi(headers: HeaderMap) -> Response {
    let document = schema::served();
    let tag = HeaderValue::from_static(&document.tag);
    if is_known(&headers, &document.tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    ([(header::ETAG, tag)], answer::written(StatusCode::OK, document.text.clone())).into_response()
}

/// Whether the caller has what `tag` names: `If-None-Match` lists it, strong or weak, or is `*`.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
