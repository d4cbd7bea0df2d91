//! The five operations that load balancing, private networks and Access share: an object is checked, stored and shown.

use hyper::StatusCode;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    call::{Call, parse},
    failure::Failure,
    query::{PageSizes, Query},
};
use crate::sandbox::world::{
    Error,
    document::{Collection, Document, merge},
    state::{State, new_hex, new_uuid},
};

/// A kind of object. The type that implements it is the body that a client writes, closed against unknown fields.
pub(super) trait Resource: Serialize + DeserializeOwned {
    /// Where the objects are stored.
    const COLLECTION: Collection;
    /// How the objects are numbered.
    const IDS: Ids;
    /// What happens to a deleted object.
    const DELETION: Deletion;
    /// How a list is cut.
    const PAGING: Paging;
    /// The status of a creation.
    const CREATED: StatusCode = StatusCode::OK;
    /// The status of a deletion.
    const DELETED: StatusCode = StatusCode::OK;

    /// The rules beyond the form of the body, and what is filled in. `own` is the id of the object that is changed.
    fn check(&mut self, state: &mut State, call: &Call, own: Option<&str>) -> Result<(), Failure>;

    /// Whether the object may be deleted.
    fn check_deletion(_: &State, _: &Call, _: &Document) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a list with this query shows the object.
    fn matches(document: &Document, query: &Query) -> Result<bool, Failure>;

    /// The object as the API shows it.
    fn render(state: &State, call: &Call, document: &Document) -> Value;

    /// The same as an item of a list, which may tell more.
    fn render_listed(state: &State, call: &Call, document: &Document) -> Value {
        Self::render(state, call, document)
    }
}

/// The form of an object's id.
pub(super) enum Ids {
    Hex,
    Uuid,
}

/// What a deletion leaves behind.
pub(super) enum Deletion {
    /// Nothing; the answer is the id.
    Forgotten,
    /// The object with `deleted_at`, which is the answer, too.
    Kept,
}

/// Whether a list comes in pages.
pub(super) enum Paging {
    One,
    Pages,
}

pub(super) fn list<R: Resource>(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let mut shown = Vec::new();
    for document in state.documents.all(R::COLLECTION, call.owner()) {
        if R::matches(document, &call.query)? {
            shown.push(document);
        }
    }
    let render = |document: &&Document| R::render_listed(state, call, document);
    match R::PAGING {
        Paging::One => Ok(Answer::all(shown.iter().map(render).collect())),
        Paging::Pages => Ok(call.query.page(PageSizes::MANY)?.cut(&shown, render)),
    }
}

pub(super) fn create<R: Resource>(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let mut body: R = call.body()?;
    body.check(state, call, None)?;
    let id = match R::IDS {
        Ids::Hex => new_hex(),
        Ids::Uuid => new_uuid(),
    };
    let number = state.next_number();
    let document = Document { id, body: stored(&body)?, created: call.now, modified: call.now, deleted: None, number };
    Ok(save::<R>(state, call, document).with_status(R::CREATED))
}

pub(super) fn get<R: Resource>(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let document = state.documents.get(R::COLLECTION, call.owner(), call.object()).ok_or(Error::DocumentNotFound)?;
    Ok(Answer::one(R::render(state, call, document)))
}

/// Overwrites: what is left out returns to its default.
pub(super) fn put<R: Resource>(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let document = live::<R>(state, call)?;
    overwrite::<R>(state, call, document, call.body()?)
}

/// Changes the fields that are given; `null` returns one to its default.
pub(super) fn patch<R: Resource>(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let document = live::<R>(state, call)?;
    let mut merged = document.body.clone();
    merge(&mut merged, call.patch()?);
    overwrite::<R>(state, call, document, parse(Value::Object(merged))?)
}

pub(super) fn delete<R: Resource>(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let document = live::<R>(state, call)?;
    R::check_deletion(state, call, &document)?;
    let result = match R::DELETION {
        Deletion::Forgotten => {
            state.documents.remove(R::COLLECTION, call.owner(), &document.id);
            json!({ "id": document.id })
        }
        Deletion::Kept => {
            state.documents.mark_deleted(R::COLLECTION, call.owner(), &document.id, call.now);
            R::render(state, call, &Document { deleted: Some(call.now), ..document })
        }
    };
    state.touch();
    Ok(Answer::one(result).with_status(R::DELETED))
}

fn overwrite<R: Resource>(state: &mut State, call: &Call, document: Document, mut body: R) -> Result<Answer, Failure> {
    body.check(state, call, Some(&document.id))?;
    let document = Document { body: stored(&body)?, modified: call.now, ..document };
    Ok(save::<R>(state, call, document))
}

fn save<R: Resource>(state: &mut State, call: &Call, document: Document) -> Answer {
    state.documents.put(R::COLLECTION, call.owner(), document.clone());
    state.touch();
    Answer::one(R::render(state, call, &document))
}

fn live<R: Resource>(state: &State, call: &Call) -> Result<Document, Failure> {
    let document = state.documents.get(R::COLLECTION, call.owner(), call.object());
    Ok(document.filter(|document| document.is_live()).ok_or(Error::DocumentNotFound)?.clone())
}

fn stored<R: Resource>(body: &R) -> Result<Map<String, Value>, Failure> {
    let value = serde_json::to_value(body).map_err(|error| Failure::invalid(error.to_string()))?;
    parse(value)
}

/// The stored body with more fields beside it; `fields` wins where both have one.
pub(super) fn shown(document: &Document, fields: Value) -> Value {
    let mut body = document.body.clone();
    if let Value::Object(fields) = fields {
        body.extend(fields);
    }
    Value::Object(body)
}

/// The default of what is on unless it is switched off, for serde.
pub(super) fn yes() -> bool {
    true
}
