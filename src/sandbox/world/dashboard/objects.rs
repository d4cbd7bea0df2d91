//! Edits of load balancing and Access.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Dashboard;
use crate::sandbox::world::{
    document::{Collection, Document, merge},
    error::Error,
    state::{State, new_uuid},
};

impl Dashboard {
    /// Changes fields of a pool, a monitor, a load balancer or an Access application by its id, as the API's `PATCH` does.
    /// `kind` is its name in a [`Snapshot`](crate::sandbox::world::Snapshot), such as `pools`.
    ///
    /// # Errors
    /// There is no such object, or `fields` is no object.
    pub fn edit_object(&self, kind: &str, id: &str, fields: Value) -> Result<(), Error> {
        let fields: Map<String, Value> = serde_json::from_value(fields).map_err(|error| Error::Invalid(error.to_string()))?;
        self.world.change(|state| {
            let (collection, owner, mut document) = find(state, kind, id)?;
            merge(&mut document.body, fields);
            document.modified = Timestamp::now();
            state.documents.put(collection, &owner, document);
            state.touch();
            Ok(())
        })
    }

    /// Deletes such an object, whatever uses it.
    ///
    /// # Errors
    /// There is no such object.
    pub fn delete_object(&self, kind: &str, id: &str) -> Result<(), Error> {
        self.world.change(|state| {
            let (collection, owner, document) = find(state, kind, id)?;
            state.documents.remove(collection, &owner, &document.id);
            state.touch();
            Ok(())
        })
    }

    /// Makes a self-hosted Access application for a hostname, with an optional path, in the first account.
    pub fn create_access_app(&self, domain: &str) -> String {
        let account = self.world.account_id();
        self.world.change(|state| {
            let body =
                [("type", json!("self_hosted")), ("domain", json!(domain)), ("name", json!(domain)), ("policies", json!([]))];
            let body = body.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
            let (now, id, number) = (Timestamp::now(), new_uuid(), state.next_number());
            let document = Document { id: id.clone(), body, created: now, modified: now, deleted: None, number };
            state.documents.put(Collection::AccessApps, account.as_str(), document);
            id
        })
    }
}

fn find(state: &State, kind: &str, id: &str) -> Result<(Collection, String, Document), Error> {
    state.documents.find(kind, id).ok_or(Error::DocumentNotFound)
}
