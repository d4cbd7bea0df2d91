//! `/accounts/{account_id}/zerotrust/routes/hostname`: private hostnames behind tunnels.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    call::{Call, optional_time, time},
    failure::Failure,
    query::Query,
    resource::{Deletion, Ids, Paging, Resource, shown},
    routes::{check_quota, tunnel_name, was_there},
};
use crate::{
    id::TunnelId,
    sandbox::world::{
        Error,
        document::{Collection, Document},
        state::State,
    },
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostnameRoute {
    hostname: String,
    tunnel_id: TunnelId,
    #[serde(default)]
    comment: String,
}

impl Resource for HostnameRoute {
    const COLLECTION: Collection = Collection::HostnameRoutes;
    const IDS: Ids = Ids::Uuid;
    const DELETION: Deletion = Deletion::Kept;
    const PAGING: Paging = Paging::Pages;

    fn check(&mut self, state: &mut State, call: &Call, own: Option<&str>) -> Result<(), Failure> {
        state.live_tunnel(&call.account(), &self.tunnel_id)?;
        self.hostname = self.hostname.to_lowercase();
        if self.hostname.is_empty() {
            return Err(Failure::invalid("hostname must not be empty"));
        }
        let routes = state.documents.live(Self::COLLECTION, call.owner());
        if routes.iter().any(|route| route.text("hostname") == Some(&self.hostname) && Some(route.id.as_str()) != own) {
            return Err(Error::RouteTaken.into());
        }
        check_quota(state, call, own)
    }

    /// Unlike the other lists, this one leaves deleted routes out when nothing is said.
    fn matches(document: &Document, query: &Query) -> Result<bool, Failure> {
        let same = |field: &str| query.text(field).is_none_or(|wanted| document.text(field) == Some(wanted));
        let contains = |part: &str| document.text("hostname").is_some_and(|hostname| hostname.contains(part));
        Ok(was_there(document, query)?
            && (query.text("is_deleted").is_some() || document.is_live())
            && query.text("id").is_none_or(|id| document.id == id)
            && query.text("hostname").is_none_or(contains)
            && same("tunnel_id")
            && same("comment"))
    }

    fn render(state: &State, _: &Call, document: &Document) -> Value {
        shown(
            document,
            json!({
                "id": document.id,
                "tun_type": "cfd_tunnel",
                "tunnel_name": tunnel_name(state, document),
                "created_at": time(document.created),
                "deleted_at": optional_time(document.deleted),
            }),
        )
    }
}
