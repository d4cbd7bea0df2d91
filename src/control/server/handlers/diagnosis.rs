//! Looks at the host, and at the way from a hostname to its origin.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::App;
use crate::{
    config::Role,
    control::{
        api::{Error, ErrorKind},
        backend::{Backend, DiagnoseQuery},
        server::{answer, gate::Caller},
    },
    name::Hostname,
};

/// The longest path that is asked about, in bytes: as long as a request's line may be at Cloudflare.
const PATH_MAX: usize = 16 * 1024;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct Doctor {
    /// Whether Cloudflare is asked as well, which spends calls of the account's rate limit.
    #[serde(default = "yes")]
    online: bool,
}

fn yes() -> bool {
    true
}

pub(in crate::control::server) async fn doctor<B: Backend>(
    State(shared): App<B>,
    query: Result<Query<Doctor>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(query) = query.map_err(|error| super::bad_query(&error))?;
    Ok(answer::json(&shared.backend.doctor(query.online).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct Diagnose {
    /// The public hostname that a visitor asks for; no wildcard.
    hostname: String,
    /// The path that they ask for: `/` unless told.
    #[schemars(length(max = 16384))]
    path: Option<String>,
    /// Whether Cloudflare is looked at anew, by at most three calls; it needs the role `operator` for the tunnel.
    #[serde(default)]
    fresh: bool,
    /// Whether a request goes through the public hostname, too.
    #[serde(default)]
    outside: bool,
}

pub(in crate::control::server) async fn diagnose<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    query: Result<Query<Diagnose>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(query) = query.map_err(|error| super::bad_query(&error))?;
    let hostname = query.hostname.parse::<Hostname>().map_err(|error| no_hostname(&query.hostname, &error.to_string()))?;
    if hostname.is_wildcard() {
        return Err(no_hostname(&query.hostname, "a visitor asks for one hostname and never for a wildcard"));
    }
    let path = path(query.path)?;
    let seen = caller.reach(Role::Viewer, &shared.backend);
    let operated = caller.reach(Role::Operator, &shared.backend);
    let question = DiagnoseQuery { hostname, path, fresh: query.fresh, outside: query.outside, seen, operated };
    Ok(answer::json(&shared.backend.diagnose(&question).await?))
}

fn path(asked: Option<String>) -> Result<String, Error> {
    let path = asked.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned());
    let fault = if !path.starts_with('/') {
        "it must begin with /"
    } else if path.len() > PATH_MAX {
        "it is too long"
    } else if path.chars().any(char::is_control) {
        "it has control characters"
    } else {
        return Ok(path);
    };
    let start: String = path.chars().take(80).collect();
    Err(Error::new(ErrorKind::Invalid, format!("cannot diagnose the path {start:?}: {fault}")))
}

fn no_hostname(text: &str, why: &str) -> Error {
    let start: String = text.chars().take(80).collect();
    Error::new(ErrorKind::Invalid, format!("cannot diagnose {start:?}: {why}"))
        .with_hint("name one public hostname, such as app.example.com")
}
