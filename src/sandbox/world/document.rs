//! Objects that the world only stores: load balancers, pools, monitors, private routes, Access applications. Their rules stand
//! with their operations; here they are documents in collections.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::state::State;
use crate::id::{AccountId, TunnelId};

/// The kinds of stored objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Collection {
    Pools,
    Monitors,
    LoadBalancers,
    Routes,
    VirtualNetworks,
    HostnameRoutes,
    AccessApps,
    AccessPolicies,
}

impl Collection {
    /// The name in a snapshot.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pools => "pools",
            Self::Monitors => "monitors",
            Self::LoadBalancers => "load_balancers",
            Self::Routes => "routes",
            Self::VirtualNetworks => "virtual_networks",
            Self::HostnameRoutes => "hostname_routes",
            Self::AccessApps => "access_apps",
            Self::AccessPolicies => "access_policies",
        }
    }
}

/// A stored object.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) id: String,
    /// What was written, checked.
    pub(crate) body: Map<String, Value>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) deleted: Option<Timestamp>,
    /// The place in the order of creation.
    pub(crate) number: u64,
}

impl Document {
    /// A field that holds text.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field).and_then(Value::as_str)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.deleted.is_none()
    }
}

/// Lays the fields of a `PATCH` over a body; `null` takes a field away, so that it returns to its default.
pub(crate) fn merge(body: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (field, value) in patch {
        if value.is_null() {
            body.remove(&field);
        } else {
            body.insert(field, value);
        }
    }
}

/// All stored objects, by kind, owner (an account's or a zone's id) and id.
#[derive(Debug, Default)]
pub(crate) struct Documents(BTreeMap<(Collection, String), BTreeMap<String, Document>>);

impl Documents {
    /// Every object of a kind and owner in the order of creation, deleted ones included.
    pub(crate) fn all(&self, collection: Collection, owner: &str) -> Vec<&Document> {
        let documents = self.0.get(&(collection, owner.to_owned()));
        let mut documents: Vec<&Document> = documents.into_iter().flat_map(BTreeMap::values).collect();
        documents.sort_by_key(|document| document.number);
        documents
    }

    /// Every live object of a kind and owner in the order of creation.
    pub(crate) fn live(&self, collection: Collection, owner: &str) -> Vec<&Document> {
        self.all(collection, owner).into_iter().filter(|document| document.is_live()).collect()
    }

    pub(crate) fn get(&self, collection: Collection, owner: &str, id: &str) -> Option<&Document> {
        self.0.get(&(collection, owner.to_owned()))?.get(id)
    }

    /// The live object of a kind, by the kind's name in a snapshot, with the collection and the owner that it has.
    pub(crate) fn find(&self, kind: &str, id: &str) -> Option<(Collection, String, Document)> {
        self.0.iter().filter(|((collection, _), _)| collection.name() == kind).find_map(|((collection, owner), documents)| {
            let document = documents.get(id).filter(|document| document.is_live())?;
            Some((*collection, owner.clone(), document.clone()))
        })
    }

    /// Stores an object under its id, in the place of one that is there.
    pub(crate) fn put(&mut self, collection: Collection, owner: &str, document: Document) {
        self.0.entry((collection, owner.to_owned())).or_default().insert(document.id.clone(), document);
    }

    /// Forgets an object.
    pub(crate) fn remove(&mut self, collection: Collection, owner: &str, id: &str) {
        if let Some(documents) = self.0.get_mut(&(collection, owner.to_owned())) {
            documents.remove(id);
        }
    }

    /// Keeps an object, with the time of its deletion.
    pub(crate) fn mark_deleted(&mut self, collection: Collection, owner: &str, id: &str, now: Timestamp) {
        let document = self.0.get_mut(&(collection, owner.to_owned())).and_then(|documents| documents.get_mut(id));
        if let Some(document) = document {
            document.deleted = Some(now);
        }
    }

    /// Every live object with the collection that it is in.
    pub(crate) fn every_live(&self) -> impl Iterator<Item = (Collection, &Document)> {
        let all = self.0.iter().flat_map(|((collection, _), documents)| documents.values().map(|it| (*collection, it)));
        all.filter(|(_, document)| document.is_live())
    }
}

impl State {
    /// The live private routes (networks and hostnames) that lead to a tunnel.
    pub(crate) fn routes_of(&self, account: &AccountId, tunnel: &TunnelId) -> Vec<(Collection, String)> {
        let leads_there = |document: &&Document| document.text("tunnel_id") == Some(tunnel.as_str());
        let routes = |collection| {
            let live = self.documents.live(collection, account.as_str());
            live.into_iter().filter(leads_there).map(move |document| (collection, document.id.clone())).collect::<Vec<_>>()
        };
        [routes(Collection::Routes), routes(Collection::HostnameRoutes)].concat()
    }
}
