//! The families for people: what `packaging/docs/metrics.md` says.

use std::fmt::Write;

use super::Metrics;
use crate::exposition::{ADDED_LABELS, RELAYED};

/// Every own family with type, labels and meaning, and what is told of connectors, as Markdown.
pub fn reference() -> String {
    let mut rows = String::new();
    for family in Metrics::new().families() {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, labels, help) = (&family.name, family.kind.as_str(), labels.join(", "), family.help.replace('|', "\\|"));
        writeln!(rows, "| `{name}` | {kind} | {labels} | {help} |").expect("a String takes any text");
    }
    let prefixes = RELAYED.map(|prefix| format!("`{prefix}*`")).join(" and ");
    let added = ADDED_LABELS.map(|label| format!("`{label}`")).join(", ");
    format!(
        "\
# Metrics

`GET /metrics` on what `[metrics] listen` says (by default `http://127.0.0.1:9738/metrics`) gives everything of this host in one scrape:
Adit's own families, then those of the connectors that run. It speaks Prometheus' text format and OpenMetrics 1.0, whichever the
scraper would rather have, and compresses with gzip where the scraper takes it.

```yaml
scrape_configs:
  - job_name: adit
    static_configs:
      - targets: [\"127.0.0.1:9738\"]
```

This page is written by the code; a test compares the two.

## Adit's own families

A family without series (no account yet, no failure yet) is not in a scrape. Counters begin at 0 with the daemon, but for
`adit_connector_restarts_total`, which goes on over restarts of the daemon. Times are seconds since 1970.

| name | type | labels | meaning |
| --- | --- | --- | --- |
{rows}
## The connectors' own families

{prefixes} of each running connector, unchanged in name, type and meaning, with the labels {added} added.
A label of such a name that cloudflared itself gives is called `exported_…`. What a family means is cloudflared's affair; one appears with
its first use. Families of cloudflared that describe its process (`go_*`, `process_*`, `promhttp_*`, `build_info`) are left out.

- While one connector takes over from another, the one that stands for the replica is told, and never both. Counters begin anew with
  each process, as with any restart; `rate()` and `increase()` know that.
- A connector that does not answer in time is left out, and `adit_relay_up` is 0 for it. It delays a scrape by half a second at most,
  and by nothing from the second time on. Where there are many connectors, reading them takes up to 2 ms each.
- Of one connector at most `[metrics] relay_series_max` series are told, and of all together 64 MiB. What is over that, and what a scraper
  would not take (a label twice, a series twice, a type that differs from the one the first connector says), is left out and counted in
  `adit_relay_dropped_series_total`, at each reading anew: `rate()` above 0 says that series are missing now.
- As OpenMetrics, counters of cloudflared whose names do not end in `_total` are of type `unknown`, so that their names stay; bounds of
  histograms get a decimal point (`le=\"5.0\"`), as that format demands.
- `[metrics] relay = false` turns it off.
"
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "whoever runs the test says whether the file is written")]
    fn the_page_in_the_package_is_the_code() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/docs/metrics.md");
        if std::env::var_os("ADIT_UPDATE").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, reference()).unwrap();
        }
        let page = fs::read_to_string(&path).unwrap_or_default();
        assert!(page == reference(), "packaging/docs/metrics.md is not what the code says; ADIT_UPDATE=1 cargo test writes it");
    }

    #[test]
    fn own_families_keep_to_the_conventions() {
        let families = Metrics::new().families();
        assert!(families.len() > 30);
        for family in families {
            let name = &family.name;
            assert!(name.starts_with("adit_") && !name.contains("__") && family.help.ends_with('.'), "{family:?}");
            assert_eq!(family.kind.as_str() == "counter", name.ends_with("_total"), "{family:?}");
            for unit in ["_ms", "_milliseconds", "_minutes", "_kib", "_mib", "_percent"] {
                assert!(!name.contains(unit), "{name}: base units only");
            }
        }
    }
}
