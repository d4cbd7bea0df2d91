//! `/accounts/{account_id}/load_balancers/pools`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    call::{Call, time},
    failure::Failure,
    query::Query,
    resource::{self, Deletion, Ids, Paging, Resource, shown},
};
use crate::sandbox::world::{
    document::{Collection, Document},
    state::State,
};

/// The regions that health checks can come from.
const REGIONS: [&str; 15] =
    ["WNAM", "ENAM", "WEU", "EEU", "NSAM", "SSAM", "OC", "ME", "NAF", "SAF", "SAS", "SEAS", "NEAS", "CHINA", "ALL_REGIONS"];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pool {
    name: String,
    origins: Vec<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default = "resource::yes")]
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_origins: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitor_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check_regions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_shedding: Option<LoadShedding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin_steering: Option<OriginSteering>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_filter: Option<serde_json::Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_sources: Option<Vec<HealthSource>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Origin {
    name: String,
    address: String,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flatten_cname: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_network_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<OriginHeader>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginHeader {
    #[serde(rename = "Host", skip_serializing_if = "Option::is_none")]
    host: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct LoadShedding {
    #[serde(skip_serializing_if = "Option::is_none")]
    default_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_policy: Option<SheddingPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_policy: Option<SheddingPolicy>,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum SheddingPolicy {
    Random,
    Hash,
}

#[derive(Serialize, Deserialize)]
struct OriginSteering {
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<SteeringPolicy>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SteeringPolicy {
    Random,
    Hash,
    LeastOutstandingRequests,
    LeastConnections,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HealthSource {
    Local,
    Regional,
    Global,
}

impl Resource for Pool {
    const COLLECTION: Collection = Collection::Pools;
    const IDS: Ids = Ids::Hex;
    const DELETION: Deletion = Deletion::Forgotten;
    const PAGING: Paging = Paging::One;

    fn check(&mut self, state: &mut State, call: &Call, own: Option<&str>) -> Result<(), Failure> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if self.name.is_empty() || !self.name.bytes().all(allowed) {
            return Err(Failure::invalid("name must be made of letters, digits, - and _"));
        }
        let pools = state.documents.live(Self::COLLECTION, call.owner());
        if pools.iter().any(|pool| pool.text("name") == Some(&self.name) && Some(pool.id.as_str()) != own) {
            return Err(Failure::invalid("a pool of that name exists"));
        }
        let monitors = state.documents.live(Collection::Monitors, call.owner());
        if self.monitor.as_ref().is_some_and(|id| !monitors.iter().any(|monitor| monitor.id == *id)) {
            return Err(Failure::invalid("monitor must be the id of a monitor"));
        }
        if self.check_regions.iter().flatten().any(|region| !REGIONS.contains(&region.as_str())) {
            return Err(Failure::invalid("check_regions must be regions such as WEU"));
        }
        if self.load_shedding.as_ref().is_some_and(|shedding| !shedding.is_valid()) {
            return Err(Failure::invalid("load_shedding has percents from 0 to 100 and sheds sessions by hash"));
        }
        let addresses: BTreeSet<&str> = self.origins.iter().map(|origin| origin.address.as_str()).collect();
        if addresses.len() < self.origins.len() {
            return Err(Failure::invalid("a pool must not name the same address twice"));
        }
        if self.origins.iter().all(Origin::is_valid) {
            Ok(())
        } else {
            Err(Failure::invalid("an origin has an address, a weight from 0 to 1 and at most one Host header"))
        }
    }

    fn check_deletion(state: &State, call: &Call, document: &Document) -> Result<(), Failure> {
        let account = call.account();
        let zones = state.zones.values().filter(|zone| zone.account == account);
        let balancers = zones.flat_map(|zone| state.documents.live(Collection::LoadBalancers, zone.id.as_str()));
        let uses = |balancer: &Document| {
            let pools = balancer.body.get("default_pools").and_then(Value::as_array);
            balancer.text("fallback_pool") == Some(&document.id) || pools.is_some_and(|ids| ids.contains(&json!(document.id)))
        };
        if balancers.into_iter().any(uses) { Err(Failure::invalid("a load balancer uses this pool")) } else { Ok(()) }
    }

    fn matches(document: &Document, query: &Query) -> Result<bool, Failure> {
        Ok(query.text("monitor").is_none_or(|monitor| document.text("monitor") == Some(monitor)))
    }

    fn render(_: &State, _: &Call, document: &Document) -> Value {
        let times = (time(document.created), time(document.modified));
        shown(document, json!({ "id": document.id, "created_on": times.0, "modified_on": times.1 }))
    }
}

impl Origin {
    fn is_valid(&self) -> bool {
        let hosts = self.header.as_ref().and_then(|header| header.host.as_ref());
        !self.address.is_empty()
            && self.weight.is_none_or(|weight| (0.0..=1.0).contains(&weight))
            && hosts.is_none_or(|hosts| hosts.len() <= 1)
    }
}

impl LoadShedding {
    fn is_valid(&self) -> bool {
        let mut percents = [self.default_percent, self.session_percent].into_iter().flatten();
        percents.all(|percent| (0.0..=100.0).contains(&percent)) && self.session_policy != Some(SheddingPolicy::Random)
    }
}
