//! The control socket, described for programs: an OpenAPI 3.1 document.
//!
//! ```text
//!  ENDPOINTS (method, path, need) ─┐
//!  describe: one arm an action ────┼─▶ document ─▶ GET /v1/openapi.json, adit api schema, the tests
//!  the types that serve (schemars) ┘
//! ```
//!
//! An endpoint without an arm in [`describe`] does not compile, and one that answers otherwise than its arm says fails the tests.

mod describe;
mod operation;
mod types;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::{Map, Value, json};

use self::{describe::describe, operation::Tag, types::Types};
use super::{
    api::{ErrorBody, ErrorKind},
    server::status,
    table::{Action, ENDPOINTS},
};

/// The description of the control socket: an OpenAPI 3.1 document. It tells nothing about a host.
pub fn openapi() -> &'static Value {
    static VALUE: LazyLock<Value> = LazyLock::new(build);
    &VALUE
}

/// The same as it is served.
pub(super) fn written() -> Vec<u8> {
    serde_json::to_vec(&build()).expect("a JSON value is JSON")
}

/// The keys that the query of `action` may have.
pub(super) fn query_of(action: Action) -> &'static [String] {
    &asked(action).query
}

/// Whether `action` takes a body.
pub(super) fn takes_body(action: Action) -> bool {
    asked(action).body
}

/// What an endpoint may be asked.
struct Asked {
    query: Vec<String>,
    body: bool,
}

/// It is looked at by every request, and the document by few: the daemon keeps this alone.
fn asked(action: Action) -> &'static Asked {
    static ASKED: LazyLock<Vec<(Action, Asked)>> = LazyLock::new(|| {
        let asked = |action| {
            let mut types = Types::new();
            let operation = describe(action, &mut types);
            Asked { query: operation.query_keys(), body: operation.takes_body() }
        };
        ENDPOINTS.iter().map(|endpoint| (endpoint.action, asked(endpoint.action))).collect()
    });
    let (_, asked) = ASKED.iter().find(|(known, _)| *known == action).expect("every action is in the table");
    asked
}

fn build() -> Value {
    let mut types = Types::new();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in &ENDPOINTS {
        let operation = describe(endpoint.action, &mut types).finish(endpoint);
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.to_string().to_lowercase()] = operation;
    }
    let error = types.told::<ErrorBody>();
    json!({
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Adit's control socket",
            "summary": "The control plane for Cloudflare Tunnels on a Linux host",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://localhost", "description": "Over the Unix socket; the host's name is not looked at." }],
        "tags": Tag::ALL.map(|tag| json!({ "name": tag.word(), "description": tag.about() })),
        "paths": paths,
        "components": { "schemas": types.into_schemas(), "responses": errors(&error) },
    })
}

/// One answer for each status that tells an error.
fn errors(schema: &Value) -> Map<String, Value> {
    let statuses: BTreeSet<_> = ErrorKind::ALL.into_iter().map(status).collect();
    let answer = |status| {
        let kinds =
            ErrorKind::ALL.into_iter().filter(|kind| self::status(*kind) == status).map(|kind| format!("`{}`", kind.word()));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let description = format!("Not carried out; `error.kind` is one of: {kinds}.");
        json!({ "description": description, "content": { "application/json": { "schema": schema } } })
    };
    statuses.into_iter().map(|status| (operation::error_name(status), answer(status))).collect()
}

/// What a reader has to know before the first call.
const ABOUT: &str = "\
Adit serves HTTP/1.1 and JSON over a Unix socket, `/run/adit/adit.sock` unless the configuration says otherwise:

    curl --unix-socket /run/adit/adit.sock http://localhost/v1/status

There is no login: the kernel tells the daemon who is at the other end, and the configuration's `[access]` says what that user \
and their groups may. `x-adit-role` of an operation is the role that it needs (viewer < operator < editor < admin), and \
`x-adit-scope` where: `everywhere`, for the `tunnel` in the path (there a grant is enough), or `anywhere` (the answer then holds \
what the caller may see).

Every answer that is not a success is `{\"error\": {\"kind\", \"message\", \"details\", \"hint\"}}`. Programs decide by `kind`, \
which is never renamed; people read `message` and `hint`. Fields are only ever added: ignore those that you do not know. What a \
request does not know is refused instead: no key of a body and no parameter of a query is ignored.

Times are UTC in RFC 3339. No answer contains a secret. Text from connectors and from Cloudflare is passed on as it came.";
