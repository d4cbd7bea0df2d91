//! The audit log: who changed what over the control socket, one JSON line each, only ever appended to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread::{Builder, JoinHandle},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::control::{self, api::ErrorKind};

/// How many entries may wait for the disk. A change over the socket takes longer than a line on a disk that works.
const QUEUE_MAX: usize = 256;

/// The size at which the file is put aside, in bytes; one older file is kept.
const FILE_MAX: u64 = 4 << 20;

/// Where entries go. Dropping it writes out what is queued.
pub(super) struct Audit {
    queue: Option<SyncSender<Line>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Serialize)]
struct Line {
    at: Timestamp,
    /// The user's name, or the uid when it has none.
    who: String,
    uid: u32,
    pid: i32,
    verb: &'static str,
    /// The tunnel, as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<String>,
    /// `done`, or the kind of the refusal.
    result: &'static str,
}

impl Audit {
    /// Starts writing `state_dir/audit.jsonl`.
    pub(super) fn start(state_dir: &Path) -> Self {
        let (queue, lines) = sync_channel(QUEUE_MAX);
        let path = state_dir.join("audit.jsonl");
        let thread = Builder::new().name("audit".to_owned()).spawn(move || write(&lines, &path));
        Self { queue: Some(queue), thread: Some(thread.expect("a process that just started can make a thread")) }
    }

    /// Keeps one entry. One that finds the queue full goes to the log instead: no change waits for a disk, and none goes unseen.
    pub(super) fn keep(&self, entry: &control::Audit<'_>) {
        let line = Line {
            at: Timestamp::now(),
            who: entry.by.who(),
            uid: entry.by.uid,
            pid: entry.by.pid,
            verb: entry.verb,
            tunnel: entry.tunnel.map(str::to_owned),
            result: entry.refused.map_or("done", ErrorKind::word),
        };
        let sent = self.queue.as_ref().map(|queue| queue.try_send(line));
        if let Some(Err(TrySendError::Full(line) | TrySendError::Disconnected(line))) = sent {
            log_instead(&line, "the audit log stands still");
        }
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

fn write(lines: &Receiver<Line>, path: &Path) {
    for line in lines {
        if let Err(error) = append(path, &line) {
            log_instead(&line, &error.to_string());
        }
    }
}

/// Opens the file for every line: changes are rare, and a file that an operator moved away is made anew.
fn append(path: &Path, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let mut file: File = open()?;
    if file.metadata()?.len() >= FILE_MAX {
        fs::rename(path, older(path))?;
        file = open()?;
    }
    file.write_all(&text)
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

fn log_instead(line: &Line, error: &str) {
    let Line { who, uid, verb, tunnel, result, .. } = line;
    tracing::error!(%who, uid, verb, ?tunnel, result, error, "cannot write the audit log");
}
