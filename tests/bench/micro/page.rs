//! A page of a connector's metrics as cloudflared writes it.

use std::fmt::{Display, Write};

/// The page of a cloudflared that serves over QUIC with four connections: its families, its runtime's and some 22 kB.
pub(crate) fn of_cloudflared() -> String {
    let mut page = Page::default();
    page.own();
    page.quic();
    page.runtime();
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").unwrap();
    }

    fn sample(&mut self, series: impl Display, value: impl Display) {
        writeln!(self.0, "{series} {value}").unwrap();
    }

    fn single(&mut self, name: &str, kind: &str, value: impl Display) {
        self.family(name, kind, "What this family is about, in about as many words");
        self.sample(name, value);
    }

    fn histogram(&mut self, name: &str, labels: &str, bounds: &[&str]) {
        self.family(name, "histogram", "How long what this family is about takes, by its upper bound");
        let comma = if labels.is_empty() { "" } else { "," };
        for (count, bound) in bounds.iter().chain(&["+Inf"]).enumerate() {
            self.sample(format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}}"), count * 7);
        }
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        self.sample(format_args!("{name}_sum{braces}"), "29.482000000000003");
        self.sample(format_args!("{name}_count{braces}"), bounds.len() * 7);
    }

    fn own(&mut self) {
        for (name, kind) in [
            ("cloudflared_config_local_config_pushes", "counter"),
            ("cloudflared_config_local_config_pushes_errors", "counter"),
            ("cloudflared_orchestration_config_version", "gauge"),
            ("cloudflared_tcp_active_sessions", "gauge"),
            ("cloudflared_tcp_total_sessions", "counter"),
            ("cloudflared_tunnel_active_streams", "gauge"),
            ("cloudflared_tunnel_concurrent_requests_per_tunnel", "gauge"),
            ("cloudflared_tunnel_ha_connections", "gauge"),
            ("cloudflared_tunnel_request_errors", "counter"),
            ("cloudflared_tunnel_timer_retries", "gauge"),
            ("cloudflared_tunnel_total_requests", "counter"),
            ("cloudflared_udp_active_flows", "gauge"),
            ("cloudflared_udp_active_sessions", "gauge"),
            ("cloudflared_udp_total_sessions", "counter"),
        ] {
            self.single(name, kind, 12_345);
        }
        self.family("cloudflared_tunnel_response_by_code", "counter", "Count of responses by HTTP status code");
        for code in [200, 204, 301, 304, 400, 401, 403, 404, 500, 502] {
            self.sample(format_args!("cloudflared_tunnel_response_by_code{{status_code=\"{code}\"}}"), code * 31);
        }
        self.family(
            "cloudflared_tunnel_server_locations",
            "gauge",
            "Where each tunnel is connected to. 1 means current location",
        );
        for connection in 0..4 {
            let labels = format!("connection_id=\"{connection}\",edge_location=\"fra{connection}\"");
            self.sample(format_args!("cloudflared_tunnel_server_locations{{{labels}}}"), 1);
        }
        for name in ["cloudflared_rpc_client_operations", "cloudflared_tunnel_tunnel_register_success"] {
            self.family(name, "counter", "Count of successful tunnel registrations");
            self.sample(format_args!("{name}{{rpcName=\"registerConnection\"}}"), 4);
        }
        let bounds = ["1", "10", "25", "50", "100", "500", "1000", "5000"];
        self.histogram("cloudflared_rpc_client_latency_secs", "handler=\"register\",method=\"register_connection\"", &bounds);
        self.histogram("cloudflared_proxy_connect_latency", "", &["1", "10", "25", "50", "100", "500", "1000", "5000"]);
        self.histogram("cloudflared_proxy_connect_streams_errors", "", &["1", "10", "100"]);
    }

    fn quic(&mut self) {
        for name in ["total_connections", "closed_connections", "packet_too_big_dropped"] {
            self.single(&format!("quic_client_{name}"), "counter", 4);
        }
        for (name, kind) in [
            ("latest_rtt", "gauge"),
            ("min_rtt", "gauge"),
            ("smoothed_rtt", "gauge"),
            ("mtu", "gauge"),
            ("max_udp_payload", "gauge"),
            ("congestion_window", "gauge"),
            ("congestion_state", "gauge"),
            ("sent_bytes", "counter"),
            ("receive_bytes", "counter"),
        ] {
            let name = format!("quic_client_{name}");
            self.family(&name, kind, "What is measured of a connection to the edge, which has this index");
            for connection in 0..4 {
                self.sample(format_args!("{name}{{conn_index=\"{connection}\"}}"), 1.304_2e6);
            }
        }
        for name in ["quic_client_sent_frames", "quic_client_received_frames"] {
            self.family(name, "counter", "Number of frames by their type, over the life of the connection");
            for connection in 0..4 {
                for frame in [
                    "Ack",
                    "Crypto",
                    "Datagram",
                    "HandshakeDone",
                    "MaxData",
                    "MaxStreamData",
                    "NewConnectionID",
                    "Ping",
                    "Stream",
                ] {
                    self.sample(format_args!("{name}{{conn_index=\"{connection}\",frame_type=\"{frame}\"}}"), 4_212);
                }
            }
        }
        for name in ["quic_client_lost_packets", "quic_client_buffered_packets"] {
            self.family(name, "counter", "Number of packets that went no further, by the reason why they did not");
            for connection in 0..4 {
                for reason in ["reordering", "timeout"] {
                    self.sample(format_args!("{name}{{conn_index=\"{connection}\",reason=\"{reason}\"}}"), 17);
                }
            }
        }
    }

    fn runtime(&mut self) {
        let labels = r#"{goversion="go1.26.0",revision="2026-08-20",type="",version="2026.8.0"}"#;
        self.family("build_info", "gauge", "Build and version information");
        self.sample(format_args!("build_info{labels}"), 1);
        self.family(
            "go_gc_duration_seconds",
            "summary",
            "A summary of the wall-time pause durations in garbage collection cycles.",
        );
        for quantile in ["0", "0.25", "0.5", "0.75", "1"] {
            self.sample(format_args!("go_gc_duration_seconds{{quantile=\"{quantile}\"}}"), "4.6287e-05");
        }
        for number in 0..30 {
            self.single(&format!("go_memstats_quantity_{number}_bytes"), "gauge", 1.258_291_2e7);
        }
        for name in
            ["cpu_seconds_total", "max_fds", "open_fds", "resident_memory_bytes", "start_time_seconds", "virtual_memory_bytes"]
        {
            self.single(&format!("process_{name}"), "gauge", 1.756_389_12e9);
        }
        self.family("promhttp_metric_handler_requests_total", "counter", "Total number of scrapes by HTTP status code.");
        for code in [200, 500, 503] {
            self.sample(format_args!("promhttp_metric_handler_requests_total{{code=\"{code}\"}}"), 1);
        }
    }
}
