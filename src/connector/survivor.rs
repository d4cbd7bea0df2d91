//! A process that an earlier daemon started and that still runs.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Generation, LaunchFacts};
use crate::id::ConnectorId;

/// What a daemon knew last of a process, so that the next one has something to show until it has asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastKnown {
    /// Live connections to the edge.
    pub connections: u8,
    /// The version of the remote configuration that it ran, if it had one.
    pub version: Option<u64>,
}

/// Whether an earlier daemon told a process to finish its requests, as far as its record knows. A second time kills it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It did not: that would be on record.
    No,
    /// It was about to: it did, unless it ended at that very moment.
    Recorded,
    /// The record was lost.
    Unknown,
}

/// What the generation record says of a process that was found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its generation.
    pub generation: Generation,
    /// How it was started.
    pub facts: LaunchFacts,
    /// Its process id.
    pub pid: u32,
    /// Where its metrics server answers.
    pub metrics: SocketAddr,
    /// Who answered there, if anyone has.
    pub connector_id: Option<ConnectorId>,
    /// What was known of it last.
    pub last_known: LastKnown,
    /// Whether it was told to finish its requests.
    pub told: Told,
    /// It is certainly the recorded process. One that is not is never signalled.
    pub proved: bool,
}
