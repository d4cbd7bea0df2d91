//! What the daemon has for itself and its children inherit.

use super::raw::{self, start::Undo};

/// What a connector must not keep of what this process has.
pub(super) fn of_this_process() -> Undo {
    let score = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    Undo {
        ignored_signals: raw::ignored_signals(),
        out_of_memory_protection: is_protected(&score),
        // What cannot be read was not changed either.
        nice: rustix::process::getpriority_process(None).is_ok_and(|nice| nice != 0),
        io_priority: raw::io_priority().is_ok_and(|priority| priority != 0),
    }
}

/// Below zero, a process is killed later than others when memory runs out.
fn is_protected(score: &str) -> bool {
    score.trim_start().starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_score_below_zero_protects() {
        assert_eq!(["-900\n", "0\n", "500\n", ""].map(is_protected), [true, false, false, false]);
    }
}
