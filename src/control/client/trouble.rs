//! Why a call did not work.

use std::{error::Error, io, path::PathBuf, time::Duration};

use crate::control::api;

/// Why a call did not work.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Nobody answers at the socket.
    #[error("cannot reach the daemon at {socket:?}")]
    NotReachable {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The daemon answered that it will not, and why.
    #[error(transparent)]
    Refused(Box<api::Error>),
    /// Something answered that cannot be understood, or stopped in the middle.
    #[error("cannot read the daemon's answer to {path}")]
    Broken {
        /// What was asked for.
        path: String,
        /// What is wrong with the answer.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The answer takes too long.
    #[error("cannot wait longer for the daemon's answer to {path}: it takes more than {} s", .time_max.as_secs())]
    Slow {
        /// What was asked for.
        path: String,
        /// How long was waited.
        time_max: Duration,
    },
}

impl Trouble {
    /// The kind of the daemon's error, when it answered with one.
    pub fn kind(&self) -> Option<api::ErrorKind> {
        match self {
            Self::Refused(error) => Some(error.kind),
            Self::NotReachable { .. } | Self::Broken { .. } | Self::Slow { .. } => None,
        }
    }

    pub(super) fn broken(path: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken { path: path.to_owned(), source: source.into() }
    }

    pub(super) fn slow(path: &str, time_max: Duration) -> Self {
        Self::Slow { path: path.to_owned(), time_max }
    }
}
