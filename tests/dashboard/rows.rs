//! The panels, row by row, from what an operator looks at first to what explains it.
//!
//! Panels about each tunnel show the 20 that matter most, so that a host with a thousand can be looked at; the variables narrow them.

mod connectors;
mod daemon;
mod events;
mod now;
mod origins;
mod provisioning;
mod traffic;

use super::panel::Panel;

/// A heading with its panels.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) panels: Vec<Panel>,
}

/// All of them, from top to bottom.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row { title: "Now", panels: now::panels() },
        Row { title: "Traffic", panels: traffic::panels() },
        Row { title: "Connectors", panels: connectors::panels() },
        Row { title: "Provisioning", panels: provisioning::panels() },
        Row { title: "Origins and probes from outside", panels: origins::panels() },
        Row { title: "Events", panels: events::panels() },
        Row { title: "The daemon itself", panels: daemon::panels() },
    ]
}

/// The states of tunnels and connectors, with the colour that each has everywhere.
const STATES: &[(&str, &str)] = &[
    ("ready", "green"),
    ("degraded", "yellow"),
    ("starting", "blue"),
    ("pending", "light-blue"),
    ("draining", "super-light-blue"),
    ("stopped", "gray"),
    ("backing_off", "orange"),
    ("blocked", "red"),
    ("quarantined", "purple"),
];

/// By how many versions a connector's configuration is older than the one that was written last.
const VERSIONS_BEHIND: &str = "max by (instance, tunnel) (adit_tunnel_desired_config_version{tunnel} \
     - on (job, instance, tunnel) group_right () adit_connector_config_version{tunnel})";

/// Which part of the answered requests got a 5xx.
const SHARE_OF_5XX: &str = "sum by (instance, tunnel) \
     (rate(cloudflared_tunnel_response_by_code{relayed, status_code=~\"5..\"}[$__rate_interval])) \
     / (sum by (instance, tunnel) (rate(cloudflared_tunnel_response_by_code{relayed}[$__rate_interval])) > 0)";

/// Requests in a second by tunnel.
const REQUESTS: &str = "sum by (instance, tunnel) (rate(cloudflared_tunnel_total_requests{relayed}[$__rate_interval]))";

/// The 20 greatest at each moment.
fn greatest(expr: &str) -> String {
    format!("topk(20, {expr})")
}

/// The series of a gauge of 0 and 1 that were 0 at any time of the graph.
fn not_always(gauge: &str, labels: &str) -> String {
    format!("{gauge} and on ({labels}) min_over_time({gauge}[$__range] @ end()) == 0")
}
