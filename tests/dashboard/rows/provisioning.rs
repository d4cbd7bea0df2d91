//! What Adit does at Cloudflare, and what it does not.

use super::greatest;
use crate::dashboard::{
    panel::Panel,
    query::{BAR, grown},
};

const MINUTE: f64 = 60.0;
const OF_ACCOUNT: &str = "{{account}} on {{instance}}";

pub(super) fn panels() -> Vec<Panel> {
    vec![
        Panel::lines(
            "Time since the last sync",
            8,
            "How long ago Cloudflare was last read completely and all that could be done was done, and how often that is tried. An \
             account for which it never went well since the daemon started has no line.",
        )
        .query("time() - (max by (instance, account) (adit_last_successful_sync_timestamp_seconds{account}) > 0)", OF_ACCOUNT)
        .query("max by (instance) (adit_sync_interval_seconds{host})", "interval on {{instance}}")
        .unit("s")
        .min(0.0)
        .steps("green", &[(5.0 * MINUTE, "orange"), (20.0 * MINUTE, "red")]),
        Panel::lines("Duration of passes", 8, "How long half of the passes over an account took at most, and 95 of 100, in the hour before each moment.")
            .query(quantile("0.5"), "half, {{account}}")
            .query(quantile("0.95"), "95 %, {{account}}")
            .unit("s")
            .min(0.0),
        Panel::bars("Passes by result", 8, "Passes over accounts: clean, changed something, held something back, or failed. Each is counted in one bar.")
            .query(format!("sum by (result) ({})", grown("adit_reconcile_duration_seconds_count{account}", BAR)), "{{result}}")
            .colors(&[("clean", "green"), ("changed", "blue"), ("held", "orange"), ("failed", "red")]),
        Panel::bars("API requests by status", 8, "Requests to Cloudflare's API by HTTP status; none is no answer. Each is counted in one bar.")
            .query(format!("sum by (status) ({})", grown("adit_cloudflare_api_requests_total{account}", BAR)), "{{status}}"),
        Panel::bars("API errors", 8, "Requests to Cloudflare's API that failed, or got no answer, by what they asked for. Each is counted in one bar.")
            .query(
                format!(
                    "sum by (account, method, resource, status) ({})",
                    grown("adit_cloudflare_api_requests_total{account, status!~\"[23]..\"}", BAR)
                ),
                "{{status}}: {{method}} {{resource}}, {{account}}",
            )
            .none("none failed"),
        Panel::lines("API budget left", 8, "Requests left in the scarcest rate-limit window of each account, as Cloudflare said last.")
            .query("min by (account) (adit_cloudflare_rate_limit_remaining{account})", "{{account}}")
            .min(0.0),
        Panel::areas("Holds", 8, "What is left as it is, by reason. The runbook of the alert AditHold says what to do about each.")
            .query("sum by (account, reason) (adit_hold{account})", "{{reason}}, {{account}}")
            .min(0.0)
            .none("nothing is held"),
        Panel::areas(
            "Drift, conflicts and orphans",
            8,
            "What differs at Cloudflare from what Adit made, what somebody else holds, and what is left over.",
        )
        .query("sum by (account, kind) (adit_drift_items{account})", "drift of {{kind}}, {{account}}")
        .query("sum by (account) (adit_conflicts{account})", "conflicts, {{account}}")
        .query("sum by (account) (adit_orphans{account})", "orphans, {{account}}")
        .min(0.0),
        Panel::areas(
            "Strangers among the connectors",
            8,
            "Connectors that serve our tunnels at Cloudflare and do not run on this host: a copy of a token that somebody uses, or \
             another host on purpose. The 20 tunnels with the most.",
        )
        .query(greatest("sum by (instance, tunnel) (adit_rogue_connectors{tunnel})"), "{{tunnel}} on {{instance}}")
        .min(0.0)
        .none("none"),
        Panel::bars("Drift that was put right", 8, "What somebody else changed or deleted at Cloudflare and Adit made as it was. Each is counted in one bar.")
            .query(format!("sum by (account, kind) ({})", grown("adit_drift_repairs_total{account}", BAR)), "{{kind}}, {{account}}"),
        Panel::lines("Age of tunnel secrets", 8, "Since when each tunnel has its secret, for the 20 oldest; adit tunnel rotate makes a new one.")
            .query(greatest("time() - adit_tunnel_secret_timestamp_seconds{relayed}"), "{{tunnel}} on {{instance}}")
            .unit("s")
            .min(0.0),
        Panel::table("Tunnels at Cloudflare", 8, "The identifier under which Cloudflare knows each tunnel, and the account that it is in.")
            .query("adit_tunnel_info{relayed}", "")
            .columns(&[("tunnel", "Tunnel"), ("instance", "Host"), ("account", "Account"), ("tunnel_id", "Identifier")]),
    ]
}

/// Passes are minutes apart, so that only a long time has several.
fn quantile(of: &str) -> String {
    format!("histogram_quantile({of}, sum by (account, le) (rate(adit_reconcile_duration_seconds_bucket{{account}}[1h])))")
}
