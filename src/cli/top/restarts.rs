//! How often connectors were started again in the last hour, and why: counted from the events.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::control::api::Event;

/// How far back it is counted.
pub(super) const PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// The most that are counted of one tunnel; whoever restarts more often has nothing to learn from the number.
const COUNTED_MAX: usize = 999;

/// The restarts of the last hour, by tunnel.
#[derive(Debug, Clone, Default)]
pub(super) struct Restarts {
    tunnels: BTreeMap<String, VecDeque<(Timestamp, String)>>,
}

impl Restarts {
    /// Takes an event in, if it is a restart.
    pub(super) fn take(&mut self, event: &Event) {
        let (Some(tunnel), Some(reason)) = (&event.subject.tunnel, &event.reason) else { return };
        // A first start has no reason to start again, and a planned one is told as a replacement.
        if matches!(event.kind.as_str(), "connector-starting" | "connector-replacing") {
            let restarts = self.tunnels.entry(tunnel.clone()).or_default();
            restarts.push_back((event.at, reason.clone()));
            if restarts.len() > COUNTED_MAX {
                restarts.pop_front();
            }
        }
    }

    /// Forgets what is longer ago than [`PERIOD`].
    pub(super) fn forget(&mut self, now: Timestamp) {
        for restarts in self.tunnels.values_mut() {
            restarts.retain(|(at, _)| now.duration_since(*at) <= PERIOD);
        }
        self.tunnels.retain(|_, restarts| !restarts.is_empty());
    }

    /// How many of a tunnel, and the reason of the last one.
    pub(super) fn of_tunnel(&self, tunnel: &str) -> (usize, Option<&str>) {
        let Some(restarts) = self.tunnels.get(tunnel) else { return (0, None) };
        (restarts.len(), restarts.back().map(|(_, reason)| reason.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::{Level, Subject};

    fn event(kind: &str, minutes: i64, reason: Option<&str>) -> Event {
        Event {
            id: 1,
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes),
            level: Level::Info,
            kind: kind.to_owned(),
            subject: Subject { tunnel: Some("web".to_owned()), ..Subject::default() },
            reason: reason.map(str::to_owned),
            sentence: String::new(),
        }
    }

    #[test]
    fn restarts_are_counted_with_their_last_reason_and_forgotten_after_an_hour() {
        let mut restarts = Restarts::default();
        restarts.take(&event("connector-starting", 0, None));
        restarts.take(&event("connector-starting", 1, Some("signal")));
        restarts.take(&event("connector-exited", 1, Some("signal")));
        restarts.take(&event("connector-replacing", 30, Some("operator")));
        assert_eq!(restarts.of_tunnel("web"), (2, Some("operator")));
        restarts.forget(Timestamp::UNIX_EPOCH + SignedDuration::from_mins(75));
        assert_eq!(restarts.of_tunnel("web"), (1, Some("operator")));
        restarts.forget(Timestamp::UNIX_EPOCH + SignedDuration::from_mins(99));
        assert_eq!(restarts.of_tunnel("web"), (0, None));
    }
}
