//! One change of load balancing, at Cloudflare or in what is on record here.

mod parts;

use serde::Serialize;

pub use parts::{LetGo, MonitorDrift, PoolDrift, WantedMonitor, WantedPool};

use super::{
    DriftKind,
    step::{Facts, Rank, Reach},
};
use crate::{
    id::{BalancerId, MonitorId, PoolId, ZoneId},
    name::{Hostname, TunnelName},
};

/// One change of a monitor, a pool or a load balancer. A pool names its monitor and a balancer its pools by ids that earlier steps
/// may bring: they are looked up when the step is carried out. Every step may run twice.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum BalancerStep {
    /// An earlier create whose answer was lost did make the monitor. Changes only the record.
    TakeMonitor {
        /// The tunnel that it checks.
        tunnel: TunnelName,
        /// The id that it got.
        id: MonitorId,
    },
    /// The same for a pool.
    TakePool {
        /// Whose it is.
        tunnel: TunnelName,
        /// The id that it got.
        id: PoolId,
    },
    /// The same for a balancer.
    TakeBalancer {
        /// The tunnel that it was made for.
        tunnel: TunnelName,
        /// Its hostname.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// The id that it got.
        id: BalancerId,
    },
    /// A monitor is no longer ours to care for. Changes only the record.
    ForgetMonitor {
        /// The tunnel that it checked.
        tunnel: TunnelName,
        /// Why.
        why: LetGo,
    },
    /// The same for a pool.
    ForgetPool {
        /// Whose it was.
        tunnel: TunnelName,
        /// Why.
        why: LetGo,
    },
    /// The same for a balancer.
    ForgetBalancer {
        /// The tunnel that was a part of it.
        tunnel: TunnelName,
        /// Its hostname.
        hostname: Hostname,
        /// Why.
        why: LetGo,
    },
    /// Makes a monitor.
    CreateMonitor {
        /// The tunnel that it checks.
        tunnel: TunnelName,
        /// What it is to be.
        monitor: WantedMonitor,
        /// Whether one that we made has gone.
        again: bool,
    },
    /// Sets a monitor of ours right.
    RepairMonitor {
        /// The tunnel that it checks.
        tunnel: TunnelName,
        /// Its id.
        id: MonitorId,
        /// What it is to be.
        monitor: WantedMonitor,
        /// What is not as it should be.
        drift: Vec<MonitorDrift>,
    },
    /// Makes the pool of a tunnel.
    CreatePool {
        /// Whose it is.
        tunnel: TunnelName,
        /// What it is to be.
        pool: WantedPool,
        /// Whether one that we made has gone.
        again: bool,
    },
    /// Sets a pool of ours right.
    RepairPool {
        /// Whose it is.
        tunnel: TunnelName,
        /// Its id.
        id: PoolId,
        /// What it is to be.
        pool: WantedPool,
        /// What is not as it should be.
        drift: Vec<PoolDrift>,
    },
    /// Makes a load balancer that leads to the pool of a tunnel.
    CreateBalancer {
        /// The tunnel.
        tunnel: TunnelName,
        /// Its hostname.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// How it chooses among pools.
        steering_policy: &'static str,
        /// How it keeps a visitor at one pool.
        session_affinity: &'static str,
        /// Whether one that we made has gone.
        again: bool,
    },
    /// Sets right how a balancer of ours steers.
    RepairBalancer {
        /// The tunnel that says so.
        tunnel: TunnelName,
        /// Its hostname.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// Its id.
        id: BalancerId,
        /// How it is to choose among pools.
        steering_policy: &'static str,
        /// How it is to keep a visitor at one pool.
        session_affinity: &'static str,
    },
    /// Adds the pool of a tunnel to a balancer, behind those that are in it.
    JoinBalancer {
        /// The tunnel.
        tunnel: TunnelName,
        /// Its hostname.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// Its id.
        id: BalancerId,
        /// Whether the balancer is somebody else's.
        adopted: bool,
    },
    /// Takes the pool of a tunnel out of a balancer in which others remain.
    LeaveBalancer {
        /// The tunnel.
        tunnel: TunnelName,
        /// Its hostname.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// Its id.
        id: BalancerId,
        /// Whether the balancer is somebody else's.
        adopted: bool,
    },
    /// Deletes a balancer of ours in which nobody else's pool is.
    DeleteBalancer {
        /// The tunnel whose pool is the last one in it.
        tunnel: TunnelName,
        /// Its hostname.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// Its id.
        id: BalancerId,
    },
    /// Deletes the pool of a tunnel.
    DeletePool {
        /// Whose it is.
        tunnel: TunnelName,
        /// Its id.
        id: PoolId,
    },
    /// Deletes the monitor of a tunnel.
    DeleteMonitor {
        /// The tunnel that it checks.
        tunnel: TunnelName,
        /// Its id.
        id: MonitorId,
    },
}

/// What a change costs besides time.
pub const ENDPOINT_COST: &str = "each endpoint of a load balancer is billed by Cloudflare every month";

impl BalancerStep {
    /// What is to be known of it. Load balancing stands beside the DNS records: create before refer; and, when it goes, refer before
    /// delete. A balancer that others use too is read before it is changed.
    pub(super) fn facts(&self) -> Facts<'_> {
        use Rank::{Lead, Release};
        match self {
            Self::TakeMonitor { tunnel, .. } => Facts::noting('~', "take-monitor", tunnel),
            Self::TakePool { tunnel, .. } => Facts::noting('~', "take-pool", tunnel),
            Self::TakeBalancer { tunnel, .. } => Facts::noting('~', "take-balancer", tunnel),
            Self::ForgetMonitor { tunnel, .. } => Facts::noting('-', "forget-monitor", tunnel),
            Self::ForgetPool { tunnel, .. } => Facts::noting('-', "forget-pool", tunnel),
            Self::ForgetBalancer { tunnel, .. } => Facts::noting('-', "forget-balancer", tunnel),
            Self::CreateMonitor { tunnel, again, .. } => {
                Facts::calling(1, Lead, '+', "create-monitor", tunnel).repairing(DriftKind::Route, *again)
            }
            Self::RepairMonitor { tunnel, .. } => Facts::calling(1, Lead, '~', "repair-monitor", tunnel),
            Self::CreatePool { tunnel, again, .. } => {
                let cost = (!again).then_some(ENDPOINT_COST);
                let facts = Facts::calling(1, Lead, '+', "create-pool", tunnel).repairing(DriftKind::Route, *again);
                Facts { cost, ..facts }
            }
            Self::RepairPool { tunnel, .. } => Facts::calling(1, Lead, '~', "repair-pool", tunnel),
            Self::CreateBalancer { tunnel, again, .. } => {
                Facts::calling(1, Lead, '+', "create-balancer", tunnel).repairing(DriftKind::Route, *again)
            }
            Self::RepairBalancer { tunnel, .. } => Facts::calling(2, Lead, '~', "repair-balancer", tunnel),
            Self::JoinBalancer { tunnel, .. } => Facts::calling(2, Lead, '~', "join-balancer", tunnel),
            Self::LeaveBalancer { tunnel, .. } => Facts::calling(2, Release, '~', "leave-balancer", tunnel),
            Self::DeleteBalancer { tunnel, .. } => Facts::calling(2, Release, '-', "delete-balancer", tunnel),
            Self::DeletePool { tunnel, .. } => Facts::calling(1, Release, '-', "delete-pool", tunnel),
            Self::DeleteMonitor { tunnel, .. } => Facts::calling(1, Release, '-', "delete-monitor", tunnel),
        }
    }

    /// The tunnel that it is about.
    pub fn tunnel(&self) -> &TunnelName {
        self.facts().tunnel
    }

    /// Whether it makes again what went missing.
    pub(super) fn makes_again(&self) -> bool {
        self.facts().drift.is_some()
    }

    /// Whether visitors lose something by it.
    pub(super) fn takes_away(&self) -> bool {
        self.facts().rank == Rank::Release
    }

    /// Whether it changes only what is on record here.
    pub fn is_only_here(&self) -> bool {
        self.facts().reach == Reach::Here
    }

    /// What it does and why, for a person, without its sign.
    pub fn describe(&self) -> String {
        let again = |again: &bool| if *again { ": the one that was made is gone" } else { "" };
        match self {
            Self::TakeMonitor { tunnel, id } => format!("monitor of {tunnel}: an earlier create made it as {id}"),
            Self::TakePool { tunnel, id } => format!("pool of {tunnel}: an earlier create made it as {id}"),
            Self::TakeBalancer { tunnel, hostname, .. } => {
                format!("load balancer {hostname} -> {tunnel}: an earlier create made it")
            }
            Self::ForgetMonitor { tunnel, why } => format!("monitor of {tunnel}: {why}"),
            Self::ForgetPool { tunnel, why } => format!("pool of {tunnel}: {why}"),
            Self::ForgetBalancer { tunnel, hostname, why } => format!("load balancer {hostname} of {tunnel}: {why}"),
            Self::CreateMonitor { tunnel, monitor, again: gone } => {
                let WantedMonitor { host, path, expected_codes, interval, .. } = monitor;
                let gone = again(gone);
                format!("monitor of {tunnel}: https://{host}{path} answers {expected_codes}, every {interval} s{gone}")
            }
            Self::RepairMonitor { tunnel, drift, .. } => format!("monitor of {tunnel}: set right its {}", list(drift)),
            Self::CreatePool { tunnel, pool, again: gone } => {
                let cost = self.facts().cost.map_or_else(String::new, |cost| format!(" ({cost})"));
                format!("pool {} -> {tunnel}{}{cost}", pool.name, again(gone))
            }
            Self::RepairPool { tunnel, pool, drift, .. } => {
                format!("pool {} -> {tunnel}: set right its {}", pool.name, list(drift))
            }
            Self::CreateBalancer { tunnel, hostname, steering_policy, again: gone, .. } => {
                format!("load balancer {hostname} -> {tunnel} (steering {steering_policy}){}", again(gone))
            }
            Self::RepairBalancer { hostname, steering_policy, session_affinity, .. } => {
                format!("load balancer {hostname}: steering {steering_policy}, session affinity {session_affinity}")
            }
            Self::JoinBalancer { tunnel, hostname, id, adopted, .. } => {
                format!("load balancer {hostname}{}: add the pool of {tunnel}, and leave the rest", of_others(id, *adopted))
            }
            Self::LeaveBalancer { tunnel, hostname, id, adopted, .. } => {
                format!("load balancer {hostname}{}: remove the pool of {tunnel}, and leave the rest", of_others(id, *adopted))
            }
            Self::DeleteBalancer { tunnel, hostname, .. } => {
                format!("load balancer {hostname}: the pool of {tunnel} is the last one in it")
            }
            Self::DeletePool { tunnel, .. } => format!("pool of {tunnel}"),
            Self::DeleteMonitor { tunnel, .. } => format!("monitor of {tunnel}"),
        }
    }
}

fn of_others(id: &BalancerId, adopted: bool) -> String {
    if adopted { format!(" ({id}, which is not ours)") } else { String::new() }
}

fn list(drift: &[impl ToString]) -> String {
    drift.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
