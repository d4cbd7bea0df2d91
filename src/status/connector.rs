//! The status of one connector slot.

use std::{collections::BTreeMap, net::SocketAddr};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    connector::{Generation, Happening, LastExit, Reason, RestartReason, State, Vitals},
    event::ConnectorEvent,
    id::ConnectorId,
};

/// What is known of one replica of a tunnel on this host. Process, connections and version are those of the generation that
/// stands for the slot: the one that serves or is being started.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectorStatus {
    /// Which of the tunnel's replicas, counted from 0.
    pub replica: u8,
    /// The generation that stands for the slot.
    pub generation: Generation,
    /// What the slot is doing.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// Whether requests get through it.
    pub serving: bool,
    /// The process, while there is one.
    pub pid: Option<u32>,
    /// Where cloudflared's own metrics are, while there is a process.
    pub metrics_address: Option<SocketAddr>,
    /// Cloudflare's name for this run, from its first answer on.
    pub connector_id: Option<ConnectorId>,
    /// Live connections to the edge.
    pub connections: u8,
    /// The version of the remote configuration that it runs.
    pub config_version: Option<u64>,
    /// The [number](crate::connector::document_number) of the local configuration that it was started with.
    #[serde(skip)]
    pub document: Option<i64>,
    /// State, connections and version are what an earlier daemon knew last: the process has not answered this one yet.
    pub stale: bool,
    /// The generation that is to take over, while there is one.
    pub successor: Option<Generation>,
    /// Restarts since the host was started.
    pub restarts_total: u64,
    /// The same by reason; reasons that never applied are left out.
    pub restarts: BTreeMap<RestartReason, u64>,
    /// Failures since the last stable run.
    pub consecutive_failures: u32,
    /// When it is started again, while it waits.
    pub next_try_at: Option<Timestamp>,
    /// How the last process that was not told to stop ended.
    pub last_exit: Option<LastExit>,
}

impl ConnectorStatus {
    /// The status of a slot of which nothing has been told yet.
    pub fn new(replica: u8, now: Timestamp) -> Self {
        Self {
            replica,
            generation: Generation(0),
            state: State::Stopped,
            reason: Reason::new("not-known-yet", "nothing has happened yet"),
            since: now,
            serving: false,
            pid: None,
            metrics_address: None,
            connector_id: None,
            connections: 0,
            config_version: None,
            document: None,
            stale: false,
            successor: None,
            restarts_total: 0,
            restarts: BTreeMap::new(),
            consecutive_failures: 0,
            next_try_at: None,
            last_exit: None,
        }
    }

    /// Takes in what happened at `at`. After [`Happening::Forgotten`] the status is to be dropped.
    pub fn fold(&mut self, event: &ConnectorEvent, at: Timestamp) {
        let notice = &event.notice;
        if self.state != notice.state {
            self.since = at;
        }
        (self.state, self.reason, self.generation) = (notice.state, notice.reason.clone(), notice.serving);
        self.consecutive_failures = notice.failures;
        self.document = notice.document;
        match &notice.happening {
            Happening::Starting { restart, .. } => {
                self.clear_process();
                self.next_try_at = None;
                self.count(*restart);
            }
            Happening::Started { generation, pid, metrics } if *generation == self.generation => {
                (self.pid, self.metrics_address) = (Some(*pid), Some(*metrics));
            }
            Happening::Adopted { generation, pid, metrics, vitals } if *generation == self.generation => {
                (self.pid, self.metrics_address) = (Some(*pid), Some(*metrics));
                self.read(vitals);
                self.stale = true;
            }
            // Of a successor, or one that drains: Replaced tells its process when it matters.
            Happening::Started { .. } | Happening::Adopted { .. } => {}
            Happening::Quarantined { pid, .. } => self.pid = Some(*pid),
            Happening::Abandoned { .. } => self.clear_process(),
            Happening::CannotStart { .. } | Happening::NeverAnswered { .. } | Happening::Stopped | Happening::Forgotten => {}
            Happening::Ready { vitals, .. }
            | Happening::Degraded { vitals, .. }
            | Happening::LostConnections { vitals, .. }
            | Happening::Recovered { vitals, .. }
            | Happening::Read { vitals, .. } => self.read(vitals),
            Happening::Exited { asked: true, .. } => {}
            Happening::Exited { generation, how, lived, reason, .. } => {
                self.last_exit = Some(LastExit {
                    at,
                    generation: *generation,
                    how: how.clone(),
                    lived_millis: u64::try_from(lived.as_millis()).unwrap_or(u64::MAX),
                    reason: reason.clone(),
                });
            }
            Happening::BackingOff { delay, .. } | Happening::Blocked { delay, .. } => {
                self.next_try_at = at.checked_add(*delay).ok();
            }
            // When depends on the others.
            Happening::Held { .. } => self.next_try_at = None,
            Happening::Replacing { successor, .. } => self.successor = Some(*successor),
            Happening::Replaced { restart, process, vitals, .. } => {
                self.successor = None;
                self.pid = process.map(|(pid, _)| pid);
                self.metrics_address = process.map(|(_, metrics)| metrics);
                self.read(vitals);
                self.count(Some(*restart));
            }
            Happening::ReplacementFailed { .. } => self.successor = None,
            Happening::Remembered { past } => {
                self.restarts_total += past.restarts_total();
                for (restart, count) in &past.restarts {
                    *self.restarts.entry(*restart).or_default() += count;
                }
                self.last_exit = self.last_exit.take().or_else(|| past.last_exit.clone());
            }
            Happening::Hung { .. }
            | Happening::Spared { .. }
            | Happening::Draining { .. }
            | Happening::Killed { .. }
            | Happening::RegistrationRefused { .. }
            | Happening::ConfigurationRefused { .. }
            | Happening::FellBack { .. }
            | Happening::Flapping { .. }
            | Happening::Renamed { .. }
            | Happening::LogUnavailable { .. } => {}
        }
        match self.state {
            State::BackingOff | State::Blocked => self.clear_process(),
            State::Stopped => {
                self.clear_process();
                self.next_try_at = None;
            }
            State::Starting | State::Ready | State::Degraded | State::Draining | State::Quarantined => self.next_try_at = None,
        }
        self.serving = match self.state {
            State::Ready => true,
            State::Degraded | State::Quarantined => self.connections > 0 && self.reason.code != "hung",
            State::Starting | State::Draining | State::Stopped | State::BackingOff | State::Blocked => false,
        };
    }

    fn read(&mut self, vitals: &Vitals) {
        self.connector_id.clone_from(&vitals.connector_id);
        self.connections = vitals.connections;
        self.config_version = vitals.version;
        self.stale = false;
    }

    fn clear_process(&mut self) {
        self.read(&Vitals::default());
        (self.pid, self.metrics_address, self.successor) = (None, None, None);
    }

    fn count(&mut self, restart: Option<RestartReason>) {
        if let Some(restart) = restart {
            self.restarts_total += 1;
            *self.restarts.entry(restart).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connector::{Notice, SlotId};

    fn tell(status: &mut ConnectorStatus, second: i64, state: State, serving: u64, happening: Happening) {
        let reason = Reason::new("because", "because");
        let notice = Notice { state, reason, serving: Generation(serving), failures: 0, document: None, happening };
        let event = ConnectorEvent { slot: SlotId::new("web".parse().unwrap(), 0), notice };
        status.fold(&event, Timestamp::from_second(second).unwrap());
    }

    fn vitals(connections: u8) -> Vitals {
        Vitals { connections, connector_id: Some("a".parse().unwrap()), version: Some(7) }
    }

    fn ready() -> ConnectorStatus {
        let mut status = ConnectorStatus::new(0, Timestamp::UNIX_EPOCH);
        let generation = Generation(1);
        tell(&mut status, 1, State::Starting, 1, Happening::Starting { generation, restart: None });
        let metrics = "127.0.0.1:4000".parse().unwrap();
        tell(&mut status, 1, State::Starting, 1, Happening::Started { generation, pid: 42, metrics });
        let after = Duration::from_secs(1);
        tell(&mut status, 2, State::Ready, 1, Happening::Ready { generation, vitals: vitals(4), after });
        status
    }

    #[test]
    fn a_ready_connector_shows_its_process_and_what_it_reports() {
        let status = ready();
        assert_eq!((status.pid, status.connections, status.config_version, status.serving), (Some(42), 4, Some(7), true));
        assert_eq!((status.since.as_second(), status.restarts_total), (2, 0));
    }

    #[test]
    fn the_state_keeps_its_time_while_it_lasts() {
        let mut status = ready();
        tell(&mut status, 9, State::Ready, 1, Happening::Read { generation: Generation(1), vitals: vitals(4) });
        assert_eq!(status.since.as_second(), 2);
    }

    #[test]
    fn a_restart_is_counted_once_and_forgets_the_process() {
        let mut status = ready();
        let reason = Reason::new("signal", "killed");
        let exited = Happening::Exited {
            generation: Generation(1),
            how: "signal 9 (SIGKILL)".into(),
            lived: Duration::from_secs(3),
            asked: false,
            reason: reason.clone(),
        };
        tell(&mut status, 5, State::BackingOff, 1, exited);
        tell(&mut status, 5, State::BackingOff, 1, Happening::BackingOff { delay: Duration::from_secs(2), reason });
        assert_eq!((status.pid, status.connections, status.serving), (None, 0, false));
        assert_eq!(status.next_try_at.map(Timestamp::as_second), Some(7));
        let restart = Some(RestartReason::Signal);
        tell(&mut status, 7, State::Starting, 2, Happening::Starting { generation: Generation(2), restart });
        assert_eq!((status.restarts_total, status.restarts.get(&RestartReason::Signal)), (1, Some(&1)));
        assert_eq!((status.next_try_at, status.generation), (None, Generation(2)));
        assert_eq!(status.last_exit.map(|exit| (exit.at.as_second(), exit.lived_millis)), Some((5, 3000)));
    }

    #[test]
    fn an_adopted_connector_shows_what_was_known_of_it_until_it_answers() {
        let mut status = ConnectorStatus::new(0, Timestamp::UNIX_EPOCH);
        let metrics = "127.0.0.1:4000".parse().unwrap();
        let adopted = Happening::Adopted { generation: Generation(5), pid: 42, metrics, vitals: vitals(4) };
        tell(&mut status, 1, State::Ready, 5, adopted);
        assert_eq!((status.stale, status.serving, status.connections, status.config_version), (true, true, 4, Some(7)));
        tell(&mut status, 2, State::Degraded, 5, Happening::LostConnections { generation: Generation(5), vitals: vitals(0) });
        assert_eq!((status.stale, status.serving, status.connections), (false, false, 0));
    }

    #[test]
    fn a_successor_shows_only_when_it_has_taken_over() {
        let mut status = ready();
        let (generation, successor, restart) = (Generation(1), Generation(2), RestartReason::Config);
        tell(&mut status, 5, State::Ready, 1, Happening::Replacing { generation, successor, restart });
        let metrics = "127.0.0.1:5000".parse().unwrap();
        tell(&mut status, 5, State::Ready, 1, Happening::Started { generation: successor, pid: 43, metrics });
        assert_eq!((status.pid, status.successor), (Some(42), Some(successor)));
        let process = Some((43, metrics));
        let happening = Happening::Replaced { generation: successor, former: generation, restart, process, vitals: vitals(3) };
        tell(&mut status, 6, State::Degraded, 2, happening);
        assert_eq!((status.pid, status.successor, status.connections), (Some(43), None, 3));
        assert_eq!((status.restarts_total, status.serving), (1, true));
    }
}
