//! What each endpoint may be asked: the parameters of its query, and whether it takes a body. More than that is refused: it asks for
//! something that is not done.

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::body;
use crate::control::{
    api::{Error, ErrorKind},
    schema,
    table::Action,
};

use crate::suggestion::question_or_list;

/// Lets a request pass that asks only for what its endpoint does.
pub(super) async fn check_asked(State(action): State<Action>, mut request: Request, next: Next) -> Response {
    if let Err(error) = check(action, request.uri().query().unwrap_or_default()) {
        return error.into_response();
    }
    if !request.body().is_end_stream() && !schema::takes_body(action) {
        let (parts, body) = request.into_parts();
        match body::read(Request::new(body)).await {
            Ok(bytes) if says_nothing(&bytes) => request = Request::from_parts(parts, Body::empty()),
            Ok(_) => {
                let error = Error::new(ErrorKind::Malformed, "cannot read the request's body: this path takes none");
                return error.with_hint("send it without a body").into_response();
            }
            Err(error) => return error.into_response(),
        }
    }
    next.run(request).await
}

/// Whether a body is as good as none, as `{}` is where one is taken.
fn says_nothing(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii(), b"" | b"{}")
}

fn check(action: Action, query: &str) -> Result<(), Error> {
    let known = schema::query_of(action);
    let unknown = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| !known.iter().any(|known| known == key.as_ref()));
    let Some((key, _)) = unknown else { return Ok(()) };
    let hint =
        question_or_list(&key, known.iter().map(String::as_str)).unwrap_or_else(|| "this path takes no parameters".to_owned());
    Err(Error::new(ErrorKind::Malformed, format!("cannot read the request's query: unknown parameter {key:?}")).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_not_known_is_named_with_what_may_be_meant() {
        let hint = |action, query| check(action, query).unwrap_err().hint.unwrap();
        assert_eq!(check(Action::Events, "follow=true&since=7"), Ok(()));
        assert_eq!(check(Action::Tunnels, ""), Ok(()));
        assert_eq!(hint(Action::Events, "folow=true"), "did you mean \"follow\"?");
        assert_eq!(hint(Action::Tunnels, "verbose"), "this path takes no parameters");
        assert_eq!(hint(Action::CheckCredentials, "zzz=1"), "known are account");
    }
}
