//! Events of provisioning: what happened at Cloudflare, and what waits there.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::Instant;

use super::{AccountView, EventKind, Level, RotationEvent, Subject};
use crate::{
    counted::counted,
    id::TunnelId,
    name::{AccountName, TunnelName},
    orphan::Orphan,
    plan::{Conflict, Hold, Step},
};

/// Something that happened at Cloudflare, or between it and what is wanted.
#[derive(Debug, Clone)]
pub enum ProvisioningEvent {
    /// What is known of an account changed.
    Seen {
        /// The account.
        account: AccountName,
        /// All that is known of it.
        view: Arc<AccountView>,
    },
    /// An account is not in force any more.
    AccountLeft {
        /// The account.
        account: AccountName,
    },
    /// A pass over an account has ended.
    PassFinished {
        /// The account.
        account: AccountName,
        /// What it was made for: `interval`, `configuration`, `operator`, ….
        why: &'static str,
        /// How it ended.
        result: PassResult,
        /// When it began, by a clock that nobody sets.
        began: Instant,
        /// How long it took.
        duration: Duration,
        /// How many steps were applied.
        applied: usize,
        /// The first thing that went wrong.
        error: Option<String>,
    },
    /// A step of a plan was applied.
    StepApplied {
        /// The account.
        account: AccountName,
        /// The step.
        step: Step,
    },
    /// A step failed. What does not depend on it goes on.
    StepFailed {
        /// The account.
        account: AccountName,
        /// The step.
        step: Step,
        /// Why.
        error: String,
        /// Whether nothing helps until a person acts.
        needs_operator: bool,
    },
    /// Something is left as it is from here on.
    HoldBegan {
        /// The account.
        account: AccountName,
        /// What, and why.
        hold: Hold,
    },
    /// A hold has ended.
    HoldEnded {
        /// The account.
        account: AccountName,
        /// What it held.
        hold: Hold,
    },
    /// Somebody else holds a name that is wanted.
    ConflictBegan {
        /// The account.
        account: AccountName,
        /// Who and what.
        conflict: Conflict,
    },
    /// A name that somebody else held is free, or not wanted any more.
    ConflictEnded {
        /// The account.
        account: AccountName,
        /// What it was.
        conflict: Conflict,
    },
    /// A configuration that somebody else wrote is about to be written over.
    EditFound {
        /// The account.
        account: AccountName,
        /// The tunnel.
        tunnel: TunnelName,
        /// The version of the edit.
        version: i64,
        /// Where it is kept.
        kept: PathBuf,
    },
    /// Somebody wrote a configuration between our reading and our writing; nobody has seen it.
    EditOverwritten {
        /// The account.
        account: AccountName,
        /// The tunnel.
        tunnel: TunnelName,
        /// The version that was read before.
        read: i64,
        /// The version that our writing got.
        written: i64,
    },
    /// A tunnel of ours was deleted at Cloudflare; it is made again.
    TunnelGone {
        /// The account.
        account: AccountName,
        /// The tunnel.
        tunnel: TunnelName,
        /// The id that it had.
        id: TunnelId,
    },
    /// Cloudflare lets the credential rest.
    RateLimited {
        /// The account.
        account: AccountName,
        /// For how long.
        pause: Duration,
    },
    /// The state directory took no more: what happened is known until the daemon ends.
    StateUnwritable {
        /// The account.
        account: AccountName,
        /// Why.
        error: String,
    },
    /// A tunnel's secret is being replaced.
    Rotation {
        /// The account.
        account: AccountName,
        /// The tunnel.
        tunnel: TunnelName,
        /// What happened.
        event: RotationEvent,
    },
    /// Connectors that are not of this host lost their connections, because their tunnel is being deleted.
    ConnectionsCut {
        /// The account.
        account: AccountName,
        /// The tunnel.
        tunnel: TunnelName,
        /// How many connectors there were.
        connectors: usize,
        /// The addresses that they came from, as far as Cloudflare tells.
        from: Vec<String>,
    },
    /// Connectors that are no processes of this host are connected to a tunnel of ours.
    RogueConnectorsFound {
        /// The account.
        account: AccountName,
        /// The tunnel.
        tunnel: TunnelName,
        /// How many there are.
        connectors: usize,
        /// Their ids, with the addresses that they come from as far as Cloudflare tells: the first few.
        first: Vec<String>,
    },
    /// They are not connected any more.
    RogueConnectorsGone {
        /// The account.
        account: AccountName,
        /// The tunnel.
        tunnel: TunnelName,
    },
    /// Something that was left over was deleted, or marked for its deletion, because an operator chose it.
    OrphanDeleted {
        /// The account.
        account: AccountName,
        /// What.
        orphan: Orphan,
    },
    /// Something that an operator chose for deletion stays.
    OrphanKept {
        /// The account.
        account: AccountName,
        /// What.
        orphan: Orphan,
        /// Why.
        why: String,
    },
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PassResult {
    /// Everything is as it is wanted.
    Clean,
    /// It is, after changes.
    Changed,
    /// Everything was read, and something is held or in conflict.
    Held,
    /// Something could not be read or applied.
    Failed,
}

impl PassResult {
    /// The result as a word, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Changed => "changed",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }

    /// Whether all that could be done was done.
    pub fn is_success(self) -> bool {
        match self {
            Self::Clean | Self::Changed | Self::Held => true,
            Self::Failed => false,
        }
    }
}

impl ProvisioningEvent {
    pub(super) fn kind(&self) -> EventKind {
        match self {
            Self::Seen { .. } | Self::AccountLeft { .. } => EventKind::AccountSeen,
            Self::PassFinished { .. } => EventKind::PassFinished,
            Self::StepApplied { .. } => EventKind::StepApplied,
            Self::StepFailed { .. } => EventKind::StepFailed,
            Self::HoldBegan { .. } => EventKind::HoldBegan,
            Self::HoldEnded { .. } => EventKind::HoldEnded,
            Self::ConflictBegan { .. } => EventKind::ConflictBegan,
            Self::ConflictEnded { .. } => EventKind::ConflictEnded,
            Self::EditFound { .. } => EventKind::EditFound,
            Self::EditOverwritten { .. } => EventKind::EditOverwritten,
            Self::TunnelGone { .. } => EventKind::TunnelGone,
            Self::RateLimited { .. } => EventKind::RateLimited,
            Self::StateUnwritable { .. } => EventKind::StateUnwritable,
            Self::Rotation { event, .. } => event.kind(),
            Self::ConnectionsCut { .. } => EventKind::ConnectionsCut,
            Self::RogueConnectorsFound { .. } => EventKind::RogueConnectorsFound,
            Self::RogueConnectorsGone { .. } => EventKind::RogueConnectorsGone,
            Self::OrphanDeleted { .. } => EventKind::OrphanDeleted,
            Self::OrphanKept { .. } => EventKind::OrphanKept,
        }
    }

    pub(super) fn level(&self) -> Level {
        match self {
            // Whatever went wrong in a pass has an event of its own.
            Self::Seen { .. } | Self::AccountLeft { .. } | Self::PassFinished { .. } => Level::Reading,
            Self::StepApplied { .. }
            | Self::HoldEnded { .. }
            | Self::ConflictEnded { .. }
            | Self::RogueConnectorsGone { .. }
            | Self::OrphanDeleted { .. } => Level::Info,
            Self::HoldBegan { hold, .. } if hold.code.ends_by_itself() => Level::Info,
            Self::StepFailed { needs_operator: false, .. }
            | Self::HoldBegan { .. }
            | Self::ConflictBegan { .. }
            | Self::EditFound { .. }
            | Self::EditOverwritten { .. }
            | Self::TunnelGone { .. }
            | Self::RateLimited { .. }
            | Self::ConnectionsCut { .. }
            | Self::RogueConnectorsFound { .. }
            | Self::OrphanKept { .. } => Level::Warn,
            Self::StepFailed { needs_operator: true, .. } | Self::StateUnwritable { .. } => Level::Error,
            Self::Rotation { event, .. } => event.level(),
        }
    }

    pub(super) fn subject(&self) -> Subject {
        let (account, tunnel) = match self {
            Self::Seen { account, .. }
            | Self::AccountLeft { account }
            | Self::PassFinished { account, .. }
            | Self::RateLimited { account, .. }
            | Self::StateUnwritable { account, .. }
            | Self::OrphanDeleted { account, .. }
            | Self::OrphanKept { account, .. } => (account, None),
            Self::StepApplied { account, step } | Self::StepFailed { account, step, .. } => (account, Some(step.tunnel())),
            Self::HoldBegan { account, hold } | Self::HoldEnded { account, hold } => (account, hold.tunnel()),
            Self::ConflictBegan { account, conflict } | Self::ConflictEnded { account, conflict } => {
                (account, Some(conflict.tunnel()))
            }
            Self::EditFound { account, tunnel, .. }
            | Self::EditOverwritten { account, tunnel, .. }
            | Self::TunnelGone { account, tunnel, .. }
            | Self::Rotation { account, tunnel, .. }
            | Self::ConnectionsCut { account, tunnel, .. }
            | Self::RogueConnectorsFound { account, tunnel, .. }
            | Self::RogueConnectorsGone { account, tunnel } => (account, Some(tunnel)),
        };
        Subject { account: Some(account.clone()), tunnel: tunnel.cloned(), ..Subject::default() }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::PassFinished { result, .. } => Some(result.as_str()),
            Self::StepApplied { step, .. } | Self::StepFailed { step, .. } => Some(step.word()),
            Self::HoldBegan { hold, .. } | Self::HoldEnded { hold, .. } => Some(hold.code.as_str()),
            Self::Rotation { event, .. } => event.reason(),
            Self::Seen { .. }
            | Self::AccountLeft { .. }
            | Self::ConflictBegan { .. }
            | Self::ConflictEnded { .. }
            | Self::EditFound { .. }
            | Self::EditOverwritten { .. }
            | Self::TunnelGone { .. }
            | Self::RateLimited { .. }
            | Self::StateUnwritable { .. }
            | Self::ConnectionsCut { .. }
            | Self::RogueConnectorsFound { .. }
            | Self::RogueConnectorsGone { .. }
            | Self::OrphanDeleted { .. }
            | Self::OrphanKept { .. } => None,
        }
    }

    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Seen { view, .. } => format!("{} tunnels are known", view.tunnels.len()),
            Self::AccountLeft { .. } => "it is not in force any more".to_owned(),
            Self::PassFinished { why, result, duration, applied, error, .. } => {
                let error = error.as_ref().map_or(String::new(), |error| format!(": {error}"));
                let (result, seconds) = (result.as_str(), duration.as_secs_f64());
                format!("pass ({why}) ended {result} after {seconds:.1} s with {applied} steps applied{error}")
            }
            Self::StepApplied { step, .. } => format!("applied: {step}"),
            Self::StepFailed { step, error, .. } => format!("failed: {step}: {error}"),
            Self::HoldBegan { hold, .. } => format!("holding {}: {}", hold.scope, hold.why),
            Self::HoldEnded { hold, .. } => format!("no longer holding {}", hold.scope),
            Self::ConflictBegan { conflict, .. } => conflict.to_string(),
            Self::ConflictEnded { conflict: Conflict::Rule { tunnel, place, .. }, .. } => {
                format!("nobody else's rule is in the way of {place} of {tunnel} any more")
            }
            Self::ConflictEnded { conflict, .. } => match conflict.hostname() {
                Some(hostname) => format!("nobody else holds {hostname} of {} any more", conflict.tunnel()),
                None => format!("nobody else holds the name of tunnel {} any more", conflict.tunnel()),
            },
            Self::EditFound { tunnel, version, kept, .. } => {
                format!(
                    "somebody else wrote version {version} of the configuration of {tunnel}; it is kept in {}",
                    kept.display()
                )
            }
            Self::EditOverwritten { tunnel, read, written, .. } => format!(
                "somebody wrote the configuration of {tunnel} at the same moment: version {read} was read and {written} written, \
                 and what came between them is lost"
            ),
            Self::TunnelGone { tunnel, id, .. } => {
                format!("tunnel {tunnel} was deleted at Cloudflare ({id}); it is made again with another secret")
            }
            Self::RateLimited { pause, .. } => {
                format!("Cloudflare's rate limit is reached; nothing is asked for {:.0} s", pause.as_secs_f64().ceil())
            }
            Self::Rotation { tunnel, event, .. } => event.sentence(tunnel),
            Self::StateUnwritable { error, .. } => format!("{error}; what happened is known until the daemon ends"),
            Self::OrphanDeleted { orphan, .. } => format!("deleted what was left over: {orphan}; {}", orphan.why),
            Self::OrphanKept { orphan, why, .. } => format!("left alone: {orphan}: {why}"),
            Self::RogueConnectorsFound { tunnel, connectors, first, .. } => {
                let (are, more) = if *connectors == 1 {
                    ("connector is", "")
                } else {
                    ("connectors are", if first.len() < *connectors { ", …" } else { "" })
                };
                format!("{connectors} {are} connected to {tunnel} that this host did not start: {}{more}", first.join(", "))
            }
            Self::RogueConnectorsGone { tunnel, .. } => {
                format!("no connector that this host did not start is connected to {tunnel} any more")
            }
            Self::ConnectionsCut { tunnel, connectors, from, .. } => {
                let from = if from.is_empty() { String::new() } else { format!(" ({})", from.join(", ")) };
                let (connectors, are) = (counted(*connectors, "connector"), if *connectors == 1 { "is" } else { "are" });
                format!("{connectors}{from} still connected to {tunnel}, which is being deleted, {are} cut off")
            }
        }
    }
}
