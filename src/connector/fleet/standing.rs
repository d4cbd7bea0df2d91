//! How one slot stands with Cloudflare's edge, as far as the others are concerned.

use std::time::Instant;

/// A slot's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It says nothing about the uplink: stopped, leaving, blocked, or quarantined without a connection.
    Aside,
    /// A process is being started and has not answered yet.
    Starting,
    /// Its process answers and has never had a connection.
    Unconnected {
        /// Since when the process runs; of an adopted one, since its adoption.
        since: Instant,
    },
    /// It has at least one connection.
    Connected,
    /// Its process was ready and has no connection left.
    Lost,
    /// Its process answered and does not any more, or is one missed probe away from that.
    Hung,
    /// Its process is gone, and the next one waits for its time.
    Waiting {
        /// The last one went because DNS or the edge could not be reached.
        environment: bool,
    },
}

/// What the fleet keeps of a slot.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) standing: Standing,
    /// It should have a connection and has none.
    pub(super) lack: Option<Lack>,
    /// When it lost its readiness or stopped answering, while it has not recovered.
    pub(super) stumbled_at: Option<Instant>,
    /// It is not to be replaced because it hangs.
    pub(super) restrained: bool,
    /// From when on it may be again, after the brake was released.
    pub(super) restrained_until: Option<Instant>,
    pub(super) revival: Revival,
}

/// A connection that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lack {
    /// The slot had a connection, and lost it since the last outage ended.
    pub(super) lost: bool,
}

/// Restarts because the edge can be reached again.
#[derive(Debug, Default)]
pub(super) struct Revival {
    /// When the next is due, if one is.
    pub(super) due: Option<Instant>,
    /// What for.
    pub(super) cause: Cause,
    /// When the last after an outage was.
    pub(super) last: Option<Instant>,
    /// How many in a row brought no connection.
    pub(super) vain: u32,
}

/// Why a connector without a connection starts anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Cause {
    #[default]
    Outage,
    /// After a sleep the network often takes longer than the host, so this one does not put off the next.
    ClockStep,
}

impl Member {
    pub(super) fn new() -> Self {
        Self {
            standing: Standing::Aside,
            lack: None,
            stumbled_at: None,
            restrained: false,
            restrained_until: None,
            revival: Revival::default(),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.standing == Standing::Connected
    }

    /// Whether it has a process that was ready once, or the successor of one that is being revived.
    pub(super) fn has_served(&self) -> bool {
        match self.standing {
            Standing::Connected | Standing::Lost | Standing::Hung => true,
            Standing::Starting | Standing::Unconnected { .. } => self.stumbled_at.is_some(),
            Standing::Aside | Standing::Waiting { .. } => false,
        }
    }

    /// Takes in where the slot stands from `now` on.
    pub(super) fn stand(&mut self, standing: Standing, now: Instant) {
        self.standing = standing;
        match standing {
            Standing::Connected => {
                (self.lack, self.stumbled_at) = (None, None);
                (self.revival.due, self.revival.vain) = (None, 0);
            }
            Standing::Aside => (self.lack, self.stumbled_at, self.revival.due) = (None, None, None),
            Standing::Lost => {
                self.lack = Some(Lack { lost: true });
                self.stumbled_at.get_or_insert(now);
            }
            Standing::Unconnected { .. } | Standing::Waiting { environment: true } => {
                self.lack.get_or_insert(Lack { lost: false });
            }
            Standing::Hung => {
                self.stumbled_at.get_or_insert(now);
            }
            // An exit is no loss of readiness, and says nothing about a connection that was missing before.
            Standing::Waiting { environment: false } => self.stumbled_at = None,
            Standing::Starting => {}
        }
    }
}
