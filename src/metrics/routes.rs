//! What was found out about routes. What is not known has no series: an old result must not stand for ever.

use super::{gauges::Gauge, series::Series};
use crate::{
    route_check::CheckState,
    status::{Check, RouteChecks, Status},
};

/// The labels of all of them: the route is hostname and path as they are configured.
const LABELS: &[&str] = &["tunnel", "route"];

/// The families.
pub(super) const ROUTE_GAUGES: [Gauge; 4] = [
    Gauge {
        name: "adit_origin_up",
        help: "Whether the origin of a route is as its check wants it; none while that is not known.",
        labels: LABELS,
        write: |status, series| each(status, series, |checks| state(checks.origin.as_ref())),
    },
    Gauge {
        name: "adit_origin_check_timestamp_seconds",
        help: "When the origin of a route was last checked.",
        labels: LABELS,
        write: |status, series| {
            each(status, series, |checks| Some(checks.origin.as_ref()?.checked_at?.as_duration().as_secs_f64()));
        },
    },
    Gauge {
        name: "adit_probe_success",
        help: "Whether visitors get through to a route's public hostname; none while that is not known or its record is new.",
        labels: LABELS,
        write: |status, series| each(status, series, |checks| state(checks.outside.as_ref())),
    },
    Gauge {
        name: "adit_probe_duration_seconds",
        help: "How long the last request to a route's public hostname took, name resolution included.",
        labels: LABELS,
        write: |status, series| each(status, series, |checks| Some(checks.outside.as_ref()?.took?.as_secs_f64())),
    },
];

fn each(status: &Status, series: &mut Series<'_>, value: impl Fn(&RouteChecks) -> Option<f64>) {
    for (name, tunnel) in &status.tunnels {
        for (route, checks) in &tunnel.checks {
            if let Some(value) = value(checks) {
                series.add(&[name.as_str(), &route.to_string()], value);
            }
        }
    }
}

fn state(check: Option<&Check>) -> Option<f64> {
    match check?.state {
        CheckState::Up => Some(1.0),
        CheckState::Down => Some(0.0),
        CheckState::Unknown | CheckState::Pending => None,
    }
}
