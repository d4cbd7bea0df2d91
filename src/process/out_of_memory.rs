//! Whether the kernel has just killed for want of memory.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

/// The kernel's count of such kills, as it was when somebody looked last. It is the whole host's: together with a SIGKILL that
/// Adit did not send it makes the inference that the design asks for, and nothing more.
pub(super) struct OutOfMemory {
    file: PathBuf,
    seen: AtomicU64,
}

impl OutOfMemory {
    pub(super) fn new() -> Self {
        let counter = Self { file: "/proc/vmstat".into(), seen: AtomicU64::new(0) };
        counter.has_killed();
        counter
    }

    /// Whether it has since this was asked last. Where the count cannot be read it has not.
    pub(super) fn has_killed(&self) -> bool {
        let Some(count) = std::fs::read_to_string(&self.file).ok().and_then(|text| kills(&text)) else { return false };
        self.seen.swap(count, Ordering::Relaxed) < count
    }
}

fn kills(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rising_count_is_a_kill() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("vmstat");
        let counter = OutOfMemory { file: file.clone(), seen: AtomicU64::new(3) };
        for (text, killed) in [("pgfault 9\noom_kill 3\n", false), ("oom_kill 4\n", true), ("oom_kill 4\n", false), ("", false)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(counter.has_killed(), killed, "{text:?}");
        }
    }
}
