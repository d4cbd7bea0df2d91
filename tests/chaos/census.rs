//! Counts the connectors again and again while the storm goes on, from /proc alone.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    fleet::Berth,
    host::Host,
    processes::{self, Process},
};

/// One that serves, one that is to follow it, and one or two that finish their requests.
const IN_A_SLOT_MAX: usize = 4;

/// The count, under way.
pub(crate) struct Census {
    end: Arc<AtomicBool>,
    counted: Arc<Mutex<Counted>>,
    counting: JoinHandle<()>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// Every connector that ever ran, by process id. An id that was given twice is there once for each.
    pub(crate) seen: BTreeSet<(u32, Berth)>,
    /// Those of them that run.
    there: BTreeSet<(u32, Berth)>,
    /// Those of them that are gone: between which two looks they went.
    pub(crate) gone: Vec<Gone>,
    /// What must never be.
    pub(crate) violations: BTreeSet<String>,
    /// How often it was counted.
    pub(crate) rounds: usize,
    last: Option<Instant>,
}

/// A connector that is there no more.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) pid: u32,
    pub(crate) berth: Berth,
    /// When it was there still.
    pub(crate) after: Instant,
    /// When it was not.
    pub(crate) before: Instant,
}

impl Census {
    pub(crate) fn start(host: &Host, every: Duration) -> Self {
        // Without the slash at its end, as processes name it.
        let directory: PathBuf = host.path("").components().collect();
        let (end, counted) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (ended, counting) = (Arc::clone(&end), Arc::clone(&counted));
        Self { end, counted, counting: thread::spawn(move || count(&directory, every, &ended, &counting)) }
    }

    /// What was counted until now. The count waits while it is looked at.
    pub(crate) fn so_far(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap()
    }

    pub(crate) fn end(self) -> Counted {
        self.end.store(true, Ordering::Relaxed);
        self.counting.join().unwrap();
        std::mem::take(&mut self.counted.lock().unwrap())
    }
}

fn count(directory: &Path, every: Duration, end: &AtomicBool, counted: &Mutex<Counted>) {
    while !end.load(Ordering::Relaxed) {
        let now = Instant::now();
        let connectors = processes::of_host(directory).into_iter().filter(Process::is_connector);
        let connectors = connectors.filter_map(|process| Some((process.pid, Berth::of(&process)?))).collect();
        counted.lock().unwrap().take(connectors, now);
        thread::sleep(every);
    }
}

impl Counted {
    fn take(&mut self, connectors: BTreeSet<(u32, Berth)>, now: Instant) {
        let mut berths: BTreeMap<&Berth, Vec<u32>> = BTreeMap::new();
        let mut slots: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (pid, berth) in &connectors {
            berths.entry(berth).or_default().push(*pid);
            *slots.entry((&berth.tunnel, &berth.replica)).or_default() += 1;
        }
        let doubled = berths.iter().filter(|(_, pids)| pids.len() > 1);
        let crowded = slots.iter().filter(|(_, count)| **count > IN_A_SLOT_MAX);
        self.violations.extend(doubled.map(|(berth, pids)| format!("one generation runs twice: {berth:?} as {pids:?}")));
        self.violations.extend(crowded.map(|((tunnel, replica), count)| format!("{count} connectors of {tunnel}/{replica}")));
        let after = self.last.unwrap_or(now);
        let gone = self.there.difference(&connectors);
        self.gone.extend(gone.map(|(pid, berth)| Gone { pid: *pid, berth: berth.clone(), after, before: now }));
        self.seen.extend(connectors.iter().cloned());
        self.there = connectors;
        self.last = Some(now);
        self.rounds += 1;
    }

    /// The connectors that went though nobody may be gone without a reason.
    pub(crate) fn lost(&self, needs_reason: impl Fn(&str) -> bool, has_reason: impl Fn(&Gone) -> bool) -> Vec<&Gone> {
        self.gone.iter().filter(|gone| needs_reason(&gone.berth.tunnel) && !has_reason(gone)).collect()
    }
}
