//! The processes that serve the tunnels, and their way to Cloudflare.

use super::{STATES, VERSIONS_BEHIND, greatest, not_always};
use crate::dashboard::{
    panel::Panel,
    query::{BAR, grown},
};

const OF_TUNNEL: &str = "{{tunnel}} on {{instance}}";
const OF_CONNECTOR: &str = "{{tunnel}}/{{replica}} on {{instance}}";

pub(super) fn panels() -> Vec<Panel> {
    vec![
        Panel::lines(
            "Fewest connections",
            8,
            "Live connections of a connector to Cloudflare's edge, of 4, for the 20 connectors with the fewest. Tunnels that an operator \
             stopped are left out.",
        )
        .query(
            "bottomk(20, adit_tunnel_ready_connections{tunnel} \
             unless on (job, instance, tunnel) adit_tunnel_state{tunnel, state=\"stopped\"} == 1)",
            OF_CONNECTOR,
        )
        .min(0.0)
        .max(4.0),
        Panel::timeline(
            "Connectors that did not always serve",
            8,
            "Connectors through which no request got at some time of the graph; empty when all of them served throughout.",
        )
        .query(not_always("adit_connector_up{tunnel}", "job, instance, tunnel, replica"), OF_CONNECTOR)
        .words("serves", "does not serve")
        .none("all served throughout"),
        Panel::bars("Restarts by reason", 8, "How often connectors were started again, by reason; each is counted in one bar.")
            .query(format!("sum by (reason) ({})", grown("adit_connector_restarts_total{tunnel}", BAR)), "{{reason}}")
            .none("no restart yet"),
        Panel::areas("Connectors by state", 8, "How many connectors are in each state, over all hosts that are chosen.")
            .query("sum by (state) (adit_connectors{host})", "{{state}}")
            .min(0.0)
            .colors(STATES),
        Panel::timeline(
            "Uplink and brake",
            8,
            "When no connector of a host could reach Cloudflare's edge, and when most connectors had trouble at once so that none was \
             replaced for it.",
        )
        .query("min by (instance) (adit_uplink_up{host})", "uplink of {{instance}}")
        .query("1 - max by (instance) (adit_restarts_braked{host})", "restarts of {{instance}}")
        .words("as usual", "lost, or held back"),
        Panel::bars("Losses of the uplink", 8, "How often no connector of a host could reach Cloudflare's edge; each is counted in one bar.")
            .query(format!("sum by (instance) ({})", grown("adit_uplink_losses_total{host}", BAR)), "{{instance}}"),
        Panel::lines(
            "Configuration versions behind",
            8,
            "By how many versions a connector runs an older configuration than the one that Adit wrote last, for the 20 tunnels that are \
             the furthest behind. More than a moment above 0 means that Cloudflare does not hand it on.",
        )
        .query(greatest(VERSIONS_BEHIND), OF_TUNNEL)
        .min(0.0),
        Panel::lines(
            "Round trip to the edge",
            8,
            "The smoothed round trip to Cloudflare's edge over QUIC, of the slowest connection of each of the 20 slowest tunnels. A \
             connector over HTTP/2 does not tell.",
        )
        .query(greatest("max by (instance, tunnel) (quic_client_smoothed_rtt{relayed})"), OF_TUNNEL)
        .unit("ms")
        .min(0.0),
        Panel::bars(
            "Refused registrations",
            8,
            "Registrations that Cloudflare's edge refused, by error: a deleted tunnel or another secret. Each is counted in one bar.",
        )
        .query(
            format!("sum by (instance, tunnel, error) ({})", grown("cloudflared_tunnel_tunnel_register_fail{relayed}", BAR)),
            "{{error}}: {{tunnel}} on {{instance}}",
        )
        .none("none was refused"),
        Panel::areas("Connections by data centre", 12, "In which of Cloudflare's data centres the connections end, or did last.")
            .query("count by (edge_location) (cloudflared_tunnel_server_locations{relayed} == 1)", "{{edge_location}}")
            .min(0.0),
        Panel::table(
            "cloudflared",
            12,
            "The version that connectors are started with on each host, and how far the roll-out of another one is: settled, waiting, \
             canary, rolling or rolled_back.",
        )
        .query("max by (instance, version) (adit_cloudflared_info{host})", "")
        .query("max by (instance, state) (adit_cloudflared_rollout{host} == 1)", "")
        .columns(&[("instance", "Host"), ("version", "Version"), ("state", "Roll-out")]),
    ]
}
