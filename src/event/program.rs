//! Events of the program that connectors are: which cloudflared is used, and how another one is rolled out.

use std::path::PathBuf;

use serde::Serialize;

use super::{EventKind, Level, Subject};
use crate::connector::{Reason, SlotId};

/// Something that happened to the program, and how it is afterwards.
#[derive(Debug, Clone)]
pub struct ProgramEvent {
    /// What happened.
    pub happening: ProgramHappening,
    /// How it is afterwards.
    pub view: ProgramView,
}

/// Which cloudflared is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramView {
    /// Where it is looked for.
    pub path: PathBuf,
    /// The version that connectors are started with; `None` while there is none that can be used.
    pub version: Option<String>,
    /// How far the roll-out of another version is.
    pub state: RolloutState,
    /// The other version: on its way, or rolled back.
    pub other_version: Option<String>,
    /// Why the file at `path` cannot be used, or why another version was rolled back.
    pub reason: Option<Reason>,
}

/// How far the roll-out of another cloudflared is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// There is no other.
    Settled,
    /// It waits until a connector is fit to try it.
    Waiting,
    /// One connector tries it.
    Canary,
    /// The others follow, one after another.
    Rolling,
    /// It failed; connectors are what they were, until somebody acts.
    RolledBack,
}

/// What can happen to the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramHappening {
    /// Connectors are started with this version.
    InUse {
        /// Which.
        version: String,
    },
    /// What stands at the path cannot be used; nothing is started from it.
    Unusable {
        /// Why.
        reason: Reason,
    },
    /// Another version is there.
    Found {
        /// What connectors are started as.
        from: String,
        /// What is to take its place.
        to: String,
    },
    /// One connector tries it.
    CanaryStarted {
        /// The connector.
        slot: SlotId,
        /// What it was.
        from: String,
        /// What it becomes.
        to: String,
    },
    /// The one that tried it is well; the others follow.
    CanaryPassed {
        /// The connector.
        slot: SlotId,
        /// What it is.
        to: String,
    },
    /// Nothing could be learnt from the one that tried it; another try follows.
    Postponed {
        /// The connector.
        slot: SlotId,
        /// What it tried to be.
        to: String,
        /// What happened.
        reason: Reason,
    },
    /// Every connector is the other version, and well.
    Confirmed {
        /// Which version.
        to: String,
    },
    /// A connector failed with it; those that are it become what they were.
    RolledBack {
        /// The connector that failed.
        slot: SlotId,
        /// What they become again.
        from: String,
        /// What failed.
        to: String,
        /// How.
        reason: Reason,
    },
}

impl RolloutState {
    /// All of them, in the order of a roll-out.
    pub const ALL: [Self; 5] = [Self::Settled, Self::Waiting, Self::Canary, Self::Rolling, Self::RolledBack];

    /// The stable word, as in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Waiting => "waiting",
            Self::Canary => "canary",
            Self::Rolling => "rolling",
            Self::RolledBack => "rolled_back",
        }
    }
}

impl ProgramEvent {
    pub(super) fn kind(&self) -> EventKind {
        match &self.happening {
            ProgramHappening::InUse { .. } => EventKind::CloudflaredInUse,
            ProgramHappening::Unusable { .. } => EventKind::CloudflaredUnusable,
            ProgramHappening::Found { .. } => EventKind::UpgradeFound,
            ProgramHappening::CanaryStarted { .. } => EventKind::UpgradeCanaryStarted,
            ProgramHappening::CanaryPassed { .. } => EventKind::UpgradeCanaryPassed,
            ProgramHappening::Postponed { .. } => EventKind::UpgradePostponed,
            ProgramHappening::Confirmed { .. } => EventKind::UpgradeConfirmed,
            ProgramHappening::RolledBack { .. } => EventKind::UpgradeRolledBack,
        }
    }

    pub(super) fn level(&self) -> Level {
        match &self.happening {
            ProgramHappening::InUse { .. }
            | ProgramHappening::Found { .. }
            | ProgramHappening::CanaryStarted { .. }
            | ProgramHappening::CanaryPassed { .. }
            | ProgramHappening::Confirmed { .. } => Level::Info,
            ProgramHappening::Unusable { .. } | ProgramHappening::Postponed { .. } => Level::Warn,
            ProgramHappening::RolledBack { .. } => Level::Error,
        }
    }

    pub(super) fn subject(&self) -> Subject {
        match &self.happening {
            ProgramHappening::CanaryStarted { slot, .. }
            | ProgramHappening::CanaryPassed { slot, .. }
            | ProgramHappening::Postponed { slot, .. }
            | ProgramHappening::RolledBack { slot, .. } => {
                Subject { tunnel: Some(slot.tunnel.clone()), replica: Some(slot.replica), ..Subject::default() }
            }
            ProgramHappening::InUse { .. }
            | ProgramHappening::Found { .. }
            | ProgramHappening::Unusable { .. }
            | ProgramHappening::Confirmed { .. } => Subject::default(),
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match &self.happening {
            ProgramHappening::Unusable { reason }
            | ProgramHappening::Postponed { reason, .. }
            | ProgramHappening::RolledBack { reason, .. } => Some(&reason.code),
            ProgramHappening::InUse { .. }
            | ProgramHappening::Found { .. }
            | ProgramHappening::CanaryStarted { .. }
            | ProgramHappening::CanaryPassed { .. }
            | ProgramHappening::Confirmed { .. } => None,
        }
    }

    pub(super) fn sentence(&self) -> String {
        match &self.happening {
            ProgramHappening::InUse { version } => format!("connectors are started as cloudflared {version}"),
            ProgramHappening::Unusable { reason } => match &self.view.version {
                Some(version) => format!("connectors stay with cloudflared {version}: {}", reason.sentence),
                None => format!("no connector can be started: {}", reason.sentence),
            },
            ProgramHappening::Found { from, to } => format!("cloudflared {to} is there instead of {from}"),
            ProgramHappening::CanaryStarted { slot, from, to } => {
                format!("cloudflared {to} takes the place of {from}: connector {slot} tries it first")
            }
            ProgramHappening::CanaryPassed { slot, to } => {
                format!("connector {slot} is well as cloudflared {to}; the others follow one after another")
            }
            ProgramHappening::Postponed { slot, to, reason } => {
                format!("connector {slot} could not try cloudflared {to}, which is tried again later: {}", reason.sentence)
            }
            ProgramHappening::Confirmed { to } => format!("every connector is cloudflared {to}"),
            ProgramHappening::RolledBack { slot, from, to, reason } => {
                format!("cloudflared {to} is rolled back to {from}: connector {slot} failed with it: {}", reason.sentence)
            }
        }
    }
}
