//! The families that queries may name: Adit's own, as the source registers them, and those of a connector and of Prometheus.

use std::{collections::BTreeSet, fs, path::Path};

use regex::Regex;

/// What the queries use of what others export: cloudflared, and Prometheus itself for each target and rule.
pub(crate) const FOREIGN: &[&str] = &[
    "ALERTS",
    "cloudflared_tcp_active_sessions",
    "cloudflared_tunnel_concurrent_requests_per_tunnel",
    "cloudflared_tunnel_request_errors",
    "cloudflared_tunnel_response_by_code",
    "cloudflared_tunnel_server_locations",
    "cloudflared_tunnel_total_requests",
    "cloudflared_tunnel_tunnel_register_fail",
    "quic_client_smoothed_rtt",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "up",
];

/// Adit's own families: the names that stand in the code of `src/metrics`, tests left out.
pub(crate) fn own() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join("metrics.rs")];
    files.extend(fs::read_dir(source.join("metrics")).unwrap().map(|entry| entry.unwrap().path()));
    let name = Regex::new(r#""(adit_[a-z0-9_]+)""#).unwrap();
    let mut families = BTreeSet::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        families.extend(name.captures_iter(code).map(|found| found[1].to_owned()));
    }
    families
}

/// The families that a query names, those of histograms without their suffix.
pub(crate) fn named_in(expr: &str) -> BTreeSet<String> {
    let bare = Regex::new(r#""[^"]*""#).unwrap().replace_all(expr, r#""""#);
    let name = Regex::new(r"\b([a-zA-Z_][a-zA-Z0-9_]*)\{|\b((?:adit|cloudflared|quic_client)_[a-z0-9_]+)").unwrap();
    let own = own();
    name.captures_iter(&bare)
        .map(|found| {
            let name = found.get(1).or(found.get(2)).unwrap().as_str();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            family.filter(|family| own.contains(*family)).unwrap_or(name).to_owned()
        })
        .collect()
}

#[test]
fn families_are_found_wherever_they_stand_in_a_query() {
    let found = named_in(
        r#"sum by (le) (rate(adit_reconcile_duration_seconds_bucket{a="up{b}"}[1m])) / up{x="1"} > adit_build_info offset 1m"#,
    );
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["adit_build_info", "adit_reconcile_duration_seconds", "up"]);
    assert!(own().contains("adit_tunnel_state") && own().contains("adit_events_total"));
}
