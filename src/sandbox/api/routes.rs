//! `/accounts/{account_id}/teamnet/routes`: private networks behind tunnels.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    answer::Answer,
    call::{Call, optional_time, time},
    failure::Failure,
    query::Query,
    resource::{Deletion, Ids, Paging, Resource, shown},
};
use crate::{
    id::TunnelId,
    sandbox::world::{
        Error,
        document::{Collection, Document},
        state::State,
    },
};

/// How many routes of both kinds an account can have ("Account limits" of Cloudflare One).
const ROUTES_MAX: usize = 1_000;

/// The longest comment, in characters.
const COMMENT_MAX: usize = 100;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    network: String,
    tunnel_id: TunnelId,
    #[serde(default)]
    comment: String,
    virtual_network_id: Option<String>,
}

impl Resource for Route {
    const COLLECTION: Collection = Collection::Routes;
    const IDS: Ids = Ids::Uuid;
    const DELETION: Deletion = Deletion::Kept;
    const PAGING: Paging = Paging::Pages;

    fn check(&mut self, state: &mut State, call: &Call, own: Option<&str>) -> Result<(), Failure> {
        state.live_tunnel(&call.account(), &self.tunnel_id)?;
        let network: IpNet = self.network.parse().map_err(|_| Failure::invalid("network must be one such as 10.0.0.0/8"))?;
        if network != network.trunc() {
            return Err(Failure::invalid(format!("network must be written as {}", network.trunc())));
        }
        self.network = network.to_string();
        if self.comment.chars().count() > COMMENT_MAX {
            return Err(Failure::invalid(format!("comment must not be longer than {COMMENT_MAX} characters")));
        }
        let networks = state.documents.live(Collection::VirtualNetworks, call.owner());
        let wanted = self.virtual_network_id.take();
        let chosen = |network: &&&Document| match &wanted {
            Some(id) => network.id == *id,
            None => is_default(network),
        };
        let network = networks.iter().find(chosen);
        let network = network.ok_or_else(|| Failure::invalid("virtual_network_id must be the id of a virtual network"))?;
        let taken = |route: &&Document| {
            route.text("network") == Some(&self.network)
                && route.text("virtual_network_id") == Some(&network.id)
                && Some(route.id.as_str()) != own
        };
        if state.documents.live(Self::COLLECTION, call.owner()).iter().any(taken) {
            return Err(Error::RouteTaken.into());
        }
        self.virtual_network_id = Some(network.id.clone());
        check_quota(state, call, own)
    }

    fn matches(document: &Document, query: &Query) -> Result<bool, Failure> {
        let network = |name: &str| query.text(name).map(str::parse::<IpNet>).transpose();
        let malformed = |_| Failure::invalid("network_subset and network_superset must be networks such as 10.0.0.0/8");
        let (subset, superset) = (network("network_subset").map_err(malformed)?, network("network_superset").map_err(malformed)?);
        let own: Option<IpNet> = document.text("network").and_then(|text| text.parse().ok());
        let same = |field: &str, name: &str| query.text(name).is_none_or(|wanted| document.text(field) == Some(wanted));
        Ok(was_there(document, query)?
            && same("comment", "comment")
            && same("tunnel_id", "tunnel_id")
            && same("virtual_network_id", "virtual_network_id")
            && query.text("route_id").is_none_or(|id| document.id == id)
            && query.text("tun_types").is_none_or(|kinds| kinds.split(',').any(|kind| kind == "cfd_tunnel"))
            // A subset lies within the network that is asked for, a superset around it.
            && subset.is_none_or(|subset| own.is_some_and(|own| subset.contains(&own)))
            && superset.is_none_or(|superset| own.is_some_and(|own| own.contains(&superset))))
    }

    fn render(_: &State, _: &Call, document: &Document) -> Value {
        shown(
            document,
            json!({ "id": document.id, "created_at": time(document.created), "deleted_at": optional_time(document.deleted) }),
        )
    }

    fn render_listed(state: &State, call: &Call, document: &Document) -> Value {
        let network = document.text("virtual_network_id").unwrap_or_default();
        let network = state.documents.get(Collection::VirtualNetworks, call.owner(), network);
        shown(
            document,
            json!({
                "id": document.id,
                "tun_type": "cfd_tunnel",
                "tunnel_name": tunnel_name(state, document),
                "virtual_network_name": network.and_then(|network| network.text("name")),
                "created_at": time(document.created),
                "deleted_at": optional_time(document.deleted),
            }),
        )
    }
}

/// The route that an address takes: the one with the longest prefix, in the default virtual network if none is named.
pub(super) fn resolve(state: &mut State, call: &Call) -> Result<Answer, Failure> {
    let address: IpAddr = call.object().parse().map_err(|_| Failure::invalid("ip must be an address"))?;
    let networks = state.documents.live(Collection::VirtualNetworks, call.owner());
    let default = networks.into_iter().find(|network| is_default(network)).map(|network| network.id.as_str());
    let named = call.query.text("virtual_network_id");
    let fallback = if call.query.flag("default_virtual_network_fallback")? == Some(true) { default } else { None };
    let routes = state.documents.live(Collection::Routes, call.owner());
    let longest = |network: &str| {
        let routes = routes.iter().filter(|route| route.text("virtual_network_id") == Some(network));
        let routes = routes.filter_map(|route| Some((route.text("network")?.parse::<IpNet>().ok()?, route)));
        let route = routes.filter(|(range, _)| range.contains(&address)).max_by_key(|(range, _)| range.prefix_len());
        route.map(|(_, route)| route)
    };
    let route = named.or(default).and_then(longest).or_else(|| fallback.and_then(longest));
    Ok(Answer::one(Route::render_listed(state, call, route.ok_or(Error::DocumentNotFound)?)))
}

/// Whether a document fits `is_deleted` and `existed_at`.
pub(super) fn was_there(document: &Document, query: &Query) -> Result<bool, Failure> {
    let existed_at = query.time("existed_at")?;
    let existed = |at| document.created <= at && document.deleted.is_none_or(|deleted| at < deleted);
    Ok(query.flag("is_deleted")?.is_none_or(|deleted| document.is_live() != deleted) && existed_at.is_none_or(existed))
}

/// Whether the account has room for one more route, of networks and hostnames together.
pub(super) fn check_quota(state: &State, call: &Call, own: Option<&str>) -> Result<(), Failure> {
    let count = |collection| state.documents.live(collection, call.owner()).len();
    if own.is_none() && count(Collection::Routes) + count(Collection::HostnameRoutes) >= ROUTES_MAX {
        return Err(Error::Quota { what: "routes", max: ROUTES_MAX }.into());
    }
    Ok(())
}

/// The name of the tunnel that a route leads to.
pub(super) fn tunnel_name<'a>(state: &'a State, document: &Document) -> Option<&'a str> {
    let tunnel: TunnelId = document.text("tunnel_id")?.parse().ok()?;
    state.tunnels.get(&tunnel).map(|tunnel| tunnel.name.as_str())
}

pub(super) fn is_default(network: &Document) -> bool {
    network.body.get("is_default_network") == Some(&Value::Bool(true))
}
