//! Everything worth telling an operator.
//!
//! The loops make an [`Event`] wherever something happens and hand it to a [`Sink`]; the recorder turns each into a log line, a
//! metric, a change of the status and, when it is more than a reading, an entry of the feed. A fact that is to be told is a variant
//! here, and the compiler lists who must learn it.

mod connector;
mod daemon;
mod entry;
mod program;
mod provisioning;
mod rotation;
mod uplink;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use connector::ConnectorEvent;
pub use daemon::DaemonEvent;
pub use entry::Entry;
pub use program::{ProgramEvent, ProgramHappening, ProgramView, RolloutState};
pub use provisioning::{AccountView, CredentialState, PassResult, ProvisioningEvent, WaitingPlan};
pub use rotation::RotationEvent;
pub use uplink::UplinkEvent;

use crate::name::{AccountName, TunnelName};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// To the daemon itself: its start, its configuration, its operators.
    Daemon(DaemonEvent),
    /// To a connector.
    Connector(ConnectorEvent),
    /// To the program that connectors are.
    Program(ProgramEvent),
    /// To all connectors of the host together.
    Uplink(UplinkEvent),
    /// At Cloudflare, or between it and what is wanted.
    Provisioning(ProvisioningEvent),
}

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A reading that changes the status and nothing else; it never reaches the feed.
    Reading,
    /// What an operator caused or would notice.
    Info,
    /// Unusual, still working.
    Warn,
    /// Something was given up.
    Error,
}

impl Level {
    /// The stable word, as in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The tunnel, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<TunnelName>,
    /// The replica of that tunnel, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u8>,
    /// The connector's generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The account, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
}

/// Where events go. Telling is quick and never waits: it is called from the loops.
#[derive(Clone)]
pub struct Sink(Arc<dyn Fn(Event) + Send + Sync>);

impl Sink {
    /// A sink that calls `listener` for each event.
    pub fn new(listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Hands over one event.
    pub fn tell(&self, event: impl Into<Event>) {
        (self.0)(event.into());
    }
}

impl Event {
    /// The stable word for this kind of event, such as `connector-exited`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Daemon(event) => event.kind(),
            Self::Connector(event) => event.kind(),
            Self::Program(event) => event.kind(),
            Self::Uplink(event) => event.kind(),
            Self::Provisioning(event) => event.kind(),
        }
    }

    /// How loud it is.
    pub fn level(&self) -> Level {
        match self {
            Self::Daemon(event) => event.level(),
            Self::Connector(event) => event.level(),
            Self::Program(event) => event.level(),
            Self::Uplink(event) => event.level(),
            Self::Provisioning(event) => event.level(),
        }
    }

    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Daemon(event) => event.subject(),
            Self::Connector(event) => event.subject(),
            Self::Program(event) => event.subject(),
            Self::Uplink(event) => event.subject(),
            Self::Provisioning(event) => event.subject(),
        }
    }

    /// The stable code of the reason, where there is one, such as `signal` or `rate-limited`.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Daemon(event) => event.reason(),
            Self::Connector(event) => event.reason(),
            Self::Program(event) => event.reason(),
            Self::Uplink(event) => event.reason(),
            Self::Provisioning(event) => event.reason(),
        }
    }

    /// One sentence for a person, without a full stop.
    pub fn sentence(&self) -> String {
        match self {
            Self::Daemon(event) => event.sentence(),
            Self::Connector(event) => event.sentence(),
            Self::Program(event) => event.sentence(),
            Self::Uplink(event) => event.sentence(),
            Self::Provisioning(event) => event.sentence(),
        }
    }
}

impl From<DaemonEvent> for Event {
    fn from(event: DaemonEvent) -> Self {
        Self::Daemon(event)
    }
}

impl From<ConnectorEvent> for Event {
    fn from(event: ConnectorEvent) -> Self {
        Self::Connector(event)
    }
}

impl From<ProgramEvent> for Event {
    fn from(event: ProgramEvent) -> Self {
        Self::Program(event)
    }
}

impl From<UplinkEvent> for Event {
    fn from(event: UplinkEvent) -> Self {
        Self::Uplink(event)
    }
}

impl From<ProvisioningEvent> for Event {
    fn from(event: ProvisioningEvent) -> Self {
        Self::Provisioning(event)
    }
}
