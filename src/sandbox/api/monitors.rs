//! `/accounts/{account_id}/load_balancers/monitors`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    call::{Call, time},
    failure::Failure,
    query::Query,
    resource::{Deletion, Ids, Paging, Resource, shown},
};
use crate::sandbox::world::{
    document::{Collection, Document},
    state::State,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Monitor {
    #[serde(rename = "type")]
    kind: MonitorKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_up: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_down: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_codes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follow_redirects: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_insecure: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe_zone: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MonitorKind {
    Http,
    Https,
    Tcp,
    UdpIcmp,
    IcmpPing,
    Smtp,
}

impl Resource for Monitor {
    const COLLECTION: Collection = Collection::Monitors;
    const IDS: Ids = Ids::Hex;
    const DELETION: Deletion = Deletion::Forgotten;
    const PAGING: Paging = Paging::One;

    fn check(&mut self, _: &mut State, _: &Call, _: Option<&str>) -> Result<(), Failure> {
        // 10 s are for Enterprise accounts only; this account is a standard one.
        if self.interval.is_none_or(|interval| (15..=3_600).contains(&interval)) {
            Ok(())
        } else {
            Err(Failure::invalid("interval must be between 15 and 3600 seconds"))
        }
    }

    fn check_deletion(state: &State, call: &Call, document: &Document) -> Result<(), Failure> {
        let pools = state.documents.live(Collection::Pools, call.owner());
        if pools.iter().any(|pool| pool.text("monitor") == Some(&document.id)) {
            return Err(Failure::invalid("a pool uses this monitor"));
        }
        Ok(())
    }

    fn matches(_: &Document, _: &Query) -> Result<bool, Failure> {
        Ok(true)
    }

    fn render(_: &State, _: &Call, document: &Document) -> Value {
        let times = (time(document.created), time(document.modified));
        shown(document, json!({ "id": document.id, "created_on": times.0, "modified_on": times.1 }))
    }
}
