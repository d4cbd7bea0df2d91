//! Whether the kernel has just killed for want of memory.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::cgroup;

/// The whole host's count, where no cgroup keeps one of its own.
const HOST: &str = "/proc/vmstat";

/// No such file is longer, in bytes: the host's is a quarter of it.
const LENGTH_MAX: usize = 16 * 1024;

/// For how long a kill that nobody was found for may explain another process's end. All victims of one shortage are found dead
/// within a moment of each other.
const UNEXPLAINED_TIME_MAX: Duration = Duration::from_secs(10);

/// The kernel's count of such kills: in the daemon's unit, in the nearest cgroup around it that counts, or on the whole host.
/// Together with a SIGKILL that Adit did not send it makes the inference that a connector was killed for want of memory, and nothing
/// more.
pub(super) struct OutOfMemory {
    /// Kept open, as it is looked at when a connector's restart waits for it; `None` where it could not be opened.
    file: Option<File>,
    tally: Mutex<Tally>,
}

/// What the count said so far.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// The count at the last look.
    counted: u64,
    /// Kills that were counted and not yet found to be anyone's, with when they were counted.
    unexplained: Option<(u64, Instant)>,
}

impl OutOfMemory {
    /// Counts from here on.
    pub(super) fn new() -> Self {
        Self::counted_in(cgroup::memory_events().as_deref().unwrap_or(Path::new(HOST)))
    }

    fn counted_in(path: &Path) -> Self {
        let counter = Self { file: File::open(path).ok(), tally: Mutex::default() };
        counter.pass_over();
        counter
    }

    /// Takes note of what was killed before a process that has just been started: it has nothing to do with that one.
    pub(super) fn pass_over(&self) {
        if let Some(count) = self.count() {
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).counted = count;
        }
    }

    /// Whether a process that has just been found killed, and not by Adit, was killed for want of memory. Each kill explains one
    /// process. Where the count cannot be read it explains none.
    pub(super) fn explains_a_kill(&self) -> bool {
        let Some(count) = self.count() else { return false };
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).take(count, tokio::time::Instant::now().into_std())
    }

    fn count(&self) -> Option<u64> {
        let (mut text, mut length) = ([0; LENGTH_MAX], 0);
        while length < LENGTH_MAX {
            match self.file.as_ref()?.read_at(&mut text[length..], length as u64).ok()? {
                0 => break,
                more => length += more,
            }
        }
        kills(std::str::from_utf8(&text[..length]).ok()?)
    }
}

impl Tally {
    fn take(&mut self, count: u64, now: Instant) -> bool {
        let before = self.unexplained.filter(|(_, since)| now.saturating_duration_since(*since) < UNEXPLAINED_TIME_MAX);
        let risen = count.saturating_sub(self.counted);
        self.counted = count;
        let (left, since) = match before {
            Some((left, since)) if risen == 0 => (left, since),
            Some((left, _)) => (left.saturating_add(risen), now),
            None => (risen, now),
        };
        self.unexplained = left.checked_sub(1).filter(|left| *left > 0).map(|left| (left, since));
        left > 0
    }
}

/// The count in a `memory.events` or in `/proc/vmstat`: the same words in both. `oom`, which is another count, only says that
/// memory was short.
pub(super) fn kills(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::connector::testing::start_of_time;

    #[test]
    fn only_a_rising_count_is_a_kill() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("vmstat");
        fs::write(&file, "pgfault 9\noom_kill 3\n").unwrap();
        let counter = OutOfMemory::counted_in(&file);
        for (text, killed) in [
            ("pgfault 9\noom_kill 3\n", false),
            ("low 0\nhigh 0\nmax 7\noom 5\noom_kill 4\noom_group_kill 9\n", true),
            ("oom_kill 4\n", false),
            ("oom 9\n", false),
            ("", false),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(counter.explains_a_kill(), killed, "{text:?}");
        }
    }

    #[test]
    fn what_was_killed_before_a_start_explains_nothing_that_ends_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("memory.events");
        fs::write(&file, "oom_kill 0\n").unwrap();
        let counter = OutOfMemory::counted_in(&file);
        fs::write(&file, "oom_kill 2\n").unwrap();
        counter.pass_over();
        assert!(!counter.explains_a_kill());
    }

    #[test]
    fn each_kill_explains_one_process_and_not_for_long() {
        let now = start_of_time();
        let later = |seconds| now + Duration::from_secs(seconds);
        let mut tally = Tally::default();
        assert!(tally.take(2, now), "two were killed");
        assert!(tally.take(2, later(1)), "and two are found");
        assert!(!tally.take(2, later(1)), "but no third");
        assert!(tally.take(5, later(100)), "of three");
        assert!(tally.take(5, later(105)), "the second");
        assert!(!tally.take(5, later(111)), "the last one was nobody's");
        assert!(!tally.take(5, later(112)));
        assert!(tally.take(6, later(200)));
    }

    #[test]
    fn this_host_counts() {
        assert!(OutOfMemory::new().count().is_some());
    }
}
