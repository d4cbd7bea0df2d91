//! One call of an operation: where it is aimed, what it brings, who makes it.

use hyper::StatusCode;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{answer::Answer, failure::Failure, query::Query};
use crate::{
    id::{AccountId, ConnectorId, RecordId, TunnelId, ZoneId},
    sandbox::world::{Token, state::State},
};

/// What does an operation's work.
pub(super) type Handler = fn(&mut State, &Call) -> Result<Answer, Failure>;

/// A call that has passed every check that comes before its operation.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) params: Params,
    pub(super) query: Query,
    /// The bytes of the body; empty when there was none.
    pub(super) body: Vec<u8>,
    pub(super) token: Token,
    pub(super) now: Timestamp,
}

/// What stood in the places of the path's parameters; each has the form that its place asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Params(pub(super) Vec<(&'static str, String)>);

impl Params {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }
}

impl Call {
    /// The last parameter of the path: the id of the object itself.
    pub(super) fn object(&self) -> &str {
        self.params.0.last().map_or("", |(_, value)| value)
    }

    /// The account or the zone that the objects of this call belong to.
    pub(super) fn owner(&self) -> &str {
        self.params.0.first().map_or("", |(_, value)| value)
    }

    pub(super) fn account(&self) -> AccountId {
        self.id("account_id")
    }

    pub(super) fn zone(&self) -> ZoneId {
        self.id("zone_id")
    }

    pub(super) fn tunnel(&self) -> TunnelId {
        self.id("tunnel_id")
    }

    pub(super) fn connector(&self) -> ConnectorId {
        self.id("connector_id")
    }

    pub(super) fn record(&self) -> RecordId {
        self.id("dns_record_id")
    }

    /// The body as a `T`; one with unknown fields is refused, because a real one would do something else than was meant.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse(self.json()?)
    }

    /// The body of a `PATCH`: an object with at least one field.
    pub(super) fn patch(&self) -> Result<Map<String, Value>, Failure> {
        let fields: Map<String, Value> = self.body()?;
        if fields.is_empty() { Err(Failure::invalid("at least one field must be given")) } else { Ok(fields) }
    }

    pub(super) fn json(&self) -> Result<Value, Failure> {
        let malformed = |_| Failure::new(StatusCode::BAD_REQUEST, 6007, "Malformed JSON in request body");
        serde_json::from_slice(&self.body).map_err(malformed)
    }

    fn id<T: std::str::FromStr>(&self, name: &str) -> T {
        let id = self.params.get(name).and_then(|text| text.parse().ok());
        id.expect("an operation asks only for parameters of its path, and their form was checked")
    }
}

/// A JSON value as a `T`.
pub(super) fn parse<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::invalid(error.to_string()))
}

/// A time as the API writes it.
pub(super) fn time(at: Timestamp) -> Value {
    json!(format!("{at:.6}"))
}

/// A time that may be missing, as the API writes it.
pub(super) fn optional_time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, time)
}
