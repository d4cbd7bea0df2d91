//! One operation, as `describe` builds it and as it stands in the document.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::types::Types;
use crate::control::{
    api::{self, ErrorKind},
    server::{operation_kind, status},
    table::{Endpoint, Need},
};

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Daemon,
    Tunnels,
    Routes,
    Changes,
    History,
    Configuration,
    Ownership,
}

/// A description that is being built.
pub(super) struct Operation<'a> {
    types: &'a mut Types,
    id: &'static str,
    tag: Tag,
    summary: &'static str,
    details: &'static str,
    places: BTreeMap<&'static str, Value>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    errors: BTreeSet<StatusCode>,
}

/// A tunnel's name, that of one which another took the place of included.
const NAME: &str = "^[a-z0-9][a-z0-9-]{0,39}(~[0-9]+)?$";

/// A name that a tunnel may get.
const NAME_TO_BE: &str = "^[a-z0-9][a-z0-9-]{0,39}$";

impl Types {
    /// The operation that programs call `id`, in one line without a full stop.
    pub(super) fn operation(&mut self, id: &'static str, tag: Tag, summary: &'static str) -> Operation<'_> {
        // Whoever is not permitted, one connection too many, a fault of our own, and a query that is not understood: everywhere.
        let everywhere = [ErrorKind::NotPermitted, ErrorKind::Busy, ErrorKind::Internal, ErrorKind::Malformed];
        Operation {
            types: self,
            id,
            tag,
            summary,
            details: "",
            places: [("name", in_path("name", "The tunnel's name.", NAME))].into(),
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            errors: everywhere.map(status).into(),
        }
    }
}

impl Operation<'_> {
    /// What else there is to know, in whole sentences.
    pub(super) fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    /// The name in the path is one that a tunnel is to get.
    pub(super) fn name_to_be(self) -> Self {
        self.in_path("name", "The name that the tunnel gets.", NAME_TO_BE)
    }

    /// `{key}` in the path is a text of that pattern.
    pub(super) fn in_path(mut self, key: &'static str, description: &str, pattern: &str) -> Self {
        self.places.insert(key, in_path(key, description, pattern));
        self
    }

    /// It takes the keys of `T` as its query.
    pub(super) fn query<T: JsonSchema>(mut self) -> Self {
        for (name, mut schema, required) in Types::keys::<T>() {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description")).unwrap_or_default();
            self.parameters
                .push(json!({ "name": name, "in": "query", "required": required, "description": description, "schema": schema }));
        }
        self
    }

    /// It takes a header.
    pub(super) fn header(mut self, name: &str, description: &str, schema: &Value) -> Self {
        self.parameters
            .push(json!({ "name": name, "in": "header", "required": false, "description": description, "schema": schema }));
        self
    }

    /// It may take long: who prefers not to wait gets the operation that goes on.
    fn may_take_long(self) -> Self {
        let prefer = "`respond-async`, perhaps with `wait=SECONDS`: not to wait for the end, or only so long (RFC 7240).";
        let mut operation = self
            .header("Prefer", prefer, &json!({ "type": "string" }))
            .answer::<api::Operation>(StatusCode::ACCEPTED, "It goes on as this operation.");
        let text = json!({ "type": "string" });
        operation.answers.get_mut(&StatusCode::ACCEPTED.as_u16()).expect("it was just added")["headers"] = json!({
            "Location": { "description": "Where to look how far it is.", "required": true, "schema": text },
            "Preference-Applied": { "description": "`respond-async`.", "required": true, "schema": text },
        });
        operation.errors(&[ErrorKind::Unavailable])
    }

    /// It does something only if the definition's version is the one that was looked at.
    pub(super) fn if_match(self) -> Self {
        let description = "The `ETag` of what was looked at; when it is another by now, nothing is done. `*` is any.";
        self.header("If-Match", description, &json!({ "type": "string" }))
            .header(
                "If-None-Match",
                "With `*` only if there is nothing yet; else only if it is none of these.",
                &json!({ "type": "string" }),
            )
            .errors(&[ErrorKind::Changed])
    }

    /// It takes a body of the form of `T`. One that may be `{}` may be left out.
    pub(super) fn body<T: JsonSchema>(self) -> Self {
        let required = T::json_schema(&mut SchemaGenerator::default()).get("required").and_then(Value::as_array).cloned();
        self.body_as::<T>(required.is_some_and(|required| !required.is_empty()), &["application/json"])
    }

    /// It takes a body of the form of `T`, which may have any of these media types.
    pub(super) fn body_as<T: JsonSchema>(mut self, required: bool, media_types: &[&str]) -> Self {
        let schema = self.types.asked::<T>();
        let content = media_types.iter().map(|media_type| ((*media_type).to_owned(), json!({ "schema": schema })));
        self.body = Some(json!({ "required": required, "content": content.collect::<Map<_, _>>() }));
        self.errors(&[ErrorKind::TooLarge, ErrorKind::TooSlow, ErrorKind::UnsupportedMediaType])
    }

    /// It answers `status` with a `T`.
    pub(super) fn answer<T: JsonSchema>(mut self, status: StatusCode, description: &str) -> Self {
        let schema = self.types.told::<T>();
        let answer = json!({ "description": description, "content": { "application/json": { "schema": schema } } });
        self.answers.insert(status.as_u16(), answer);
        self
    }

    /// It answers `status` without a body.
    pub(super) fn bare(mut self, status: StatusCode, description: &str) -> Self {
        self.answers.insert(status.as_u16(), json!({ "description": description }));
        self
    }

    /// With `follow=true` it answers 200 with a stream whose messages `item` carry a `T` each.
    pub(super) fn or_stream<T: JsonSchema>(mut self) -> Self {
        let (item, missed) = (self.types.told::<T>(), self.types.told::<api::Missed>());
        let message = json!({
            "type": "object",
            "description": STREAM,
            "required": ["event", "data"],
            "properties": {
                "event": { "type": "string", "description": "`item` or `missed`." },
                "id": { "type": "string", "description": "The element's id." },
                "data": { "type": "string", "contentMediaType": "application/json", "contentSchema": { "anyOf": [item, missed] } },
            },
        });
        let answer = self.answers.get_mut(&StatusCode::OK.as_u16()).expect("a stream follows a list");
        answer["content"]["text/event-stream"] = json!({ "schema": message });
        let description =
            "Where a reader that was cut off goes on: the id of the last message that it got. It counts before `since`.";
        self.header("Last-Event-ID", description, &json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }))
    }

    /// Its answer 200 carries an `ETag`.
    pub(super) fn tagged(mut self, description: &str) -> Self {
        let answer = self.answers.get_mut(&StatusCode::OK.as_u16()).expect("a tag names what is answered");
        answer["headers"]["ETag"] = json!({ "description": description, "required": true, "schema": { "type": "string" } });
        self
    }

    /// Its answer 200 carries an `ETag`, and a caller who has it already is told just that.
    pub(super) fn cached(self) -> Self {
        let description = "The `ETag` of what the caller has.";
        self.header("If-None-Match", description, &json!({ "type": "string" }))
            .tagged("Names exactly this answer.")
            .bare(StatusCode::NOT_MODIFIED, "The caller has it.")
    }

    /// It may be refused with these kinds as well.
    pub(super) fn errors(mut self, kinds: &[ErrorKind]) -> Self {
        self.errors.extend(kinds.iter().copied().map(status));
        self
    }

    /// The keys that its query may have.
    pub(super) fn query_keys(&self) -> Vec<String> {
        let of_query = self.parameters.iter().filter(|parameter| parameter["in"] == "query");
        of_query.filter_map(|parameter| parameter["name"].as_str()).map(str::to_owned).collect()
    }

    /// Whether it takes a body.
    pub(super) fn takes_body(&self) -> bool {
        self.body.is_some()
    }

    /// The operation as it stands in the document, for `endpoint`.
    pub(super) fn finish(self, endpoint: &Endpoint) -> Value {
        let goes_on = operation_kind(endpoint).is_some();
        if goes_on { self.may_take_long().written(endpoint) } else { self.written(endpoint) }
    }

    fn written(mut self, endpoint: &Endpoint) -> Value {
        for key in endpoint.path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}')).rev() {
            self.parameters.insert(0, self.places.remove(key).expect("every key of a path is described"));
            self.errors.insert(status(ErrorKind::NotFound));
        }
        let mut responses: Map<String, Value> =
            self.answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
        for status in self.errors {
            let reference = json!({ "$ref": format!("#/components/responses/{}", error_name(status)) });
            responses.insert(status.as_str().to_owned(), reference);
        }
        let description = [self.details, &need(endpoint.need)].join("\n\n");
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag.word()],
            "summary": self.summary,
            "description": description.trim(),
            "parameters": self.parameters,
            "responses": responses,
            "x-adit-scope": scope(endpoint.need),
        });
        if let Some(role) = endpoint.need.role() {
            operation["x-adit-role"] = role.to_string().into();
        }
        if let Some(verb) = endpoint.audit {
            operation["x-adit-audit"] = verb.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        operation
    }
}

fn in_path(key: &str, description: &str, pattern: &str) -> Value {
    let schema = json!({ "type": "string", "pattern": pattern });
    json!({ "name": key, "in": "path", "required": true, "description": description, "schema": schema })
}

/// The name of the answers of that status among the document's components.
pub(super) fn error_name(status: StatusCode) -> String {
    status.canonical_reason().expect("errors have well-known statuses").replace(' ', "")
}

fn need(need: Need) -> String {
    match need {
        Need::Nothing => "Every caller may ask it.".to_owned(),
        Need::Everywhere(role) => format!("It needs the role `{role}` everywhere."),
        Need::ForTunnel(role) => format!("It needs the role `{role}` for the tunnel."),
        Need::Anywhere(role) => format!("It needs the role `{role}` for anything."),
    }
}

fn scope(need: Need) -> &'static str {
    match need {
        Need::Nothing => "none",
        Need::Everywhere(_) => "everywhere",
        Need::ForTunnel(_) => "tunnel",
        Need::Anywhere(_) => "anywhere",
    }
}

const STREAM: &str = "\
Each message of the Server-Sent Events. `item` has an id and one element of the list as its data; `missed` tells of a \
gap: its data has `count`, at least so many elements were left out, and `hint`, what can be done about it.";

impl Tag {
    /// Every tag, in the order in which a reader meets them.
    pub(super) const ALL: [Self; 7] =
        [Self::Daemon, Self::Tunnels, Self::Routes, Self::Changes, Self::History, Self::Configuration, Self::Ownership];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Tunnels => "tunnels",
            Self::Routes => "routes",
            Self::Changes => "changes",
            Self::History => "history",
            Self::Configuration => "configuration",
            Self::Ownership => "ownership",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Daemon => "The daemon as a whole, and who asks.",
            Self::Tunnels => "Tunnels and their connectors on this host.",
            Self::Routes => "What leads into tunnels: hostnames, private networks, private hostnames.",
            Self::Changes => "What would change, and making it so.",
            Self::History => "What happened, and what connectors wrote.",
            Self::Configuration => "The configuration in force, credentials and origins.",
            Self::Ownership => "What becomes ours, what is given up, and what is left over.",
        }
    }
}
