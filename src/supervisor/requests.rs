//! What the handle asks of the task.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::task::{Task, now};
use crate::{
    connector::{RestartRefused, SlotId},
    name::TunnelName,
};

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

impl Task {
    pub(super) fn take_request(&mut self, request: Request) {
        match request {
            Request::Restart { tunnel, how, reply } => {
                // Fails when whoever asked has gone.
                let _ = reply.send(self.restart(&tunnel, how));
            }
        }
    }

    fn restart(&mut self, tunnel: &TunnelName, how: Restart) -> Result<(), RequestError> {
        let slots = self.names.slots(tunnel).clone();
        if how == Restart::MakeBeforeBreak {
            self.operator_acts(&slots);
        }
        let ids: Vec<Arc<SlotId>> = self.slots.keys().filter(|id| id.tunnel == slots).cloned().collect();
        let mut refused = None;
        let mut taken = false;
        for id in &ids {
            let answer = self.with_slot(id, |slot| match how {
                Restart::MakeBeforeBreak => slot.handle_restart(now()),
                Restart::Abandon => slot.handle_abandon(now()),
            });
            match answer {
                Some(Ok(())) => taken = true,
                Some(Err(why)) => refused = refused.or(Some(why)),
                None => {}
            }
        }
        let tunnel = tunnel.to_string();
        match refused {
            _ if taken => Ok(()),
            Some(why) => Err(RequestError::Refused { tunnel, why }),
            None => Err(RequestError::UnknownTunnel { tunnel }),
        }
    }
}
