//! How many requests a connector carries.

use std::{io, net::SocketAddr};

use tokio::time::timeout;

use super::{PROBE_TIME_MAX, get, invalid};

/// cloudflared's gauge of them (`facts/cloudflared.md` 4.1).
const FAMILY: &str = "cloudflared_tunnel_concurrent_requests_per_tunnel";
/// The longest page of metrics, in bytes; it is about 30,000 long.
const METRICS_MAX: usize = 4 * 1024 * 1024;

/// How many requests the connector whose metrics are at `metrics` carries at this moment. It answers after [`PROBE_TIME_MAX`] at
/// the latest.
///
/// # Errors
///
/// When it does not answer in time, or says nothing of it.
pub async fn open_requests(metrics: SocketAddr) -> io::Result<u64> {
    let (status, body) = timeout(PROBE_TIME_MAX, get(metrics, "/metrics", METRICS_MAX)).await??;
    if status != 200 {
        return Err(invalid(format!("/metrics answers with status {status}")));
    }
    sum(&String::from_utf8_lossy(&body)).ok_or_else(|| invalid(format!("/metrics has no {FAMILY}")))
}

/// The sum over all series of the family.
fn sum(page: &str) -> Option<u64> {
    let values = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(FAMILY)?;
        let value = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        let value: f64 = value.split_ascii_whitespace().next()?.parse().ok()?;
        (value.is_finite() && value >= 0.0).then_some(value as u64)
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0) + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauge_is_read_with_and_without_labels() {
        let page = |lines: &str| format!("# HELP {FAMILY} Concurrent requests\n# TYPE {FAMILY} gauge\n{lines}\nother 7\n");
        assert_eq!(sum(&page(&format!("{FAMILY} 3"))), Some(3));
        assert_eq!(sum(&page(&format!("{FAMILY}{{a=\"x}}\"}} 1\n{FAMILY}{{a=\"y\"}} 2e0"))), Some(3));
        assert_eq!(sum(&page(&format!("{FAMILY}_total 9"))), None);
        assert_eq!(sum(&page(&format!("{FAMILY} NaN"))), None);
        assert_eq!(sum(""), None);
    }
}
