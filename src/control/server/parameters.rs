//! Which parameters the query of each endpoint may have. An unknown one is refused: it asks for something that is not done.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::suggestion::meant;
use crate::control::{
    api::{Error, ErrorKind},
    schema,
    table::Action,
};

/// Lets a request pass whose query has only parameters of its endpoint.
pub(super) async fn check_query(State(action): State<Action>, request: Request, next: Next) -> Response {
    match check(action, request.uri().query().unwrap_or_default()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(action: Action, query: &str) -> Result<(), Error> {
    let known = schema::query_of(action);
    let unknown = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| !known.iter().any(|known| known == key.as_ref()));
    let Some((key, _)) = unknown else { return Ok(()) };
    let error = Error::new(ErrorKind::Malformed, format!("cannot read the request's query: unknown parameter {key:?}"));
    Err(match (meant(&key, known.iter().map(String::as_str)), known) {
        (Some(known), _) => error.with_hint(format!("did you mean {known:?}?")),
        (None, []) => error.with_hint("this path takes no parameters"),
        (None, known) => error.with_hint(format!("known are {}", known.join(", "))),
    })
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
