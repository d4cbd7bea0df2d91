//! The numbers behind `/metrics`, and their text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use super::VERSION;

/// How far the edge is, in milliseconds, as if it were in the next city.
const ROUND_TRIP_MILLIS: i64 = 12;

/// Counters and gauges of a connector.
#[derive(Default)]
pub(super) struct Counters {
    /// Attempts in progress or connected: cloudflared's `ha_connections` does not say what its name says.
    pub(super) attempts: AtomicI64,
    pub(super) registrations: AtomicU64,
    pub(super) refused_registrations: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) concurrent_requests: AtomicI64,
    pub(super) request_errors: AtomicU64,
    responses: Mutex<BTreeMap<u16, u64>>,
    locations: Mutex<BTreeSet<(u8, String)>>,
    /// The connections that were made over QUIC, which alone tell how far the edge is.
    quic: Mutex<BTreeSet<u8>>,
}

impl Counters {
    pub(super) fn answered(&self, status: u16) {
        *self.responses.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
    }

    pub(super) fn connected_to(&self, index: u8, location: &str) {
        self.locations.lock().unwrap_or_else(PoisonError::into_inner).insert((index, location.to_owned()));
    }

    pub(super) fn over_quic(&self, index: u8) {
        self.quic.lock().unwrap_or_else(PoisonError::into_inner).insert(index);
    }

    /// The page in Prometheus' text format. Families that cloudflared shows only after their first use are missing until then.
    pub(super) fn render(&self, config_version: i64) -> String {
        let mut page = Page::default();
        page.family("build_info", "gauge", "Build and version information");
        page.sample("build_info", &format!(r#"{{goversion="go1.26.0",revision="2026-08-20",type="",version="{VERSION}"}}"#), 1);
        page.single("cloudflared_config_local_config_pushes", "counter", "Number of local configuration pushes to the edge", 0);
        page.single(
            "cloudflared_config_local_config_pushes_errors",
            "counter",
            "Number of errors occurred during local configuration pushes",
            0,
        );
        // 0 stands both for version 0 and for none.
        page.single("cloudflared_orchestration_config_version", "gauge", "Configuration Version", config_version.max(0));
        page.single("cloudflared_tcp_active_sessions", "gauge", "Concurrent count of TCP sessions", 0);
        page.single("cloudflared_tcp_total_sessions", "counter", "Total count of TCP sessions", 0);
        page.single(
            "cloudflared_tunnel_concurrent_requests_per_tunnel",
            "gauge",
            "Concurrent requests proxied through each tunnel",
            self.concurrent_requests.load(Relaxed),
        );
        page.single("cloudflared_tunnel_ha_connections", "gauge", "Number of active ha connections", self.attempts.load(Relaxed));
        page.single(
            "cloudflared_tunnel_request_errors",
            "counter",
            "Count of error proxying to origin",
            count(&self.request_errors),
        );
        self.render_responses(&mut page);
        self.render_locations(&mut page);
        page.single(
            "cloudflared_tunnel_total_requests",
            "counter",
            "Amount of requests proxied through all the tunnels",
            count(&self.requests),
        );
        self.render_registrations(&mut page);
        render_process(&mut page);
        self.render_round_trips(&mut page);
        page.0
    }

    fn render_responses(&self, page: &mut Page) {
        let responses = self.responses.lock().unwrap_or_else(PoisonError::into_inner);
        if !responses.is_empty() {
            page.family("cloudflared_tunnel_response_by_code", "counter", "Count of responses by HTTP status code");
        }
        for (status, count) in responses.iter() {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            page.sample("cloudflared_tunnel_response_by_code", &format!(r#"{{status_code="{status}"}}"#), count);
        }
    }

    fn render_locations(&self, page: &mut Page) {
        let locations = self.locations.lock().unwrap_or_else(PoisonError::into_inner);
        if !locations.is_empty() {
            page.family(
                "cloudflared_tunnel_server_locations",
                "gauge",
                "Where each tunnel is connected to. 1 means current location, 0 means previous locations.",
            );
        }
        for (index, location) in locations.iter() {
            let labels = format!(r#"{{connection_id="{index}",edge_location="{location}"}}"#);
            page.sample("cloudflared_tunnel_server_locations", &labels, 1);
        }
    }

    fn render_round_trips(&self, page: &mut Page) {
        let quic = self.quic.lock().unwrap_or_else(PoisonError::into_inner);
        if !quic.is_empty() {
            page.family("quic_client_smoothed_rtt", "gauge", "Calculated smoothed RTT measured on a connection in ms");
        }
        for index in quic.iter() {
            page.sample("quic_client_smoothed_rtt", &format!(r#"{{conn_index="{index}"}}"#), ROUND_TRIP_MILLIS);
        }
    }

    fn render_registrations(&self, page: &mut Page) {
        let (failed, succeeded) = (count(&self.refused_registrations), count(&self.registrations));
        if failed > 0 {
            page.family("cloudflared_tunnel_tunnel_register_fail", "counter", "Count of tunnel registration errors by type");
            let labels = r#"{error="server_error",rpcName="registerConnection"}"#;
            page.sample("cloudflared_tunnel_tunnel_register_fail", labels, failed);
        }
        if succeeded > 0 {
            page.family("cloudflared_tunnel_tunnel_register_success", "counter", "Count of successful tunnel registrations");
            page.sample("cloudflared_tunnel_tunnel_register_success", r#"{rpcName="registerConnection"}"#, succeeded);
        }
    }
}

/// The families that every Go program with the Prometheus client shows; a few of them.
fn render_process(page: &mut Page) {
    page.single("go_goroutines", "gauge", "Number of goroutines that currently exist.", 42);
    page.single("go_threads", "gauge", "Number of OS threads created.", 10);
    let descriptors = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count());
    let descriptors = i64::try_from(descriptors).unwrap_or(i64::MAX);
    page.single("process_open_fds", "gauge", "Number of open file descriptors.", descriptors);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<i64>().ok());
    page.single("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", resident.unwrap_or(0) * 1024);
}

fn count(counter: &AtomicU64) -> i64 {
    i64::try_from(counter.load(Relaxed)).unwrap_or(i64::MAX)
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a String takes any text");
    }

    fn sample(&mut self, name: &str, labels: &str, value: i64) {
        writeln!(self.0, "{name}{labels} {value}").expect("a String takes any text");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: i64) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_families_appear_only_after_their_first_use() {
        let counters = Counters::default();
        let families = ["response_by_code", "server_locations", "register_success", "register_fail", "smoothed_rtt"];

        let before = counters.render(-1);
        counters.answered(200);
        counters.connected_to(0, "ams07");
        counters.over_quic(0);
        counters.registrations.fetch_add(1, Relaxed);
        counters.refused_registrations.fetch_add(1, Relaxed);
        let after = counters.render(7);

        assert!(families.iter().all(|family| !before.contains(family)), "{before}");
        assert!(families.iter().all(|family| after.contains(family)), "{after}");
        assert!(before.contains("\ncloudflared_orchestration_config_version 0\n"), "{before}");
        assert!(after.contains("\ncloudflared_orchestration_config_version 7\n"), "{after}");
    }
}
