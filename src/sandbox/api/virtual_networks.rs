//! `/accounts/{account_id}/teamnet/virtual_networks`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    call::{Call, optional_time, time},
    failure::Failure,
    query::Query,
    resource::{Deletion, Ids, Paging, Resource, shown},
    routes::{is_default, was_there},
};
use crate::sandbox::world::{
    document::{Collection, Document},
    state::State,
};

/// The longest name and the longest comment, in characters.
const TEXT_MAX: usize = 256;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VirtualNetwork {
    name: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    is_default_network: bool,
}

impl Resource for VirtualNetwork {
    const COLLECTION: Collection = Collection::VirtualNetworks;
    const IDS: Ids = Ids::Uuid;
    const DELETION: Deletion = Deletion::Kept;
    const PAGING: Paging = Paging::One;

    /// One that becomes the default takes that from another; the default itself cannot give it up without an heir.
    fn check(&mut self, state: &mut State, call: &Call, own: Option<&str>) -> Result<(), Failure> {
        let too_long = |text: &str| text.chars().count() > TEXT_MAX;
        if self.name.is_empty() || too_long(&self.name) || too_long(&self.comment) {
            return Err(Failure::invalid(format!("name must be 1 to {TEXT_MAX} characters, comment at most {TEXT_MAX}")));
        }
        let networks: Vec<Document> = state.documents.live(Self::COLLECTION, call.owner()).into_iter().cloned().collect();
        let mut others = networks.iter().filter(|network| Some(network.id.as_str()) != own);
        if others.any(|network| network.text("name") == Some(&self.name)) {
            return Err(Failure::invalid("a virtual network of that name exists"));
        }
        let default = networks.into_iter().find(is_default);
        match default {
            Some(default) if self.is_default_network && Some(default.id.as_str()) != own => {
                let mut demoted = default;
                demoted.body.insert("is_default_network".to_owned(), json!(false));
                state.documents.put(Self::COLLECTION, call.owner(), demoted);
                Ok(())
            }
            Some(default) if !self.is_default_network && Some(default.id.as_str()) == own => {
                Err(Failure::invalid("make another virtual network the default instead"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_deletion(state: &State, call: &Call, document: &Document) -> Result<(), Failure> {
        let routes = state.documents.live(Collection::Routes, call.owner());
        if is_default(document) || routes.iter().any(|route| route.text("virtual_network_id") == Some(&document.id)) {
            return Err(Failure::invalid("the default virtual network, and one with routes, cannot be deleted"));
        }
        Ok(())
    }

    fn matches(document: &Document, query: &Query) -> Result<bool, Failure> {
        Ok(was_there(document, query)?
            && query.text("id").is_none_or(|id| document.id == id)
            && query.text("name").is_none_or(|name| document.text("name") == Some(name))
            && query.flag("is_default_network")?.is_none_or(|wanted| is_default(document) == wanted))
    }

    fn render(_: &State, _: &Call, document: &Document) -> Value {
        shown(
            document,
            json!({
                "id": document.id,
                "created_at": time(document.created),
                "deleted_at": optional_time(document.deleted),
            }),
        )
    }
}
