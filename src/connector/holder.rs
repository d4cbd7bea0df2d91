//! Which processes of a tunnel hold which secret: what a rotation has to know before it forgets one.

use std::collections::BTreeMap;

use super::{Fingerprint, SlotId};
use crate::{id::ConnectorId, name::TunnelName};

/// A process that was started with a tunnel's secret, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The fingerprint of the token that it was started with: [`super::LaunchFacts::token`].
    pub token: Fingerprint,
    /// Its id at Cloudflare, once it has said it.
    pub connector_id: Option<ConnectorId>,
    /// What it does.
    pub role: HolderRole,
}

/// What a process that holds a secret does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderRole {
    /// It serves.
    Ready,
    /// It is being started, or has no connection.
    Coming,
    /// It finishes its requests.
    Leaving,
}

/// The processes of every slot that has any. A slot keeps its name when its tunnel gets another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holders(BTreeMap<SlotId, Box<[Holder]>>);

impl Holders {
    /// Those of all slots with the name `slots`.
    pub fn of(&self, slots: &TunnelName) -> impl Iterator<Item = &Holder> {
        let slots = SlotId::new(slots.clone(), u8::MIN)..=SlotId::new(slots.clone(), u8::MAX);
        self.0.range(slots).flat_map(|(_, holders)| holders)
    }

    /// Those of one slot.
    pub fn of_slot(&self, slot: &SlotId) -> &[Holder] {
        self.0.get(slot).map_or(&[], |holders| holders)
    }

    /// Puts `holders` in the place of those that the slot had.
    pub fn set(&mut self, slot: &SlotId, holders: Vec<Holder>) {
        if holders.is_empty() {
            self.0.remove(slot);
        } else {
            self.0.insert(slot.clone(), holders.into());
        }
    }
}
