//! `/zones/{zone_id}/load_balancers`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadBalancer {
    name: String,
    default_pools: Vec<String>,
    fallback_pool: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default = "resource::yes")]
    enabled: bool,
    #[serde(default)]
    proxied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steering_policy: Option<SteeringPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_affinity: Option<SessionAffinity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_affinity_ttl: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_affinity_attributes: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    random_steering: Option<RandomSteering>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adaptive_routing: Option<AdaptiveRouting>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SteeringPolicy {
    Off,
    Geo,
    Random,
    DynamicLatency,
    Proximity,
    LeastOutstandingRequests,
    LeastConnections,
    #[serde(rename = "")]
    Unset,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SessionAffinity {
    None,
    Cookie,
    IpCookie,
    Header,
}

#[derive(Serialize, Deserialize)]
struct RandomSteering {
    #[serde(skip_serializing_if = "Option::is_none")]
    default_weight: Option<f64>,
    #[serde(default)]
    pool_weights: BTreeMap<String, f64>,
}

#[derive(Serialize, Deserialize)]
struct AdaptiveRouting {
    #[serde(skip_serializing_if = "Option::is_none")]
    failover_across_pools: Option<bool>,
}

impl Resource for LoadBalancer {
    const COLLECTION: Collection = Collection::LoadBalancers;
    const IDS: Ids = Ids::Hex;
    const DELETION: Deletion = Deletion::Forgotten;
    const PAGING: Paging = Paging::One;

    fn check(&mut self, state: &mut State, call: &Call, own: Option<&str>) -> Result<(), Failure> {
        let zone = state.zone(&call.zone())?;
        self.name = self.name.to_lowercase();
        if self.name != zone.name && !self.name.strip_suffix(&zone.name).is_some_and(|rest| rest.ends_with('.')) {
            return Err(Failure::invalid(format!("name must be in the zone {}", zone.name)));
        }
        let others = state.documents.live(Self::COLLECTION, call.owner());
        if others.iter().any(|other| other.text("name") == Some(&self.name) && Some(other.id.as_str()) != own) {
            return Err(Failure::invalid("a load balancer of that name exists"));
        }
        let exists = |id: &String| state.documents.get(Collection::Pools, zone.account.as_str(), id).is_some();
        if self.default_pools.is_empty() || !self.default_pools.iter().chain([&self.fallback_pool]).all(exists) {
            return Err(Failure::invalid("default_pools and fallback_pool must be ids of pools"));
        }
        let weights = self.random_steering.iter().filter_map(|steering| steering.default_weight);
        if weights.into_iter().all(|weight| (0.0..=1.0).contains(&weight)) {
            Ok(())
        } else {
            Err(Failure::invalid("default_weight must be between 0 and 1"))
        }
    }

    fn matches(_: &Document, _: &Query) -> Result<bool, Failure> {
        Ok(true)
    }

    fn render(state: &State, call: &Call, document: &Document) -> Value {
        let zone = state.zones.get(&call.zone()).map(|zone| zone.name.as_str());
        let times = (time(document.created), time(document.modified));
        let fields = json!({ "id": document.id, "zone_name": zone, "created_on": times.0, "modified_on": times.1 });
        shown(document, fields)
    }
}
