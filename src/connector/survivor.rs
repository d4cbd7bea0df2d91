//! A process that an earlier daemon started and that still runs.

use std::net::SocketAddr;

use super::{Generation, LaunchFacts};
use crate::id::ConnectorId;

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
    /// It was told to finish its requests.
    pub draining: bool,
    /// It is certainly the recorded process. One that is not is never signalled.
    pub proved: bool,
}
