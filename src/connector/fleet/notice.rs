//! What the fleet asks for and tells.

use std::time::Duration;

use super::BrakeEnd;
use crate::connector::SlotId;

/// Something that the supervisor must do for the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetCommand {
    /// Ask whether the edge can be reached. It is answered by exactly one `handle_edge`, in bounded time.
    ProbeEdge,
    /// Ask every connector that has connections whether it still has: another has just lost all of its own.
    LookAround,
    /// Start the slot's connector anew, unless it has got a connection meanwhile.
    Revive(SlotId),
    /// The slot need not wait for the uplink any more: it asks its gate again.
    Release(SlotId),
    /// From here on the slot does not replace a process for hanging, or does again.
    Restrain {
        /// Which slot.
        slot: SlotId,
        /// Whether it is restrained.
        restrained: bool,
    },
}

/// Something that happened to the host's connectors as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetNotice {
    /// No connector has a connection, and nothing shows that the edge can be reached.
    UplinkLost {
        /// How many connectors should have one.
        connectors: usize,
        /// What came of asking the edge, if it was asked.
        silence: Option<String>,
    },
    /// An outage is over.
    UplinkBack {
        /// How that shows.
        how: UplinkEnd,
        /// How long it lasted.
        lasted: Duration,
        /// How many connectors start anew because they have no connection.
        restarting: usize,
    },
    /// The host's clock was set, or the host slept.
    ClockStepped {
        /// How many connectors start anew because they have no connection.
        restarting: usize,
    },
    /// Most connectors stumbled at once.
    BrakeOn {
        /// How many.
        stumbled: usize,
        /// Of how many that were ready.
        of: usize,
    },
    /// Each connector goes by its own rules again.
    BrakeOff(BrakeEnd),
}

/// How an outage ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UplinkEnd {
    /// The edge answers.
    EdgeAnswers,
    /// This connector got a connection.
    Connected(SlotId),
    /// No connector needs a connection any more.
    NotNeeded,
}
