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
        state::State,
    },
};

impl Dashboard {
    /// Leads a network, such as `10.0.0.0/8`, in the virtual network of this name to a tunnel.
    ///
    /// # Errors
    /// There is no such virtual network.
    pub fn create_network_route(&self, network: &str, virtual_network: &str, tunnel: &TunnelId) -> Result<String, Error> {
        let id = self
            .world
            .change(|state| self.find(state, Collection::VirtualNetworks, "name", virtual_network).map(|found| found.id))?;
        let body = json!({ "network": network, "tunnel_id": tunnel, "comment": "by hand", "virtual_network_id": id });
        Ok(self.create_object(Collection::Routes, body))
    }

    /// Leads a private hostname to a tunnel.
    pub fn create_hostname_route(&self, hostname: &str, tunnel: &TunnelId) -> String {
        self.create_object(Collection::HostnameRoutes, json!({ "hostname": hostname, "tunnel_id": tunnel, "comment": "by hand" }))
    }

    /// Makes a virtual network that is not the default one.
    pub fn create_virtual_network(&self, name: &str) -> String {
        self.create_object(
            Collection::VirtualNetworks,
            json!({ "name": name, "comment": "by hand", "is_default_network": false }),
        )
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

    /// The live object of the main account whose `field` says `value`.
    fn find(&self, state: &State, collection: Collection, field: &str, value: &str) -> Result<Document, Error> {
        let documents = state.documents.live(collection, self.world.account_id().as_str());
        let found = documents.into_iter().find(|document| document.text(field) == Some(value));
        found.cloned().ok_or(Error::DocumentNotFound)
    }

    fn edit(&self, collection: Collection, field: &str, value: &str, fields: Value) -> Result<(), Error> {
        let fields: Map<String, Value> = serde_json::from_value(fields).map_err(|error| Error::Invalid(error.to_string()))?;
        self.world.change(|state| {
            let mut document = self.find(state, collection, field, value)?;
            merge(&mut document.body, fields);
            state.documents.put(collection, self.world.account_id().as_str(), document);
            state.touch();
            Ok(())
        })
    }

    fn delete(&self, collection: Collection, field: &str, value: &str) -> Result<(), Error> {
        self.world.change(|state| {
            let found = self.find(state, collection, field, value)?;
            state.documents.mark_deleted(collection, self.world.account_id().as_str(), &found.id, Timestamp::now());
            state.touch();
            Ok(())
        })
    }
}
