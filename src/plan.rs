//! What has to change so that what is there becomes what is wanted: a pure function, and its result as a value.
//!
//! ```text
//!  Desired ──┐
//!  Observed ─┼─▶ plan ─▶ Plan { steps, waiting, holds, conflicts, notes, questions }
//!  Records ──┘             │                                        │
//!                          ▼ apply                                  ▼ read, then plan again
//! ```
//!
//! Laws, each with a test that tries to break it: what is not ours is in no step; what was not read is in no step; after a plan
//! is applied the next one is empty; one name never gets two tunnels.
//!
//! A DNS record is ours when it carries our marker **and** its id is on record here. A tunnel is ours when it is on record here,
//! or when its connector token holds the secret that is on record.

mod access;
mod adoption;
mod applied;
mod balancer_step;
mod balancers;
mod change;
mod configurations;
mod conflict;
mod difference;
mod dns;
mod document;
mod drift;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guard;
mod hold;
mod hold_code;
mod known;
mod merge;
mod networks;
mod parting;
mod plans;
mod refusal;
mod release;
mod replacement;
mod rotation;
mod shared;
mod step;
mod steps;
mod takeover;
mod tunnels;
mod view;

#[cfg(test)]
mod balancer_laws;
#[cfg(test)]
mod balancer_tests;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod model;
#[cfg(test)]
mod switching_tests;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;
use serde::Serialize;

pub use access::AccessStep;
pub use adoption::{
    OfferedRecord, OtherConnector, RecordFate, TunnelOffer, configuration_changes, definition_of, fitting_source, hostnames_of,
    install_of_tunnel, may_adopt, record_fate,
};
pub use balancer_step::{BalancerStep, ENDPOINT_COST, LetGo, MonitorDrift, PoolDrift, WantedMonitor, WantedPool};
pub(crate) use balancers::written_fingerprint;
pub use change::{Change, calls, explain};
pub use conflict::Conflict;
pub use document::Document;
pub use drift::DriftKind;
pub use guard::is_mass;
pub use hold::{Hold, Scope};
pub use hold_code::HoldCode;
pub use merge::{Merged, RuleChange, RuleChangeKind, RuleConflict, already_there, merge};
pub use networks::{NetworkStep, NetworksNeeded, RouteDrift, networks_needed};
pub use parting::{GRACE, with_parting_rules};
pub use plans::{PlanHash, Plans};
pub use refusal::{Refusal, RefusalKind};
pub use replacement::DRAIN_MAX;
pub use rotation::{Due, RotationStep, Rotations, due, due_at};
pub use shared::{document_of, shared_rules};
pub use step::{CreateReason, ForgetReason, PutReason, RecordDrift, Step};
pub use takeover::{RouteOffer, offer_route};
pub use view::{
    DnsStatus, NO_READY_CONNECTOR, PrivateRouteStatus, ProvisionedTunnel, RECORD_CHANGES, RotationStatus, RouteKind, RouteState,
    RouteStatus, SecretStatus, view,
};

use known::Known;
use steps::Steps;

use crate::{
    desired::Desired,
    id::{AccessAppId, AccountId, RouteId, TunnelId, VirtualNetworkId, ZoneId},
    name::{AccountName, Hostname, TunnelName},
    observed::{BalancingObject, Gap, Observed, Zone, zone_of},
    record::{DnsRecordRef, Records, TunnelRecord},
};

/// All that a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The account's name in the configuration.
    pub account: &'a AccountName,
    /// Its id.
    pub account_id: &'a AccountId,
    /// What it has to hold.
    pub desired: &'a Desired,
    /// What it holds.
    pub observed: &'a Observed,
    /// What of that Adit made.
    pub records: &'a Records,
    /// The configuration version that the ready connectors of each tunnel run; a tunnel without one is not listed.
    pub reported: &'a BTreeMap<TunnelName, i64>,
    /// Hostnames at which Cloudflare refused a record before: who holds them is asked first.
    pub contested: &'a BTreeSet<Hostname>,
    /// Since when the ready connectors of a tunnel run an earlier version of its remote configuration than was written.
    pub behind: &'a BTreeMap<TunnelName, Timestamp>,
    /// This moment, by a clock that never jumps while the daemon runs.
    pub now: Timestamp,
    /// How far the connectors are with rotations of their tunnels' secrets.
    pub rotations: &'a Rotations,
}

/// What has to change in one account, in the order in which it is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The account.
    pub account: AccountName,
    /// What can be done at once.
    pub steps: Vec<Step>,
    /// What is done only after an operator has confirmed exactly this plan.
    pub waiting: Vec<Step>,
    /// What is left as it is, with why.
    pub holds: Vec<Hold>,
    /// Names that somebody else holds.
    pub conflicts: Vec<Conflict>,
    /// What an operator may want to know besides.
    pub notes: Vec<String>,
    /// The steps with before and after, those that wait behind the others; only in a plan that somebody asked to see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// How many calls of the API its steps take, in such a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<usize>,
    /// Single reads with which the plan could say more.
    #[serde(skip)]
    pub questions: Vec<Question>,
    /// When time alone makes it another plan.
    #[serde(skip)]
    pub due: Option<Timestamp>,
}

/// A single read that the lists gave reason for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Whether a tunnel that no list shows still exists.
    TunnelById(TunnelId),
    /// The secret in a tunnel's connector token.
    SecretOf(TunnelId),
    /// The configuration of a tunnel that runs another version than Adit wrote.
    Configuration {
        /// The tunnel.
        tunnel: TunnelName,
        /// Its id.
        id: TunnelId,
    },
    /// Everything that stands at a name.
    RecordsNamed {
        /// The zone of the name.
        zone_id: ZoneId,
        /// The name.
        hostname: Hostname,
    },
    /// Whether a network's private route that no list shows still exists.
    NetworkRouteById(RouteId),
    /// Whether a private hostname's route that no list shows still exists.
    HostnameRouteById(RouteId),
    /// Whether a virtual network that the list lacks still exists.
    VirtualNetworkById(VirtualNetworkId),
    /// Whether a part of load balancing that no list shows still exists.
    Balancing(BalancingObject),
    /// An Access application that covered a hostname.
    AccessApp(AccessAppId),
    /// Where the connectors of a tunnel run.
    ConnectorsOf(TunnelId),
}

/// Decides what has to change.
pub fn plan(input: &Input<'_>) -> Plan {
    let mut planner = Planner::new(input);
    if let Some(seal) = &input.records.seal {
        planner.hold(Scope::Account, HoldCode::StateSealed, seal.to_string());
        return planner.finish();
    }
    planner.forget_twins();
    planner.rename_tunnels();
    planner.replace_tunnels();
    planner.end_partings();
    planner.plan_tunnels();
    planner.check_access();
    planner.plan_records();
    planner.plan_networks();
    planner.plan_balancers();
    planner.plan_configurations();
    planner.plan_releases();
    planner.plan_withdrawals();
    planner.plan_balancer_releases();
    planner.plan_rotations();
    planner.finish()
}

/// The zones whose records a plan needs: those of the wanted hostnames, and those with records that Adit made.
pub fn zones_needed(desired: &Desired, records: &Records, account_id: &AccountId, zones: &[Zone]) -> BTreeSet<ZoneId> {
    let wanted = desired.tunnels.values().flat_map(|tunnel| &tunnel.hostnames);
    let wanted = wanted.filter_map(|hostname| zone_of(zones, hostname)).map(|zone| zone.id.clone());
    let made = records.in_account(account_id).flat_map(|record| record.dns.values()).map(|dns| dns.zone_id.clone());
    wanted.chain(made).collect()
}

/// The zones whose load balancers a plan needs; `None` when nothing of load balancing is wanted or on record.
pub fn balancer_zones_needed(
    desired: &Desired,
    records: &Records,
    account_id: &AccountId,
    zones: &[Zone],
) -> Option<BTreeSet<ZoneId>> {
    let wanted: Vec<&Hostname> = desired.balanced_hostnames().collect();
    let made: Vec<&TunnelRecord> = records.in_account(account_id).filter(|record| !record.balancing.is_empty()).collect();
    if wanted.is_empty() && made.is_empty() {
        return None;
    }
    let wanted = wanted.into_iter().filter_map(|hostname| zone_of(zones, hostname)).map(|zone| zone.id.clone());
    let made = made.into_iter().flat_map(|record| record.balancing.balancers.values()).map(|known| known.zone_id.clone());
    Some(wanted.chain(made).collect())
}

impl Plan {
    /// A plan that changes nothing.
    pub fn empty(account: AccountName) -> Self {
        Self {
            account,
            steps: Vec::new(),
            waiting: Vec::new(),
            holds: Vec::new(),
            conflicts: Vec::new(),
            notes: Vec::new(),
            changes: Vec::new(),
            calls: None,
            questions: Vec::new(),
            due: None,
        }
    }

    /// Whether there is nothing to do, now or after a confirmation.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_empty()
    }

    /// The steps in order, those that wait for a confirmation included.
    pub fn confirmed(&self) -> Vec<Step> {
        let mut steps: Vec<&Step> = self.steps.iter().chain(&self.waiting).collect();
        steps.sort_by_key(|step| step.facts().rank);
        steps.into_iter().cloned().collect()
    }
}

/// Whether a DNS record will be out of the way after this plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    Done,
    Blocked,
}

/// Where a wanted tunnel stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// It exists with this id.
    Live(TunnelId),
    /// A step of this plan makes it.
    Coming,
    /// Nothing about it can be decided.
    Held,
}

/// The making of a plan.
struct Planner<'a> {
    input: &'a Input<'a>,
    /// The records of the account, after renames.
    records: BTreeMap<TunnelName, Known<'a>>,
    /// What the connectors of each tunnel run, after renames.
    reported: Cow<'a, BTreeMap<TunnelName, i64>>,
    /// Which tunnel wants which hostname.
    wanted_by: OnceCell<BTreeMap<&'a Hostname, &'a TunnelName>>,
    standing: BTreeMap<TunnelName, Standing>,
    /// Records of which another one has the secret: a rename that crashed left one tunnel twice. Known when the renames are done.
    twins: OnceCell<BTreeSet<TunnelName>>,
    /// The tunnels that were listed, by what they are called at Cloudflare.
    listed_names: OnceCell<BTreeMap<&'a str, &'a TunnelId>>,
    /// What the tunnels on record are called at Cloudflare.
    recorded_names: OnceCell<BTreeSet<&'a str>>,
    /// Who holds which DNS record by our records: one hostname may be on record twice while it moves.
    owners: OnceCell<BTreeMap<Hostname, Vec<(TunnelName, DnsRecordRef)>>>,
    zones: BTreeMap<ZoneId, dns::ZoneIndex<'a>>,
    networks: networks::Networks,
    /// Hostnames that may not be public, because no Access application covers them.
    closed: BTreeMap<(TunnelName, Hostname), access::Closed>,
    /// Hostnames that a load balancer leads to their tunnel, now or after this plan.
    balanced: BTreeSet<(TunnelName, Hostname)>,
    /// What a record that leads to a tunnel of ours points to, in lower case.
    targets: OnceCell<BTreeSet<String>>,
    steps: Steps,
    holds: BTreeSet<Hold>,
    conflicts: Vec<Conflict>,
    notes: Vec<String>,
    questions: BTreeSet<Question>,
    due: Option<Timestamp>,
}

impl<'a> Planner<'a> {
    fn new(input: &'a Input<'a>) -> Self {
        let records = input.records.in_account(input.account_id);
        let records: BTreeMap<_, _> = records.map(|record| (record.name.clone(), Known::Untouched(record))).collect();
        Self {
            targets: OnceCell::new(),
            input,
            records,
            reported: Cow::Borrowed(input.reported),
            wanted_by: OnceCell::new(),
            standing: BTreeMap::new(),
            twins: OnceCell::new(),
            listed_names: OnceCell::new(),
            recorded_names: OnceCell::new(),
            owners: OnceCell::new(),
            zones: dns::index(input.observed),
            networks: networks::Networks::default(),
            closed: BTreeMap::new(),
            balanced: BTreeSet::new(),
            steps: Steps::default(),
            holds: BTreeSet::new(),
            conflicts: Vec::new(),
            notes: Vec::new(),
            questions: BTreeSet::new(),
            due: None,
        }
    }

    fn hold(&mut self, scope: Scope, code: HoldCode, why: impl Into<String>) {
        self.holds.insert(Hold { scope, code, why: why.into() });
    }

    fn hold_tunnel(&mut self, tunnel: &TunnelName, code: HoldCode, why: impl Into<String>) {
        self.hold(Scope::Tunnel { tunnel: tunnel.clone() }, code, why);
    }

    fn hold_gap(&mut self, scope: Scope, gap: &Gap) {
        self.hold(scope, HoldCode::Unread, format!("cannot read {}: {}", gap.what, gap.why));
    }

    fn finish(mut self) -> Plan {
        let steps = std::mem::take(&mut self.steps).into_order();
        let (steps, mut waiting) = guard::divide(&mut self, steps);
        let steps = balancers::guard::divide(&mut self, steps, &mut waiting);
        Plan {
            account: self.input.account.clone(),
            steps,
            waiting,
            holds: self.holds.into_iter().collect(),
            conflicts: self.conflicts,
            notes: self.notes,
            changes: Vec::new(),
            calls: None,
            questions: self.questions.into_iter().collect(),
            due: self.due,
        }
    }
}
