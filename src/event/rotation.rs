//! Events of the change of a tunnel's secret.

use std::{collections::BTreeSet, time::Duration};

use super::{EventKind, Level};
use crate::{id::ConnectorId, name::TunnelName};

/// Something that happened to the change of a tunnel's secret.
#[derive(Debug, Clone)]
pub enum RotationEvent {
    /// It began: the new secret is durable.
    Begun {
        /// Whether everybody else is cut off.
        emergency: bool,
        /// Who asked for it; `None` for the schedule.
        by: Option<String>,
    },
    /// Cloudflare has the new secret; connectors take it over.
    Placed,
    /// Connectors that are no processes of ours were cut off.
    CutOff {
        /// Which.
        connectors: BTreeSet<ConnectorId>,
    },
    /// Nothing holds the secret before any more.
    Finished {
        /// How long all of it took.
        took: Duration,
    },
    /// A part of it failed and is tried again.
    Failed {
        /// Why.
        error: String,
        /// After how long.
        retry: Duration,
    },
}

impl RotationEvent {
    pub(super) fn kind(&self) -> EventKind {
        match self {
            Self::Begun { .. } => EventKind::RotationBegun,
            Self::Placed => EventKind::RotationPlaced,
            Self::CutOff { .. } => EventKind::RotationCutOff,
            Self::Finished { .. } => EventKind::RotationFinished,
            Self::Failed { .. } => EventKind::RotationFailed,
        }
    }

    pub(super) fn level(&self) -> Level {
        match self {
            Self::Begun { .. } | Self::Placed | Self::Finished { .. } => Level::Info,
            Self::CutOff { .. } | Self::Failed { .. } => Level::Warn,
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Begun { emergency: true, .. } => Some("emergency"),
            Self::Begun { by: Some(_), .. } => Some("operator"),
            Self::Begun { by: None, .. } => Some("schedule"),
            Self::Placed | Self::CutOff { .. } | Self::Finished { .. } | Self::Failed { .. } => None,
        }
    }

    pub(super) fn sentence(&self, tunnel: &TunnelName) -> String {
        match self {
            Self::Begun { emergency, by } => {
                let who = by.as_deref().unwrap_or("the schedule");
                let others = if *emergency { ", and whoever else is connected is cut off" } else { "" };
                format!("tunnel {tunnel} gets another secret (asked for by {who}){others}")
            }
            Self::Placed => format!("Cloudflare has the new secret of tunnel {tunnel}; its connectors are replaced"),
            Self::CutOff { connectors } => {
                let ids: Vec<&str> = connectors.iter().map(ConnectorId::as_str).collect();
                format!("connectors of tunnel {tunnel} that do not run here were cut off: {}", ids.join(", "))
            }
            Self::Finished { took } => {
                format!("tunnel {tunnel} has another secret, and nothing here holds the one before, after {} s", took.as_secs())
            }
            Self::Failed { error, retry } => {
                format!("the secret of tunnel {tunnel} is not replaced: {error}; tried again in {} s", retry.as_secs())
            }
        }
    }
}
