//! What monitors and pools are to be, and what may be wrong with them.

use std::fmt;

use serde::Serialize;

use crate::name::Hostname;

/// A monitor as it is wanted. It speaks HTTPS to port 443, because nothing else reaches a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedMonitor {
    /// Whose it is.
    pub description: String,
    /// The Host header that it sends: without one no rule answers.
    pub host: Hostname,
    /// The path that it asks for.
    pub path: String,
    /// The status of a healthy answer.
    pub expected_codes: String,
    /// Seconds between two checks.
    pub interval: u64,
}

/// A pool as it is wanted: its one endpoint is the tunnel, whose id is looked up when the step is carried out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WantedPool {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub description: String,
    /// The Host header that requests arrive with.
    pub host: Hostname,
    /// The weight of its endpoint: 0 to 1.
    pub weight: f64,
}

/// What of a monitor is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MonitorDrift {
    /// Its marker names another of our tunnels.
    Description,
    /// It is of another type, or asks another port.
    Kind,
    /// The Host header that it sends.
    Host,
    /// The path that it asks for.
    Path,
    /// The status of a healthy answer.
    ExpectedCodes,
    /// The time between two checks.
    Interval,
}

/// What of a pool is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolDrift {
    /// Its name.
    Name,
    /// Its marker names another of our tunnels.
    Description,
    /// Where it leads.
    Target,
    /// The Host header that requests arrive with.
    Host,
    /// The weight of its endpoint.
    Weight,
    /// The monitor that checks it.
    Monitor,
}

/// Why something of load balancing is no longer cared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LetGo {
    /// It does not exist any more, or never came to be.
    Gone,
    /// Somebody removed our marker, so it is theirs.
    Taken,
    /// The tunnel's pool is not in it any more.
    Left,
}

impl fmt::Display for MonitorDrift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Description => "description",
            Self::Kind => "type",
            Self::Host => "Host header",
            Self::Path => "path",
            Self::ExpectedCodes => "expected codes",
            Self::Interval => "interval",
        })
    }
}

impl fmt::Display for PoolDrift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Name => "name",
            Self::Description => "description",
            Self::Target => "target",
            Self::Host => "Host header",
            Self::Weight => "weight",
            Self::Monitor => "monitor",
        })
    }
}

impl fmt::Display for LetGo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Gone => "forget it, it is gone",
            Self::Taken => "leave it alone, somebody else changed it and it is theirs",
            Self::Left => "forget it, the pool is not in it any more",
        })
    }
}
