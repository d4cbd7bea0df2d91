//! What is counted and set when something happens: the families, with their names and what they mean.

use std::sync::Mutex;

use prometheus::{Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, core::Collector};

use super::{
    HookResult,
    gauges::GAUGES,
    registry::{Family, Registry},
    relay::Relay,
    restarts::Restarts,
    routes::ROUTE_GAUGES,
};
use crate::{event::Hook, exposition::Kind};

/// From a pass that only reads a cache to one that waits for a rate limit, in seconds.
const DURATION_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// The registry and its families.
pub(super) struct Families {
    pub(super) registry: Registry,
    pub(super) events: IntCounterVec,
    pub(super) log_lines_dropped: IntCounter,
    pub(super) journal_lines_dropped: IntCounter,
    pub(super) log_store_full: IntCounter,
    pub(super) restarts: Restarts,
    pub(super) uplink_losses: IntCounter,
    pub(super) unclean_ends: IntCounter,
    pub(super) config_refused: IntGauge,
    pub(super) sync_interval: Gauge,
    pub(super) drift_repairs: IntCounterVec,
    pub(super) reconcile_duration: HistogramVec,
    pub(super) api_requests: IntCounterVec,
    pub(super) rate_limit_remaining: IntGaugeVec,
    pub(super) credential_expiry: IntGaugeVec,
    pub(super) hook_deliveries: IntCounterVec,
    pub(super) hook_drops: IntCounterVec,
    // Written all at once, so that no scrape sees half of it.
    pub(super) relay: Mutex<Relay>,
}

impl Families {
    /// Registers every one.
    pub(super) fn register() -> Self {
        let registry = Registry::new();
        for gauge in GAUGES.iter().chain(&ROUTE_GAUGES) {
            let family = Family::new(gauge.name, Kind::Gauge, gauge.help, gauge.labels);
            registry.register_written(family, Box::new(gauge.write)).expect("each name is used once");
        }
        let build_info = gauges(&registry, "adit_build_info", "Always 1; the version is a label.", &["version"]);
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let families = Self {
            events: counters(&registry, "adit_events_total", "Events by kind and level.", &["kind", "level"]),
            log_lines_dropped: registered(
                &registry,
                IntCounter::new("adit_log_lines_dropped_total", "Log lines that were not written because the log stood still."),
            ),
            journal_lines_dropped: registered(
                &registry,
                IntCounter::new(
                    "adit_journal_lines_dropped_total",
                    "Connectors' lines that the systemd journal did not take; they are in Adit's own log store.",
                ),
            ),
            log_store_full: registered(
                &registry,
                IntCounter::new(
                    "adit_log_store_full_total",
                    "How often connectors wrote to a full disk with no older lines left to give up; newer ones may be lost.",
                ),
            ),
            restarts: Restarts::register(&registry),
            uplink_losses: registered(
                &registry,
                IntCounter::new("adit_uplink_losses_total", "How often no connector could reach Cloudflare's edge."),
            ),
            unclean_ends: registered(
                &registry,
                IntCounter::new(
                    "adit_unclean_ends_total",
                    "Daemons since this host was booted that did not end by themselves: crashed, or killed by somebody or the watchdog.",
                ),
            ),
            config_refused: registered(
                &registry,
                IntGauge::new(
                    "adit_config_refused",
                    "1 while the configuration's files have mistakes and an earlier configuration is in force, else 0.",
                ),
            ),
            sync_interval: registered(
                &registry,
                Gauge::new("adit_sync_interval_seconds", "How often each account is read while nothing else asks for it."),
            ),
            drift_repairs: counters(
                &registry,
                "adit_drift_repairs_total",
                "Things at Cloudflare that somebody else changed or deleted, and that Adit put right.",
                &["account", "kind"],
            ),
            reconcile_duration: registered(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new("adit_reconcile_duration_seconds", "How long passes over an account took, by result.")
                        .buckets(DURATION_BUCKETS.to_vec()),
                    &["account", "result"],
                ),
            ),
            api_requests: counters(
                &registry,
                "adit_cloudflare_api_requests_total",
                "Requests to Cloudflare's API; the status is none when no answer came.",
                &["account", "method", "resource", "status"],
            ),
            rate_limit_remaining: gauges(
                &registry,
                "adit_cloudflare_rate_limit_remaining",
                "Requests left in the scarcest rate-limit window, as Cloudflare said last.",
                &["account"],
            ),
            credential_expiry: gauges(
                &registry,
                "adit_credential_expires_timestamp_seconds",
                "When an account's API token stops working; none for one that does not, or of which it is not known.",
                &["account"],
            ),
            hook_deliveries: counters(
                &registry,
                "adit_hook_deliveries_total",
                "What hooks were told: runs of the command, and sendings to the webhook, by result.",
                &["hook", "result"],
            ),
            hook_drops: counters(
                &registry,
                "adit_hook_dropped_total",
                "Events that a hook was not told of, because it is slower than they come or they are too old.",
                &["hook"],
            ),
            relay: Mutex::new(Relay::register(&registry)),
            registry,
        };
        // What can be counted is there from the start: a rate over a counter that appears misses its first step.
        for hook in Hook::ALL {
            families.hook_drops.with_label_values(&[hook.as_str()]);
            for result in HookResult::ALL {
                families.hook_deliveries.with_label_values(&[hook.as_str(), result.as_str()]);
            }
        }
        families
    }
}

pub(super) fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

pub(super) fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

pub(super) fn registered<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let family = made.expect("the names are constants and valid");
    registry.register(Box::new(family.clone())).expect("each name is used once");
    family
}
