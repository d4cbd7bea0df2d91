//! Going on with a tunnel's log behind what was shown, without a line lost or repeated.
//!
//! Lines have no number that outlives the daemon: they are told apart by what they say and when. After a break the last lines are
//! read again, and those that were shown are passed over, each as often as it was shown.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::control::api::LogLine;

/// How far back a line may be behind one that was shown before it: cloudflared's clock has whole seconds, and replicas are read one
/// after the other.
const DISORDER_MAX: SignedDuration = SignedDuration::from_secs(5);

/// How many of the last shown lines are remembered: more than come in [`DISORDER_MAX`] unless a connector floods its log.
const REMEMBERED_MAX: usize = 10_000;

/// What was shown last.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The time of the first line that was ever shown.
    first: Option<Timestamp>,
    /// The latest time that a shown line had.
    latest: Option<Timestamp>,
    /// The lines of the last seconds.
    lines: VecDeque<LogLine>,
    /// Shown lines that have not come again, while lines are read again.
    expected: Option<Vec<LogLine>>,
}

impl Shown {
    /// Whether anything was shown.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// From here on, lines come that may have been shown.
    pub(super) fn begin_again(&mut self) {
        self.expected = (!self.is_empty()).then(|| self.lines.iter().cloned().collect());
    }

    /// Whether `line` is to be shown, which is remembered.
    pub(super) fn take(&mut self, line: &LogLine) -> bool {
        if self.was_shown(line) {
            return false;
        }
        self.first.get_or_insert(line.at);
        self.latest = self.latest.max(Some(line.at));
        self.lines.push_back(line.clone());
        let floor = self.floor();
        while self.lines.len() > REMEMBERED_MAX || self.lines.front().is_some_and(|line| line.at < floor) {
            self.lines.pop_front();
        }
        true
    }

    fn was_shown(&mut self, line: &LogLine) -> bool {
        let floor = self.floor();
        let Some(expected) = &mut self.expected else { return false };
        if let Some(position) = expected.iter().position(|shown| same(shown, line)) {
            expected.swap_remove(position);
            if expected.is_empty() {
                self.expected = None;
            }
            return true;
        }
        if line.at < floor {
            return true;
        }
        if Some(line.at) > self.latest {
            // Lines come in the order of their times: what was shown has come again, or is not kept any more.
            self.expected = None;
        }
        false
    }

    /// Lines from before are older than what was shown.
    fn floor(&self) -> Timestamp {
        let recent = self.latest.and_then(|latest| latest.checked_sub(DISORDER_MAX).ok());
        recent.max(self.first).unwrap_or(Timestamp::MIN)
    }
}

/// Whether two lines are one that was read twice. One without a time of its own gets the time at which it was found.
fn same(shown: &LogLine, line: &LogLine) -> bool {
    let has_own_time = shown.at.subsec_nanosecond() == 0;
    shown.replica == line.replica && shown.text == line.text && (shown.at == line.at || !has_own_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: i64, replica: u8, text: &str) -> LogLine {
        LogLine { id: 1, at: Timestamp::from_second(1_000 + second).unwrap(), replica, text: text.to_owned() }
    }

    fn shown(shown: &mut Shown, lines: &[LogLine]) -> Vec<String> {
        lines.iter().filter(|line| shown.take(line)).map(|line| line.text.clone()).collect()
    }

    #[test]
    fn what_was_shown_is_passed_over_as_often_as_it_was_shown_and_the_rest_is_new() {
        let mut state = Shown::default();
        let before = [line(0, 0, "a"), line(20, 0, "b"), line(20, 0, "b"), line(20, 1, "c")];
        assert_eq!(shown(&mut state, &before), ["a", "b", "b", "c"]);
        state.begin_again();
        let again = [
            line(-9, 0, "older"),
            line(0, 0, "a"),
            line(20, 0, "b"),
            line(20, 0, "b"),
            line(20, 0, "b"),
            line(20, 0, "d"),
            line(20, 1, "c"),
            line(21, 0, "b"),
            line(21, 1, "c"),
        ];
        assert_eq!(shown(&mut state, &again), ["b", "d", "b", "c"]);
        assert_eq!(shown(&mut state, &[line(21, 1, "c")]), ["c"], "what comes live is shown, whatever it says");
    }

    #[test]
    fn a_line_that_has_only_the_time_at_which_it_was_found_is_known_again() {
        let mut state = Shown::default();
        let found = |millisecond| LogLine { at: Timestamp::from_millisecond(millisecond).unwrap(), ..line(0, 0, "panic") };
        assert_eq!(shown(&mut state, &[found(1_001)]).len(), 1);
        state.begin_again();
        assert_eq!(shown(&mut state, &[found(1_777)]).len(), 0);
        assert_eq!(shown(&mut state, &[found(1_778)]).len(), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_hides_nothing() {
        let mut state = Shown::default();
        assert_eq!(shown(&mut state, &[line(500, 0, "a")]).len(), 1);
        state.begin_again();
        assert_eq!(shown(&mut state, &[line(500, 0, "a"), line(3, 0, "b")]), ["b"]);
    }

    #[test]
    fn without_anything_shown_everything_is_new() {
        let mut state = Shown::default();
        state.begin_again();
        assert_eq!(shown(&mut state, &[line(0, 0, "a")]), ["a"]);
    }
}
