//! What the tunnels carry, as their connectors count it.

use super::{REQUESTS, SHARE_OF_5XX, greatest};
use crate::dashboard::panel::Panel;

const OF_TUNNEL: &str = "{{tunnel}} on {{instance}}";

pub(super) fn panels() -> Vec<Panel> {
    let by_tunnel = |what: &str| greatest(&format!("sum by (instance, tunnel) ({what})"));
    vec![
        Panel::lines("Requests", 12, "Requests in a second that connectors took, for the 20 busiest tunnels.")
            .query(greatest(REQUESTS), OF_TUNNEL)
            .unit("reqps")
            .min(0.0),
        Panel::areas("Answers by class", 12, "Answers in a second by class of HTTP status, over all tunnels that are chosen.")
            .query(
                "sum by (class) (label_replace(rate(cloudflared_tunnel_response_by_code{relayed}[$__rate_interval]), \
                 \"class\", \"${1}xx\", \"status_code\", \"(.).*\"))",
                "{{class}}",
            )
            .unit("reqps")
            .min(0.0)
            .colors(&[("1xx", "gray"), ("2xx", "green"), ("3xx", "blue"), ("4xx", "yellow"), ("5xx", "red")]),
        Panel::lines("Share of 5xx", 6, "Which part of a tunnel's answers has a status from 500 up, for the 20 worst tunnels that had any.")
            .query(greatest(SHARE_OF_5XX), OF_TUNNEL)
            .unit("percentunit")
            .min(0.0)
            .max(1.0)
            .none("no 5xx"),
        Panel::lines(
            "Errors towards origins",
            6,
            "Requests in a second for which a connector could not reach the origin, or lost it; visitors get a 502. The 20 worst tunnels.",
        )
        .query(by_tunnel("rate(cloudflared_tunnel_request_errors{relayed}[$__rate_interval])"), OF_TUNNEL)
        .unit("reqps")
        .min(0.0),
        Panel::lines("Requests in flight", 6, "Requests and streams that connectors carry at this moment, for the 20 busiest tunnels.")
            .query(by_tunnel("cloudflared_tunnel_concurrent_requests_per_tunnel{relayed}"), OF_TUNNEL)
            .min(0.0),
        Panel::lines("TCP sessions", 6, "Open TCP sessions into private networks, for the 20 busiest tunnels.")
            .query(by_tunnel("cloudflared_tcp_active_sessions{relayed}"), OF_TUNNEL)
            .min(0.0),
    ]
}
