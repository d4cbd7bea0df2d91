//! What the metrics server of a process is asked, and what it answers.

use crate::id::ConnectorId;

/// What a probe is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `/ready`.
    Ready,
    /// `/ready` and the version in `/config`.
    ReadyAndVersion,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// The metrics server answered.
    Answered(Answer),
    /// It did not answer in time, refused, or what it said is no answer; the text says which.
    Missed(String),
}

/// What the metrics server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Live connections to the edge.
    pub connections: u8,
    /// The run of cloudflared that answers.
    pub connector_id: ConnectorId,
    /// The configuration's version, where it was asked for.
    pub version: VersionReading,
}

/// What is known of a configuration's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionReading {
    /// It was not asked for, or not answered.
    Unread,
    /// The edge has pushed none yet (`/config` says -1).
    Missing,
    /// This one runs.
    Version(u64),
}

/// The numbers that the outside sees of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Live connections to the edge.
    pub connections: u8,
    /// The run of cloudflared, from its first answer on.
    pub connector_id: Option<ConnectorId>,
    /// The version of the remote configuration that it runs.
    pub version: Option<u64>,
}
