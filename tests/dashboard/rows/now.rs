//! The verdict: what an operator has to act on.

use serde_json::json;

use super::{REQUESTS, SHARE_OF_5XX, STATES, VERSIONS_BEHIND};
use crate::dashboard::panel::Panel;

const DAY: f64 = 86_400.0;

pub(super) fn panels() -> Vec<Panel> {
    vec![
        Panel::stat("Daemon", 3, "Whether Prometheus can read the daemon of each host. Tunnels go on without it, and nobody looks after them.")
            .query("up{host}", "{{instance}}")
            .words("up", "down"),
        Panel::stat("Tunnels not ready", 3, "Tunnels that should serve and are not ready: anything but ready, or stopped by an operator.")
            .query(r#"sum(adit_tunnels{host, state!~"ready|stopped"})"#, "")
            .steps("green", &[(1.0, "red")]),
        Panel::stat("Uplink", 3, "Down while no connector of a host has a connection and Cloudflare's edge does not answer: the network, not the tunnels.")
            .query("min by (instance) (adit_uplink_up{host})", "{{instance}}")
            .words("up", "down"),
        Panel::stat(
            "Waits for a decision",
            9,
            "What Adit leaves as it is until somebody decides. Holds: things not touched because something is wrong with them or with \
             the account. Conflicts: names that somebody else holds. Drift: what was changed at Cloudflare behind Adit's back. Orphans: \
             what is left over there. Strangers: connectors of our tunnels that this host does not run. Refused files: hosts whose \
             configuration has mistakes, so that an earlier one is in force. adit status says more.",
        )
        .query("sum(adit_hold{account}) or sum(adit_conflicts{account}) * 0", "holds")
        .query("sum(adit_conflicts{account})", "conflicts")
        .query("sum(adit_drift_items{account})", "drift")
        .query("sum(adit_orphans{account})", "orphans")
        .query("sum(adit_rogue_connectors{tunnel})", "strangers")
        .query("sum(adit_config_refused{host})", "refused files")
        .steps("green", &[(1.0, "orange")]),
        Panel::stat(
            "API budget",
            3,
            "Requests left in the scarcest rate-limit window of each account, as Cloudflare said last; usually 1,200 in 5 minutes.",
        )
        .query("min by (account) (adit_cloudflare_rate_limit_remaining{account})", "{{account}}")
        .steps("red", &[(120.0, "orange"), (300.0, "green")]),
        Panel::stat("API token expires in", 3, "How long each account's API token still works. A token without an end is not shown.")
            .query("min by (account) (adit_credential_expires_timestamp_seconds{account}) - time()", "{{account}}")
            .unit("s")
            .steps("red", &[(DAY, "orange"), (14.0 * DAY, "green")])
            .none("no end"),
        Panel::bar_gauge("Tunnels by state", 6, "How many tunnels are in each state; a tunnel's is that of the worst of its connectors.")
            .query("sum by (state) (adit_tunnels{host})", "{{state}}")
            .min(0.0)
            .colors(STATES),
        Panel::table(
            "Alerts",
            9,
            "Alerts of the rules that come with Adit that are pending or firing; empty when none is, and when the rules are not loaded.",
        )
        .query(r#"ALERTS{job=~"$job|", instance=~"$instance|", alertname=~"Adit.+"}"#, "")
        .columns(&[
            ("alertname", "Alert"),
            ("alertstate", "State"),
            ("severity", "Severity"),
            ("instance", "Host"),
            ("account", "Account"),
            ("tunnel", "Tunnel"),
        ]),
        Panel::table("Connectors that are not ready", 9, "Each connector that is not simply ready, and why, as the code that adit status explains.")
            .query(r#"adit_connector_reason{tunnel, reason!="ready"}"#, "")
            .columns(&[("instance", "Host"), ("tunnel", "Tunnel"), ("replica", "Replica"), ("reason", "Why")]),
        tunnels(),
    ]
}

fn tunnels() -> Panel {
    let background = json!({ "type": "color-background", "mode": "basic" });
    let red_from_1 =
        json!({ "mode": "absolute", "steps": [{ "color": "transparent", "value": null }, { "color": "red", "value": 1 }] });
    let warn = [("custom.cellOptions", background), ("thresholds", red_from_1)];
    let states: serde_json::Map<_, _> = STATES
        .iter()
        .enumerate()
        .map(|(index, (state, color))| ((*state).to_owned(), json!({ "color": color, "index": index })))
        .collect();
    let only_this = json!([{
        "title": "Only this tunnel",
        "url": "/d/adit/adit?${__url_time_range}&${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&var-tunnel=${__value.raw}",
    }]);
    Panel::table(
        "Tunnels",
        24,
        "Each tunnel with its state, its live connections (4 for each connector), what it carries, how often its connectors were \
         started again in a day, by how many versions they run an old configuration, and how many of its routes have an origin that \
         does not answer. A click on a name shows that tunnel alone.",
    )
    .height(9)
    .query("max by (instance, tunnel, state) (adit_tunnel_state{tunnel} == 1)", "")
    .query("sum by (instance, tunnel) (adit_tunnel_ready_connections{tunnel})", "")
    .query(REQUESTS, "")
    .query(SHARE_OF_5XX, "")
    .query(
        "sum by (instance, tunnel) (adit_connector_restarts_total{tunnel} - adit_connector_restarts_total{tunnel} offset 1d >= 0 \
         or adit_connector_restarts_total{tunnel})",
        "",
    )
    .query(VERSIONS_BEHIND, "")
    .query("sum by (instance, tunnel) (adit_origin_up{tunnel} == bool 0)", "")
    .columns(&[
        ("tunnel", "Tunnel"),
        ("instance", "Host"),
        ("state", "State"),
        ("Value #B", "Connections"),
        ("Value #C", "Requests"),
        ("Value #D", "5xx"),
        ("Value #E", "Restarts in 24 h"),
        ("Value #F", "Versions behind"),
        ("Value #G", "Origins down"),
    ])
    .column("Tunnel", &[("links", only_this)])
    .column(
        "State",
        &[
            ("mappings", json!([{ "type": "value", "options": states }])),
            ("custom.cellOptions", json!({ "type": "color-text" })),
        ],
    )
    .column("Requests", &[("unit", json!("reqps"))])
    .column("5xx", &[("unit", json!("percentunit"))])
    .column("Versions behind", &warn)
    .column("Origins down", &warn)
}
