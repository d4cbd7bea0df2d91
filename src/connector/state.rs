//! The words for a connector that the outside sees: which one, which run of it, in what state and why.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::name::TunnelName;

/// A place for a connector: one replica of one tunnel on this host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SlotId {
    /// The tunnel.
    pub tunnel: TunnelName,
    /// Which of its replicas, counted from 0.
    pub replica: u8,
}

/// One start of a connector. Numbers rise within a slot and are never used twice, so an event of an earlier start is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// What a slot is doing, for everyone outside the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A process is being started, or runs and has never been ready.
    Starting,
    /// It carries requests over all of its connections.
    Ready,
    /// It has been ready and is not whole: some connections are missing, or all, or it does not answer.
    Degraded,
    /// Nothing is wanted; the last process finishes its requests.
    Draining,
    /// Nothing runs and nothing is wanted.
    Stopped,
    /// It failed and starts again after a wait.
    BackingOff,
    /// It failed in a way that only a change can cure; tried again seldom, and at once when something changes.
    Blocked,
    /// A process of an earlier daemon answers, but cannot be proved ours: it is watched and never signalled.
    Quarantined,
}

/// Why something is as it is: a code for programs, a sentence for people (without a full stop).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable word such as `lost-connections`.
    pub code: Cow<'static, str>,
    /// The sentence.
    pub sentence: Cow<'static, str>,
}

/// Why a connector was started again. The list is closed: it labels a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartReason {
    /// It exited by itself.
    Exit,
    /// It did not get as far as answering in time.
    NotReady,
    /// It had no connection when the edge could be reached again.
    Uplink,
    /// It stopped answering.
    Hung,
    /// The kernel killed it for want of memory.
    Oom,
    /// The cloudflared binary changed.
    Upgrade,
    /// Its token changed.
    Rotate,
    /// Another part of how it is started changed.
    Config,
    /// An operator asked.
    Operator,
    /// Its transport could not work.
    Transport,
    /// A signal that Adit did not send ended it.
    Signal,
    /// It used up a processor over connections that did not last.
    Flapping,
}

impl SlotId {
    /// The slot of `tunnel`'s replica number `replica`.
    pub fn new(tunnel: TunnelName, replica: u8) -> Self {
        Self { tunnel, replica }
    }
}

impl Generation {
    /// The generation after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl State {
    /// The stable word, as in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::BackingOff => "backing_off",
            Self::Blocked => "blocked",
            Self::Quarantined => "quarantined",
        }
    }
}

impl Reason {
    /// A reason with `code` and `sentence`.
    pub fn new(code: &'static str, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Cow::Borrowed(code), sentence: sentence.into() }
    }
}

impl RestartReason {
    /// All of them, in the order of the metric's documentation.
    pub const ALL: [Self; 12] = [
        Self::Exit,
        Self::NotReady,
        Self::Uplink,
        Self::Hung,
        Self::Oom,
        Self::Upgrade,
        Self::Rotate,
        Self::Config,
        Self::Operator,
        Self::Transport,
        Self::Signal,
        Self::Flapping,
    ];

    /// The stable word, as in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::NotReady => "not_ready",
            Self::Uplink => "uplink",
            Self::Hung => "hung",
            Self::Oom => "oom",
            Self::Upgrade => "upgrade",
            Self::Rotate => "rotate",
            Self::Config => "config",
            Self::Operator => "operator",
            Self::Transport => "transport",
            Self::Signal => "signal",
            Self::Flapping => "flapping",
        }
    }

    /// Whether the connector was in trouble. Else somebody wanted it, or it has to do with the network that all of them use.
    pub fn is_trouble(self) -> bool {
        match self {
            Self::Exit | Self::NotReady | Self::Hung | Self::Oom | Self::Signal | Self::Flapping => true,
            Self::Uplink | Self::Upgrade | Self::Rotate | Self::Config | Self::Operator | Self::Transport => false,
        }
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.tunnel, self.replica)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for RestartReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
