//! How one process is doing, from what its metrics server answers, and when to ask it next.

use std::time::{Duration, Instant};

use rand::{RngExt, rngs::SmallRng};

use super::{Answer, Ask, LastKnown, LaunchFacts, Probe, Settings, VersionReading, Vitals};
use crate::id::ConnectorId;

/// The verdict over one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// Its metrics server has never answered.
    Silent,
    /// It was started by an earlier daemon and has not answered this one yet: what is known of it is what that one knew.
    Stale,
    /// It answers and has never been ready: no connection, or no configuration yet.
    Unready,
    /// It carries requests.
    Ready,
    /// It was ready and has no connection left.
    Lost,
    /// It answered once and has stopped answering.
    Hung,
}

/// One process under observation.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) vitals: Vitals,
    next: Next,
    /// The wait before the next probe while the process is not whole.
    pace: Duration,
    /// Probes missed in a row since it answered last.
    misses: u8,
    last_miss: Option<String>,
    ready_since: Option<Instant>,
    /// Since when it has not been ready, after it was.
    lost_since: Option<Instant>,
    was_ready: bool,
    was_whole: bool,
    /// Nobody has answered yet; what is known is an earlier daemon's.
    stale: bool,
    asked_at: Option<Instant>,
    version_read_at: Option<Instant>,
    version_stale: bool,
    /// Whether that was said after the probe that is out had begun: what it read may be from before.
    doubted_since_asked: bool,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Due(Instant),
    /// One is out; its answer, or its time-out, comes. `again` asks for another so much later.
    Out {
        again: Option<Duration>,
    },
}

/// The first wait between two probes of a process that is not whole. cloudflared opens its metrics server 47 to 86 ms after exec.
const PACE_MIN: Duration = Duration::from_millis(50);
/// Probes that lines of its log ask for are so far apart at least.
const HINTS_APART: Duration = Duration::from_millis(250);
/// Each wait is longer by this factor, so that what a probe is late stays in proportion to how long the process already takes.
const PACE_GROWTH: f64 = 1.25;
/// The wait after a first miss, as a part of that between two probes; the wait after the second makes up for it.
const SECOND_LOOK: f64 = 0.4;

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            vitals: Vitals::default(),
            next: Next::Due(now + PACE_MIN),
            pace: PACE_MIN,
            misses: 0,
            last_miss: None,
            ready_since: None,
            lost_since: None,
            was_ready: false,
            was_whole: false,
            stale: false,
            asked_at: None,
            version_read_at: None,
            version_stale: false,
            doubted_since_asked: false,
        }
    }

    /// The watch over a process that an earlier daemon watched, which had learnt who answers there. It is
    /// asked at once: probes are bounded, and until one comes back all that is known is old.
    pub(super) fn resumed(connector_id: Option<ConnectorId>, last_known: LastKnown, facts: &LaunchFacts, now: Instant) -> Self {
        let mut watch = Self::new(now);
        let LastKnown { connections, version } = last_known;
        watch.stale = connector_id.is_some();
        watch.vitals = Vitals { connections, connector_id, version };
        watch.was_ready = is_ready(&watch.vitals, facts);
        watch.next = Next::Due(now);
        watch
    }

    pub(super) fn health(&self, settings: &Settings) -> Health {
        if self.vitals.connector_id.is_none() {
            Health::Silent
        } else if self.misses >= settings.misses_max {
            Health::Hung
        } else if self.stale {
            Health::Stale
        } else if self.ready_since.is_some() {
            Health::Ready
        } else if self.was_ready {
            Health::Lost
        } else {
            Health::Unready
        }
    }

    /// Since when it has been ready without a break.
    pub(super) fn ready_since(&self) -> Option<Instant> {
        self.ready_since
    }

    /// Since when it has not been ready, after it was.
    pub(super) fn lost_since(&self) -> Option<Instant> {
        self.lost_since
    }

    pub(super) fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// Whether it has ever answered, an earlier daemon too: it does so only when its arguments and its token are in order.
    pub(super) fn has_answered(&self) -> bool {
        self.was_ready || self.vitals.connector_id.is_some()
    }

    /// Whether it has ever had all of its connections.
    pub(super) fn was_whole(&self) -> bool {
        self.was_whole
    }

    /// What the last missed probe said, after an answered one.
    pub(super) fn last_miss(&self) -> &str {
        self.last_miss.as_deref().unwrap_or("it does not answer")
    }

    /// Whether it has missed so many probes that one more makes it count as hung.
    pub(super) fn is_about_to_hang(&self, settings: &Settings) -> bool {
        self.misses > 0 && self.misses.saturating_add(1) >= settings.misses_max
    }

    /// Whether the last probe was answered, rather than missed.
    pub(super) fn answered_last(&self) -> bool {
        self.misses == 0
    }

    /// Whether its last answer is to a question that was asked at `moment` or later, and tells of a connection.
    pub(super) fn has_connected_since(&self, moment: Instant) -> bool {
        let is_answered = self.misses == 0 && !self.stale && self.vitals.connector_id.is_some();
        is_answered && self.vitals.connections > 0 && self.asked_at.is_some_and(|at| at >= moment)
    }

    /// Puts the next probe at `moment`, or at `now` when that is over.
    pub(super) fn ask_at(&mut self, moment: Instant, now: Instant) {
        let at = moment.max(now);
        self.next = match self.next {
            Next::Due(_) => Next::Due(at),
            Next::Out { .. } => Next::Out { again: Some(at - now) },
        };
    }

    /// When the next probe is due; `None` while one is out.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.next {
            Next::Due(at) => Some(at),
            Next::Out { .. } => None,
        }
    }

    /// Starts a probe that is due and says what it is to read.
    pub(super) fn ask(&mut self, facts: &LaunchFacts, settings: &Settings, now: Instant) -> Option<Ask> {
        match self.next {
            Next::Due(at) if at <= now => self.next = Next::Out { again: None },
            Next::Due(_) | Next::Out { .. } => return None,
        }
        self.asked_at = Some(now);
        self.doubted_since_asked = false;
        let old = || self.version_read_at.is_none_or(|at| now.saturating_duration_since(at) >= settings.version_age_max);
        let wanted = facts.needs_version && (self.vitals.version.is_none() || self.version_stale || old());
        Some(if wanted { Ask::ReadyAndVersion } else { Ask::Ready })
    }

    /// Asks for a probe at once: something is said to have changed.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.pace = PACE_MIN;
        self.next = match self.next {
            Next::Due(at) => Next::Due(at.min(now)),
            Next::Out { .. } => Next::Out { again: Some(Duration::ZERO) },
        };
    }

    /// Asks for a probe soon: its log says that connections come or go, which a broken edge makes happen thousands of times.
    pub(super) fn hurry_a_little(&mut self, now: Instant) {
        self.pace = PACE_MIN;
        let soon = self.asked_at.map_or(now, |at| now.max(at + HINTS_APART));
        self.next = match self.next {
            Next::Due(at) => Next::Due(at.min(soon)),
            Next::Out { again } => Next::Out { again: again.or(Some(HINTS_APART)) },
        };
    }

    /// The process is said to run another version of its configuration.
    pub(super) fn doubt_version(&mut self, now: Instant) {
        self.version_stale = true;
        self.doubted_since_asked = true;
        self.hurry(now);
    }

    pub(super) fn handle_probe(
        &mut self,
        probe: Probe,
        facts: &LaunchFacts,
        settings: &Settings,
        rng: &mut SmallRng,
        now: Instant,
    ) {
        let Next::Out { again } = self.next else { return };
        match probe {
            Probe::Answered(answer) => self.handle_answer(answer, facts, now),
            Probe::Missed(why) => self.handle_miss(why),
        }
        self.next = Next::Due(match again {
            Some(pause) => now + pause,
            None => self.next_probe_at(facts, settings, rng, now),
        });
    }

    fn handle_answer(&mut self, answer: Answer, facts: &LaunchFacts, now: Instant) {
        match &self.vitals.connector_id {
            Some(known) if *known != answer.connector_id => {
                // The port is another process's: ours does not answer, whatever that one says.
                return self.handle_miss(format!("connector {} answers in its place", answer.connector_id));
            }
            Some(_) => {}
            None => self.vitals.connector_id = Some(answer.connector_id),
        }
        self.misses = 0;
        self.last_miss = None;
        self.stale = false;
        if answer.connections != self.vitals.connections {
            self.pace = PACE_MIN;
        }
        self.vitals.connections = answer.connections;
        match answer.version {
            VersionReading::Unread => {}
            VersionReading::Missing => self.vitals.version = None,
            VersionReading::Version(version) => {
                self.vitals.version = Some(version);
                self.version_read_at = Some(now);
                self.version_stale = self.doubted_since_asked;
            }
        }
        if is_ready(&self.vitals, facts) {
            self.was_ready = true;
            self.was_whole |= answer.connections >= facts.connections;
            self.ready_since.get_or_insert(now);
            self.lost_since = None;
        } else {
            self.ready_since = None;
            self.lost_since = self.lost_since.or(self.was_ready.then_some(now));
        }
    }

    fn handle_miss(&mut self, why: String) {
        // Before the first answer there is nothing to miss: the start deadline watches over that time.
        if self.vitals.connector_id.is_some() {
            self.misses = self.misses.saturating_add(1);
            self.last_miss = Some(why);
        }
    }

    fn next_probe_at(&mut self, facts: &LaunchFacts, settings: &Settings, rng: &mut SmallRng, now: Instant) -> Instant {
        // Soon after the first miss and late after the second, without jitter: of connectors that hang together most have missed twice
        // well before the first has missed for the last time, and a common cause is seen before anybody is replaced.
        match self.misses {
            0 => {}
            1 => return now + settings.probe_interval.mul_f64(SECOND_LOOK),
            2 => return now + settings.probe_interval.mul_f64(2.0 - SECOND_LOOK),
            _ => return now + settings.probe_interval,
        }
        let whole = self.ready_since.is_some() && self.vitals.connections >= facts.connections;
        if whole || self.pace >= settings.probe_interval {
            // From question to question, as the answer may be taken in late.
            let asked_at = self.asked_at.unwrap_or(now);
            return now.max(asked_at + settings.probe_interval.mul_f64(rng.random_range(0.8..=1.2)));
        }
        let wait = self.pace;
        self.pace = self.pace.mul_f64(PACE_GROWTH);
        now + wait
    }
}

/// Whether it carries requests: it has a connection, and rules to go by.
fn is_ready(vitals: &Vitals, facts: &LaunchFacts) -> bool {
    vitals.connections > 0 && (!facts.needs_version || vitals.version.is_some())
}

#[cfg(test)]
mod tests;
