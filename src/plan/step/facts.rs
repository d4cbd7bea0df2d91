//! What is to be known of a step besides its words: each kind of step says all of it in one place.

use super::{CreateReason, PutReason, Step};
use crate::{
    id::ZoneId,
    name::{Hostname, TunnelName},
    plan::DriftKind,
};

/// What is to be known of a step.
#[derive(Debug, Clone, Copy)]
pub(in crate::plan) struct Facts<'a> {
    /// What it does, in one word.
    pub(in crate::plan) word: &'static str,
    /// `+`, `~` or `-`, as a plan shows it.
    pub(in crate::plan) sign: char,
    /// Its place in a plan.
    pub(in crate::plan) rank: Rank,
    /// What it takes to do it.
    pub(in crate::plan) reach: Reach<'a>,
    /// The tunnel that it is about.
    pub(in crate::plan) tunnel: &'a TunnelName,
    /// The tunnel that loses something by it, besides that.
    pub(in crate::plan) from: Option<&'a TunnelName>,
    /// The hostname, when it is about a DNS record.
    pub(in crate::plan) hostname: Option<&'a Hostname>,
    /// What it puts right that somebody else changed or deleted.
    pub(in crate::plan) drift: Option<DriftKind>,
    /// What it costs in money, for a person.
    pub(in crate::plan) cost: Option<&'static str>,
}

/// The place of a step in a plan: what is known first, create before refer, unrefer before delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plan) enum Rank {
    /// A tunnel gets another name here: every later step speaks of that one.
    Rename,
    /// What is known goes on record.
    Note,
    /// What others refer to is made: tunnels and virtual networks.
    Make,
    /// Configurations are written.
    Configure,
    /// DNS records, private routes and load balancing lead to tunnels.
    Lead,
    /// Secrets change.
    Rotate,
    /// What leads to a tunnel goes.
    Release,
    /// What is in a tunnel goes: connections, and rules behind the records that lead to them.
    Empty,
    /// Tunnels and virtual networks go.
    Delete,
    /// Nothing is left to be on record.
    Forget,
}

/// What it takes to do a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Reach<'a> {
    /// Nothing but the record here.
    Here,
    /// So many calls of Cloudflare's API when all goes well.
    Calls(usize),
    /// A place in a batch of changes of DNS records in this zone.
    Records(&'a ZoneId),
}

impl<'a> Facts<'a> {
    /// Of a step that takes so many calls.
    pub(in crate::plan) fn calling(calls: usize, rank: Rank, sign: char, word: &'static str, tunnel: &'a TunnelName) -> Self {
        let reach = Reach::Calls(calls);
        Self { word, sign, rank, reach, tunnel, from: None, hostname: None, drift: None, cost: None }
    }

    /// Of a step that changes only the record here.
    pub(in crate::plan) fn noting(sign: char, word: &'static str, tunnel: &'a TunnelName) -> Self {
        Self { reach: Reach::Here, ..Self::calling(0, Rank::Note, sign, word, tunnel) }
    }

    fn on_hostname(self, hostname: &'a Hostname) -> Self {
        Self { hostname: Some(hostname), ..self }
    }

    fn in_zone(self, zone_id: &'a ZoneId) -> Self {
        Self { reach: Reach::Records(zone_id), ..self }
    }

    /// The same, with what it puts right.
    pub(in crate::plan) fn repairing(self, kind: DriftKind, repairs: bool) -> Self {
        Self { drift: repairs.then_some(kind), ..self }
    }
}

impl Step {
    /// What is to be known of it.
    pub(in crate::plan) fn facts(&self) -> Facts<'_> {
        use Rank::{Configure, Delete, Empty, Forget, Lead, Make, Release, Rename};
        match self {
            Self::RenameTunnel { tunnel, .. } => Facts { rank: Rename, ..Facts::noting('~', "rename-tunnel", tunnel) },
            Self::RetireTunnel { tunnel, .. } => Facts { rank: Rename, ..Facts::noting('~', "retire-tunnel", tunnel) },
            Self::DrainTunnel { tunnel } => Facts::noting('~', "drain-tunnel", tunnel),
            Self::EndParting { tunnel, .. } => Facts::noting('~', "end-parting", tunnel),
            Self::NoteDocument { tunnel, .. } => Facts::noting('~', "note-document", tunnel),
            Self::KeepTunnel { tunnel } => Facts::noting('~', "keep-tunnel", tunnel),
            Self::OrphanTunnel { tunnel } => Facts::noting('-', "orphan-tunnel", tunnel),
            Self::SettleCreation { tunnel, .. } => Facts::noting('~', "settle-creation", tunnel),
            Self::TakeRecord { tunnel, hostname, .. } => Facts::noting('~', "take-record", tunnel).on_hostname(hostname),
            Self::ForgetRecord { tunnel, hostname, .. } => Facts::noting('-', "forget-record", tunnel).on_hostname(hostname),
            Self::NoteVersion { tunnel, .. } => Facts::noting('~', "note-version", tunnel),
            Self::CreateTunnel { tunnel, why, .. } => {
                Facts::calling(1, Make, '+', "create-tunnel", tunnel).repairing(DriftKind::Tunnel, *why == CreateReason::Gone)
            }
            // It is read again before it is written.
            Self::PutConfiguration { tunnel, why, .. } => {
                let edited = matches!(why, PutReason::Edited { .. });
                Facts::calling(2, Configure, '~', "put-configuration", tunnel).repairing(DriftKind::Configuration, edited)
            }
            // It cannot be told whose change it puts right.
            Self::WriteRules { tunnel, rules, .. } => {
                let rank = if rules.is_empty() { Empty } else { Configure };
                Facts::calling(2, rank, '~', "write-rules", tunnel)
            }
            Self::CreateRecord { tunnel, hostname, zone_id, again } => {
                let facts = Facts::calling(1, Lead, '+', "create-record", tunnel).on_hostname(hostname).in_zone(zone_id);
                facts.repairing(DriftKind::Route, *again)
            }
            Self::RepairRecord { tunnel, hostname, zone_id, .. } => {
                let facts = Facts::calling(1, Lead, '~', "repair-record", tunnel).on_hostname(hostname).in_zone(zone_id);
                facts.repairing(DriftKind::Route, true)
            }
            Self::MoveRecord { from, tunnel, hostname, zone_id, .. } => {
                let facts = Facts::calling(1, Lead, '~', "move-record", tunnel).on_hostname(hostname).in_zone(zone_id);
                Facts { from: Some(from), ..facts }
            }
            Self::DeleteRecord { tunnel, hostname, zone_id, .. } => {
                Facts::calling(1, Release, '-', "delete-record", tunnel).on_hostname(hostname).in_zone(zone_id)
            }
            // Whose they are is read first.
            Self::DeleteConnections { tunnel, .. } => Facts::calling(2, Empty, '-', "delete-connections", tunnel),
            // The deletion is proved.
            Self::DeleteTunnel { tunnel, .. } => Facts::calling(2, Delete, '-', "delete-tunnel", tunnel),
            Self::ForgetTunnel { tunnel } => Facts { rank: Forget, ..Facts::noting('-', "forget-tunnel", tunnel) },
            Self::Network(step) => step.facts(),
            Self::Rotation(step) => step.facts(),
            Self::Balancer(step) => step.facts(),
            Self::Access(step) => step.facts(),
        }
    }

    /// The tunnel that it is about.
    pub fn tunnel(&self) -> &TunnelName {
        self.facts().tunnel
    }

    /// The tunnel that loses something by it, besides [`Step::tunnel`].
    pub fn moves_from(&self) -> Option<&TunnelName> {
        self.facts().from
    }

    /// The hostname, when it is about a DNS record.
    pub fn hostname(&self) -> Option<&Hostname> {
        self.facts().hostname
    }

    /// The zone, when it is one of the changes of DNS records there that go out together.
    pub fn batched_in(&self) -> Option<&ZoneId> {
        match self.facts().reach {
            Reach::Records(zone_id) => Some(zone_id),
            Reach::Here | Reach::Calls(_) => None,
        }
    }

    /// What it does, in one word.
    pub fn word(&self) -> &'static str {
        self.facts().word
    }

    /// `+`, `~` or `-`, as a plan shows it.
    pub fn sign(&self) -> char {
        self.facts().sign
    }

    /// What it puts right that somebody else changed or deleted; `None` when it is a change that is wanted, or one of our own records.
    /// Of a configuration that others edit too, and of a part of load balancing that is there, it cannot be told whose change it was.
    pub fn drift(&self) -> Option<DriftKind> {
        self.facts().drift
    }
}
