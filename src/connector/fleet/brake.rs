//! The common-cause brake: most connectors stumble at once, so the cause is none of theirs.
//!
//! It looks at lost readiness and at hanging, never at exits: a process that is gone is started again whatever the others do. While
//! it is on nothing that lives is replaced for hanging, except one canary at a time. It ends by recovery, by a canary that gets
//! through, or by time.

use std::time::{Duration, Instant};

use rand::{RngExt, rngs::SmallRng};

use super::{
    Fleet, FleetCommand, FleetNotice,
    members::Members,
    outage::Outage,
    standing::{Member, Standing},
};
use crate::connector::SlotId;

/// Fewer connectors prove no common cause, and no more do those of a single tunnel.
const MEMBERS_MIN: usize = 4;
/// Who stumbles within this time stumbles with the others.
const WINDOW: Duration = Duration::from_secs(30);
/// cloudflared finds back by itself within 20 s most times, so a canary is tried only after this; then one after another.
const CANARY_AFTER: Duration = Duration::from_secs(30);
/// What looks like a common cause for longer is left to each connector's own rules.
const BRAKE_MAX: Duration = Duration::from_secs(300);
/// Within this time a connector that hung has been asked once more, and answered if it hangs no longer: five seconds from one miss to
/// the next probe, two for its answer, and some more.
const ASKED_AGAIN_WITHIN: Duration = Duration::from_secs(8);
/// Those who are released go within this time, in no order.
const RELEASE_WITHIN: Duration = Duration::from_secs(10);

/// How the brake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrakeEnd {
    /// Half of the connectors or more are well again.
    Recovered,
    /// The one that was tried got through, so a restart helps.
    CanaryReady,
    /// It has been on for as long as it may be.
    TimeOver,
}

#[derive(Debug, Default)]
pub(super) struct Brake(Option<On>);

#[derive(Debug)]
struct On {
    until: Instant,
    canary: Option<SlotId>,
    canary_at: Instant,
}

/// What the brake did.
#[derive(Debug, PartialEq, Eq)]
enum Braked {
    On {
        stumbled: usize,
        of: usize,
    },
    Off(BrakeEnd),
    /// This one is to be tried: replaced if it hangs, restarted if it has no connection.
    Try(SlotId),
}

impl Brake {
    /// Takes in how the members stand. `may_try` says whether a canary makes sense: while nobody has a connection none does.
    fn reckon(&mut self, members: &Members, may_try: bool, now: Instant) -> Option<Braked> {
        let sums = members.sums();
        let Some(on) = &mut self.0 else {
            let stumbled = have_stumbled(members, now)?;
            self.0 = Some(On { until: now + BRAKE_MAX, canary: None, canary_at: now + CANARY_AFTER });
            return Some(Braked::On { stumbled, of: sums.served });
        };
        let canary_ready = || on.canary.as_ref().and_then(|slot| members.get(slot)).is_some_and(Member::is_connected);
        let end = if canary_ready() {
            Some(BrakeEnd::CanaryReady)
        } else if 2 * sums.stumbled <= sums.served {
            Some(BrakeEnd::Recovered)
        } else {
            (now >= on.until).then_some(BrakeEnd::TimeOver)
        };
        if let Some(end) = end {
            self.0 = None;
            return Some(Braked::Off(end));
        }
        if now < on.canary_at {
            return None;
        }
        on.canary_at = now + CANARY_AFTER;
        on.canary = if may_try { next_canary(members, on.canary.as_ref()) } else { None };
        on.canary.clone().map(Braked::Try)
    }

    /// When it has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|on| on.until.min(on.canary_at))
    }

    /// Whether this slot is not to be replaced for hanging.
    fn restrains(&self, slot: &SlotId) -> bool {
        self.0.as_ref().is_some_and(|on| on.canary.as_ref() != Some(slot))
    }
}

impl Fleet {
    /// Lets the brake look at the members, and does what follows.
    pub(super) fn reckon_brake(&mut self, now: Instant) {
        // An edge that does not answer while somebody has connections may be one that takes no TCP: that proves nothing.
        let may_try = !self.outage.as_ref().is_some_and(Outage::is_total);
        match self.brake.reckon(&self.members, may_try, now) {
            Some(Braked::On { stumbled, of }) => self.notices.push_back(FleetNotice::BrakeOn { stumbled, of }),
            Some(Braked::Off(end)) => self.release_brake(end, now),
            Some(Braked::Try(slot)) => self.try_canary(&slot, now),
            None => {}
        }
        if self.brake.0.is_none() && self.members.sums().restrained == 0 {
            return;
        }
        self.members.change_all(|members| {
            for (slot, member) in members {
                member.restrained_until = member.restrained_until.filter(|until| *until > now);
                let restrained = self.brake.restrains(slot) || member.restrained_until.is_some();
                if std::mem::replace(&mut member.restrained, restrained) != restrained {
                    self.commands.push_back(FleetCommand::Restrain { slot: slot.clone(), restrained });
                }
            }
        });
    }

    /// A canary that hangs is no longer restrained, and replaced; one that has no connection starts anew.
    fn try_canary(&mut self, slot: &SlotId, now: Instant) {
        if self.members.get(slot).is_some_and(|member| member.standing == Standing::Lost) {
            self.members.change(slot, |member| {
                member.plan_revival_at(now);
                member.revived(now);
            });
            self.commands.push_back(FleetCommand::Revive(slot.clone()));
        }
    }

    fn release_brake(&mut self, end: BrakeEnd, now: Instant) {
        self.notices.push_back(FleetNotice::BrakeOff(end));
        let rng = &mut self.rng;
        self.members.change_all(|members| {
            for member in members.values_mut() {
                if member.standing == Standing::Hung {
                    member.restrained_until = Some(release_at(now + ASKED_AGAIN_WITHIN, rng));
                }
                match end {
                    BrakeEnd::CanaryReady if member.standing == Standing::Lost => {
                        member.plan_revival_at(release_at(now, rng));
                    }
                    BrakeEnd::CanaryReady | BrakeEnd::Recovered => {}
                    BrakeEnd::TimeOver => member.stumbled_at = None,
                }
            }
        });
    }
}

/// How many stumbled lately, if they are most of those that were ready once, and these are enough to prove a common cause.
fn have_stumbled(members: &Members, now: Instant) -> Option<usize> {
    let sums = members.sums();
    if sums.served < MEMBERS_MIN || 2 * sums.stumbled <= sums.served {
        return None;
    }
    let served = || members.iter().filter(|(_, member)| member.has_served());
    let mut tunnels = served().map(|(slot, _)| &slot.tunnel);
    let first = tunnels.next()?;
    let are_several = tunnels.any(|tunnel| tunnel != first);
    let is_recent = |at: &Instant| now.saturating_duration_since(*at) <= WINDOW;
    let lately = served().filter_map(|(_, member)| member.stumbled_at).filter(is_recent).count();
    (are_several && 2 * lately > sums.served).then_some(lately)
}

/// The next of those that hang or have lost everything, after the one that was tried last.
fn next_canary(members: &Members, last: Option<&SlotId>) -> Option<SlotId> {
    let stumbled = || members.iter().filter(|(_, member)| matches!(member.standing, Standing::Hung | Standing::Lost));
    let after = stumbled().find(|(slot, _)| last.is_some_and(|last| *slot > last));
    after.or_else(|| stumbled().next()).map(|(slot, _)| slot.clone())
}

/// A moment within [`RELEASE_WITHIN`] from `now` on.
fn release_at(now: Instant, rng: &mut SmallRng) -> Instant {
    now + rng.random_range(Duration::ZERO..=RELEASE_WITHIN)
}
