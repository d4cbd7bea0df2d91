//! What the handle asks of the task.

use tokio::sync::oneshot;

use crate::{connector::RestartRefused, name::TunnelName};

/// How a connector is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Beside the one that serves, which goes when the successor is ready.
    MakeBeforeBreak,
    /// A process that cannot be proved ours is left to itself, and its slot gets one that is.
    Abandon,
}

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Too many requests wait.
    #[error("the supervisor is busy; try again")]
    Busy,
    /// The daemon stops.
    #[error("the supervisor is stopping")]
    Stopping,
    /// There is no such tunnel on this host.
    #[error("cannot restart {tunnel:?}: no connector of that tunnel is wanted on this host")]
    UnknownTunnel {
        /// What was asked for.
        tunnel: String,
    },
    /// None of the tunnel's connectors can be restarted so.
    #[error("cannot restart {tunnel:?}: {why}")]
    Refused {
        /// What was asked for.
        tunnel: String,
        /// Why its first connector cannot.
        why: RestartRefused,
    },
}

pub(super) enum Request {
    Restart { tunnel: TunnelName, how: Restart, reply: oneshot::Sender<Result<(), RequestError>> },
}

/// What the task is up to. The order is that of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Run,
    Detach,
    Drain,
    Abort,
}
