//! Whether the daemon itself is well, and what it could not hand on.

use serde_json::json;

use super::{greatest, not_always};
use crate::dashboard::{
    panel::Panel,
    query::{BAR, grown},
};

pub(super) fn panels() -> Vec<Panel> {
    let by_host = |counter: &str| format!("sum by (instance) ({})", grown(&format!("{counter}{{host}}"), BAR));
    vec![
        Panel::table("Hosts", 8, "The version that runs on each host, and since how long.")
            .query("max by (instance, version) (adit_build_info{host})", "")
            .query("time() - max by (instance) (adit_start_time_seconds{host})", "")
            .columns(&[("instance", "Host"), ("version", "Version"), ("Value #B", "Up for")])
            .column("Up for", &[("unit", json!("s"))]),
        Panel::lines("Time since the start", 8, "How long each daemon runs; a fall is a restart, which drops no tunnel.")
            .query("time() - max by (instance) (adit_start_time_seconds{host})", "{{instance}}")
            .unit("s")
            .min(0.0),
        Panel::bars(
            "Deaths of the daemon",
            8,
            "Daemons that died instead of ending: a crash, the watchdog or a kill. The next one counts them. Each is counted in one bar.",
        )
        .query(by_host("adit_unclean_ends_total"), "{{instance}}"),
        Panel::bars(
            "Lines that were lost",
            8,
            "Log lines that were not written because the log stood still, lines of connectors that the systemd journal did not take, and \
             how often a full disk had no room for any. Each is counted in one bar.",
        )
        .query(by_host("adit_log_lines_dropped_total"), "log of {{instance}}")
        .query(by_host("adit_journal_lines_dropped_total"), "journal of {{instance}}")
        .query(by_host("adit_log_store_full_total"), "full disk of {{instance}}"),
        Panel::bars("Hooks", 8, "Events that were handed to the command or the webhook, by result, and those that were dropped. Each is counted in one bar.")
            .query(
                format!("sum by (instance, hook, result) ({})", grown("adit_hook_deliveries_total{host}", BAR)),
                "{{hook}}: {{result}} on {{instance}}",
            )
            .query(
                format!("sum by (instance, hook) ({})", grown("adit_hook_dropped_total{host}", BAR)),
                "{{hook}}: dropped on {{instance}}",
            )
            .none("no hook"),
        Panel::timeline(
            "Connectors that could not always be read",
            8,
            "Connectors whose own metrics were missing at some time of the graph; empty when all of them could be read throughout.",
        )
        .query(not_always("adit_relay_up{tunnel}", "job, instance, tunnel, replica"), "{{tunnel}}/{{replica}} on {{instance}}")
        .words("read", "not read")
        .none("all were read throughout"),
        Panel::bars("Series that were left out", 8, "Series of a connector above the limit for each, by tunnel, the 20 with the most. Each is counted in one bar.")
            .query(
                greatest(&format!("sum by (instance, tunnel) ({})", grown("adit_relay_dropped_series_total{tunnel}", BAR))),
                "{{tunnel}} on {{instance}}",
            )
            .none("none"),
        Panel::lines("Duration of scrapes", 8, "How long Prometheus waits for the metrics of each host.")
            .query("scrape_duration_seconds{host}", "{{instance}}")
            .unit("s")
            .min(0.0),
        Panel::lines("Samples in a scrape", 8, "How many samples each host exports, those of its connectors included.")
            .query("scrape_samples_scraped{host}", "{{instance}}")
            .min(0.0),
    ]
}
