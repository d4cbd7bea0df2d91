//! Restarts after an outage: once each, of connectors without a connection.
//!
//! cloudflared waits up to 352 s between two tries after a long outage (`facts/cloudflared.md` 7.2), and starts over when it is
//! restarted. Such a connector serves nobody, so nothing is lost by it.

use std::time::{Duration, Instant};

use super::{
    Fleet, FleetCommand,
    standing::{Cause, Member, Standing},
};

/// A process that was started so lately tries again by itself within two seconds, and is only restarted if that comes to nothing.
pub(in crate::connector) const YOUNG: Duration = Duration::from_secs(3);
/// The least time between two such restarts of a connector that got a connection in between.
const GAP_MIN: Duration = Duration::from_secs(10);
/// The least time after one that brought no connection; it doubles with each.
const GAP_IN_VAIN: Duration = Duration::from_secs(60);
/// However often it was in vain, the next outage's end may change that.
const GAP_MAX: Duration = Duration::from_secs(900);

impl Fleet {
    /// Plans a restart of every connector without a connection, and says how many are due at once.
    pub(super) fn plan_revivals(&mut self, cause: Cause, now: Instant) -> usize {
        self.members.change_all(|members| {
            members.values_mut().map(|member| member.plan_revival(cause, now)).filter(|at_once| *at_once).count()
        })
    }

    pub(super) fn revive_due(&mut self, now: Instant) {
        self.revivals_at = None;
        if self.members.sums().reviving == 0 {
            return;
        }
        self.revivals_at = self.members.change_all(|members| {
            for (slot, member) in members {
                if member.revival.due.is_none_or(|due| due > now) || !member.wants_revival(now) {
                    continue;
                }
                if let Err(later) = self.revivals.take(now) {
                    return Some(later);
                }
                member.revived(now);
                self.commands.push_back(FleetCommand::Revive(slot.clone()));
            }
            None
        });
    }
}

impl Member {
    /// Plans a restart if the slot lacks a connection. Says whether it is due at once.
    pub(super) fn plan_revival(&mut self, cause: Cause, now: Instant) -> bool {
        if self.lack.is_none() {
            return false;
        }
        let grown_up = match self.standing {
            Standing::Unconnected { since } => since + YOUNG,
            Standing::Starting => now + YOUNG,
            Standing::Lost | Standing::Waiting { .. } => now,
            // Their own rules are quicker, or the slot needs none.
            Standing::Hung | Standing::Connected | Standing::Aside => return false,
        };
        let allowed = self.revival.last.map_or(now, |last| last + gap(self.revival.vain));
        let due = now.max(grown_up).max(allowed);
        (self.revival.due, self.revival.cause) = (Some(due), cause);
        due <= now
    }

    /// Plans a restart for reasons that have nothing to do with those before.
    pub(super) fn plan_revival_at(&mut self, at: Instant) {
        (self.revival.due, self.revival.cause) = (Some(at), Cause::Outage);
    }

    /// Whether the restart that is due makes sense. One that makes sense later is put off, one that makes none is dropped.
    pub(super) fn wants_revival(&mut self, now: Instant) -> bool {
        match self.standing {
            Standing::Unconnected { .. } | Standing::Lost | Standing::Waiting { .. } => true,
            Standing::Starting => {
                self.revival.due = Some(now + YOUNG);
                false
            }
            Standing::Hung | Standing::Connected | Standing::Aside => {
                self.revival.due = None;
                false
            }
        }
    }

    pub(super) fn revived(&mut self, now: Instant) {
        self.revival.due = None;
        match self.revival.cause {
            Cause::Outage => (self.revival.last, self.revival.vain) = (Some(now), self.revival.vain.saturating_add(1)),
            Cause::ClockStep => {}
        }
    }
}

fn gap(vain: u32) -> Duration {
    match vain.checked_sub(1) {
        None => GAP_MIN,
        // 2^4 minutes exceed the maximum, so a larger exponent changes nothing and must not overflow.
        Some(exponent) => (GAP_IN_VAIN * 2u32.pow(exponent.min(4))).min(GAP_MAX),
    }
}
