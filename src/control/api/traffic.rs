//! What connectors carry.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one connector carries: an element of `GET /v1/traffic`. There is one for each connector that has a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectorTraffic {
    /// The tunnel's name.
    pub tunnel: String,
    /// Which of the tunnel's replicas, counted from 0.
    pub replica: u8,
    /// The how manieth process in that place. Counters begin at 0 with each.
    pub generation: u64,
    /// The process.
    pub pid: u32,
    /// What it said last; `None` when it has not said anything yet.
    pub reading: Option<TrafficReading>,
    /// Why there is no reading, or none that is fresher, in one sentence without a full stop.
    pub unread: Option<String>,
}

/// The figures of a connector, as its own metrics told them. What it does not tell is `null` or empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrafficReading {
    /// When it was read, by the daemon's clock. Rates are differences of two readings.
    pub read_at: Timestamp,
    /// How old the reading is, in milliseconds.
    pub age_millis: u64,
    /// Requests proxied since its process began.
    pub requests_total: Option<u64>,
    /// Requests that could not be proxied to their origin since then.
    pub request_errors_total: Option<u64>,
    /// Requests that are open at the moment of the reading.
    pub open_requests: Option<u64>,
    /// Answers of origins since then, by class.
    pub responses_total: Responses,
    /// The connections to the edge over QUIC; others do not tell how far the edge is.
    pub edges: Vec<EdgeConnection>,
}

/// Answers by the class of their HTTP status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Responses {
    /// 100 to 199.
    pub informational: u64,
    /// 200 to 299.
    pub success: u64,
    /// 300 to 399.
    pub redirect: u64,
    /// 400 to 499.
    pub client_error: u64,
    /// 500 to 599.
    pub server_error: u64,
}

/// One connection to the edge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EdgeConnection {
    /// Which of the connector's connections, counted from 0.
    pub connection: u8,
    /// The smoothed round-trip time, in milliseconds.
    pub round_trip_millis: f64,
}
