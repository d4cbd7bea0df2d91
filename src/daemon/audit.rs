//! The audit log: who changed what, one JSON line each, only ever appended to.
//!
//! ```text
//!  gate, reload, start ── keep ─▶ bounded queue ─▶ thread ─▶ audit.jsonl, synced ─▶ whoever follows
//!                                      │ full               │ disk full
//!                                      └──── the log ◀──────┘  and the event audit-not-written
//! ```
//!
//! No change waits for a disk, and none goes unseen: what cannot be written to the file goes to the log. Each batch is synced
//! (`fdatasync`), so that what was kept is there after a power cut; a torn last line costs only itself.

mod files;
mod refusals;
mod taken;

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{broadcast, oneshot},
    task::spawn_blocking,
    time::{Instant, timeout},
};

use self::{files::Files, refusals::Refusals};
use crate::{
    config::{Config, Role},
    control::{
        self, AuditQuery, Principal,
        api::{AuditEntry, ErrorKind},
    },
    event::{DaemonEvent, Sink},
    intent::configuration_version,
};

/// How many jobs may wait for the disk. A change over the socket takes longer than a line on a disk that works.
const QUEUE_MAX: usize = 256;

/// How far a follower may fall behind before it is told that it missed entries.
const FOLLOWER_LAG_MAX: usize = 256;

/// The longest text in an entry, in bytes: what was asked for is foreign, and a path may have thousands.
const TEXT_MAX: usize = 300;

/// How long a reader waits for entries that are on their way to the disk.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(2);

/// Where entries go, and where they are read. Dropping it writes out what is queued.
pub(super) struct Audit {
    folder: PathBuf,
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    written: broadcast::Sender<AuditEntry>,
    state: Mutex<State>,
}

/// Whoever has the files taken over.
#[derive(Debug, Clone, Copy)]
pub(super) enum By<'a> {
    /// Somebody who asked for it over the socket.
    Person(&'a Principal),
    /// Whoever sent SIGHUP: the kernel does not say who that was.
    Signal,
    /// The daemon's start.
    Start,
}

struct State {
    last_id: u64,
    refusals: Refusals,
}

enum Job {
    Keep(Vec<AuditEntry>),
    /// Tells when everything before it is written.
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// Goes on with `state_dir/audit.jsonl`.
    pub(super) fn start(state_dir: &Path, events: Sink) -> Self {
        let (queue, jobs) = sync_channel(QUEUE_MAX);
        let files = Files::new(state_dir);
        let last_id = files::last_id(state_dir);
        let written = broadcast::Sender::new(FOLLOWER_LAG_MAX);
        let followers = written.clone();
        let thread = Builder::new().name("audit".to_owned()).spawn(move || write(&jobs, &files, &followers, &events));
        Self {
            folder: state_dir.to_owned(),
            queue: Some(queue),
            thread: Some(thread.expect("a process that just started can make a thread")),
            written,
            state: Mutex::new(State { last_id, refusals: Refusals::default() }),
        }
    }

    /// Keeps what was asked for over the socket.
    pub(super) fn keep(&self, entry: &control::Audit<'_>) {
        let mut left_out = None;
        if entry.refused.is_some() {
            let decision = self.lock().refusals.take(entry.by.uid, Instant::now());
            let Some(before) = decision else { return };
            left_out = Some(before).filter(|count| *count > 0);
        }
        self.send(vec![AuditEntry {
            role: entry.role.map(role),
            needed: entry.needed.map(role),
            tunnel: entry.tunnel.map(bounded),
            object: entry.object.map(bounded),
            before: entry.before.map(str::to_owned),
            after: entry.after.map(str::to_owned),
            result: entry.refused.map_or(AuditEntry::DONE, |(kind, _)| kind.word()).to_owned(),
            reason: entry.refused.map(|(_, reason)| bounded(reason)),
            left_out,
            ..blank(By::Person(entry.by), entry.verb)
        }]);
    }

    /// Keeps what a reading of the files came to: which tunnels are others, and, where nobody asked over the socket, the reading
    /// itself.
    pub(super) fn keep_reading(&self, by: By<'_>, before: Option<&Config>, outcome: Result<&Config, &[String]>) {
        let (old, new) = (before.map(configuration_version), outcome.ok().map(configuration_version));
        let changed = outcome.is_ok() && old != new;
        let reading = AuditEntry {
            before: old.filter(|_| changed),
            after: new.filter(|_| changed),
            result: outcome.err().map_or(AuditEntry::DONE, |_| ErrorKind::Invalid.word()).to_owned(),
            reason: outcome.err().map(|problems| bounded(&problems.join("; "))),
            ..blank(by, "reload")
        };
        let is_told = match by {
            // The gate keeps what is asked for over the socket.
            By::Person(_) => false,
            By::Signal => true,
            By::Start => changed,
        };
        let taken = outcome.map(|after| taken::taken(before, after)).unwrap_or_default();
        let taken = taken.into_iter().map(|taken| AuditEntry {
            tunnel: Some(taken.tunnel.to_string()),
            object: Some(bounded(&taken.file)),
            before: taken.before,
            after: taken.after,
            ..blank(by, taken.verb)
        });
        let entries: Vec<AuditEntry> = is_told.then_some(reading).into_iter().chain(taken).collect();
        if !entries.is_empty() {
            self.send(entries);
        }
    }

    /// The entries that are asked for, oldest first.
    pub(super) async fn read(&self, query: &AuditQuery) -> Vec<AuditEntry> {
        self.flush().await;
        let (folder, query) = (self.folder.clone(), query.clone());
        spawn_blocking(move || files::read(&folder, &query)).await.expect("reading files does not panic")
    }

    /// The entries that there are, and each from then on that is written.
    pub(super) async fn follow(&self, query: &AuditQuery) -> (Vec<AuditEntry>, broadcast::Receiver<AuditEntry>) {
        // Entries are told when they are written: none falls between what is read and what comes, some are in both.
        let next = self.written.subscribe();
        (self.read(query).await, next)
    }

    async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        let queued = self.queue.as_ref().is_some_and(|queue| queue.try_send(Job::Flush(done)).is_ok());
        if queued {
            // A disk that stands still keeps nobody from reading what it has.
            let _ = timeout(FLUSH_TIME_MAX, is_done).await;
        }
    }

    fn send(&self, mut entries: Vec<AuditEntry>) {
        // Held until it is queued, so that entries are written in the order of their ids.
        let mut state = self.lock();
        for entry in &mut entries {
            // Microseconds since 1970, or one more than the last: over a restart ids go on beyond the last one that was written,
            // also when the tail of the file was lost.
            let now = u64::try_from(entry.at.as_microsecond()).unwrap_or(0);
            entry.id = now.max(state.last_id + 1);
            state.last_id = entry.id;
        }
        let sent = self.queue.as_ref().map(|queue| queue.try_send(Job::Keep(entries)));
        if let Some(Err(TrySendError::Full(Job::Keep(entries)) | TrySendError::Disconnected(Job::Keep(entries)))) = sent {
            log_instead(&entries, "the audit log stands still");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(jobs: &Receiver<Job>, files: &Files, followers: &broadcast::Sender<AuditEntry>, events: &Sink) {
    let mut complained = false;
    for job in jobs {
        let entries = match job {
            Job::Keep(entries) => entries,
            Job::Flush(done) => {
                // Whoever waited may have gone.
                let _ = done.send(());
                continue;
            }
        };
        match files.append(&entries) {
            Ok(()) => complained = false,
            Err(error) => {
                log_instead(&entries, &error.to_string());
                // Once, not for every entry: the log has each.
                if !complained {
                    events.tell(DaemonEvent::AuditNotWritten { error: error.to_string() });
                }
                complained = true;
            }
        }
        for entry in entries {
            // Nobody following is fine.
            let _ = followers.send(entry);
        }
    }
}

/// An entry about what `by` asked for, without what came of it.
fn blank(by: By<'_>, verb: &'static str) -> AuditEntry {
    let (who, principal) = match by {
        By::Person(principal) => (principal.who(), Some(principal)),
        By::Signal => ("signal".to_owned(), None),
        By::Start => ("start".to_owned(), None),
    };
    AuditEntry {
        id: 0,
        at: Timestamp::now(),
        who: bounded(&who),
        uid: principal.map(|principal| principal.uid),
        pid: principal.map(|principal| principal.pid),
        role: None,
        needed: None,
        verb: verb.to_owned(),
        tunnel: None,
        result: AuditEntry::DONE.to_owned(),
        object: None,
        before: None,
        after: None,
        reason: None,
        left_out: None,
    }
}

fn role(role: Role) -> String {
    role.to_string()
}

fn bounded(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_MAX);
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

fn log_instead(entries: &[AuditEntry], error: &str) {
    for AuditEntry { who, uid, verb, tunnel, result, .. } in entries {
        tracing::error!(%who, uid, verb, tunnel, result, error, "cannot write the audit log");
    }
}
