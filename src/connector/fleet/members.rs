//! Every slot of the host, and how many of them stand how.
//!
//! The numbers are asked for whenever anything changes about any slot, so that they are kept: counting a thousand slots at each of
//! the thousand changes of a start would be a million looks.

use std::{
    collections::BTreeMap,
    ops::{AddAssign, SubAssign},
};

use super::{edge::Need, standing::Member};
use crate::connector::SlotId;

/// The slots. What is changed about one is changed through here, so that the sums hold.
#[derive(Debug, Default)]
pub(super) struct Members {
    all: BTreeMap<SlotId, Member>,
    sums: Sums,
}

/// How many slots stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// They have a connection.
    pub(super) connected: usize,
    /// They should have one.
    pub(super) lacking: usize,
    /// They had one.
    pub(super) lost: usize,
    /// They have a process that was ready once.
    pub(super) served: usize,
    /// Of these, those that stumbled and have not recovered.
    pub(super) stumbled: usize,
    /// A restart of theirs is planned.
    pub(super) reviving: usize,
    /// They are not to be replaced for hanging, or not yet again.
    pub(super) restrained: usize,
}

impl Members {
    pub(super) fn get(&self, slot: &SlotId) -> Option<&Member> {
        self.all.get(slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&SlotId, &Member)> {
        self.all.iter()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Member> {
        self.all.values()
    }

    pub(super) fn sums(&self) -> Sums {
        self.sums
    }

    /// Changes one slot, which is there from then on.
    pub(super) fn change(&mut self, slot: &SlotId, change: impl FnOnce(&mut Member)) {
        let member = match self.all.get_mut(slot) {
            Some(member) => {
                self.sums -= Sums::of(member);
                member
            }
            None => self.all.entry(slot.clone()).or_insert_with(Member::new),
        };
        change(member);
        self.sums += Sums::of(member);
    }

    /// Changes many. It takes time for each that there is.
    pub(super) fn change_all<T>(&mut self, change: impl FnOnce(&mut BTreeMap<SlotId, Member>) -> T) -> T {
        let changed = change(&mut self.all);
        self.sums = Sums::of_all(self.all.values());
        changed
    }

    /// Forgets a slot, and says whether there was one.
    pub(super) fn remove(&mut self, slot: &SlotId) -> bool {
        let removed = self.all.remove(slot);
        if let Some(member) = &removed {
            self.sums -= Sums::of(member);
        }
        removed.is_some()
    }
}

impl Sums {
    fn of(member: &Member) -> Self {
        let has_served = member.has_served();
        Self {
            connected: member.is_connected().into(),
            lacking: member.lack.is_some().into(),
            lost: member.lack.is_some_and(|lack| lack.lost).into(),
            served: has_served.into(),
            stumbled: (has_served && member.stumbled_at.is_some()).into(),
            reviving: member.revival.due.is_some().into(),
            restrained: (member.restrained || member.restrained_until.is_some()).into(),
        }
    }

    fn of_all<'a>(members: impl Iterator<Item = &'a Member>) -> Self {
        let mut sums = Self::default();
        members.for_each(|member| sums += Self::of(member));
        sums
    }

    /// No connector has a connection although one should.
    pub(super) fn is_dark(self) -> bool {
        self.connected == 0 && self.lacking > 0
    }

    pub(super) fn need(self) -> Need {
        if self.lacking == 0 {
            Need::None
        } else if self.lost > 0 || self.connected == 0 {
            Need::Urgent
        } else {
            Need::Curious
        }
    }

    fn combine(&mut self, other: Self, with: fn(&mut usize, usize)) {
        with(&mut self.connected, other.connected);
        with(&mut self.lacking, other.lacking);
        with(&mut self.lost, other.lost);
        with(&mut self.served, other.served);
        with(&mut self.stumbled, other.stumbled);
        with(&mut self.reviving, other.reviving);
        with(&mut self.restrained, other.restrained);
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.combine(other, usize::add_assign);
    }
}

impl SubAssign for Sums {
    fn sub_assign(&mut self, other: Self) {
        self.combine(other, usize::sub_assign);
    }
}

#[cfg(test)]
impl Members {
    /// What is kept is what counting finds.
    pub(super) fn check(&self) {
        assert_eq!(self.sums, Sums::of_all(self.all.values()));
    }
}
