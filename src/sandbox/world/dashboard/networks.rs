//! Someone in the dashboard, among private routes and virtual networks of the main account. Nothing is checked but that the object
//! is there: whoever edits there is taken to know the rules.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Dashboard;
use crate::{
    id::TunnelId,
    sandbox::world::{
        Error,
        document::{Collection, Document, merge},
        state::new_uuid,
    },
};

impl Dashboard {
    /// Leads a network, such as `10.0.0.0/8`, in the virtual network of this name to a tunnel.
    ///
    /// # Errors
    /// There is no such virtual network.
    pub fn create_network_route(&self, network: &str, virtual_network: &str, tunnel: &TunnelId) -> Result<String, Error> {
        let (_, id) = self.find(Collection::VirtualNetworks, "name", virtual_network)?;
        let body = json!({ "network": network, "tunnel_id": tunnel, "comment": "by hand", "virtual_network_id": id });
        Ok(self.put(Collection::Routes, body))
    }

    /// Leads a private hostname to a tunnel.
    pub fn create_hostname_route(&self, hostname: &str, tunnel: &TunnelId) -> String {
        self.put(Collection::HostnameRoutes, json!({ "hostname": hostname, "tunnel_id": tunnel, "comment": "by hand" }))
    }

    /// Makes a virtual network that is not the default one.
    pub fn create_virtual_network(&self, name: &str) -> String {
        self.put(Collection::VirtualNetworks, json!({ "name": name, "comment": "by hand", "is_default_network": false }))
    }

    /// Changes fields of the route of this network, such as `{"comment": "mine"}`.
    ///
    /// # Errors
    /// There is no such route.
    pub fn edit_network_route(&self, network: &str, fields: Value) -> Result<(), Error> {
        self.edit(Collection::Routes, "network", network, fields)
    }

    /// Changes fields of the route of this private hostname.
    ///
    /// # Errors
    /// There is no such route.
    pub fn edit_hostname_route(&self, hostname: &str, fields: Value) -> Result<(), Error> {
        self.edit(Collection::HostnameRoutes, "hostname", hostname, fields)
    }

    /// Changes fields of the virtual network of this name.
    ///
    /// # Errors
    /// There is no such virtual network.
    pub fn edit_virtual_network(&self, name: &str, fields: Value) -> Result<(), Error> {
        self.edit(Collection::VirtualNetworks, "name", name, fields)
    }

    /// Deletes the route of this network.
    ///
    /// # Errors
    /// There is no such route.
    pub fn delete_network_route(&self, network: &str) -> Result<(), Error> {
        self.delete(Collection::Routes, "network", network)
    }

    /// Deletes the route of this private hostname.
    ///
    /// # Errors
    /// There is no such route.
    pub fn delete_hostname_route(&self, hostname: &str) -> Result<(), Error> {
        self.delete(Collection::HostnameRoutes, "hostname", hostname)
    }

    fn find(&self, collection: Collection, field: &str, value: &str) -> Result<(Document, String), Error> {
        let account = self.world.account_id();
        self.world.change(|state| {
            let documents = state.documents.live(collection, account.as_str());
            let found = documents.into_iter().find(|document| document.text(field) == Some(value));
            let found = found.ok_or(Error::DocumentNotFound)?.clone();
            let id = found.id.clone();
            Ok((found, id))
        })
    }

    fn put(&self, collection: Collection, body: Value) -> String {
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

    fn edit(&self, collection: Collection, field: &str, value: &str, fields: Value) -> Result<(), Error> {
        let (mut document, _) = self.find(collection, field, value)?;
        let fields: Map<String, Value> = serde_json::from_value(fields).map_err(|error| Error::Invalid(error.to_string()))?;
        merge(&mut document.body, fields);
        let account = self.world.account_id();
        self.world.change(|state| {
            state.documents.put(collection, account.as_str(), document);
            state.touch();
        });
        Ok(())
    }

    fn delete(&self, collection: Collection, field: &str, value: &str) -> Result<(), Error> {
        let (_, id) = self.find(collection, field, value)?;
        let account = self.world.account_id();
        self.world.change(|state| {
            state.documents.mark_deleted(collection, account.as_str(), &id, Timestamp::now());
            state.touch();
        });
        Ok(())
    }
}
