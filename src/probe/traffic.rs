//! What a connector carries, from its page of metrics.

use std::{collections::BTreeMap, io, net::SocketAddr};

use tokio::time::timeout;

use super::{PROBE_TIME_MAX, invalid, stream};
use crate::exposition::{Exposition, Line, Page, PageBuilder, Sample};

/// The longest page of metrics, in bytes; one is 14,000 to 22,000 long and grows with what was seen.
const METRICS_MAX: usize = 4 * 1024 * 1024;

/// The most connections whose round trips are kept: a connector has four.
const ROUND_TRIPS_MAX: usize = 16;

/// What a connector tells of its traffic. The counters begin at 0 with its process; what it does not tell is `None` or missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traffic {
    /// Requests proxied.
    pub requests: Option<u64>,
    /// Requests that could not be proxied to their origin.
    pub request_errors: Option<u64>,
    /// Requests that are open at this moment.
    pub open_requests: Option<u64>,
    /// Answers of origins by the first digit of their status.
    pub responses: BTreeMap<u8, u64>,
    /// Smoothed round trips to the edge by connection, in milliseconds; QUIC only.
    pub round_trips: BTreeMap<u8, f64>,
}

/// What the connector whose metrics are at `metrics` carries. It answers after [`PROBE_TIME_MAX`] at the latest.
///
/// # Errors
///
/// When it does not answer in time, or with something else than metrics.
pub async fn traffic(metrics: SocketAddr) -> io::Result<Traffic> {
    let (mut exposition, mut traffic) = (Exposition::default(), Traffic::default());
    read(metrics, |bytes| exposition.take(bytes, &mut |line| traffic.add(&line))).await?;
    traffic.checked()
}

/// The same, and what of its page is told again: so many series at most. One reading for both.
///
/// # Errors
///
/// When it does not answer in time, or with something else than metrics.
pub async fn traffic_and_page(metrics: SocketAddr, series_max: usize) -> io::Result<(Traffic, Page)> {
    let (mut page, mut traffic) = (PageBuilder::new(series_max), Traffic::default());
    read(metrics, |bytes| page.take(bytes, &mut |line| traffic.add(line))).await?;
    Ok((traffic.checked()?, page.finish()))
}

async fn read(metrics: SocketAddr, take: impl FnMut(&[u8])) -> io::Result<()> {
    match timeout(PROBE_TIME_MAX, stream(metrics, "/metrics", METRICS_MAX, take)).await {
        Ok(Ok(200)) => Ok(()),
        Ok(Ok(status)) => Err(invalid(format!("/metrics answers with status {status}"))),
        Ok(Err(error)) => Err(error),
        Err(_) => {
            let why = format!("no answer within {} s", PROBE_TIME_MAX.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        }
    }
}

impl Traffic {
    /// Itself, if the page was one of a connector.
    fn checked(self) -> io::Result<Self> {
        if self == Self::default() { Err(invalid("/metrics says nothing of requests".to_owned())) } else { Ok(self) }
    }

    fn add(&mut self, line: &Line<'_>) {
        match line {
            Line::Sample(sample) => self.add_sample(sample),
            Line::Help { .. } | Line::Type { .. } => {}
        }
    }

    /// The families are those of `facts/cloudflared.md` 4.1. Series of one family are added up.
    fn add_sample(&mut self, sample: &Sample<'_>) {
        let counted = || Some(sample.value).filter(|value| value.is_finite() && *value >= 0.0).map(|value| value as u64);
        let sum = |total: &mut Option<u64>| {
            if let Some(count) = counted() {
                *total = Some(total.unwrap_or(0).saturating_add(count));
            }
        };
        match sample.name {
            "cloudflared_tunnel_total_requests" => sum(&mut self.requests),
            "cloudflared_tunnel_request_errors" => sum(&mut self.request_errors),
            "cloudflared_tunnel_concurrent_requests_per_tunnel" => sum(&mut self.open_requests),
            "cloudflared_tunnel_response_by_code" => {
                let class = sample.label("status_code").and_then(|code| class(&code));
                if let (Some(class), Some(count)) = (class, counted()) {
                    let total = self.responses.entry(class).or_default();
                    *total = total.saturating_add(count);
                }
            }
            "quic_client_smoothed_rtt" => {
                let connection = sample.label("conn_index").and_then(|index| index.parse().ok());
                if let Some(connection) = connection
                    && sample.value.is_finite()
                    && sample.value >= 0.0
                    && (self.round_trips.len() < ROUND_TRIPS_MAX || self.round_trips.contains_key(&connection))
                {
                    self.round_trips.insert(connection, sample.value);
                }
            }
            _ => {}
        }
    }
}

/// The first digit of a status of HTTP.
fn class(code: &str) -> Option<u8> {
    match code.as_bytes() {
        [first @ b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => Some(first - b'0'),
        _ => None,
    }
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    use super::*;

    /// Whatever a page says, figures have bounds, and pieces do not matter.
    pub(in crate::probe) fn law(page: &[u8]) {
        let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let (mut exposition, mut traffic) = (Exposition::default(), Traffic::default());
            pieces.for_each(|piece| exposition.take(piece, &mut |line| traffic.add(&line)));
            traffic
        };
        let traffic = read(&mut [page].into_iter());
        assert!(traffic.round_trips.len() <= ROUND_TRIPS_MAX);
        assert!(traffic.round_trips.values().all(|round_trip| round_trip.is_finite() && *round_trip >= 0.0));
        assert!(traffic.responses.keys().all(|class| (1..=5).contains(class)));
        assert_eq!(read(&mut page.chunks(7)), traffic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: &str) -> Traffic {
        let mut traffic = Traffic::default();
        Exposition::default().take(page.as_bytes(), &mut |line| traffic.add(&line));
        traffic
    }

    #[test]
    fn the_families_of_cloudflared_become_figures() {
        let page = "\
# HELP cloudflared_tunnel_total_requests Amount of requests proxied through all the tunnels
# TYPE cloudflared_tunnel_total_requests counter
cloudflared_tunnel_total_requests 120
cloudflared_tunnel_request_errors 3
cloudflared_tunnel_concurrent_requests_per_tunnel 5
cloudflared_tunnel_response_by_code{status_code=\"200\"} 100
cloudflared_tunnel_response_by_code{status_code=\"204\"} 7
cloudflared_tunnel_response_by_code{status_code=\"502\"} 3
cloudflared_tunnel_response_by_code{status_code=\"odd\"} 9
quic_client_smoothed_rtt{conn_index=\"0\"} 12
quic_client_smoothed_rtt{conn_index=\"3\"} 31
quic_client_smoothed_rtt{conn_index=\"900\"} 1
go_goroutines 42
";
        assert_eq!(
            read(page),
            Traffic {
                requests: Some(120),
                request_errors: Some(3),
                open_requests: Some(5),
                responses: [(2, 107), (5, 3)].into(),
                round_trips: [(0, 12.0), (3, 31.0)].into(),
            }
        );
    }

    #[test]
    fn series_are_added_up_and_what_is_no_count_is_left_out() {
        let family = "cloudflared_tunnel_concurrent_requests_per_tunnel";
        for (lines, open) in [
            (format!("{family} 3\n"), Some(3)),
            (format!("{family}{{a=\"x}}\"}} 1\n{family}{{a=\"y\"}} 2e0\n"), Some(3)),
            (format!("{family}_total 9\n"), None),
            (format!("{family} NaN\n"), None),
            (format!("{family} -1\n{family} +Inf\n"), None),
            (String::new(), None),
        ] {
            assert_eq!(read(&lines).open_requests, open, "{lines}");
        }
    }

    #[test]
    fn a_page_with_many_connections_is_kept_small() {
        let page: String = (0..=255).map(|index| format!("quic_client_smoothed_rtt{{conn_index=\"{index}\"}} 1\n")).collect();
        assert_eq!(read(&page).round_trips.len(), ROUND_TRIPS_MAX);
    }
}
