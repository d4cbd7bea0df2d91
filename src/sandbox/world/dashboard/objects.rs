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
        let body = json!({ "type": "self_hosted", "domain": domain, "name": domain, "policies": [] });
        self.create_object(Collection::AccessApps, body)
    }

    /// Stores an object of the first account, unchecked, and gives its id.
    pub(super) fn create_object(&self, collection: Collection, body: Value) -> String {
        let Value::Object(body) = body else { unreachable!("every body here is an object") };
        let (account, id, now) = (self.world.account_id(), new_uuid(), Timestamp::now());
        self.world.change(|state| {
            let number = state.next_number();
            let document = Document { id: id.clone(), body, created: now, modified: now, deleted: None, number };
            state.documents.put(collection, account.as_str(), document);
            state.touch();
        });
        id
    }
}

fn find(state: &State, kind: &str, id: &str) -> Result<(Collection, String, Document), Error> {
    state.documents.find(kind, id).ok_or(Error::DocumentNotFound)
}
