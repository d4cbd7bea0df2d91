//! The life of a tunnel's connectors, as a state machine.
//!
//! Nothing here spawns, signals, sleeps or reads a clock: the supervisor does, and reports back. [`Slot`] is the machine of one
//! replica; [`Launch`] and [`Wanted`] are what it is told, [`Command`] is what it asks for, [`Notice`] is what it tells.

mod answer;
mod binary;
mod exit;
mod facts;
mod fleet;
mod holder;
mod launch;
mod memory;
mod notice;
mod said;
mod region;
mod settings;
mod slot;
mod state;
mod survivor;
mod transport;
mod wanted;
mod watch;

#[cfg(test)]
pub(crate) mod testing;

pub use answer::{Answer, Ask, Probe, VersionReading, Vitals};
pub use binary::{Binary, BinaryId};
pub(crate) use exit::in_words;
pub use exit::{Ending, Exit, SpawnFailure};
pub use facts::{Fingerprint, LaunchFacts, document_number, token_fingerprint};
pub use fleet::{BrakeEnd, EdgeAnswer, Fleet, FleetCommand, FleetNotice, Gate, Standing, UplinkEnd};
pub use holder::{Holder, HolderRole, Holders};
pub use launch::{Launch, LaunchConfiguration};
pub use memory::{FailedReplacement, LastExit, Past, SlotMemory, Waiting};
pub use notice::{Command, Happening, Notice};
pub use said::{Protocol, Said};
pub use settings::Settings;
pub use slot::{BinaryWish, Finding, LEAVING_MAX, RestartRefused, Slot, SlotPrograms};
pub use state::{Generation, Reason, RestartReason, SlotId, State};
pub use survivor::{LastKnown, Survivor, Told};
pub use transport::{HostTransport, Transport};
pub use wanted::{Stop, Wanted, WantedTunnel};
