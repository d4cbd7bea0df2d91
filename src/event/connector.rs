//! Events of connectors.

use super::{EventKind, Level, Subject};
use crate::{
    connector::{Happening, Notice, SlotId, in_words},
    counted::counted,
};

/// Something that happened to a connector.
#[derive(Debug, Clone)]
pub struct ConnectorEvent {
    /// The tunnel and which of its replicas.
    pub slot: SlotId,
    /// What happened, and how the slot is afterwards.
    pub notice: Notice,
}

impl ConnectorEvent {
    pub(super) fn kind(&self) -> EventKind {
        match &self.notice.happening {
            Happening::Starting { .. } => EventKind::ConnectorStarting,
            Happening::Started { .. } => EventKind::ConnectorStarted,
            Happening::Adopted { .. } => EventKind::ConnectorAdopted,
            Happening::Quarantined { .. } => EventKind::ConnectorQuarantined,
            Happening::Abandoned { .. } => EventKind::ConnectorAbandoned,
            Happening::CannotStart { .. } => EventKind::ConnectorCannotStart,
            Happening::Ready { .. } => EventKind::ConnectorReady,
            Happening::Degraded { .. } => EventKind::ConnectorDegraded,
            Happening::LostConnections { .. } => EventKind::ConnectorLostConnections,
            Happening::Recovered { .. } => EventKind::ConnectorRecovered,
            Happening::Hung { .. } => EventKind::ConnectorHung,
            Happening::NeverAnswered { .. } => EventKind::ConnectorNeverAnswered,
            Happening::Exited { .. } => EventKind::ConnectorExited,
            Happening::BackingOff { .. } => EventKind::ConnectorBackingOff,
            Happening::Held { .. } => EventKind::ConnectorHeld,
            Happening::Blocked { .. } => EventKind::ConnectorBlocked,
            Happening::Replacing { .. } => EventKind::ConnectorReplacing,
            Happening::Replaced { .. } => EventKind::ConnectorReplaced,
            Happening::ReplacementFailed { .. } => EventKind::ConnectorReplacementFailed,
            Happening::Spared { .. } => EventKind::ConnectorSpared,
            Happening::Draining { .. } => EventKind::ConnectorDraining,
            Happening::Killed { .. } => EventKind::ConnectorKilled,
            Happening::Stopped => EventKind::ConnectorStopped,
            Happening::Read { .. } => EventKind::ConnectorReading,
            Happening::RegistrationRefused { .. } => EventKind::ConnectorRegistrationRefused,
            Happening::ConfigurationRefused { .. } => EventKind::ConnectorConfigurationRefused,
            Happening::FellBack { .. } => EventKind::ConnectorFellBack,
            Happening::Flapping { .. } => EventKind::ConnectorFlapping,
            Happening::LogUnavailable { .. } => EventKind::ConnectorLogUnavailable,
            Happening::Remembered { .. } => EventKind::ConnectorRemembered,
            Happening::Renamed { .. } => EventKind::ConnectorRenamed,
            Happening::Forgotten => EventKind::ConnectorForgotten,
        }
    }

    pub(super) fn level(&self) -> Level {
        match &self.notice.happening {
            Happening::Read { .. } | Happening::Remembered { .. } => Level::Reading,
            Happening::Starting { .. }
            | Happening::Started { .. }
            | Happening::Adopted { .. }
            | Happening::Ready { .. }
            | Happening::Recovered { .. }
            | Happening::Exited { asked: true, .. }
            | Happening::Replacing { .. }
            | Happening::Replaced { .. }
            | Happening::Held { .. }
            | Happening::Spared { .. }
            | Happening::Draining { .. }
            | Happening::Stopped
            | Happening::Renamed { .. }
            | Happening::Forgotten => Level::Info,
            Happening::Quarantined { .. }
            | Happening::Abandoned { .. }
            | Happening::CannotStart { .. }
            | Happening::Degraded { .. }
            | Happening::LostConnections { .. }
            | Happening::Hung { .. }
            | Happening::NeverAnswered { .. }
            | Happening::Exited { asked: false, .. }
            | Happening::BackingOff { .. }
            | Happening::ReplacementFailed { .. }
            | Happening::Killed { .. }
            | Happening::RegistrationRefused { .. }
            | Happening::ConfigurationRefused { .. }
            | Happening::FellBack { .. }
            | Happening::Flapping { .. }
            | Happening::LogUnavailable { .. } => Level::Warn,
            Happening::Blocked { .. } => Level::Error,
        }
    }

    pub(super) fn subject(&self) -> Subject {
        let generation = match &self.notice.happening {
            Happening::Starting { generation, .. }
            | Happening::Started { generation, .. }
            | Happening::Adopted { generation, .. }
            | Happening::Quarantined { generation, .. }
            | Happening::Abandoned { generation, .. }
            | Happening::CannotStart { generation, .. }
            | Happening::Ready { generation, .. }
            | Happening::Degraded { generation, .. }
            | Happening::LostConnections { generation, .. }
            | Happening::Recovered { generation, .. }
            | Happening::Hung { generation, .. }
            | Happening::NeverAnswered { generation, .. }
            | Happening::Exited { generation, .. }
            | Happening::Replacing { generation, .. }
            | Happening::Replaced { generation, .. }
            | Happening::ReplacementFailed { generation, .. }
            | Happening::Spared { generation }
            | Happening::Draining { generation, .. }
            | Happening::Killed { generation, .. }
            | Happening::Read { generation, .. }
            | Happening::RegistrationRefused { generation, .. }
            | Happening::ConfigurationRefused { generation, .. }
            | Happening::FellBack { generation, .. }
            | Happening::Flapping { generation, .. }
            | Happening::LogUnavailable { generation, .. } => *generation,
            Happening::BackingOff { .. }
            | Happening::Held { .. }
            | Happening::Blocked { .. }
            | Happening::Stopped
            | Happening::Remembered { .. }
            | Happening::Renamed { .. }
            | Happening::Forgotten => self.notice.serving,
        };
        Subject {
            tunnel: Some(self.slot.tunnel.clone()),
            replica: Some(self.slot.replica),
            generation: Some(generation.0),
            account: None,
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match &self.notice.happening {
            Happening::CannotStart { reason, .. }
            | Happening::Exited { reason, .. }
            | Happening::BackingOff { reason, .. }
            | Happening::Held { reason }
            | Happening::Blocked { reason, .. }
            | Happening::ReplacementFailed { reason, .. }
            | Happening::Killed { reason, .. } => Some(&reason.code),
            Happening::Starting { restart, .. } => restart.map(|restart| restart.as_str()),
            Happening::Replacing { restart, .. } | Happening::Replaced { restart, .. } => Some(restart.as_str()),
            Happening::RegistrationRefused { .. } => Some("registration-refused"),
            Happening::ConfigurationRefused { .. } => Some("configuration-refused"),
            Happening::FellBack { .. } => Some("transport-fallback"),
            Happening::Flapping { .. } => Some("flapping"),
            Happening::Started { .. }
            | Happening::Adopted { .. }
            | Happening::Quarantined { .. }
            | Happening::Abandoned { .. }
            | Happening::Ready { .. }
            | Happening::Degraded { .. }
            | Happening::LostConnections { .. }
            | Happening::Recovered { .. }
            | Happening::Hung { .. }
            | Happening::NeverAnswered { .. }
            | Happening::Spared { .. }
            | Happening::Draining { .. }
            | Happening::Stopped
            | Happening::Read { .. }
            | Happening::LogUnavailable { .. }
            | Happening::Remembered { .. }
            | Happening::Renamed { .. }
            | Happening::Forgotten => Some(&self.notice.reason.code),
        }
    }

    pub(super) fn sentence(&self) -> String {
        let slot = &self.slot;
        let after = &self.notice.reason.sentence;
        match &self.notice.happening {
            Happening::Starting { generation, restart: None } => format!("connector {slot} starts as generation {generation}"),
            Happening::Starting { generation, restart: Some(restart) } => {
                format!("connector {slot} starts again as generation {generation} ({restart})")
            }
            Happening::Started { pid, metrics, .. } => {
                format!("connector {slot} runs as process {pid} with metrics on {metrics}")
            }
            Happening::Adopted { generation, pid, .. } => {
                format!("connector {slot} goes on as generation {generation}: process {pid} of an earlier daemon was found again")
            }
            Happening::Quarantined { .. } => format!("connector {slot} is quarantined: {after}"),
            Happening::Abandoned { pid, .. } => {
                format!("process {pid} of an earlier daemon cannot be proved to be connector {slot} and is left to itself")
            }
            Happening::CannotStart { reason, .. } => format!("connector {slot} cannot be started: {}", reason.sentence),
            Happening::Ready { vitals, after, .. } => {
                format!(
                    "connector {slot} is ready after {} with {}",
                    in_words(*after),
                    counted(vitals.connections.into(), "connection")
                )
            }
            Happening::Degraded { .. } => format!("connector {slot} is degraded: {after}"),
            Happening::LostConnections { .. } => format!("connector {slot} serves nobody: {after}"),
            Happening::Recovered { .. } => format!("connector {slot} has recovered: {after}"),
            Happening::Hung { why, .. } => format!("connector {slot} hangs: its metrics server stopped answering ({why})"),
            Happening::NeverAnswered { waited, .. } => {
                format!("connector {slot} is given up: its metrics server has not answered in {}", in_words(*waited))
            }
            Happening::Exited { how, lived, asked: true, .. } => {
                format!("connector {slot} ended as it was told to, with {how} after {}", in_words(*lived))
            }
            Happening::Exited { reason, .. } => format!("connector {slot} ended by itself: {}", reason.sentence),
            Happening::BackingOff { delay, reason } => {
                let failures = self.notice.failures;
                format!("connector {slot} starts again in {} after failure {failures}: {}", in_words(*delay), reason.sentence)
            }
            Happening::Held { reason } => format!("connector {slot} waits: {}", reason.sentence),
            Happening::Blocked { delay, reason, .. } => format!(
                "connector {slot} is blocked until something changes (tried again in {}): {}",
                in_words(*delay),
                reason.sentence
            ),
            Happening::Replacing { generation, successor, restart } => {
                format!("connector {slot} gets generation {successor} beside generation {generation} ({restart})")
            }
            Happening::Replaced { generation, former, .. } => {
                format!("connector {slot} is generation {generation} from here on, instead of {former}")
            }
            Happening::ReplacementFailed { generation, reason, retry } => {
                let retry = match retry {
                    Some(delay) => format!("; tried again in {}", in_words(*delay)),
                    None => String::new(),
                };
                format!("generation {generation} does not replace connector {slot}: {}{retry}", reason.sentence)
            }
            Happening::Spared { .. } => {
                format!("connector {slot} is not wanted any more and goes on until another replica of its tunnel serves")
            }
            Happening::Draining { generation, limit } => {
                format!(
                    "generation {generation} of connector {slot} finishes its requests and is killed after {}",
                    in_words(*limit)
                )
            }
            Happening::Killed { generation, reason } => {
                format!("generation {generation} of connector {slot} was killed: {}", reason.sentence)
            }
            Happening::Stopped => format!("connector {slot} has stopped: {after}"),
            Happening::Read { .. } => format!("connector {slot}: {after}"),
            Happening::RegistrationRefused { why: Some(why), .. } => {
                format!("connector {slot} is refused by Cloudflare's edge: {why}")
            }
            Happening::RegistrationRefused { why: None, .. } => {
                format!("connector {slot} is not registered by Cloudflare's edge, which over QUIC does not say why")
            }
            Happening::ConfigurationRefused { version: Some(version), why, .. } => {
                format!("connector {slot} cannot use version {version} of its configuration and keeps the one before: {why}")
            }
            Happening::ConfigurationRefused { version: None, why, .. } => {
                format!("connector {slot} cannot use its configuration and keeps the one before: {why}")
            }
            Happening::FellBack { why, .. } => {
                format!("connector {slot} goes over to HTTP/2, as QUIC (UDP port 7844) does not get through: {why}")
            }
            Happening::Flapping { registrations, .. } => {
                format!("connector {slot} flaps: it registered {registrations} connections within a minute or so")
            }
            Happening::LogUnavailable { error, .. } => {
                format!("connector {slot} runs, but its output is lost to the log store: {error}")
            }
            Happening::Remembered { past } => {
                format!("connector {slot} was started again {} times before this daemon", past.restarts_total())
            }
            Happening::Renamed { from } => {
                format!("connector {slot} is the one that was called {from}/{}; its process is the same", slot.replica)
            }
            Happening::Forgotten => format!("connector {slot} is no more: {after}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connector::{Generation, Reason, RestartReason, State, Vitals};

    fn event(happening: Happening) -> ConnectorEvent {
        let reason = Reason::new("ready", "4 of 4 connections");
        let notice = Notice { state: State::Ready, reason, serving: Generation(3), failures: 1, document: None, happening };
        ConnectorEvent { slot: SlotId::new("web".parse().unwrap(), 1), notice }
    }

    #[test]
    fn sentences_say_which_connector_what_and_why() {
        let reason = Reason::new("signal", "a signal that Adit did not send (signal 9 (SIGKILL) after 4.2 s)");
        for (happening, sentence) in [
            (
                Happening::Starting { generation: Generation(3), restart: Some(RestartReason::Signal) },
                "connector web/1 starts again as generation 3 (signal)",
            ),
            (
                Happening::Ready {
                    generation: Generation(3),
                    vitals: Vitals { connections: 1, ..Vitals::default() },
                    after: Duration::from_millis(87),
                },
                "connector web/1 is ready after 87 ms with 1 connection",
            ),
            (
                Happening::BackingOff { delay: Duration::from_millis(420), reason: reason.clone() },
                "connector web/1 starts again in 420 ms after failure 1: a signal that Adit did not send (signal 9 (SIGKILL) after 4.2 s)",
            ),
            (
                Happening::ReplacementFailed {
                    generation: Generation(4),
                    reason: Reason::new("not-ready", "it was not ready within 3 min"),
                    retry: Some(Duration::from_secs(300)),
                },
                "generation 4 does not replace connector web/1: it was not ready within 3 min; tried again in 5 min",
            ),
        ] {
            assert_eq!(event(happening).sentence(), sentence);
        }
    }

    #[test]
    fn an_event_names_the_generation_that_it_is_about() {
        let event = event(Happening::Killed { generation: Generation(2), reason: Reason::new("grace-over", "it did not exit") });
        assert_eq!(event.subject().generation, Some(2));
        assert_eq!(event.reason(), Some("grace-over"));
        assert_eq!(event.kind().as_str(), "connector-killed");
    }
}
