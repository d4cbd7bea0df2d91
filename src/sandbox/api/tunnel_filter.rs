//! The filters of the tunnel list.

use jiff::Timestamp;

use super::{failure::Failure, query::Query};
use crate::sandbox::world::tunnel::Tunnel;

/// What a list asks for. Without `is_deleted` live and deleted tunnels come together.
#[derive(Debug, Default)]
pub(super) struct TunnelFilter {
    name: Option<String>,
    include_prefix: Option<String>,
    exclude_prefix: Option<String>,
    is_deleted: Option<bool>,
    existed_at: Option<Timestamp>,
    was_active_at: Option<Timestamp>,
    was_inactive_at: Option<Timestamp>,
    status: Option<String>,
    uuid: Option<String>,
}

impl TunnelFilter {
    /// Reads both spellings of the prefix filter: the schema's `include_prefix` and cloudflared's `name_prefix`.
    pub(super) fn parse(query: &Query) -> Result<Self, Failure> {
        let text = |name: &str| query.text(name).map(str::to_owned);
        Ok(Self {
            name: text("name"),
            include_prefix: text("include_prefix").or_else(|| text("name_prefix")),
            exclude_prefix: text("exclude_prefix"),
            is_deleted: query.flag("is_deleted")?,
            existed_at: query.time("existed_at")?,
            was_active_at: query.time("was_active_at")?,
            was_inactive_at: query.time("was_inactive_at")?,
            status: text("status"),
            uuid: text("uuid"),
        })
    }

    pub(super) fn matches(&self, tunnel: &Tunnel) -> bool {
        let existed = |at: Timestamp| tunnel.created <= at && tunnel.deleted.is_none_or(|deleted| at < deleted);
        let was_active = |at: Timestamp| tunnel.active_since.is_some_and(|since| since <= at);
        let was_inactive = |at: Timestamp| tunnel.inactive_since.is_some_and(|since| since <= at);
        self.name.as_ref().is_none_or(|name| tunnel.name == *name)
            && self.include_prefix.as_ref().is_none_or(|prefix| tunnel.name.starts_with(prefix.as_str()))
            && self.exclude_prefix.as_ref().is_none_or(|prefix| !tunnel.name.starts_with(prefix.as_str()))
            && self.is_deleted.is_none_or(|deleted| tunnel.is_live() != deleted)
            && self.existed_at.is_none_or(existed)
            && self.was_active_at.is_none_or(was_active)
            && self.was_inactive_at.is_none_or(was_inactive)
            && self.status.as_ref().is_none_or(|status| tunnel.status().as_str() == status)
            && self.uuid.as_ref().is_none_or(|uuid| tunnel.id.as_str() == uuid)
    }
}
