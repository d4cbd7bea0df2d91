//! The files: what stands in them, and how their times are told to the next daemon.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    backoff::Backoff,
    boot,
    connector::{FailedReplacement, Fingerprint, LastExit, Past, Reason, RestartReason, SlotId, SlotMemory, Waiting},
    name::TunnelName,
    whole_file,
};

/// The version that this code writes, and the only one that it reads.
const VERSION: u32 = 1;
/// No file is longer, in bytes.
const LENGTH_MAX: u64 = 64 * 1024;
/// No slot waits longer: the longest of its waits is some minutes.
const WAIT_MAX: Duration = Duration::from_secs(3600);

#[derive(Serialize, Deserialize)]
pub(super) struct NamesFile {
    pub(super) names: BTreeMap<TunnelName, TunnelName>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SlotFile {
    tunnel: String,
    replica: u8,
    backoff: Backoff,
    launch: Option<Fingerprint>,
    ran: bool,
    waiting: Option<WaitingFile>,
    failed_replacement: Option<FailedReplacementFile>,
    /// In the order of their names.
    restarts: BTreeMap<RestartReason, u64>,
    last_exit: Option<LastExit>,
}

/// Times are milliseconds since the host was started, sleep included.
#[derive(Serialize, Deserialize)]
struct WaitingFile {
    until: u64,
    blocked: bool,
    restart: Option<RestartReason>,
    reason: Reason,
}

#[derive(Serialize, Deserialize)]
struct FailedReplacementFile {
    retry_at: u64,
    restart: RestartReason,
    reason: Reason,
}

/// One moment by two clocks: the one that the machine goes by, and the one that every daemon of this boot shares.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    now: Instant,
    since_boot: Duration,
}

/// A file with this content, of this boot.
pub(super) fn render(boot_id: &str, content: impl Serialize) -> Vec<u8> {
    boot::render(VERSION, boot_id, content)
}

/// The content of a file, if it is one of this boot and can be read.
pub(super) fn read<T: DeserializeOwned>(path: &Path, boot_id: &str) -> Option<T> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let read = whole_file::read(path, LENGTH_MAX);
    match read.and_then(|bytes| boot::parse(VERSION, boot_id, &bytes).map_err(invalid)) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "Cannot read what an earlier daemon remembered; it is passed over");
            None
        }
    }
}

impl SlotFile {
    pub(super) fn new(slot: &SlotId, memory: &SlotMemory, past: &Past, clocks: Clocks) -> Self {
        let SlotMemory { backoff, launch, ran, waiting, failed_replacement } = memory.clone();
        Self {
            tunnel: slot.tunnel.as_str().to_owned(),
            replica: slot.replica,
            backoff,
            launch,
            ran,
            waiting: waiting.map(|Waiting { until, blocked, restart, reason }| WaitingFile {
                until: clocks.to_file(until),
                blocked,
                restart,
                reason,
            }),
            failed_replacement: failed_replacement.map(|FailedReplacement { retry_at, restart, reason }| FailedReplacementFile {
                retry_at: clocks.to_file(retry_at),
                restart,
                reason,
            }),
            restarts: past.restarts.clone(),
            last_exit: past.last_exit.clone(),
        }
    }

    pub(super) fn memory(self, clocks: Clocks) -> Option<(SlotId, SlotMemory, Past)> {
        let Self { tunnel, replica, backoff, launch, ran, waiting, failed_replacement, restarts, last_exit } = self;
        let slot = SlotId::new(tunnel.try_into().ok()?, replica);
        let waiting = waiting.map(|WaitingFile { until, blocked, restart, reason }| Waiting {
            until: clocks.of_file(until),
            blocked,
            restart,
            reason,
        });
        let failed_replacement = failed_replacement.map(|FailedReplacementFile { retry_at, restart, reason }| {
            FailedReplacement { retry_at: clocks.of_file(retry_at), restart, reason }
        });
        let memory = SlotMemory { backoff, launch, ran, waiting, failed_replacement };
        Some((slot, memory, Past { restarts, last_exit }))
    }
}

impl Clocks {
    pub(super) fn at(now: Instant) -> Self {
        Self { now, since_boot: boot::age() }
    }

    fn to_file(self, at: Instant) -> u64 {
        let since_boot = self.since_boot + at.saturating_duration_since(self.now);
        u64::try_from(since_boot.as_millis()).unwrap_or(u64::MAX)
    }

    /// The moment that a file names; what is over counts as this one, and what is out of reach too: no wait is that long.
    fn of_file(self, millis: u64) -> Instant {
        let left = Duration::from_millis(millis).saturating_sub(self.since_boot);
        self.now + if left <= WAIT_MAX { left } else { Duration::ZERO }
    }
}

#[cfg(any(test, fuzzing))]
pub(in crate::supervisor) mod fuzzing {
    use jiff::Timestamp;

    use super::{super::ProgramMemory, *};
    use crate::connector::Happening;

    /// The boot of every file that is tried.
    const BOOT: &str = "boot";

    /// Any bytes as each of the files: what can be read can be lived with, and is written as it was read.
    pub(in crate::supervisor) fn law(bytes: &[u8]) {
        let clocks = Clocks::at(tokio::time::Instant::now().into_std());
        if let Some((slot, memory, mut past)) = read::<SlotFile>(bytes).and_then(|file| file.memory(clocks)) {
            let written = write(SlotFile::new(&slot, &memory, &past, clocks));
            let again = read::<SlotFile>(&written).and_then(|file| file.memory(clocks)).expect("it was just written");
            assert_eq!((&again.0, &again.1.backoff, again.1.launch, &again.2), (&slot, &memory.backoff, memory.launch, &past));
            let waits = memory.waiting.as_ref().map(|waiting| waiting.until);
            let retries = memory.failed_replacement.as_ref().map(|failed| failed.retry_at);
            let is_soon = |at: Instant| at >= clocks.now && at <= clocks.now + WAIT_MAX;
            assert!([waits, retries].into_iter().flatten().all(is_soon), "it waits for ever");
            let total = past.restarts_total();
            let (generation, restart) = (crate::connector::Generation(1), Some(RestartReason::Exit));
            past.take(&Happening::Starting { generation, restart }, Timestamp::UNIX_EPOCH);
            assert!(past.restarts_total() >= total);
            let mut backoff = memory.backoff;
            assert!(backoff.fail(&mut rand::rng()) <= Backoff::WAIT_MAX);
        }
        if let Some(program) = read::<ProgramMemory>(bytes) {
            assert_eq!(read::<ProgramMemory>(&write(program.clone())), Some(program));
        }
        if let Some(file) = read::<NamesFile>(bytes) {
            let names = file.names.clone();
            assert_eq!(read::<NamesFile>(&write(file)).map(|file| file.names), Some(names));
        }
    }

    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        boot::parse(VERSION, BOOT, bytes).ok().flatten()
    }

    fn write(content: impl Serialize) -> Vec<u8> {
        render(BOOT, content)
    }
}
