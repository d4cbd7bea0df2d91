//! One change of load balancing, at Cloudflare or in what is on record here.

mod parts;

use serde::Serialize;

pub use parts::{LetGo, MonitorDrift, PoolDrift, WantedMonitor, WantedPool};

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
    /// The tunnel that it is about.
    pub fn tunnel(&self) -> &TunnelName {
        match self {
            Self::TakeMonitor { tunnel, .. }
            | Self::TakePool { tunnel, .. }
            | Self::TakeBalancer { tunnel, .. }
            | Self::ForgetMonitor { tunnel, .. }
            | Self::ForgetPool { tunnel, .. }
            | Self::ForgetBalancer { tunnel, .. }
            | Self::CreateMonitor { tunnel, .. }
            | Self::RepairMonitor { tunnel, .. }
            | Self::CreatePool { tunnel, .. }
            | Self::RepairPool { tunnel, .. }
            | Self::CreateBalancer { tunnel, .. }
            | Self::RepairBalancer { tunnel, .. }
            | Self::JoinBalancer { tunnel, .. }
            | Self::LeaveBalancer { tunnel, .. }
            | Self::DeleteBalancer { tunnel, .. }
            | Self::DeletePool { tunnel, .. }
            | Self::DeleteMonitor { tunnel, .. } => tunnel,
        }
    }

    /// Its place in a plan: beside the DNS records, create before refer; and, when it goes, refer before delete.
    pub(super) fn rank(&self) -> u8 {
        match self.kind() {
            Kind::Record => 1,
            Kind::Create | Kind::Change => 4,
            Kind::Delete => 6,
        }
    }

    /// What it does, in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TakeMonitor { .. } => "take-monitor",
            Self::TakePool { .. } => "take-pool",
            Self::TakeBalancer { .. } => "take-balancer",
            Self::ForgetMonitor { .. } => "forget-monitor",
            Self::ForgetPool { .. } => "forget-pool",
            Self::ForgetBalancer { .. } => "forget-balancer",
            Self::CreateMonitor { .. } => "create-monitor",
            Self::RepairMonitor { .. } => "repair-monitor",
            Self::CreatePool { .. } => "create-pool",
            Self::RepairPool { .. } => "repair-pool",
            Self::CreateBalancer { .. } => "create-balancer",
            Self::RepairBalancer { .. } => "repair-balancer",
            Self::JoinBalancer { .. } => "join-balancer",
            Self::LeaveBalancer { .. } => "leave-balancer",
            Self::DeleteBalancer { .. } => "delete-balancer",
            Self::DeletePool { .. } => "delete-pool",
            Self::DeleteMonitor { .. } => "delete-monitor",
        }
    }

    /// `+`, `~` or `-`, as a plan shows it.
    pub fn sign(&self) -> char {
        match (self.kind(), self) {
            (Kind::Create, _) => '+',
            (Kind::Delete, Self::LeaveBalancer { .. }) => '~',
            (Kind::Record, Self::ForgetMonitor { .. } | Self::ForgetPool { .. } | Self::ForgetBalancer { .. })
            | (Kind::Delete, _) => '-',
            (Kind::Record | Kind::Change, _) => '~',
        }
    }

    /// How many calls it takes when all goes well: a balancer that others use too is read before it is changed.
    pub(super) fn calls(&self) -> usize {
        match self {
            Self::JoinBalancer { .. }
            | Self::LeaveBalancer { .. }
            | Self::RepairBalancer { .. }
            | Self::DeleteBalancer { .. } => 2,
            Self::TakeMonitor { .. }
            | Self::TakePool { .. }
            | Self::TakeBalancer { .. }
            | Self::ForgetMonitor { .. }
            | Self::ForgetPool { .. }
            | Self::ForgetBalancer { .. } => 0,
            Self::CreateMonitor { .. }
            | Self::RepairMonitor { .. }
            | Self::CreatePool { .. }
            | Self::RepairPool { .. }
            | Self::CreateBalancer { .. }
            | Self::DeletePool { .. }
            | Self::DeleteMonitor { .. } => 1,
        }
    }

    /// What it costs in money; `None` when nothing.
    pub fn cost(&self) -> Option<&'static str> {
        match self {
            Self::CreatePool { again: false, .. } => Some(ENDPOINT_COST),
            Self::CreatePool { again: true, .. }
            | Self::TakeMonitor { .. }
            | Self::TakePool { .. }
            | Self::TakeBalancer { .. }
            | Self::ForgetMonitor { .. }
            | Self::ForgetPool { .. }
            | Self::ForgetBalancer { .. }
            | Self::CreateMonitor { .. }
            | Self::RepairMonitor { .. }
            | Self::RepairPool { .. }
            | Self::CreateBalancer { .. }
            | Self::RepairBalancer { .. }
            | Self::JoinBalancer { .. }
            | Self::LeaveBalancer { .. }
            | Self::DeleteBalancer { .. }
            | Self::DeletePool { .. }
            | Self::DeleteMonitor { .. } => None,
        }
    }

    /// Whether it makes again what went missing.
    pub(super) fn makes_again(&self) -> bool {
        match self {
            Self::CreateMonitor { again, .. } | Self::CreatePool { again, .. } | Self::CreateBalancer { again, .. } => *again,
            Self::TakeMonitor { .. }
            | Self::TakePool { .. }
            | Self::TakeBalancer { .. }
            | Self::ForgetMonitor { .. }
            | Self::ForgetPool { .. }
            | Self::ForgetBalancer { .. }
            | Self::RepairMonitor { .. }
            | Self::RepairPool { .. }
            | Self::RepairBalancer { .. }
            | Self::JoinBalancer { .. }
            | Self::LeaveBalancer { .. }
            | Self::DeleteBalancer { .. }
            | Self::DeletePool { .. }
            | Self::DeleteMonitor { .. } => false,
        }
    }

    /// Whether visitors lose something by it.
    pub(super) fn takes_away(&self) -> bool {
        self.kind() == Kind::Delete
    }

    /// Whether it changes only what is on record here.
    pub fn is_only_here(&self) -> bool {
        self.kind() == Kind::Record
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
                let cost = self.cost().map_or_else(String::new, |cost| format!(" ({cost})"));
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

    fn kind(&self) -> Kind {
        match self {
            Self::TakeMonitor { .. }
            | Self::TakePool { .. }
            | Self::TakeBalancer { .. }
            | Self::ForgetMonitor { .. }
            | Self::ForgetPool { .. }
            | Self::ForgetBalancer { .. } => Kind::Record,
            Self::CreateMonitor { .. } | Self::CreatePool { .. } | Self::CreateBalancer { .. } => Kind::Create,
            Self::RepairMonitor { .. } | Self::RepairPool { .. } | Self::RepairBalancer { .. } | Self::JoinBalancer { .. } => {
                Kind::Change
            }
            Self::LeaveBalancer { .. } | Self::DeleteBalancer { .. } | Self::DeletePool { .. } | Self::DeleteMonitor { .. } => {
                Kind::Delete
            }
        }
    }
}

/// What sort of change a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Record,
    Create,
    Change,
    Delete,
}

fn of_others(id: &BalancerId, adopted: bool) -> String {
    if adopted { format!(" ({id}, which is not ours)") } else { String::new() }
}

fn list(drift: &[impl ToString]) -> String {
    drift.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
