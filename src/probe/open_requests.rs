//! How many requests a connector carries.

use std::{io, net::SocketAddr};

use super::{invalid, traffic};

/// How many requests the connector whose metrics are at `metrics` carries at this moment. It answers after
/// [`PROBE_TIME_MAX`](super::PROBE_TIME_MAX) at the latest.
///
/// # Errors
///
/// When it does not answer in time, or says nothing of it.
pub async fn open_requests(metrics: SocketAddr) -> io::Result<u64> {
    traffic(metrics).await?.open_requests.ok_or_else(|| invalid("/metrics does not say how many requests are open".to_owned()))
}
