//! What the machine says: commands that the supervisor must carry out, and notices that everyone may read.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{Ask, Generation, Launch, Past, Reason, RestartReason, State, Vitals};
use crate::name::TunnelName;

/// Something that the supervisor must do for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start a process. It is answered by exactly one of `handle_spawned` and `handle_spawn_failed`.
    Spawn {
        /// Its generation.
        generation: Generation,
        /// How.
        launch: Arc<Launch>,
    },
    /// Ask a process to finish its requests and exit (SIGTERM). Said once to each: a second one kills cloudflared.
    Terminate {
        /// Its generation.
        generation: Generation,
    },
    /// Kill a process and its group.
    Kill {
        /// Its generation.
        generation: Generation,
    },
    /// Ask its metrics server. It is answered by exactly one `handle_probe`, at the latest after the probe's time-out.
    Probe {
        /// Its generation.
        generation: Generation,
        /// Where it listens.
        metrics: SocketAddr,
        /// What to read.
        ask: Ask,
    },
}

/// Something that happened in a slot, with how the slot is afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The slot's state afterwards.
    pub state: State,
    /// Why it is in that state.
    pub reason: Reason,
    /// The generation that stands for the slot afterwards: the one that serves, is being started, or last did.
    pub serving: Generation,
    /// Failures since the last stable run.
    pub failures: u32,
    /// The [number](super::document_number) of the local configuration that the generation was started with, if it has one.
    pub document: Option<i64>,
    /// What happened.
    pub happening: Happening,
}

/// What can happen in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A generation is being started.
    Starting {
        /// Which.
        generation: Generation,
        /// Why again; `None` when it is no restart.
        restart: Option<RestartReason>,
    },
    /// Its process runs.
    Started {
        /// Which.
        generation: Generation,
        /// Its process id.
        pid: u32,
        /// Where its metrics server is to answer.
        metrics: SocketAddr,
    },
    /// A process of an earlier daemon was found and proved ours.
    Adopted {
        /// Which.
        generation: Generation,
        /// Its process id.
        pid: u32,
        /// Where its metrics server answers.
        metrics: SocketAddr,
        /// What the earlier daemon knew last.
        vitals: Vitals,
    },
    /// A process of an earlier daemon answers and cannot be proved ours.
    Quarantined {
        /// Which.
        generation: Generation,
        /// Its process id.
        pid: u32,
    },
    /// A process of an earlier daemon that cannot be proved ours is left to itself.
    Abandoned {
        /// Which.
        generation: Generation,
        /// Its process id.
        pid: u32,
    },
    /// No process could be started.
    CannotStart {
        /// Which generation.
        generation: Generation,
        /// Why.
        reason: Reason,
    },
    /// It carries requests for the first time.
    Ready {
        /// Which.
        generation: Generation,
        /// What it reports.
        vitals: Vitals,
        /// Since its start.
        after: Duration,
    },
    /// It had all of its connections and lost some.
    Degraded {
        /// Which.
        generation: Generation,
        /// What it reports.
        vitals: Vitals,
    },
    /// It has no connection left.
    LostConnections {
        /// Which.
        generation: Generation,
        /// What it reports.
        vitals: Vitals,
    },
    /// What was amiss is over.
    Recovered {
        /// Which.
        generation: Generation,
        /// What it reports.
        vitals: Vitals,
    },
    /// It stopped answering.
    Hung {
        /// Which.
        generation: Generation,
        /// What the last probe said.
        why: String,
    },
    /// It never answered, and is given up.
    NeverAnswered {
        /// Which.
        generation: Generation,
        /// After this time.
        waited: Duration,
    },
    /// Its process ended.
    Exited {
        /// Which.
        generation: Generation,
        /// The end in words, such as `exit code 1`.
        how: String,
        /// How long it ran; for an adopted one, since its adoption.
        lived: Duration,
        /// Whether Adit told it to.
        asked: bool,
        /// What it means.
        reason: Reason,
    },
    /// It starts again after a wait.
    BackingOff {
        /// The wait.
        delay: Duration,
        /// What happened.
        reason: Reason,
    },
    /// It waits longer than its own pace asks for, because nobody reaches the edge.
    Held {
        /// Why.
        reason: Reason,
    },
    /// Only a change can help; it is tried seldom.
    Blocked {
        /// The wait when nothing changes.
        delay: Duration,
        /// What happened.
        reason: Reason,
    },
    /// A successor is started beside a generation that goes on.
    Replacing {
        /// The one that serves.
        generation: Generation,
        /// The one that is to take over.
        successor: Generation,
        /// Why.
        restart: RestartReason,
    },
    /// The successor stands for the slot.
    Replaced {
        /// The one that serves from here on.
        generation: Generation,
        /// The one that served before.
        former: Generation,
        /// Why it was replaced.
        restart: RestartReason,
        /// The successor's process, if it runs already.
        process: Option<(u32, SocketAddr)>,
        /// What it reports.
        vitals: Vitals,
    },
    /// The successor did not get ready, or is not wanted any more; the slot stays with the generation that it had.
    ReplacementFailed {
        /// The successor.
        generation: Generation,
        /// Why.
        reason: Reason,
        /// When it is tried again, if nothing changes.
        retry: Option<Duration>,
    },
    /// Its replica is not wanted any more, but goes on: no other one of its tunnel serves.
    Spared {
        /// Which.
        generation: Generation,
    },
    /// A generation was told to finish its requests.
    Draining {
        /// Which.
        generation: Generation,
        /// It is killed after this time.
        limit: Duration,
    },
    /// A generation was killed.
    Killed {
        /// Which.
        generation: Generation,
        /// Why.
        reason: Reason,
    },
    /// Nothing runs any more, and nothing is wanted.
    Stopped,
    /// What it reports has changed.
    Read {
        /// Which.
        generation: Generation,
        /// What it reports.
        vitals: Vitals,
    },
    /// The edge does not register it. It goes on trying.
    RegistrationRefused {
        /// Which.
        generation: Generation,
        /// Cloudflare's words, where there are any.
        why: Option<String>,
    },
    /// It could not use a configuration that the edge pushed.
    ConfigurationRefused {
        /// Which.
        generation: Generation,
        /// The configuration's version, where it is said.
        version: Option<u64>,
        /// cloudflared's words.
        why: String,
    },
    /// QUIC does not get through, so another takes its place over HTTP/2.
    FellBack {
        /// Which.
        generation: Generation,
        /// How that was found out.
        why: &'static str,
    },
    /// Its connections come and go.
    Flapping {
        /// Which.
        generation: Generation,
        /// How often it registered one within the last minute, about.
        registrations: u64,
    },
    /// Its output cannot be kept in the log store. The connector runs all the same.
    LogUnavailable {
        /// Which.
        generation: Generation,
        /// Why.
        error: String,
    },
    /// What happened before this daemon was started. Told before anything else of a slot, or right after its adoption.
    Remembered {
        /// What.
        past: Past,
    },
    /// Its tunnel has another name; the processes are the same.
    Renamed {
        /// The name that it had.
        from: TunnelName,
    },
    /// The slot is no more.
    Forgotten,
}

impl Happening {
    /// Why a process took the place of another, when this is the moment to count that: once for each.
    pub fn restart(&self) -> Option<RestartReason> {
        match self {
            Self::Starting { restart, .. } => *restart,
            Self::Replaced { restart, .. } => Some(*restart),
            Self::Started { .. }
            | Self::Adopted { .. }
            | Self::Quarantined { .. }
            | Self::Abandoned { .. }
            | Self::CannotStart { .. }
            | Self::Ready { .. }
            | Self::Degraded { .. }
            | Self::LostConnections { .. }
            | Self::Recovered { .. }
            | Self::Hung { .. }
            | Self::NeverAnswered { .. }
            | Self::Exited { .. }
            | Self::BackingOff { .. }
            | Self::Held { .. }
            | Self::Blocked { .. }
            | Self::Replacing { .. }
            | Self::ReplacementFailed { .. }
            | Self::Spared { .. }
            | Self::Draining { .. }
            | Self::Killed { .. }
            | Self::Stopped
            | Self::Read { .. }
            | Self::RegistrationRefused { .. }
            | Self::ConfigurationRefused { .. }
            | Self::FellBack { .. }
            | Self::Flapping { .. }
            | Self::LogUnavailable { .. }
            | Self::Remembered { .. }
            | Self::Renamed { .. }
            | Self::Forgotten => None,
        }
    }
}
