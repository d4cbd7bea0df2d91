//! Counts the connectors again and again while the storm goes on, from /proc alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    fleet::{Berth, Fleet},
    host::Host,
    processes::{self, Process},
    storm::Storm,
};

/// How often it is counted.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// One that serves, one that is to follow it, and one or two that finish their requests.
const IN_A_SLOT_MAX: usize = 4;

/// The count, under way.
pub(crate) struct Census {
    end: Arc<AtomicBool>,
    counting: JoinHandle<Counted>,
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Counted {
    /// Every connector that ever ran, by process id. An id that was given twice is there once for each.
    seen: BTreeSet<(u32, Berth)>,
    /// What must never be.
    violations: BTreeSet<String>,
    rounds: usize,
}

impl Census {
    pub(crate) fn start(host: &Host) -> Self {
        // Without the slash at its end, as processes name it.
        let directory: PathBuf = host.path("").components().collect();
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        Self { end, counting: thread::spawn(move || count(&directory, &ended)) }
    }

    pub(crate) fn end(self) -> Counted {
        self.end.store(true, Ordering::Relaxed);
        self.counting.join().unwrap()
    }
}

fn count(directory: &Path, end: &AtomicBool) -> Counted {
    let mut counted = Counted::default();
    while !end.load(Ordering::Relaxed) {
        let connectors = processes::of_host(directory).into_iter().filter(Process::is_connector);
        counted.take(connectors.filter_map(|process| Some((process.pid, Berth::of(&process)?))).collect());
        thread::sleep(COUNT_EVERY);
    }
    counted
}

impl Counted {
    fn take(&mut self, connectors: Vec<(u32, Berth)>) {
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
        self.seen.extend(connectors);
        self.rounds += 1;
    }

    /// Fails the test where a connector was there twice, or is gone without a reason.
    pub(crate) fn assert_lawful(&self, storm: &Storm<'_>, there: &[Process]) {
        assert!(self.rounds > 10, "only {} rounds", self.rounds);
        assert!(self.violations.is_empty(), "{:#?}", self.violations);
        let gone = self
            .seen
            .iter()
            .filter(|(pid, berth)| !there.iter().any(|one| one.pid == *pid && Berth::of(one).as_ref() == Some(berth)));
        let lost: Vec<_> = gone.filter(|(pid, berth)| Fleet::is_quiet(&berth.tunnel) && !storm.may_be_gone(*pid)).collect();
        assert!(lost.is_empty(), "connectors that nobody killed and no plan replaced are gone: {lost:?}");
    }
}
