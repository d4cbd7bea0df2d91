//! What is said of a hook that cannot be told: once when that begins and once when it is over, however many events come meanwhile.

use crate::event::{DaemonEvent, Hook};

/// How a hook fares.
#[derive(Debug)]
pub(super) struct Outage {
    hook: Hook,
    failure_told: bool,
    drops_told: bool,
    /// Events that it will not be told of, since it was well.
    missed: u64,
}

impl Outage {
    /// A hook of which nothing bad is known.
    pub(super) fn new(hook: Hook) -> Self {
        Self { hook, failure_told: false, drops_told: false, missed: 0 }
    }

    /// It could not be told, and `missed` events are given up for that; tries again come with none.
    pub(super) fn failed(&mut self, error: &str, missed: u64) -> Option<DaemonEvent> {
        self.missed += missed;
        let already = std::mem::replace(&mut self.failure_told, true);
        (!already).then(|| DaemonEvent::HookFailed { hook: self.hook, error: error.to_owned() })
    }

    /// It is behind, and `events` were left out.
    pub(super) fn dropped(&mut self, events: u64) -> Option<DaemonEvent> {
        self.missed += events;
        let already = std::mem::replace(&mut self.drops_told, true);
        (!already).then_some(DaemonEvent::HookDropped { hook: self.hook, events: self.missed })
    }

    /// It was told, while `waiting` events wait. Whoever was behind is well when nothing waits any more.
    pub(super) fn delivered(&mut self, waiting: usize) -> Option<DaemonEvent> {
        if !self.failure_told && !self.drops_told || self.drops_told && waiting > 0 {
            return None;
        }
        let Self { hook, missed, .. } = std::mem::replace(self, Self::new(self.hook));
        Some(DaemonEvent::HookRecovered { hook, missed })
    }

    /// How many events it will not be told of, since it was well.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind};

    fn kind(event: Option<DaemonEvent>) -> Option<(EventKind, String)> {
        event.map(Event::from).map(|event| (event.kind(), event.sentence()))
    }

    #[test]
    fn an_outage_is_told_once_at_each_end() {
        let mut outage = Outage::new(Hook::Webhook);
        assert_eq!(kind(outage.delivered(0)), None);
        assert_eq!(kind(outage.failed("no answer", 0)).unwrap().0, EventKind::HookFailed);
        assert_eq!(kind(outage.failed("no answer", 3)), None);
        let sentence = "the webhook is told of events again and missed 3; see adit events".to_owned();
        assert_eq!(kind(outage.delivered(7)), Some((EventKind::HookRecovered, sentence)));
        assert_eq!(kind(outage.delivered(0)), None);
        assert_eq!(kind(outage.failed("no answer", 0)).unwrap().0, EventKind::HookFailed);
    }

    #[test]
    fn who_is_behind_is_well_when_nothing_waits() {
        let mut outage = Outage::new(Hook::Command);
        assert_eq!(kind(outage.dropped(1)).unwrap().0, EventKind::HookDropped);
        assert_eq!(kind(outage.dropped(1)), None);
        assert_eq!(kind(outage.delivered(1)), None);
        assert_eq!(outage.missed(), 2);
        assert_eq!(kind(outage.delivered(0)).unwrap().0, EventKind::HookRecovered);
        assert_eq!(outage.missed(), 0);
    }
}
