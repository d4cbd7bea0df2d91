//! What the daemon holds.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::{fs, time::Duration};

use tokio::time::{Instant, sleep};

use crate::host::Host;

/// What may come and go: connections of clients, logs that are still read.
const DESCRIPTORS_SLACK: usize = 12;

/// Threads that wait for files come with the work and go 10 s after it.
const THREADS_SLACK: usize = 4;

/// What the allocator may keep, in KiB.
const MEMORY_SLACK_KIB: usize = 6 * 1024;

/// Until threads without work have gone.
const REST: Duration = Duration::from_secs(30);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vitals {
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    /// Memory of its own, in KiB.
    pub(crate) anonymous_kib: usize,
    /// All memory that is there, files that others share included, in KiB.
    pub(crate) resident_kib: usize,
}

impl Vitals {
    pub(crate) fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        Self { descriptors, threads: field("Threads"), anonymous_kib: field("RssAnon"), resident_kib: field("VmRSS") }
    }

    /// Waits until the daemon holds no more than this, but for what comes and goes: a connection to each connector among it.
    pub(crate) async fn assert_flat(self, host: &Host) {
        let end = Instant::now() + REST;
        loop {
            let now = Self::of(host.daemon_pid());
            let kept = host.connectors().len();
            if now.descriptors <= self.descriptors + DESCRIPTORS_SLACK + kept
                && now.threads <= self.threads + THREADS_SLACK
                && now.anonymous_kib <= self.anonymous_kib + MEMORY_SLACK_KIB
            {
                println!("daemon: {self:?} after warm-up, {now:?} now");
                return;
            }
            assert!(Instant::now() < end, "the daemon holds more than after its warm-up: {self:?} became {now:?}");
            sleep(LOOK_EVERY).await;
        }
    }
}
