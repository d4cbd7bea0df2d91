//! Everything worth telling an operator.
//!
//! The loops make an [`Event`] wherever something happens and hand it to a [`Sink`]; the recorder turns each into a log line, a
//! metric, a change of the status and, when it is more than a reading, an entry of the feed. A fact that is to be told is a variant
//! here, and the compiler lists who must learn it.

mod account_view;
mod connector;
mod daemon;
mod entry;
mod program;
mod provisioning;
mod rotation;
mod route_check;
mod uplink;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use account_view::{AccountView, CredentialState, WaitingPlan};
pub use connector::ConnectorEvent;
pub use daemon::{DaemonEvent, Hook};
pub use entry::Entry;
pub use program::{ProgramEvent, ProgramHappening, ProgramView, RolloutState};
pub use provisioning::{PassResult, ProvisioningEvent};
pub use rotation::RotationEvent;
pub use route_check::RouteCheckEvent;
pub use uplink::UplinkEvent;

pub use crate::event_kind::{EventKind, Level};
use crate::event_kind::{Field, Reasons};
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
    /// To what routes lead to, or to the way there.
    RouteCheck(RouteCheckEvent),
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
    /// Sees to it that the table of kinds tells the truth. It costs a release nothing, and a test of the daemon records every event.
    pub fn check(&self) {
        debug_assert_eq!(self.departure(), None);
    }

    /// What kind of event it is.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Daemon(event) => event.kind(),
            Self::Connector(event) => event.kind(),
            Self::Program(event) => event.kind(),
            Self::Uplink(event) => event.kind(),
            Self::Provisioning(event) => event.kind(),
            Self::RouteCheck(event) => event.kind(),
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
            Self::RouteCheck(event) => event.level(),
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
            Self::RouteCheck(event) => event.subject(),
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
            Self::RouteCheck(event) => event.reason(),
        }
    }

    /// In what it is not as the table of kinds says, which the reference of events is made from.
    fn departure(&self) -> Option<String> {
        let (kind, level, subject) = (self.kind(), self.level(), self.subject());
        let named = [
            (Field::Tunnel, subject.tunnel.is_some()),
            (Field::Replica, subject.replica.is_some()),
            (Field::Generation, subject.generation.is_some()),
            (Field::Account, subject.account.is_some()),
        ];
        let departure = if !kind.levels().contains(&level) {
            format!("its level is {}", level.as_str())
        } else if let Some((field, _)) = named.into_iter().find(|(field, is_named)| *is_named && !kind.fields().contains(field)) {
            format!("it names the {}", field.as_str())
        } else {
            match (kind.reasons(), self.reason()) {
                (Reasons::None, Some(reason)) => format!("it has the reason {reason:?}"),
                (Reasons::Words(words), Some(reason)) if words.iter().any(|(word, _)| *word == reason) => return None,
                (Reasons::Words(_), reason) => format!("its reason is {reason:?}"),
                (Reasons::Restart, _) | (Reasons::None, None) | (_, Some(_)) => return None,
                (_, None) => "it has no reason".to_owned(),
            }
        };
        Some(format!("event {} is not as its row in event_kind::table says: {departure}", kind.as_str()))
    }

    /// One sentence for a person, without a full stop.
    pub fn sentence(&self) -> String {
        match self {
            Self::Daemon(event) => event.sentence(),
            Self::Connector(event) => event.sentence(),
            Self::Program(event) => event.sentence(),
            Self::Uplink(event) => event.sentence(),
            Self::Provisioning(event) => event.sentence(),
            Self::RouteCheck(event) => event.sentence(),
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

impl From<RouteCheckEvent> for Event {
    fn from(event: RouteCheckEvent) -> Self {
        Self::RouteCheck(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_held_against_the_table_of_kinds() {
        let account: AccountName = "default".parse().unwrap();
        for event in [
            DaemonEvent::Started { version: "0.0.0" },
            DaemonEvent::Stopping { why: "SIGTERM" },
            DaemonEvent::OperatorActed { who: "ops".to_owned(), verb: "stop", tunnel: None },
            DaemonEvent::CredentialFailed { account, error: String::new() },
            DaemonEvent::HookFailed { hook: Hook::Command, error: String::new() },
        ] {
            assert_eq!(Event::from(event).departure(), None);
        }
        let odd = Event::from(DaemonEvent::Stopping { why: "a whim" });
        let departure = "event daemon-stopping is not as its row in event_kind::table says: its reason is Some(\"a whim\")";
        assert_eq!(odd.departure().as_deref(), Some(departure));
    }
}
