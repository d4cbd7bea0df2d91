//! Events of the daemon itself: its start and stop, its configuration, what operators did.

use jiff::Timestamp;

use super::{EventKind, Level, Subject};
use crate::{
    counted::counted,
    name::{AccountName, TunnelName},
};

/// Something that happened to the daemon.
#[derive(Debug, Clone)]
pub enum DaemonEvent {
    /// It runs and answers.
    Started {
        /// Adit's version.
        version: &'static str,
    },
    /// The daemon before this one did not end by itself: it crashed, or was killed.
    EarlierDied {
        /// Its version.
        version: String,
        /// Its process id.
        pid: u32,
        /// When it started.
        since: Timestamp,
        /// How many ended so since the host was booted, this one included.
        count: u64,
    },
    /// Whether connectors are kept from Adit's own files, and from each other's.
    ConnectorsBoxed {
        /// The version of Landlock that does it; `None` where the kernel has none.
        landlock: Option<u32>,
    },
    /// It was told to stop and drains its connectors.
    Stopping {
        /// What told it: a signal's name.
        why: &'static str,
    },
    /// A configuration is in force.
    ConfigAccepted {
        /// How many tunnels it has, those made over the socket included.
        tunnels: usize,
    },
    /// A configuration was refused; the one in force stays.
    ConfigRefused {
        /// The problems, one a line.
        problems: String,
    },
    /// The state directory cannot be written; what is in force stays in force.
    StateNotWritten {
        /// Why.
        error: String,
    },
    /// A part of the state directory cannot be read.
    StateNotRead {
        /// Which, and why.
        error: String,
    },
    /// The audit log cannot be written; the log has its entries meanwhile.
    AuditNotWritten {
        /// Why.
        error: String,
    },
    /// An operator changed something over the control socket.
    OperatorActed {
        /// The user's name, or the uid when it has none.
        who: String,
        /// What was done: `stop`, `create`, ….
        verb: &'static str,
        /// To which tunnel.
        tunnel: Option<TunnelName>,
    },
    /// An API token was read: the first one, another one, or the same after it could not be read.
    CredentialRead {
        /// The account it is for.
        account: AccountName,
    },
    /// An API token stops working soon.
    CredentialExpires {
        /// The account it is for.
        account: AccountName,
        /// When.
        at: Timestamp,
        /// Whether that is within a day.
        very_soon: bool,
    },
    /// An API token cannot be read, or Cloudflare refuses it.
    CredentialFailed {
        /// The account it is for.
        account: AccountName,
        /// Why.
        error: String,
    },
    /// A hook cannot be told of events.
    HookFailed {
        /// Which.
        hook: Hook,
        /// Why.
        error: String,
    },
    /// A hook is slower than events come.
    HookDropped {
        /// Which.
        hook: Hook,
        /// How many events it will not be told of so far.
        events: u64,
    },
    /// A hook is told of events again.
    HookRecovered {
        /// Which.
        hook: Hook,
        /// How many events it was not told of meanwhile.
        missed: u64,
    },
}

/// Who is told of events outside of Adit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// The command `on_event`.
    Command,
    /// The webhook.
    Webhook,
}

impl Hook {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Command, Self::Webhook];

    /// The stable word, as in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Webhook => "webhook",
        }
    }

    /// What the configuration calls it.
    fn in_words(self) -> &'static str {
        match self {
            Self::Command => "the command of [hooks] on_event",
            Self::Webhook => "the webhook",
        }
    }
}

impl DaemonEvent {
    pub(super) fn kind(&self) -> EventKind {
        match self {
            Self::Started { .. } => EventKind::DaemonStarted,
            Self::EarlierDied { .. } => EventKind::DaemonDied,
            Self::ConnectorsBoxed { landlock: Some(_) } => EventKind::ConnectorsBoxed,
            Self::ConnectorsBoxed { landlock: None } => EventKind::ConnectorsNotBoxed,
            Self::Stopping { .. } => EventKind::DaemonStopping,
            Self::ConfigAccepted { .. } => EventKind::ConfigAccepted,
            Self::ConfigRefused { .. } => EventKind::ConfigRefused,
            Self::StateNotWritten { .. } => EventKind::StateNotWritten,
            Self::StateNotRead { .. } => EventKind::StateNotRead,
            Self::AuditNotWritten { .. } => EventKind::AuditNotWritten,
            Self::OperatorActed { .. } => EventKind::OperatorActed,
            Self::CredentialRead { .. } => EventKind::CredentialRead,
            Self::CredentialExpires { .. } => EventKind::CredentialExpires,
            Self::CredentialFailed { .. } => EventKind::CredentialFailed,
            Self::HookFailed { .. } => EventKind::HookFailed,
            Self::HookDropped { .. } => EventKind::HookDropped,
            Self::HookRecovered { .. } => EventKind::HookRecovered,
        }
    }

    pub(super) fn level(&self) -> Level {
        match self {
            Self::Started { .. }
            | Self::ConnectorsBoxed { .. }
            | Self::Stopping { .. }
            | Self::ConfigAccepted { .. }
            | Self::OperatorActed { .. }
            | Self::CredentialRead { .. }
            | Self::HookRecovered { .. } => Level::Info,
            Self::CredentialExpires { very_soon: false, .. } | Self::HookFailed { .. } | Self::HookDropped { .. } => Level::Warn,
            Self::EarlierDied { .. }
            | Self::ConfigRefused { .. }
            | Self::StateNotWritten { .. }
            | Self::StateNotRead { .. }
            | Self::AuditNotWritten { .. }
            | Self::CredentialExpires { very_soon: true, .. }
            | Self::CredentialFailed { .. } => Level::Error,
        }
    }

    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::Started { .. }
            | Self::EarlierDied { .. }
            | Self::ConnectorsBoxed { .. }
            | Self::Stopping { .. }
            | Self::ConfigAccepted { .. }
            | Self::ConfigRefused { .. }
            | Self::StateNotWritten { .. }
            | Self::StateNotRead { .. }
            | Self::AuditNotWritten { .. }
            | Self::HookFailed { .. }
            | Self::HookDropped { .. }
            | Self::HookRecovered { .. } => Subject::default(),
            Self::OperatorActed { tunnel, .. } => Subject { tunnel: tunnel.clone(), ..Subject::default() },
            Self::CredentialRead { account }
            | Self::CredentialExpires { account, .. }
            | Self::CredentialFailed { account, .. } => Subject { account: Some(account.clone()), ..Subject::default() },
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Stopping { why } => Some(why),
            Self::OperatorActed { verb, .. } => Some(verb),
            Self::HookFailed { hook, .. } | Self::HookDropped { hook, .. } | Self::HookRecovered { hook, .. } => {
                Some(hook.as_str())
            }
            Self::Started { .. }
            | Self::EarlierDied { .. }
            | Self::ConnectorsBoxed { .. }
            | Self::ConfigAccepted { .. }
            | Self::ConfigRefused { .. }
            | Self::StateNotWritten { .. }
            | Self::StateNotRead { .. }
            | Self::AuditNotWritten { .. }
            | Self::CredentialRead { .. }
            | Self::CredentialExpires { .. }
            | Self::CredentialFailed { .. } => None,
        }
    }

    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Started { version } => format!("adit {version} runs and answers"),
            Self::EarlierDied { version, pid, since, count } => format!(
                "the daemon before this one (adit {version}, process {pid}, since {since:.0}) did not end by itself: it crashed, or somebody, \
                 the kernel or systemd's watchdog killed it; that is number {count} since the host was booted"
            ),
            Self::ConnectorsBoxed { landlock: Some(version) } => {
                format!("connectors cannot open Adit's own files, nor each other's (Landlock version {version})")
            }
            Self::ConnectorsBoxed { landlock: None } => {
                "connectors are not kept from Adit's own files: the kernel has no Landlock, or it is switched off".to_owned()
            }
            Self::Stopping { why } => format!("stopping after {why}: draining every connector"),
            Self::ConfigAccepted { tunnels } => {
                format!("a configuration with {} is in force", counted(*tunnels, "tunnel"))
            }
            Self::ConfigRefused { problems } => format!("the configuration was refused, the one in force stays: {problems}"),
            Self::StateNotWritten { error } => format!("the state directory cannot be written: {error}"),
            Self::StateNotRead { error } => format!("a part of the state directory cannot be read: {error}"),
            Self::AuditNotWritten { error } => {
                format!("the audit log cannot be written, its entries are in the log meanwhile: {error}")
            }
            Self::OperatorActed { who, verb, tunnel: Some(tunnel) } => format!("{who} asked for: {verb} {tunnel}"),
            Self::OperatorActed { who, verb, tunnel: None } => format!("{who} asked for: {verb}"),
            Self::CredentialRead { .. } => "the API token was read".to_owned(),
            Self::CredentialExpires { at, .. } => format!(
                "the API token expires at {at}: put another one in its place; tunnels run on without, but nothing at Cloudflare is changed"
            ),
            Self::CredentialFailed { error, .. } => format!("the API token cannot be used: {error}"),
            Self::HookFailed { hook, error } => {
                format!("{} is not told of events, which is said once until it is well again: {error}", hook.in_words())
            }
            Self::HookDropped { hook, events } => format!(
                "{} is slower than events come, {events} so far {} left out",
                hook.in_words(),
                if *events == 1 { "is" } else { "are" }
            ),
            Self::HookRecovered { hook, missed: 0 } => format!("{} is told of events again and missed none", hook.in_words()),
            Self::HookRecovered { hook, missed } => {
                format!("{} is told of events again and missed {missed}; see adit events", hook.in_words())
            }
        }
    }
}
