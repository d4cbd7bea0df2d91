//! What was found out about routes. What is not known has no series: an old result must not stand for ever.

use std::collections::BTreeMap;

use prometheus::{GaugeVec, IntGaugeVec, Opts};

use super::{gauges::of, registered, registry::Registry};
use crate::{
    route_check::{CheckState, RouteKey},
    status::{Check, RouteChecks},
};

/// The labels of all of them: the route is hostname and path as they are configured.
const LABELS: [&str; 2] = ["tunnel", "route"];

/// The families.
pub(super) struct RouteGauges {
    origin_up: IntGaugeVec,
    origin_checked: GaugeVec,
    probe_success: IntGaugeVec,
    probe_duration: GaugeVec,
}

impl RouteGauges {
    pub(super) fn register(registry: &Registry) -> Self {
        let seconds = |name, help| registered(registry, GaugeVec::new(Opts::new(name, help), &LABELS));
        Self {
            origin_up: of(
                registry,
                "adit_origin_up",
                "Whether the origin of a route is as its check wants it; none while that is not known.",
                &LABELS,
            ),
            origin_checked: seconds("adit_origin_check_timestamp_seconds", "When the origin of a route was last checked."),
            probe_success: of(
                registry,
                "adit_probe_success",
                "Whether visitors get through to a route's public hostname; none while that is not known or its record is new.",
                &LABELS,
            ),
            probe_duration: seconds(
                "adit_probe_duration_seconds",
                "How long the last request to a route's public hostname took, name resolution included.",
            ),
        }
    }

    pub(super) fn set(&self, tunnel: &str, routes: &BTreeMap<RouteKey, RouteChecks>) {
        for (route, checks) in routes {
            let route = route.to_string();
            let labels = [tunnel, route.as_str()];
            if let Some(check) = &checks.origin {
                set_state(&self.origin_up, &labels, check);
                if let Some(at) = check.checked_at {
                    self.origin_checked.with_label_values(&labels).set(at.as_duration().as_secs_f64());
                }
            }
            if let Some(check) = &checks.outside {
                set_state(&self.probe_success, &labels, check);
                if let Some(took) = check.took {
                    self.probe_duration.with_label_values(&labels).set(took.as_secs_f64());
                }
            }
        }
    }

    pub(super) fn reset(&self) {
        self.origin_up.reset();
        self.origin_checked.reset();
        self.probe_success.reset();
        self.probe_duration.reset();
    }
}

fn set_state(gauge: &IntGaugeVec, labels: &[&str], check: &Check) {
    match check.state {
        CheckState::Up => gauge.with_label_values(labels).set(1),
        CheckState::Down => gauge.with_label_values(labels).set(0),
        CheckState::Unknown | CheckState::Pending => {}
    }
}
