//! One change, at Cloudflare or in what is on record here.

mod facts;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{
    AccessStep, BalancerStep, RotationStep,
    merge::{RuleChange, describe_rules},
};
pub(super) use facts::{Facts, Rank, Reach};

use crate::{
    counted::counted,
    id::{RecordId, TunnelId, ZoneId},
    name::{Hostname, TunnelName},
    plan::NetworkStep,
    record::{ConfigurationSource, WrittenConfiguration},
};

/// One change. Steps speak of tunnels by our names: the id of a tunnel that an earlier step makes is looked up when a later one
/// needs it. Every step may run twice.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// A tunnel got another name here; its id, secret and records stay. Changes only the record.
    RenameTunnel {
        /// The name that it had.
        from: TunnelName,
        /// The name that it gets.
        tunnel: TunnelName,
    },
    /// A tunnel goes on under another name until the one that takes its place serves all of its hostnames. Changes only the record.
    RetireTunnel {
        /// The name that it had.
        tunnel: TunnelName,
        /// The name that it gets.
        retired: TunnelName,
        /// Where its configuration lives.
        from: ConfigurationSource,
        /// Where that of the other one lives.
        to: ConfigurationSource,
    },
    /// The connectors of a retired tunnel finish their requests and stop. Changes only the record.
    DrainTunnel {
        /// Which.
        tunnel: TunnelName,
    },
    /// A hostname left a tunnel long enough ago. Changes only the record.
    EndParting {
        /// The tunnel that it left.
        tunnel: TunnelName,
        /// The hostname.
        hostname: Hostname,
    },
    /// Which configuration is in force. Changes only the record.
    NoteDocument {
        /// Whose.
        tunnel: TunnelName,
        /// The document.
        document: Value,
    },
    /// A tunnel that had left the configuration is back. Changes only the record.
    KeepTunnel {
        /// Which.
        tunnel: TunnelName,
    },
    /// A tunnel left the configuration, or is being deleted: its connectors stop, what it has at Cloudflare stays for now. Changes only
    /// the record.
    OrphanTunnel {
        /// Which.
        tunnel: TunnelName,
    },
    /// An earlier create whose answer was lost did make the tunnel. Changes only the record.
    SettleCreation {
        /// Which.
        tunnel: TunnelName,
        /// The id that it got.
        id: TunnelId,
    },
    /// An earlier create whose answer was lost did make the DNS record. Changes only the record here.
    TakeRecord {
        /// The tunnel that it points to.
        tunnel: TunnelName,
        /// Its name.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// The id that it got.
        record_id: RecordId,
    },
    /// A DNS record is no longer ours to care for. Changes only the record here.
    ForgetRecord {
        /// The tunnel that it was made for.
        tunnel: TunnelName,
        /// Its name.
        hostname: Hostname,
        /// Why.
        why: ForgetReason,
    },
    /// The configuration has another version at Cloudflare with the content that we wrote. Changes only the record.
    NoteVersion {
        /// Whose.
        tunnel: TunnelName,
        /// What goes on record.
        written: WrittenConfiguration,
    },
    /// Makes a tunnel.
    CreateTunnel {
        /// Which.
        tunnel: TunnelName,
        /// What it is to be called at Cloudflare.
        cloudflare_name: String,
        /// Where its configuration is to live.
        source: ConfigurationSource,
        /// Why.
        why: CreateReason,
    },
    /// Writes the whole configuration of a tunnel.
    PutConfiguration {
        /// Whose.
        tunnel: TunnelName,
        /// Why.
        why: PutReason,
        /// Whether somebody else's edit that shows only when it is done may be written over.
        over_edits: bool,
        /// The document.
        document: Value,
        /// Its fingerprint, as it goes on record.
        sha256: String,
    },
    /// Writes our rules into a configuration that others edit too; every other rule stays as it is.
    WriteRules {
        /// Whose.
        tunnel: TunnelName,
        /// What differs from what was read.
        changes: Vec<RuleChange>,
        /// All rules that are to be ours from then on, in order; none takes all of ours out.
        rules: Vec<Value>,
        /// The fingerprint of what is wanted, as it goes on record.
        sha256: String,
    },
    /// Makes a DNS record.
    CreateRecord {
        /// The tunnel that it points to.
        tunnel: TunnelName,
        /// Its name.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// Whether one that we made has gone.
        again: bool,
    },
    /// Sets right a DNS record of ours that was changed.
    RepairRecord {
        /// The tunnel that it points to.
        tunnel: TunnelName,
        /// Its name.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// Its id.
        record_id: RecordId,
        /// What is not as it should be.
        drift: Vec<RecordDrift>,
    },
    /// Points a DNS record of ours to another of our tunnels, in one call.
    MoveRecord {
        /// The tunnel that it pointed to.
        from: TunnelName,
        /// The tunnel that it is to point to.
        tunnel: TunnelName,
        /// Its name.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// Its id.
        record_id: RecordId,
    },
    /// Deletes a DNS record of ours.
    DeleteRecord {
        /// The tunnel that it was made for.
        tunnel: TunnelName,
        /// Its name.
        hostname: Hostname,
        /// Its zone.
        zone_id: ZoneId,
        /// Its id.
        record_id: RecordId,
    },
    /// Cuts what connections a tunnel still has.
    DeleteConnections {
        /// Whose.
        tunnel: TunnelName,
        /// Its id.
        id: TunnelId,
    },
    /// Deletes a tunnel of ours.
    DeleteTunnel {
        /// Which.
        tunnel: TunnelName,
        /// Its id.
        id: TunnelId,
    },
    /// Nothing of the tunnel is left. Changes only the record.
    ForgetTunnel {
        /// Which.
        tunnel: TunnelName,
    },
    /// A change of a private route or a virtual network.
    Network(NetworkStep),
    /// A part of the change of a tunnel's secret.
    Rotation(RotationStep),
    /// A change of load balancing.
    Balancer(BalancerStep),
    /// A change of what is on record about Access.
    Access(AccessStep),
}

/// Why a tunnel is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CreateReason {
    /// It is wanted and was never made.
    Wanted,
    /// Its creation was begun, and Cloudflare knows nothing of it.
    Unfinished,
    /// It was deleted at Cloudflare.
    Gone,
}

/// Why a configuration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PutReason {
    /// The tunnel has none from us.
    First,
    /// What is wanted changed.
    Changed,
    /// Somebody else edited it.
    Edited {
        /// The version that the edit has.
        version: i64,
    },
}

/// Why a DNS record is no longer cared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForgetReason {
    /// It does not exist any more.
    Gone,
    /// The configuration says that its DNS is somebody else's.
    HandedOver,
    /// Somebody made it point elsewhere or removed our marker, so it is theirs.
    Taken,
    /// It belongs to another of our tunnels.
    Moved,
    /// Somebody else uses it.
    InUse,
}

/// What of a DNS record is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordDrift {
    /// It points elsewhere.
    Target,
    /// It is not proxied, and so leads nowhere.
    Proxied,
    /// Its marker names another of our tunnels.
    Comment,
}

impl Step {
    /// What it does and why, for a person, without its sign.
    pub fn describe(&self) -> String {
        match self {
            Self::RenameTunnel { from, tunnel } => format!("tunnel {tunnel}: was called {from} here"),
            Self::RetireTunnel { tunnel, retired, from, to } => format!(
                "tunnel {tunnel}: its configuration comes from {from} to {to}, which takes another tunnel; this one goes on as {retired} \
                 until its hostnames have moved"
            ),
            Self::DrainTunnel { tunnel } => format!("tunnel {tunnel}: nothing leads to it any more; its connectors stop"),
            Self::EndParting { tunnel, hostname } => format!("{hostname} of {tunnel}: its time after the move is over"),
            Self::NoteDocument { tunnel, document } => format!("configuration of {tunnel}: {} in force", rules(document)),
            Self::KeepTunnel { tunnel } => format!("tunnel {tunnel}: is wanted again"),
            Self::OrphanTunnel { tunnel } => {
                format!("tunnel {tunnel}: is not wanted any more; its connectors stop, and this deletes nothing at Cloudflare")
            }
            Self::SettleCreation { tunnel, id } => format!("tunnel {tunnel}: an earlier create made it as {id}"),
            Self::TakeRecord { tunnel, hostname, .. } => format!("record {hostname} -> {tunnel}: an earlier create made it"),
            Self::ForgetRecord { tunnel, hostname, why } => format!("record {hostname} of {tunnel}: {why}"),
            Self::NoteVersion { tunnel, written } => {
                format!("configuration of {tunnel}: version {} says what is wanted", written.version)
            }
            Self::CreateTunnel { tunnel, cloudflare_name, source, why } => {
                let why = match why {
                    CreateReason::Wanted => "",
                    CreateReason::Unfinished => ": its creation was begun and not finished",
                    CreateReason::Gone => ": it was deleted at Cloudflare",
                };
                format!("tunnel {tunnel} ({cloudflare_name}, {source} configuration){why}")
            }
            Self::PutConfiguration { tunnel, why, document, .. } => {
                let over = match why {
                    PutReason::First | PutReason::Changed => String::new(),
                    PutReason::Edited { version } => format!(", over version {version} that somebody else wrote"),
                };
                format!("configuration of {tunnel}: {}{over}", rules(document))
            }
            Self::WriteRules { tunnel, changes, .. } => describe_rules(tunnel, changes),
            Self::CreateRecord { tunnel, hostname, again, .. } => {
                let why = if *again { ": the one that was made is gone" } else { "" };
                format!("record {hostname} -> {tunnel}{why}")
            }
            Self::RepairRecord { tunnel, hostname, drift, .. } => {
                let drift: Vec<String> = drift.iter().map(ToString::to_string).collect();
                format!("record {hostname} -> {tunnel}: set right its {}", drift.join(", "))
            }
            Self::MoveRecord { from, tunnel, hostname, .. } => format!("record {hostname} -> {tunnel}: moves from {from}"),
            Self::DeleteRecord { tunnel, hostname, .. } => format!("record {hostname} of {tunnel}"),
            Self::DeleteConnections { tunnel, .. } => format!("connections of {tunnel}"),
            Self::DeleteTunnel { tunnel, id } => format!("tunnel {tunnel} ({id})"),
            Self::ForgetTunnel { tunnel } => format!("tunnel {tunnel}: forget it, nothing of it is left"),
            Self::Network(step) => step.describe(),
            Self::Rotation(step) => step.describe(),
            Self::Balancer(step) => step.describe(),
            Self::Access(step) => step.describe(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.sign(), self.describe())
    }
}

impl fmt::Display for ForgetReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Gone => "forget it, it is gone",
            Self::HandedOver => "leave it to others from here on, as the configuration says",
            Self::Taken => "leave it alone, somebody else changed it and it is theirs",
            Self::Moved => "forget it here, it belongs to another tunnel",
            Self::InUse => "leave it to others from here on, they use it",
        })
    }
}

impl fmt::Display for RecordDrift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Target => "target",
            Self::Proxied => "proxy switch",
            Self::Comment => "comment",
        })
    }
}

/// `3 rules`: the routes of a document, without the catch-all behind them.
fn rules(document: &Value) -> String {
    let rules = document.get("ingress").and_then(Value::as_array).map_or(0, Vec::len);
    counted(rules.saturating_sub(1), "rule")
}
